"""Where the driver is: from a pin, coordinates, a postal code, a site of the operator's, a town, as they write it.

Ambiguous is asked back, the places near the operator's chargers first; what is not on the map is said to be so. Only what
lies in the United States and Canada is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import fuzz, process
from rapidfuzz.distance import DamerauLevenshtein

from actions.places.mentions import NOT_THERE, SURE, Mention, mentions_of
from actions.places.tables import City, cities, fold, forward_sortation_areas, words, zips
from chargeline.geo import distance_m

NEAR_M = 60_000.0  # a place is "near the operator's chargers" within an hour's detour
SAME_M = 30_000.0  # two entries of one name in one country closer than this are one place to a driver
SERVED = 10.0  # a town near the operator's chargers counts as this many times its people: it is where our drivers are
DOMINANT = 5.0  # times the weight of the next one of that name: that is who is meant
MOST_CHOICES = 3
SITE_SCORE = 90.0

Kind = Literal["pin", "coordinates", "postal_code", "site", "highway", "city"]
Why = Literal["region", "highway", "outside", "unknown"]


@dataclass(frozen=True, slots=True)
class Site:
    """A place of the operator's, as far as the bridge knows it."""

    id: str
    name: str
    latitude: float
    longitude: float
    address: str = ""
    city: str = ""
    postal_code: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Degrees; `label` is what it is called to the driver; `site` where it is one of the operator's."""

    label: str
    latitude: float
    longitude: float
    kind: Kind
    site: str | None = None


@dataclass(frozen=True, slots=True)
class WhichOne:
    """More places than one are meant by these words; the likelier first, at most three."""

    candidates: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Vague:
    """Nothing to measure from. `said` is the driver's word for it, or empty."""

    why: Why
    said: str = ""


Answer = Place | WhichOne | Vague


def resolve(
    text: str, sites: Sequence[Site] = (), *, pin: tuple[float, float] | None = None, asked: bool = False
) -> Answer:
    """`pin`: a shared location in degrees. `asked`: the text answers "where are you?", so a bare word may be a town."""
    if pin is not None:
        return Place("your location", *pin, "pin")
    for reading in (_coordinates, _canadian_code):
        if (found := reading(text)) is not None:
            return found
    near = _sites_named(text, sites)
    if near is not None:
        return near
    found_zip = _zip(text)
    if found_zip is not None:
        return found_zip
    by_highway = _by_highway(text, sites)
    if isinstance(by_highway, Place):
        return by_highway
    town = _town(text, sites, asked=asked)
    if isinstance(town, Place | WhichOne) or by_highway is None:
        return town
    return by_highway


# --- numbers ---------------------------------------------------------------------------------------------------------
_PAIR = re.compile(
    r"(?P<lat>[-+]?\d{1,2}[.]\d{2,})\s*°?\s*(?P<ns>[NS])?\s*(?:[,;/ ]|%2C)\s*(?P<lon>[-+]?\d{1,3}[.]\d{2,})\s*°?\s*(?P<ew>[EWO])?\b",
    re.IGNORECASE,
)


def _coordinates(text: str) -> Place | Vague | None:
    for match in _PAIR.finditer(text):
        latitude, longitude = float(match["lat"]), float(match["lon"])
        if (match["ns"] or "").upper() == "S":
            latitude = -abs(latitude)
        if (match["ew"] or "").upper() in ("W", "O"):  # ouest, oeste
            longitude = -abs(longitude)
        elif not match["ew"] and 52 < longitude < 170 and 17 < latitude < 75:
            longitude = -longitude  # the minus is what people leave out; east of Greenwich none of it is ours
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            continue
        if not (17 <= latitude <= 84 and -180 <= longitude <= -52):
            return Vague("outside", match.group())
        return Place(f"{latitude:.4f}, {longitude:.4f}", latitude, longitude, "coordinates")
    return None


_LETTER, _LAST = "ABCEGHJKLMNPRSTVXY", "ABCEGHJKLMNPRSTVWXYZ"
_CODE = re.compile(
    rf"\b([{_LETTER}])([0-9OIL])([{_LAST}])(?:[ -]?([0-9OIL])([{_LAST}0-9])([0-9OIL]))?\b", re.IGNORECASE
)
_DIGITS = str.maketrans("OIL", "011")


def _canadian_code(text: str) -> Place | Vague | None:
    """A postal code or its first half; letters that look like digits are read as digits where only digits stand."""
    for match in _CODE.finditer(text):
        first, digit, last, rest = match[1].upper(), match[2].upper(), match[3].upper(), match[4]
        area = f"{first}{digit.translate(_DIGITS)}{last}"
        if not rest and (digit in "OIL" or (not _alone(text, match) and match.group() != match.group().upper())):
            continue  # "m1a" in a sentence may be anything; a whole code or capitals are meant
        known = forward_sortation_areas().get(area)
        if known is not None:
            unit = (
                f" {rest.upper().translate(_DIGITS)}{match[5].upper()}{match[6].upper().translate(_DIGITS)}"
                if rest
                else ""
            )
            label = f"{area}{unit}"
            return Place(label, known.latitude, known.longitude, "postal_code")
        if rest:
            return Vague("unknown", match.group())
    return None


