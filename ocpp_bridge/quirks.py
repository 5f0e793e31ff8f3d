"""Quirks of makes and models as data (`quirks.toml`): read once, checked, and joined for one charger by what it booted as."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Boot


class QuirkProblem(ValueError):
    """A row of quirks.toml that cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """How one make of charger differs. `answers`: by action, their word to the schema's."""

    windows: Mapping[str, float] = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    asks_connectors: bool = True
    available_with_cable: bool = False

    def applied_to(self, windows: Windows) -> Windows:
        return replace(windows, **self.windows) if self.windows else windows


@dataclass(frozen=True, slots=True)
class Row:
    match: Mapping[str, str]
    says: Mapping[str, Any]

    def fits(self, vendor: str | None, model: str | None, firmware: str | None) -> bool:
        told = {"vendor": vendor, "model": model, "firmware": firmware}
        return all(
            fnmatchcase((told[name] or "").casefold(), pattern.casefold()) for name, pattern in self.match.items()
        )


NONE = Quirk()
_SAYS = frozenset(found.name for found in fields(Quirk))
_WINDOWS = frozenset(found.name for found in fields(Windows))


def parse(text: str) -> tuple[Row, ...]:
    """Raises QuirkProblem, naming the row."""
    rows = []
    for number, raw in enumerate(tomllib.loads(text).get("quirk", []), 1):
        row = dict(raw)
        about, match = row.pop("about", None), row.pop("match", None)
        if not about or not match or not set(match) <= {"vendor", "model", "firmware"}:
            raise QuirkProblem(f"quirk {number}: about, and match by vendor, model or firmware, are needed")
        unknown = (set(row) - _SAYS) | (set(row.get("windows", {})) - _WINDOWS)
        if unknown:
            raise QuirkProblem(f"quirk {number} ({about}): unknown: {', '.join(sorted(unknown))}")
        if "windows" in row:
            row["windows"] = {name: float(value) for name, value in row["windows"].items()}
        rows.append(Row(match, row))
    return tuple(rows)


@cache
def shipped() -> tuple[Row, ...]:
    return parse(files("ocpp_bridge").joinpath("quirks.toml").read_text(encoding="utf-8"))


def of(boot: Boot | None, rows: tuple[Row, ...] | None = None) -> Quirk:
    """The quirks of a charger, by what it said of itself."""
    if boot is None:
        return NONE
    if rows is not None:
        return _joined(rows, boot.vendor, boot.model, boot.firmware)
    return _shipped_of(boot.vendor, boot.model, boot.firmware)


@lru_cache(1024)  # there are far fewer makes than chargers
def _shipped_of(vendor: str | None, model: str | None, firmware: str | None) -> Quirk:
    return _joined(shipped(), vendor, model, firmware)


def _joined(rows: tuple[Row, ...], vendor: str | None, model: str | None, firmware: str | None) -> Quirk:
    found: dict[str, Any] = {}
    for row in rows:
        if row.fits(vendor, model, firmware):
            for name, value in row.says.items():
                found[name] = {**found.get(name, {}), **value} if isinstance(value, dict) else value
    return Quirk(**found) if found else NONE
