"""Whether a charger has been delivering: its last session with energy, and the starts since that came to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ocpp_bridge.store.base import BridgeStore

ENERGY_WH = 100.0  # less than this is a car that did not take any, or a meter's last digit
FAILED = frozenset({"not_verified", "rejected", "timed_out", "disconnected"})
LOOKED_BACK = timedelta(days=1)
SESSIONS = 5  # of a charger that are looked at


async def lately_json(store: BridgeStore, chargers: Sequence[str], now: datetime) -> dict[str, dict[str, Any]]:
    """By charger. `delivered_at`: when energy last flowed, or null; `failures`: starts of the last 24 h after it that failed."""
    delivered: dict[str, datetime] = {}
    for session in await store.latest_sessions(chargers, SESSIONS):
        if session.energy_wh >= ENERGY_WH:
            at = session.ended_at or session.last_meter_at or session.started_at
            delivered[session.charger] = max(at, delivered.get(session.charger, at))
    failures = dict.fromkeys(chargers, 0)
    for command in await store.recent_commands(chargers, now - LOOKED_BACK):
        last = delivered.get(command.charger)
        if command.action == "start" and command.state in FAILED and (last is None or command.created_at > last):
            failures[command.charger] += 1
    return {one: {"delivered_at": delivered.get(one), "failures": count} for one, count in failures.items()}
