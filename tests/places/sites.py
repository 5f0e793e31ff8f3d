"""The sandbox network's sites, as the bridge tells them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from actions.places.resolve import Site

NETWORK = Path(__file__).resolve().parents[2] / "sandbox" / "network" / "network.json"


@cache
def sites() -> tuple[Site, ...]:
    return tuple(
        Site(
            one["id"],
            one["name"],
            one["latitude"],
            one["longitude"],
            one.get("address") or "",
            one.get("city") or "",
            one.get("postal_code") or "",
        )
        for one in json.loads(NETWORK.read_text())["sites"]
    )
