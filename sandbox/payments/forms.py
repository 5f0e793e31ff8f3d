"""Stripe's form encoding: `metadata[driver]=ada&line_items[0][quantity]=1` as nested dicts and lists. Pure."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from sandbox.payments.errors import invalid

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_MOST_FIELDS = 500


def decode(encoded: str) -> dict[str, Any]:
    """Raises StripeError (400) for names that do not nest."""
    root: dict[str, Any] = {}
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise invalid(f"Too many fields: at most {_MOST_FIELDS}.") from None
    for name, value in pairs:
        found = _NAME.fullmatch(name)
        if found is None:
            raise invalid(f"Invalid parameter name: {name}", param=name)
        _put(root, [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])], value, name)
    return {key: _listed(value) for key, value in root.items()}


def _put(root: dict[str, Any], keys: list[str], value: str, name: str) -> None:
    place = root
    for key in keys[:-1]:
        inner = place.setdefault(key or str(len(place)), {})
        if not isinstance(inner, dict):
            raise invalid(f"Invalid parameter: {name}", param=name)
        place = inner
    place[keys[-1] or str(len(place))] = value


def _listed(value: Any) -> Any:
    """Objects whose keys are 0, 1, 2, … are lists."""
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(one) for key, one in value.items()}
    if inner and list(inner) == [str(number) for number in range(len(inner))]:
        return list(inner.values())
    return inner


def whole(value: Any, name: str, least: int = 0, most: int = 99_999_999) -> int:
    """A whole number within bounds; raises StripeError (400)."""
    text = str(value)
    if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
        raise invalid(f"Invalid integer: {value}", param=name)
    return int(text)


def yes(value: Any) -> bool:
    return value in ("true", True)


def known(params: dict[str, Any], names: frozenset[str]) -> None:
    """Raises StripeError (400) for a parameter that the endpoint does not take."""
    for name in params:
        if name not in names and name != "expand":
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")


def metadata(params: dict[str, Any]) -> dict[str, str]:
    given = params.get("metadata") or {}
    if not isinstance(given, dict):
        raise invalid("Invalid object", param="metadata")
    return {str(key): str(value) for key, value in given.items()}
