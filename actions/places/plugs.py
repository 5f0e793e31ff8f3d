"""Which plugs fit the driver's car, from the plug or the car that they name. A car decides only where it really does.

The tables are data/plugs.yml and data/cars.yml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import yaml

from actions.places.tables import DATA, fold

DC = frozenset({"CCS", "CHAdeMO"})  # NACS carries both
FAST_KW = 40.0  # from here on a charger is what drivers call fast

Speed = Literal["fast", "slow"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`plugs`: any of these fits; empty: not said. `car` is the name it was read from."""

    plugs: frozenset[str] = frozenset()
    speed: Speed | None = None
    car: str | None = None

    def fits(self, plug: str | None, max_kw: float | None) -> bool:
        """A plug that nobody knows fits nobody who named one."""
        if self.plugs and (plug is None or plug.casefold() not in {one.casefold() for one in self.plugs}):
            return False
        if self.speed == "fast":
            return max_kw is not None and max_kw >= FAST_KW
        return self.speed is None or max_kw is None or max_kw < FAST_KW


@dataclass(frozen=True, slots=True)
class _Car:
    ac: frozenset[str]
    dc: frozenset[str]
    since: int


@dataclass(frozen=True, slots=True)
class _Tables:
    plugs: Mapping[str, str]  # phrase -> plug
    adapter: frozenset[str]
    no: frozenset[str]
    fast: frozenset[str]
    slow: frozenset[str]
    cars: Mapping[str, tuple[_Car, ...]]  # phrase -> rows, the oldest first
    everyday: Mapping[str, str]  # a phrase that counts only as somebody's car -> its make


@cache
def _tables() -> _Tables:
    raw: dict[str, Any] = yaml.safe_load((DATA / "plugs.yml").read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = yaml.safe_load((DATA / "cars.yml").read_text(encoding="utf-8"))["cars"]
    cars: dict[str, list[_Car]] = {}
    everyday: dict[str, str] = {}
    for row in rows:
        car = _Car(frozenset(row["ac"]), frozenset(row["dc"]), int(row.get("from", 0)))
        for name in (*row["names"], *row.get("word", ())):
            cars.setdefault(fold(str(name)), []).append(car)
        everyday.update({fold(word): row["make"] for word in row.get("word", ())})
    return _Tables(
        plugs={fold(phrase): plug for plug, phrases in raw["plugs"].items() for phrase in phrases},
        adapter=frozenset(fold(word) for word in raw["adapter"]),
        no=frozenset(fold(word) for word in raw["refused"]),
        fast=frozenset(fold(word) for word in raw["fast"]),
        slow=frozenset(fold(word) for word in raw["slow"]),
        cars={name: tuple(sorted(found, key=lambda car: car.since)) for name, found in cars.items()},
        everyday=everyday,
    )


def wanted(text: str) -> Wanted:
    """What a message says of plug, car and speed. What it refuses ("not the tesla one") does not count as wanted."""
    tables = _tables()
    folded = f" {fold(text)} "
    plugs = _plugs_said(folded)
    speed: Speed | None = None
    if _says(folded, tables.fast):
        speed = "fast"
    elif _says(folded, tables.slow):
        speed = "slow"
    named = _car_said(folded)
    has_adapter = _says(folded, tables.adapter)
    if named is None:
        return Wanted(frozenset(plugs), speed)
    name, rows = named
    year = _model_year(folded)
    # Without a year the inlet that most cars of the name have, the older one: the other plug would not go in at all.
    before = [row for row in rows if year is not None and row.since <= year]
    car = before[-1] if before else rows[0]
    if speed == "fast" and not car.dc:
        speed = None  # no fast charger charges it: what it can use is better than nothing
    own = _inlets(car, speed)
    # Who has a car and names a plug means the plug, and with an adapter both.
    return Wanted(own | plugs if has_adapter or not plugs else frozenset(plugs), speed, name)


def _inlets(car: _Car, speed: Speed | None) -> frozenset[str]:
    return {"fast": car.dc, "slow": car.ac, None: car.ac | car.dc}[speed]


def _says(folded: str, phrases: frozenset[str]) -> bool:
    return any(f" {phrase} " in folded for phrase in phrases)


def _plugs_said(folded: str) -> set[str]:
    found: set[str] = set()
    taken: list[tuple[int, int]] = []
    for phrase, plug in sorted(_tables().plugs.items(), key=lambda pair: -len(pair[0])):
        for match in re.finditer(rf"(?<= ){re.escape(phrase)}(?= )", folded):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            taken.append(match.span())
            before = folded[: match.start()].split()[-2:]
            if not _tables().no & set(before):
                found.add(plug)
    return found


_OWNED = frozenset(
    [
        "my",
        "a",
        "an",
        "the",
        "our",
        "her",
        "his",
        "this",
        "mi",
        "un",
        "una",
        "el",
        "mon",
        "ma",
        "une",
        "le",
        "la",
        "notre",
        "nuestro",
        "su",
    ]
)


def _car_said(folded: str) -> tuple[str, tuple[_Car, ...]] | None:
    """The longest name of a car in it; "tesla plug" names no car."""
    plugs_out = folded
    for phrase in sorted(_tables().plugs, key=len, reverse=True):
        plugs_out = plugs_out.replace(f" {phrase} ", "  ")
    for name, rows in sorted(_tables().cars.items(), key=lambda pair: -len(pair[0])):
        at = plugs_out.find(f" {name} ")
        if at < 0:
            continue
        if name in _tables().everyday:
            before = plugs_out[:at].split()[-1:]
            owned = bool(before) and (before[0] in _OWNED or bool(re.fullmatch(r"(?:19|20)?\d\d", before[0])))
            if not owned and plugs_out.split() != name.split():
                continue
        return name, rows
    return None


def _model_year(folded: str) -> int | None:
    found = re.search(r" (20[12]\d) ", folded)
    return int(found[1]) if found else None
