"""A charger that works, near the driver, now: where they are, what fits, three to choose from, one held or watched.

Availability is never invented: what was heard too long ago is said to be old, and where nothing is free the one that may be
free soonest is named as a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from actions.bridge import BridgeError, BridgeRefused, Charger
from actions.places.candidates import candidate
from actions.places.plugs import Wanted, wanted
from actions.places.ranking import Option, Stall, Tier, rank
from actions.places.resolve import Answer, Place, Vague, WhichOne, resolve
from actions.places.search import Search
from actions.playbooks.contact import WAIT_S, Contact, Ports, Wake
from actions.playbooks.steps import Choice, End, Offer, Outcome, Say, Steps, Tried, Waiting, duration_words

RADII_KM = (25.0, 100.0)  # how far a driver without energy gets is not known: the near ones first
MOST = 3
HOLD_MIN = 15
WATCH_S = 2 * 3600.0
_START = "session_not_starting"  # what a charger that is named next is about


async def run(ports: Ports, contact: Contact) -> Steps:
    """Answers "where can I charge?", or asks where the driver is. Raises BridgeError."""
    asked = contact.search
    if asked.keep:
        async for step in keep(ports, contact):
            yield step
        return
    search = replace(asked, wanted=merged(asked.wanted, wanted(asked.words)))
    said = resolve(asked.words, await ports.chargers.sites(), pin=asked.pin, asked=asked.asked)
    if isinstance(said, Vague) and said.why == "unknown":
        said = asked.place or await _standing(ports, contact) or said
    if not isinstance(said, Place):
        yield _question(said, asked.asked)
        yield End(search=search, asks_place=True)
        return
    search = replace(search, place=said)
    left_out = frozenset() if contact.charger_id is None else frozenset({contact.charger_id})
    options = await around(ports, said, search.wanted, left_out)
    async for step in _told(ports, said, search, options):
        yield step


def merged(before: Wanted, now: Wanted) -> Wanted:
    """What is said now counts; what was said before and not taken back stays."""
    return Wanted(now.plugs or before.plugs, now.speed or before.speed, now.car or before.car)


async def around(ports: Ports, place: Place, wish: Wanted, leave_out: frozenset[str]) -> list[Option]:
    """The best first; from farther away only where nothing near is free. Raises BridgeError."""
    options: list[Option] = []
    for radius in RADII_KM:
        found = await ports.chargers.around(place.latitude, place.longitude, radius)
        now = ports.clock.now()
        known = [one for charger in found if (one := candidate(charger, now)) is not None]
        options = rank(known, place.latitude, place.longitude, wish, leave_out=leave_out)
        if any(option.tier is Tier.FREE for option in options):
            break
    return options


async def keep(ports: Ports, contact: Contact) -> Steps:
    """Holds the charger that was named first, where it can be held for this driver; else watches it. Raises BridgeError."""
    option = contact.search.option
    if option is None:
        yield Say("say_find_where")
        yield End(search=contact.search, asks_place=True)
        return
    charger_id, connector = option
    charger = await ports.chargers.refreshed(charger_id, connector)
    plug = charger.connector(connector)
    if plug is not None and plug.status == "Available" and charger.connected:
        if await _may_hold(ports, contact):
            yield Say("say_holding", {"charger": charger.label}, first=True)
            async for step in _hold(ports, contact, charger, connector):
                yield step
            return
        async for step in _watch(ports, contact, charger, connector, "taken", "say_watching_free"):
            yield step
        return
    async for step in _watch(ports, contact, charger, connector, "free", "say_watching_busy"):
        yield step


async def woken(ports: Ports, contact: Contact, wake: Wake) -> Steps:
    """What was watched has changed, or the watch is over. Raises BridgeError."""
    assert contact.charger_id is not None
    charger = await ports.chargers.charger(contact.charger_id)
    plug = charger.connector(contact.connector)
    free = plug is not None and plug.status == "Available" and charger.connected
    if wake.purpose == "freed":
        if wake.met and free:
            yield Say("say_now_free", {"charger": charger.label, "site": charger.site})
            yield End(Outcome.REDIRECTED, problem=_START)
        else:
            yield Say("say_still_busy", {"charger": charger.label})
            yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    if not wake.met or free or charger.latitude is None or charger.longitude is None:
        yield End(Outcome.REDIRECTED)  # nobody came before the driver; there is nothing to tell
        return
    if any(one.session is not None and one.session.driver == contact.driver for one in charger.connectors):
        yield End(Outcome.REDIRECTED)  # it is the driver who has taken it
        return
    place = Place(charger.site, charger.latitude, charger.longitude, "site")
    options = await around(ports, place, Wanted(), frozenset({charger.id}))
    yield Say("say_taken", {"charger": charger.label})
    async for step in _told(ports, place, Search(place=place), options):
        yield step


# --- the words -------------------------------------------------------------------------------------------------------
def _question(said: Answer, asked: bool) -> Say:
    match said:
        case WhichOne(candidates):
            choices = tuple(
                Choice("say_choice_place", "/provide_location" + _as_json(place), {"place": place.label})
                for place in candidates
            )
            return Say("say_which_place", choices=choices)
        case Vague("region", name):
            return Say("say_place_region", {"place": name.title()})
        case Vague("highway", _):
            return Say("say_place_highway")
        case Vague("outside", _):
            return Say("say_place_outside")
        case _:
            return Say("say_place_unknown" if asked else "say_find_where")


def _as_json(place: Place) -> str:
    """A tapped choice gives the place back as coordinates: two towns of one name differ in nothing else."""
    return f'{{"location": "{place.latitude:.4f}, {place.longitude:.4f}"}}'


async def _told(ports: Ports, place: Place, search: Search, options: Sequence[Option]) -> Steps:
    free = [option for option in options if option.tier is Tier.FREE][:MOST]
    if free:
        named = replace(search, option=(free[0].charger.id, free[0].stall.connector))
        listed = {"list": "\n".join(map(line, free)), "link": link(free[0])}
        named_place = place.kind not in ("pin", "coordinates")
        shown = cards(free)
        yield (
            Say("say_near_list", {"place": place.label, **listed}, shown=shown)
            if named_place
            else Say("say_near_you_list", listed, shown=shown)
        )
        yield End(Outcome.REDIRECTED, Offer.KEEP, _START, search=named)
        return
    if not options:
        plugs = ", ".join(sorted(search.wanted.plugs))
        yield Say("say_near_none_fits", {"plugs": plugs}) if plugs else Say("say_next_none")
        yield End(Outcome.NOT_FIXED, Offer.PERSON, _START, search=search)
        return
    first = options[0]
    named = replace(search, option=(first.charger.id, first.stall.connector))
    values = {"list": line(first), "link": link(first)}
    if first.tier is Tier.BUSY:
        guess = duration_words(first.free_in_s or 0.0)
        yield Say("say_near_busy", {**values, "guess": guess})
    elif first.tier is Tier.FREE_OLD and first.charger.heard_s is not None:
        yield Say("say_near_old", {**values, "age": duration_words(first.charger.heard_s)})
    else:
        yield Say("say_near_doubtful", values)
    yield End(Outcome.REDIRECTED, Offer.KEEP, _START, search=named)


def line(option: Option) -> str:
    """ "2011 Lakeshore Yard, 400 m, CCS 150 kW, 0.59/kWh": the same in every language."""
    one, stall = option.charger, option.stall
    power = f"{stall.max_kw:g} kW" if stall.max_kw else ""
    plug = " ".join(part for part in (stall.plug or "", power) if part)
    price = "" if one.price_per_kwh is None else f"{one.price_per_kwh:.2f}/kWh"
    parts = (f"{one.label} {one.site}".strip(), distance_words(option.away_m), plug, price)
    return ", ".join(part for part in parts if part)


def cards(options: Sequence[Option]) -> dict[str, Any]:
    """The same list for channels that show cards."""
    return {"kind": "chargers", "chargers": [_card(option) for option in options]}


def _card(option: Option) -> dict[str, Any]:
    one = option.charger
    plugs = (" ".join(part for part in (stall.plug, _kw(stall)) if part) for stall in one.stalls)
    return {
        "id": one.id,
        "name": f"{one.label} {one.site}".strip(),
        "distance_m": round(option.away_m),
        "plugs": sorted({plug for plug in plugs if plug}),
        "free": sum(stall.status == "Available" for stall in one.stalls),
        "price": None if one.price_per_kwh is None else f"{one.price_per_kwh:.2f}/kWh",
        "map_url": link(option),
    }


def _kw(stall: Stall) -> str:
    return f"{stall.max_kw:g} kW" if stall.max_kw else ""


def distance_words(metres: float) -> str:
    """ "400 m" or "2.3 km"."""
    return f"{max(100, round(metres / 100) * 100):.0f} m" if metres < 950 else f"{metres / 1000:.1f} km"


def link(option: Option) -> str:
    """The way there, for any phone (developers.google.com/maps/documentation/urls)."""
    return f"https://www.google.com/maps/dir/?api=1&destination={option.charger.latitude:.5f},{option.charger.longitude:.5f}"


# --- the acts --------------------------------------------------------------------------------------------------------
async def _standing(ports: Ports, contact: Contact) -> Place | None:
    """The charger that the conversation is about is where the driver stands."""
    if contact.charger_id is None:
        return None
    of = await ports.chargers.charger(contact.charger_id)
    if of.latitude is None or of.longitude is None:
        return None
    return Place(of.site or of.label, of.latitude, of.longitude, "site")


async def _may_hold(ports: Ports, contact: Contact) -> bool:
    return any(one.status == "Accepted" and not one.guest for one in await ports.chargers.tokens(contact.driver))


async def _hold(ports: Ports, contact: Contact, charger: Charger, connector: int) -> Steps:
    token = next(one for one in await ports.chargers.tokens(contact.driver) if one.status == "Accepted")
    fields = {"connector": connector, "token": token.id, "minutes": HOLD_MIN}
    try:
        command = await ports.chargers.send(
            "reserve",
            charger.id,
            fields,
            actor=contact.turn.actor,
            reason=contact.problem,
            key=contact.key("hold"),
            wait_s=WAIT_S,
        )
    except BridgeRefused:
        command = None
    if command is not None:
        yield Tried("reserve", command.id, command.outcome if command.finished else None, command.answer)
    if command is not None and command.state == "verified":
        yield Say("say_held", {"charger": charger.label, "site": charger.site, "minutes": str(HOLD_MIN)})
        yield End(Outcome.REDIRECTED, problem=_START)
        return
    async for step in _watch(ports, contact, charger, connector, "taken", "say_not_held_watching"):
        yield step


async def _watch(ports: Ports, contact: Contact, charger: Charger, connector: int, until: str, say: str) -> Steps:
    purpose = "freed" if until == "free" else "taken"
    try:
        watch = await ports.chargers.watch_charger(
            charger.id, connector, until, WATCH_S, contact.data(purpose), contact.key(f"near-{purpose}")
        )
    except BridgeError:
        yield Say("say_no_watch", {"charger": charger.label, "site": charger.site})
        yield End(Outcome.REDIRECTED, problem=_START)
        return
    yield Waiting(watch, purpose, charger.id, connector)
    yield Say(say, {"charger": charger.label, "site": charger.site})
    yield End(Outcome.REDIRECTED, problem=_START)
