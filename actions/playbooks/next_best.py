"""The next best thing: a free connector here, else a free charger at the site, else the nearest, else a person."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from actions.bridge import BridgeError, Charger, Chargers, Diagnosis
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps

_START = "session_not_starting"  # what a charger that is named next is about


async def next_best(chargers: Chargers, seen: Diagnosis) -> Steps:
    """Names one place to go; ends the case as redirected, or offers a person where there is none."""
    here = free_here(seen)
    if here is not None:
        yield Say("say_next_here", {"charger": seen.charger.label, "connector": str(here)})
        yield End(Outcome.REDIRECTED, Offer.RETRY, _START)
        return
    say = await elsewhere(chargers, seen.charger, seen.site_free)
    yield say or Say("say_next_none")
    yield End(Outcome.REDIRECTED if say else Outcome.NOT_FIXED, None if say else Offer.PERSON, _START)


async def elsewhere(chargers: Chargers, of: Charger, site_free: tuple[str, ...] = ()) -> Say | None:
    """A free charger at the site, else the nearest; None where the bridge knows of none."""
    for charger_id in site_free:
        if charger_id != of.id:
            other = await chargers.charger(charger_id)
            if is_free(other):
                return Say("say_next_site", {"charger": other.label})
    place = of if of.latitude is not None else await chargers.charger(of.id)
    if place.latitude is None or place.longitude is None:
        return None
    try:
        nearby = await chargers.nearby(place.latitude, place.longitude)
    except BridgeError:
        return None  # the turn's own answer stands without it
    for other in nearby:
        if other.id == of.id or not is_free(other):
            continue
        values = {"charger": other.label, "site": other.site}
        if other.latitude is None or other.longitude is None:
            return Say("say_next_near_unplaced", values)
        away = distance_m(place.latitude, place.longitude, other.latitude, other.longitude)
        if away < 30 or other.site == of.site:
            return Say("say_next_site", {"charger": other.label})
        return Say("say_next_near", {**values, "distance": distance_words(away)})
    return None


def free_here(seen: Diagnosis) -> int | None:
    """Another connector of the same charger that a car could take now."""
    if not seen.charger.connected or seen.charger.status in ("Faulted", "Unavailable"):
        return None
    free = (one for one in seen.charger.connectors if one.status == "Available" and one.session is None)
    return next((one.connector for one in free if one.connector != seen.connector), None)


def is_free(charger: Charger) -> bool:
    """Whether a driver who came now could use it, as far as it has told."""
    booted = charger.boot in (None, "Accepted") and charger.status not in ("Faulted", "Unavailable")
    return charger.connected and booted and any(one.status == "Available" for one in charger.connectors)


def distance_m(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Along the sphere, in metres; degrees in."""
    a, b = radians(latitude), radians(other_latitude)
    half = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * 6_371_000 * asin(sqrt(half))


def distance_words(metres: float) -> str:
    """ "400 m" or "2.3 km"."""
    return f"{max(100, round(metres / 100) * 100):.0f} m" if metres < 950 else f"{metres / 1000:.1f} km"
