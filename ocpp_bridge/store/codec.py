"""Records to plain documents and back, once for both stores. Datetimes stay datetimes: SQLite's side writes them as ISO text."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, get_type_hints

from ocpp_bridge.model import Actor, Connector

R = TypeVar("R")


def document(record: Any) -> dict[str, Any]:
    """A fresh dict of the record's fields; nested records become dicts, tuples become lists."""
    return {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return document(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@cache
def _datetime_fields(kind: Any) -> frozenset[str]:
    hints = get_type_hints(kind)
    return frozenset(name for name, hint in hints.items() if hint in (datetime, datetime | None))


@cache
def _names(kind: Any) -> frozenset[str]:
    return frozenset(field.name for field in dataclasses.fields(kind))


def record(kind: type[R], found: dict[str, Any]) -> R:
    """The record of a document; keys that this release does not know are left out."""
    shape: Any = kind  # the caches below want no type variable
    names = _names(shape)
    values = {name: value for name, value in found.items() if name in names}
    for name in _datetime_fields(shape):
        value = values.get(name)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            values[name] = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    if "connectors" in values:
        values["connectors"] = tuple(record(Connector, item) for item in values["connectors"])
    if isinstance(values.get("actor"), dict):
        values["actor"] = record(Actor, values["actor"])
    return kind(**values)
