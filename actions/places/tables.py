"""The tables of places that ship with the product, read once, at first use (about 0.2 s).

Sources and licences: data/ATTRIBUTION.md.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "data"

SPOT = 200_000  # a district that everyone knows counts as a town of this size against others of its name

_SAINT = {"saint": "st", "sainte": "st", "ste": "st", "mt": "mount", "ft": "fort"}


@dataclass(frozen=True, slots=True)
class City:
    """Degrees; `region` is the two letters of the state or province."""

    name: str
    region: str
    country: str
    latitude: float
    longitude: float
    population: int

    @property
    def label(self) -> str:
        return f"{self.name}, {self.region}" if self.region else self.name


@dataclass(frozen=True, slots=True)
class Words:
    """data/words.yml, every phrase folded."""

    regions: Mapping[str, tuple[str, ...]]  # phrase -> codes; "washington" is one code, "ca" is California
    codes: frozenset[str]
    also_city: frozenset[str]
    region_after: tuple[str, ...]
    outside: frozenset[str]
    before: frozenset[str]
    here: frozenset[str]
    toward: frozenset[str]
    everyday: frozenset[str]
    no_town: frozenset[str]  # never read as a town that is written wrongly
    aliases: Mapping[str, tuple[str, str]]  # phrase -> folded name of the city, region
    spots: Mapping[str, City]
    street: frozenset[str]
    around: frozenset[str]


def fold(text: str) -> str:
    """Lower case, no accents, no punctuation, one way to write saints and mounts."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("\u2019", "'").replace("œ", "oe").replace("æ", "ae"))
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign)).replace("'", " ")
    words = re.sub(r"[^a-z0-9]+", " ", plain).split()
    return " ".join(_SAINT.get(word, word) for word in words)


def _rows(name: str) -> list[list[str]]:
    text = gzip.decompress((DATA / name).read_bytes()).decode()
    return [line.split("\t") for line in text.splitlines()]


@cache
def cities() -> Mapping[str, Sequence[City]]:
    """By folded name, the most populous first."""
    found: dict[str, list[City]] = defaultdict(list)
    for name, region, country, latitude, longitude, population in _rows("cities.tsv.gz"):
        city = City(name, region, country, float(latitude), float(longitude), int(population))
        found[fold(name)].append(city)
        # Drivers leave out what maps add: "Salt Lake", "Ste-Anne", "Washington, D.C." keep their own entries.
        if name.endswith(", D.C."):
            found[fold(name.removesuffix(", D.C."))].append(city)
    for rows in found.values():
        rows.sort(key=lambda city: -city.population)
    return dict(found)


@cache
def zips() -> Mapping[str, City]:
    return {
        code: City(f"{city} {code}", state, "US", float(latitude), float(longitude), 0)
        for code, latitude, longitude, city, state in _rows("zips.tsv.gz")
    }


@cache
def forward_sortation_areas() -> Mapping[str, City]:
    """The first three signs of Canadian postal codes: the middle of each area."""
    return {
        area: City(area, province, "CA", float(latitude), float(longitude), 0)
        for area, latitude, longitude, province in _rows("fsas.tsv.gz")
    }


@cache
def words() -> Words:
    raw: dict[str, Any] = yaml.safe_load((DATA / "words.yml").read_text(encoding="utf-8"))

    def phrases(name: str) -> frozenset[str]:
        return frozenset(fold(str(phrase)) for phrase in raw[name])

    regions: dict[str, list[str]] = defaultdict(list)
    codes: set[str] = set()
    for country in raw["regions"].values():
        for code, names in country.items():
            codes.add(code)
            for phrase in {code.lower(), *(fold(str(name)) for name in names)}:
                if code not in regions[phrase]:
                    regions[phrase].append(code)
    aliases = {
        fold(str(alias)): (fold(full.rsplit(",", 1)[0]), full.rsplit(",", 1)[1].strip())
        for alias, full in raw["aliases"].items()
        if full
    }
    spots = {
        fold(str(phrase)): City(
            name, region, "CA" if region in raw["regions"]["CA"] else "US", latitude, longitude, SPOT
        )
        for phrase, (name, region, latitude, longitude) in raw["spots"].items()
    }
    return Words(
        regions={phrase: tuple(found) for phrase, found in regions.items()},
        codes=frozenset(codes),
        also_city=phrases("also_city"),
        region_after=tuple(sorted(phrases("region_after"))),
        outside=phrases("outside"),
        before=phrases("before"),
        here=phrases("here"),
        toward=phrases("toward"),
        everyday=phrases("everyday"),
        no_town=phrases("no_town"),
        aliases=aliases,
        spots=spots,
        street=phrases("street"),
        around=phrases("around"),
    )
