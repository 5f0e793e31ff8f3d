"""A car: its battery, what it takes at a state of charge, whether it wants to charge at all. It knows nothing of chargers.

Kinds of cars are data (`network/cars.json`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

STEP_S = 15.0  # the curve is followed in steps of this length


class UnknownCar(ValueError):
    """No kind of car has this name, or what was said about the car makes no sense."""


@dataclass(frozen=True, slots=True)
class CarKind:
    name: str
    battery_kwh: float
    max_ac_kw: float
    max_dc_kw: float  # 0: takes no direct current
    curve: Sequence[tuple[float, float]]  # (state of charge in percent, share of the maximum), rising in the first
    handshake_s: float = 3.0  # from the contactor's closing to the first current

    def share_at(self, soc: float) -> float:
        """How much of its maximum the car takes at `soc` percent: straight lines between the curve's points."""
        points = self.curve
        if soc <= points[0][0]:
            return points[0][1]
        for (left, low), (right, high) in pairwise(points):
            if soc <= right:
                return low + (high - low) * (soc - left) / (right - left)
        return points[-1][1]


@dataclass(slots=True)
class Car:
    kind: CarKind
    soc: float  # percent
    limit_soc: float = 100.0  # the driver's own limit
    willing: bool = True  # False: a schedule or setting in the car forbids charging now

    @property
    def full(self) -> bool:
        return self.soc >= self.limit_soc - 1e-9

    def power_kw(self, offered_kw: float, *, direct: bool) -> float:
        """What it draws when it is offered `offered_kw` over alternating or `direct` current."""
        if not self.willing or self.full:
            return 0.0
        maximum = self.kind.max_dc_kw if direct else self.kind.max_ac_kw
        return min(offered_kw, maximum * self.kind.share_at(self.soc) if direct else maximum)

    def charge(self, seconds: float, offered_kw: float, *, direct: bool) -> float:
        """Charges for `seconds`; returns the energy taken, in Wh. Stops at the limit."""
        taken = 0.0
        while seconds > 0:
            step = min(seconds, STEP_S)
            seconds -= step
            room_wh = (self.limit_soc - self.soc) / 100 * self.kind.battery_kwh * 1000
            energy = min(self.power_kw(offered_kw, direct=direct) * 1000 * step / 3600, room_wh)
            if energy <= 0:
                break
            taken += energy
            self.soc = min(self.limit_soc, self.soc + energy / (self.kind.battery_kwh * 10))
        return taken


class Garage:
    """The kinds of cars there are."""

    def __init__(self, kinds: Mapping[str, Mapping[str, Any]]) -> None:
        self._kinds = {
            name: CarKind(
                name=name,
                battery_kwh=float(row["battery_kwh"]),
                max_ac_kw=float(row["max_ac_kw"]),
                max_dc_kw=float(row.get("max_dc_kw", 0)),
                curve=[(float(soc), float(share)) for soc, share in row.get("curve", [[0, 1], [100, 1]])],
                handshake_s=float(row.get("handshake_s", 3)),
            )
            for name, row in kinds.items()
        }

    @property
    def names(self) -> list[str]:
        return list(self._kinds)

    def car(self, said: str | Mapping[str, Any] | None) -> Car:
        """A car from `None` (the first kind), a kind's name, or `{"kind", "soc", "limit_soc", "willing"}`. Raises UnknownCar."""
        row: Mapping[str, Any] = {"kind": said} if isinstance(said, str) else (said or {})
        if unknown := set(row) - {"kind", "soc", "limit_soc", "willing"}:
            raise UnknownCar(f"A car has no {', '.join(sorted(unknown))}; it has kind, soc, limit_soc, willing.")
        name = row.get("kind", self.names[0])
        kind = self._kinds.get(name) if isinstance(name, str) else None
        if kind is None:
            raise UnknownCar(f"There is no car {name!r}; there are: {', '.join(self.names)}.")
        willing = row.get("willing", True)
        if not isinstance(willing, bool):
            raise UnknownCar("willing must be true or false.")
        return Car(kind, _percent(row, "soc", 30.0), _percent(row, "limit_soc", 100.0), willing)


def _percent(row: Mapping[str, Any], name: str, default: float) -> float:
    value = row.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise UnknownCar(f"{name} must be a number from 0 to 100.")
    return float(value)
