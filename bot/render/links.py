"""Links in text messages: short, and on the operator's own domain, which drivers know and networks do not take for spam. Pure."""

from __future__ import annotations

import re

# The way to a place, as the actions write it (developers.google.com/maps/documentation/urls): 80 letters of an SMS.
_WAY = re.compile(
    r"https://www\.google\.com/maps/dir/\?api=1&destination=(-?\d{1,3}\.\d{1,6}),(-?\d{1,3}\.\d{1,6})(?![\w.])"
)
_PLACE = re.compile(r"(-?\d{1,2}(?:\.\d{1,6})?),(-?\d{1,3}(?:\.\d{1,6})?)")


def shortened(text: str, base: str) -> str:
    """The text with ways to places under `base` (`{base}/m/45.4254,-75.6919` leads there); unchanged without a base."""
    return _WAY.sub(lambda way: f"{base}/m/{_degrees(way[1])},{_degrees(way[2])}", text) if base else text


def _degrees(given: str) -> str:
    """To ten metres, which is the length of a parking bay or two."""
    return f"{float(given):.4f}".rstrip("0").rstrip(".")


def way_to(place: str) -> str | None:
    """Where `/m/{place}` leads; None where it is no place on Earth."""
    found = _PLACE.fullmatch(place)
    if found is None or abs(float(found[1])) > 90 or abs(float(found[2])) > 180:
        return None
    return f"https://www.google.com/maps/dir/?api=1&destination={found[1]},{found[2]}"
