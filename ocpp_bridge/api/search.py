"""Which charger a driver means: by what is printed on it, or by where they stand. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ocpp_bridge.model import Charger

_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
EARTH_RADIUS_KM = 6371.0


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


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance of two (latitude, longitude) in degrees."""
    lat_a, lon_a, lat_b, lon_b = (math.radians(value) for value in (*a, *b))
    half = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, half)))
