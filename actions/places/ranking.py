"""Which charger to send a driver to: fits, free now by a fresh status, delivering lately, near, strong, cheap, open.

Pure and stable: the same chargers in any order give the same list. Availability is never invented: what is old is said to be
old, and where nothing is free the one that may be free soonest is a guess and marked as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from actions.places.plugs import Wanted
from chargeline.geo import distance_m

FRESH_S = 900.0  # nothing heard of a charger for this long (three usual heartbeats): what it said last is old
FULL_AT_S = 45 * 60.0  # how long a fast session takes; slow ones take several hours
SLOW_FULL_AT_S = 5 * 3600.0

# What a doubt costs, in metres of way that a driver would rather go.
FAILED_M = 15_000.0  # its last starts came to nothing
UNPROVED_M = 2_000.0  # nobody has charged there for long
SLOW_M = 5_000.0  # below 40 kW where fast was not asked for
PRICE_M = 6_000.0  # for each unit of currency that a kWh costs


class Tier(IntEnum):
    """Better first. A charger that is broken, closed, or does not fit is in none."""

    FREE = 0
    FREE_OLD = 1  # was free when it was last heard
    DOUBTFUL = 2  # says that it is free, but people lately failed there or a case is open on it
    BUSY = 3  # may get free


@dataclass(frozen=True, slots=True)
class Stall:
    """A connector. `session_s`: how long the running session has run; `status` is one of OCPP 1.6's nine."""

    connector: int
    plug: str | None
    max_kw: float | None
    status: str | None
    session_s: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A charger with its place. `heard_s`: since anything was heard of it; None: never. `is_open`: None: not known."""

    id: str
    label: str
    site: str
    latitude: float
    longitude: float
    connected: bool
    stalls: tuple[Stall, ...]
    broken: bool = False  # faulted or out of service as a whole, or held for danger
    heard_s: float | None = None
    delivered_s: float | None = None  # since the last session with energy
    failures: int = 0  # starts in the last day that came to nothing, since the last that did
    open_cases: int = 0
    price_per_kwh: float | None = None
    is_open: bool | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """A charger to offer, with the connector to use. `free_in_s`: a guess, for `BUSY` only."""

    charger: Candidate
    stall: Stall
    tier: Tier
    away_m: float
    free_in_s: float | None = None
    cost_m: float = field(default=0.0, compare=False)


def rank(
    candidates: Iterable[Candidate],
    latitude: float,
    longitude: float,
    wanted: Wanted,
    *,
    leave_out: frozenset[str] = frozenset(),
) -> list[Option]:
    """The best first; one option a charger; nothing that is broken, closed, away or does not fit."""
    options = [
        option
        for candidate in candidates
        if candidate.id not in leave_out and (option := _option(candidate, latitude, longitude, wanted)) is not None
    ]
    return sorted(options, key=_order)


def _order(option: Option) -> tuple[int, float, float, str]:
    waiting = option.free_in_s if option.free_in_s is not None else 0.0
    return option.tier, waiting + option.cost_m / 10, option.away_m, option.charger.id  # ten metres a second


def _option(candidate: Candidate, latitude: float, longitude: float, wanted: Wanted) -> Option | None:
    if candidate.broken or not candidate.connected or candidate.is_open is False:
        return None
    fitting = [stall for stall in candidate.stalls if wanted.fits(stall.plug, stall.max_kw)]
    away = distance_m(latitude, longitude, candidate.latitude, candidate.longitude)
    free = [stall for stall in fitting if stall.status == "Available"]
    if free:
        stall = max(free, key=lambda one: (one.max_kw or 0.0, -one.connector))
        old = candidate.heard_s is None or candidate.heard_s > FRESH_S
        doubtful = candidate.failures >= 2 or candidate.open_cases > 0
        tier = Tier.DOUBTFUL if doubtful else Tier.FREE_OLD if old else Tier.FREE
        return Option(candidate, stall, tier, away, None, _cost(candidate, stall, away, wanted))
    busy = [(_left_s(stall), stall) for stall in fitting if stall.session_s is not None or stall.status == "Finishing"]
    if not busy:
        return None
    left, stall = min(busy, key=lambda pair: (pair[0], pair[1].connector))
    return Option(candidate, stall, Tier.BUSY, away, left, _cost(candidate, stall, away, wanted))


def _cost(candidate: Candidate, stall: Stall, away: float, wanted: Wanted) -> float:
    cost = away + PRICE_M * (candidate.price_per_kwh or 0.0) + FAILED_M * min(candidate.failures, 2)
    if candidate.delivered_s is None or candidate.delivered_s > 7 * 86_400:
        cost += UNPROVED_M
    if wanted.speed is None and (stall.max_kw or 0.0) < 40.0:
        cost += SLOW_M
    return cost


def _left_s(stall: Stall) -> float:
    """A guess: what a usual session still takes; whoever is done may come any moment, but nobody knows."""
    if stall.status in ("Finishing", "SuspendedEV"):
        return 300.0
    usual = FULL_AT_S if (stall.max_kw or 0.0) >= 40.0 else SLOW_FULL_AT_S
    return max(600.0, usual - (stall.session_s or 0.0))
