"""Chargers as CSV, a row for each connector, as an import document. Errors name line and column.

Columns, in any order, after a header line; only `charger_id` must be there: `charger_id label site_id site_name address city
latitude longitude vendor model connector evse plug max_kw tethered tariff password`. Divided by commas or semicolons, UTF-8.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

COLUMNS = (
    *("charger_id", "label", "site_id", "site_name", "address", "city", "latitude", "longitude"),
    *("vendor", "model", "connector", "evse", "plug", "max_kw", "tethered", "tariff", "password"),
)
YES, NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


class BadTable(ValueError):
    """What is wrong, and in which line and column."""


class _Line:
    def __init__(self, number: int, values: dict[str, str]) -> None:
        self.number = number
        self._values = values

    def text(self, column: str) -> str | None:
        return self._values.get(column) or None

    def read(self, column: str, kind: Callable[[str], Any], expected: str) -> Any:
        value = self.text(column)
        if value is None:
            return None
        try:
            return kind(value)
        except ValueError:
            raise self.problem(column, expected) from None

    def problem(self, column: str, expected: str) -> BadTable:
        return BadTable(f"line {self.number}, column {column}: {expected} is expected")


def to_document(text: str) -> dict[str, Any]:
    """Raises BadTable at the first thing that is wrong."""
    sites: dict[str, dict[str, Any]] = {}
    chargers: dict[str, dict[str, Any]] = {}
    for line in _lines(text):
        identity = line.text("charger_id")
        if identity is None:
            raise line.problem("charger_id", "a charger's id")
        site = line.text("site_id") or line.text("site_name") or ""
        if site:
            _merge(sites.setdefault(site, {"id": site, "name": line.text("site_name") or site}), _place(line))
        charger = chargers.setdefault(identity, {"id": identity, "site": site, "connectors": []})
        if charger["site"] != site:
            raise line.problem("site_id", f"the site of {identity}'s first line")
        _merge(charger, {name: line.text(name) for name in ("label", "vendor", "model", "tariff", "password")})
        _connector(line, charger)
    return {"sites": list(sites.values()), "chargers": list(chargers.values())}


def _lines(text: str) -> list[_Line]:
    head = text.lstrip("\ufeff").partition("\n")[0]
    divider = ";" if head.count(";") > head.count(",") else ","
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=divider, strict=True)
    found: list[_Line] = []
    names: list[str] = []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not names:
                names = _header(row)
                continue
            if len(row) > len(names):
                raise BadTable(f"line {reader.line_num}: {len(row)} values under {len(names)} columns")
            found.append(_Line(reader.line_num, dict(zip(names, (cell.strip() for cell in row), strict=False))))
    except csv.Error as error:
        raise BadTable(f"line {reader.line_num}: {error}") from None
    if not names:
        raise BadTable("line 1: a header line is expected")
    return found


def _header(row: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in row]
    for position, name in enumerate(names, 1):
        if name not in COLUMNS:
            raise BadTable(f"line 1, column {position}: {name or 'nothing'!r} is none of {', '.join(COLUMNS)}")
    if "charger_id" not in names:
        raise BadTable("line 1: the column charger_id is missing")
    if len(set(names)) != len(names):
        raise BadTable("line 1: a column is there twice")
    return names


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    """What an earlier line said stands; later lines fill in what it left open."""
    for name, value in values.items():
        if value is not None:
            into.setdefault(name, value)


def _place(line: _Line) -> dict[str, Any]:
    return {
        "latitude": line.read("latitude", float, "degrees"),
        "longitude": line.read("longitude", float, "degrees"),
        "address": line.text("address"),
        "city": line.text("city"),
    }


def _switch(value: str) -> bool:
    if value.lower() not in YES | NO:
        raise ValueError(value)
    return value.lower() in YES


def _connector(line: _Line, charger: dict[str, Any]) -> None:
    wanted = [line.text(name) for name in ("connector", "evse", "plug", "max_kw", "tethered")]
    if not any(wanted):
        return
    taken = {row["connector"] for row in charger["connectors"]}
    number = line.read("connector", int, "a whole number") or len(taken) + 1
    if number in taken:
        raise line.problem("connector", f"a number that {charger['id']} does not have yet")
    charger["connectors"].append(
        {
            "connector": number,
            "evse": line.read("evse", int, "a whole number") or number,
            "plug": line.text("plug") or "",
            "max_kw": line.read("max_kw", float, "a number"),
            "tethered": line.read("tethered", _switch, "yes or no") or False,
        }
    )