def _alone(text: str, match: re.Match[str]) -> bool:
    return fold(text) == fold(match.group()) or bool(re.search(r"postal|code|c\.?p\.?\b", text, re.IGNORECASE))


_ZIP = re.compile(r"(?<![\w#.$-])(\d{5})(?:-\d{4})?(?![\w.]*\d)(?!\s*(?:km|mi|kwh|kw|%|dollars|bucks))", re.IGNORECASE)
_SHORT_ZIP = re.compile(r"\bzip(?: ?code)?\D{0,8}(\d{4})\b", re.IGNORECASE)


def _zip(text: str) -> Place | Vague | None:
    missed: Vague | None = None
    for match in _ZIP.finditer(text):
        after = fold(text[match.end() : match.end() + 40]).split()
        if any(word in words().street for word in after[:3]) and not re.match(r"\s*(?:,|$)", text[match.end() :]):
            continue  # "10110 Ravine Gate" is a house
        if re.search(
            r"(?:charger|station|stall|number|num|#|borne|cargador|numero)\W*(?:is|es|est)?\W*$",
            text[: match.start()],
            re.IGNORECASE,
        ):
            continue  # the number of a charger, not of a place
        known = zips().get(match[1])
        if known is not None and any(word in words().outside for word in after[:2]):
            return Vague("outside", match[1])
        if known is not None:
            return Place(known.label, known.latitude, known.longitude, "postal_code")
        if re.search(r"zip|postal", text, re.IGNORECASE) or fold(text) == match[1]:
            missed = Vague("unknown", match[1])
    short = _SHORT_ZIP.search(text)
    if short and (known := zips().get(f"0{short[1]}")) is not None:  # New England's zero is often left out
        return Place(known.label, known.latitude, known.longitude, "postal_code")
    return missed


# --- the operator's own ----------------------------------------------------------------------------------------------
def _sites_named(text: str, sites: Sequence[Site]) -> Place | WhichOne | None:
    """By name or street, whole or nearly so. A site's town is no name of the site."""
    folded = fold(text)
    core = _core(folded)
    scored: list[tuple[float, Site]] = []
    for site in sites:
        for named in (fold(site.name), fold(site.address.split(",")[0])):
            if len(named) < 6:
                continue
            if f" {named} " in f" {folded} ":
                scored.append((101.0 + len(named), site))
                continue
            score = fuzz.partial_ratio(named, folded) if len(folded) >= len(named) - 2 else 0.0
            if score >= SITE_SCORE and _same_numbers(named, folded):
                scored.append((score, site))
            elif core and f" {core} " in f" {named} ":
                scored.append((94.0, site))
            elif _street(named) and f" {_street(named)} " in f" {folded} ":
                scored.append((95.0, site))
    if not scored:
        return None
    best = max(score for score, _ in scored)
    top = list({site.id: site for score, site in scored if score == best}.values())
    if len(top) == 1:
        return _of_site(top[0])
    return WhichOne(tuple(_of_site(site) for site in top[:MOST_CHOICES]))


def _core(folded: str) -> str:
    """What is left of a message without the words round a place; nothing where it is a single or a short word."""
    core = " ".join(word for word in folded.split() if word not in words().around)
    return core if " " in core and len(core) >= 8 else ""


def _street(address: str) -> str:
    """The street of a folded address without its number: "barton row"; nothing for a single word."""
    without = re.sub(r"^\d+ ", "", address)
    return without if without != address and " " in without else ""


def _same_numbers(one: str, other: str) -> bool:
    """A name that is nearly written is not the neighbour's at another number."""
    numbers = set(re.findall(r"\d+", one))
    return not numbers or numbers <= set(re.findall(r"\d+", other))


def _of_site(site: Site) -> Place:
    return Place(site.name, site.latitude, site.longitude, "site", site.id)


_ROAD = re.compile(
    r"\b(?:(?P<word>i|interstate|hwy|highway|autoroute|aut|route|rte|us|sr|state route|carretera|autopista|interestatal|ruta|the|la|l|a)[ -]?)"
    r"(?P<number>\d{1,3})\b|\b(?P<named>qew)\b",
)
_EXIT = re.compile(r"\b(?:exit|exits|salida|sortie|interchange)(?: (?:no|num|numero|number))? ?(\d{1,3}[a-d]?)\b")


