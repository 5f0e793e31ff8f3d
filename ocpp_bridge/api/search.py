"""Which charger a driver means: by what is printed on it, as people misread it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ocpp_bridge.model import Charger

_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})


def code_key(text: str) -> str:
    """Letters and digits only, upper case, with letters that look like digits counted as those."""
    return "".join(letter for letter in text.upper() if letter.isalnum()).translate(_ALIKE)


def by_code(chargers: Iterable[Charger], code: str) -> list[Charger]:
    """Chargers whose id or label is the code, else those whose id or label ends with it; none for an empty code."""
    key = code_key(code)
    if not key:
        return []
    keyed = [(charger, {code_key(charger.id), code_key(charger.label)}) for charger in chargers]
    exact = [charger for charger, keys in keyed if key in keys]
    ending = [charger for charger, keys in keyed if key not in keys and any(k.endswith(key) for k in keys)]
    return exact + ending
