"""The next best thing: a free connector here, else the best free charger near that has the same plug, else a person."""

from __future__ import annotations

from actions.bridge import BridgeError, Charger, Connector, Diagnosis
from actions.places.candidates import candidate
from actions.places.plugs import Wanted
from actions.places.ranking import Option, Tier, rank
from actions.places.search import Search
from actions.playbooks.contact import Ports
from actions.playbooks.nearby import cards, distance_words
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps

NEAR_KM = 25.0  # how far a driver without energy gets is not known
HERE_M = 30.0
_START = "session_not_starting"  # what a charger that is named next is about


async def next_best(ports: Ports, seen: Diagnosis) -> Steps:
    """Names one place to go; ends the case as redirected, or offers a person where there is none."""
    here = free_here(seen)
    if here is not None:
        yield Say("say_next_here", {"charger": seen.charger.label, "connector": str(here)})
        yield End(Outcome.REDIRECTED, Offer.RETRY, _START)
        return
    found = await elsewhere(ports, seen.charger, seen.plug)
    if found is None:
        yield Say("say_next_none")
        yield End(Outcome.NOT_FIXED, Offer.PERSON, _START)
        return
    say, option = found
    yield say
    search = Search(option=(option.charger.id, option.stall.connector))
    yield End(Outcome.REDIRECTED, Offer.KEEP, _START, search=search)


async def elsewhere(ports: Ports, of: Charger, plug: Connector | None = None) -> tuple[Say, Option] | None:
    """The best free charger near with the plug that the driver stands at; None where the bridge knows of none."""
    place = of if of.latitude is not None else await ports.chargers.charger(of.id)
    if place.latitude is None or place.longitude is None:
        return None
    try:
        found = await ports.chargers.around(place.latitude, place.longitude, NEAR_KM)
    except BridgeError:
        return None  # the turn's own answer stands without it
    now = ports.clock.now()
    plugs = {plug.plug} if plug is not None and plug.plug else {one.plug for one in of.connectors if one.plug}
    known = [one for charger in found if (one := candidate(charger, now)) is not None]
    ranked = rank(known, place.latitude, place.longitude, Wanted(frozenset(plugs)), leave_out=frozenset({of.id}))
    best = next((option for option in ranked if option.tier is Tier.FREE), None)
    if best is None:
        return None
    values = {"charger": best.charger.label, "site": best.charger.site}
    shown = cards([best])
    if best.away_m < HERE_M or best.charger.site == of.site:
        return Say("say_next_site", {"charger": best.charger.label}, shown=shown), best
    return Say("say_next_near", {**values, "distance": distance_words(best.away_m)}, shown=shown), best


def free_here(seen: Diagnosis) -> int | None:
    """Another connector of the same charger that a car could take now."""
    if not seen.charger.connected or seen.charger.status in ("Faulted", "Unavailable"):
        return None
    wanted = seen.plug.plug if seen.plug is not None else None
    free = (one for one in seen.charger.connectors if one.status == "Available" and one.session is None)
    fits = (one for one in free if wanted is None or one.plug is None or one.plug == wanted)
    return next((one.connector for one in fits if one.connector != seen.connector), None)
