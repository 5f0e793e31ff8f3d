"""Whether a charger has been delivering: its last session with energy, and the starts since that came to nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ocpp_bridge.store.base import BridgeStore

ENERGY_WH = 100.0  # less than this is a car that did not take any, or a meter's last digit
FAILED = frozenset({"not_verified", "rejected", "timed_out", "disconnected"})
LOOKED_BACK = timedelta(days=1)


async def lately_json(store: BridgeStore, charger: str, now: datetime) -> dict[str, Any]:
    """`delivered_at`: when energy last flowed, or null; `failures`: starts of the last 24 h after it that failed."""
    sessions = await store.sessions(charger=charger, limit=5)
    delivered = [
        session.ended_at or session.last_meter_at or session.started_at
        for session in sessions
        if (session.energy_wh or 0.0) >= ENERGY_WH
    ]
    last = max(delivered, default=None)
    commands = await store.recent_commands(charger, None, now - LOOKED_BACK)
    failed = [
        command
        for command in commands
        if command.action == "start" and command.state in FAILED and (last is None or command.created_at > last)
    ]
    return {"delivered_at": last, "failures": len(failed)}