def _by_highway(text: str, sites: Sequence[Site]) -> Place | Vague | None:
    """A site whose name or address has the road, and the exit where one is said; Vague where the network has none."""
    folded = fold(text)
    roads = {match["number"] or match["named"] for match in _ROAD.finditer(folded)}
    found_exit = _EXIT.search(folded)
    if not roads or not (
        found_exit or re.search(r"\b(?:highway|hwy|interstate|autoroute|carretera|i ?\d|the \d)", folded)
    ):
        return Vague("highway", found_exit.group()) if found_exit else None
    for site in sites:
        there = fold(f"{site.name} {site.address}")
        on_road = roads & {match["number"] or match["named"] for match in _ROAD.finditer(there)}
        at_exit = _EXIT.search(there)
        if on_road and (not found_exit or (at_exit and at_exit[1] == found_exit[1])):
            return Place(site.name, site.latitude, site.longitude, "highway", site.id)
    return Vague("highway", " ".join(sorted(roads)))


# --- towns -----------------------------------------------------------------------------------------------------------
def _town(text: str, sites: Sequence[Site], *, asked: bool) -> Answer:
    said = mentions_of(text, asked=asked)
    best = max((mention.weight for mention in said.towns), default=SURE)
    if best == NOT_THERE and (nearly := _misspelt(said.unknown, sites)) is not None:
        return nearly
    answers: list[Answer] = [
        _which(mention.candidates, sites) for mention in said.towns if mention.weight == best and mention.candidates
    ]
    if answers:
        return answers[0] if len(answers) == 1 else _either(answers)
    if said.outside and not said.region:
        return Vague("outside", said.outside)
    if (nearly := _misspelt(said.unknown, sites)) is not None:
        return nearly
    if said.region:
        return Vague("region", said.region)
    return Vague("unknown", said.unknown[0].text if said.unknown else "")


def _either(answers: Sequence[Answer]) -> Answer:
    places: list[Place] = []
    for answer in answers:
        for place in (answer,) if isinstance(answer, Place) else getattr(answer, "candidates", ()):
            if all(_apart(place, other) > SAME_M for other in places):
                places.append(place)
    return places[0] if len(places) == 1 else WhichOne(tuple(places[:MOST_CHOICES]))


def _apart(one: Place | City, other: Place | City) -> float:
    return distance_m(one.latitude, one.longitude, other.latitude, other.longitude)


def _which(candidates: Sequence[City], sites: Sequence[Site]) -> Answer:
    """The one that is meant, or those that may be."""
    apart: list[City] = []
    for city in sorted(candidates, key=lambda one: -one.population):
        if all(_apart(city, other) > SAME_M or city.country != other.country for other in apart):
            apart.append(city)
    if not apart:
        return Vague("unknown")
    weighed = sorted(((_weight(city, sites), city) for city in apart), key=lambda pair: -pair[0])
    if len(weighed) == 1 or weighed[0][0] >= DOMINANT * weighed[1][0]:
        return _of_city(weighed[0][1])
    rivals = [city for weight, city in weighed if weight * DOMINANT * DOMINANT > weighed[0][0]]
    return WhichOne(tuple(_of_city(city) for city in rivals[:MOST_CHOICES]))


def _weight(city: City, sites: Sequence[Site]) -> float:
    return max(1, city.population) * (SERVED if _served(city, sites) else 1.0)


def _served(city: City, sites: Iterable[Site]) -> bool:
    return any(distance_m(city.latitude, city.longitude, site.latitude, site.longitude) <= NEAR_M for site in sites)


def _of_city(city: City) -> Place:
    return Place(city.label, city.latitude, city.longitude, "city")


def _misspelt(unknown: Sequence[Mention], sites: Sequence[Site]) -> Answer | None:
    """Towns of some size that are written nearly so: "missisauga". A wrong first letter is another word."""
    for mention in unknown:
        if len(mention.text) < 5 or mention.text in words().everyday | words().no_town:
            continue
        slips = 1 if len(mention.text) < 7 else 2
        hits = process.extract(
            mention.text, _names_of_some_size(), scorer=DamerauLevenshtein.distance, score_cutoff=slips, limit=8
        )
        near = [(slip, name) for name, slip, _ in hits if name[0] == mention.text[0]]
        found = [(slip, city) for slip, name in near for city in cities()[name] if city.population >= 5_000]
        if mention.region:
            found = [(slip, city) for slip, city in found if city.region in mention.region]
        if found:
            least = min(slip for slip, _ in found)
            return _which([city for slip, city in found if slip == least], sites)
    return None


_sized: list[str] = []


def _names_of_some_size() -> list[str]:
    if not _sized:
        _sized.extend(name for name, rows in cities().items() if rows[0].population >= 5_000)
    return _sized
