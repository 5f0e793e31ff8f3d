"""Tariffs in other words than the bridge's own: OCPI 2.2.1 Tariffs, and prices by the hour or with grace in seconds.

Of an OCPI tariff the first price of each kind counts, the elements without restrictions first: the bridge shows what
charging costs, it does not bill. What an OCPI tariff says beyond that is not kept.
"""

from __future__ import annotations

from typing import Any

_OCPI = {
    "ENERGY": ("price_per_kwh", 1.0),
    "FLAT": ("session_fee", 1.0),
    "TIME": ("price_per_minute", 60.0),  # OCPI prices time by the hour
    "PARKING_TIME": ("idle_fee_per_minute", 60.0),
}
_SPELLINGS = {
    "per_kwh": ("price_per_kwh", 1.0),
    "per_minute": ("price_per_minute", 1.0),
    "per_hour": ("price_per_minute", 60.0),
    "idle_per_minute": ("idle_fee_per_minute", 1.0),
    "idle_grace_s": ("idle_grace_minutes", 60.0),
}


class BadTariff(ValueError):
    """What is not as OCPI has it, and where."""


def is_ocpi(row: Any) -> bool:
    return isinstance(row, dict) and "elements" in row and "currency" in row


def normal(row: dict[str, Any]) -> dict[str, Any]:
    """The row with other spellings of a price as the bridge's own, where that one is not given; values are checked later."""
    found = {name: value for name, value in row.items() if name not in _SPELLINGS}
    for name, (own, divisor) in _SPELLINGS.items():
        value = row.get(name)
        if value is not None and found.get(own) is None:
            found[own] = _divided(value, divisor)
    return found


def from_ocpi(tariff: dict[str, Any], where: str) -> dict[str, Any]:
    """A row of an import document. Raises BadTariff."""
    found: dict[str, Any] = {"id": tariff.get("id"), "currency": tariff.get("currency"), "name": _name(tariff)}
    elements = tariff.get("elements")
    if not isinstance(elements, list) or not all(isinstance(element, dict) for element in elements):
        raise BadTariff(f"{where}.elements: a list of objects is expected")
    for element in sorted(elements, key=lambda element: bool(element.get("restrictions"))):
        components = element.get("price_components")
        if not isinstance(components, list):
            raise BadTariff(f"{where}.elements.price_components: a list is expected")
        for component in components:
            kind = component.get("type") if isinstance(component, dict) else None
            if kind not in _OCPI:
                raise BadTariff(f"{where}.elements.price_components.type: one of {', '.join(_OCPI)} is expected")
            name, divisor = _OCPI[kind]
            found.setdefault(name, _divided(component.get("price"), divisor))
    return found


def _name(tariff: dict[str, Any]) -> str:
    texts = tariff.get("tariff_alt_text")
    first = texts[0] if isinstance(texts, list) and texts and isinstance(texts[0], dict) else {}
    return str(first.get("text") or "")[:255]


def _divided(value: Any, divisor: float) -> Any:
    """What is no number stays as it is, for the import to name."""
    return round(value / divisor, 6) if isinstance(value, int | float) and not isinstance(value, bool) else value
