"""What a watch may wait for at a charger, as a table of named conditions over the live picture. Pure.

`connector` None means any connector of the charger.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import get_args

from ocpp_bridge.model import ConnectorStatus, Status
from ocpp_bridge.picture import LiveCharger

Condition = Callable[[LiveCharger, int | None, datetime], bool]
PLUGGED = frozenset({"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})


def _statuses(live: LiveCharger, connector: int | None) -> list[Status]:
    return [status for number, status in live.statuses.items() if number > 0 and connector in (None, number)]


def _is(*names: str) -> Condition:
    """Connected, and the connector says so: a status of a charger that is gone is only a memory."""
    return lambda live, connector, now: (
        live.link is not None and any(status.status in names for status in _statuses(live, connector))
    )


def _charging(live: LiveCharger, connector: int | None, now: datetime) -> bool:
    """A running transaction whose connector says Charging, or which takes power."""
    if live.link is None:
        return False
    for session in live.sessions.values():
        if connector in (None, session.connector):
            status = live.statuses.get(session.connector)
            if (session.power_w or 0) > 0 or (status is not None and status.status == "Charging"):
                return True
    return False


def _ended(live: LiveCharger, connector: int | None, now: datetime) -> bool:
    return not any(connector in (None, session.connector) for session in live.sessions.values())


CONDITIONS: dict[str, Condition] = {
    "connected": lambda live, connector, now: live.link is not None,
    "disconnected": lambda live, connector, now: live.connection_state(now) == "disconnected",
    "free": _is("Available"),
    "taken": lambda live, connector, now: not _is("Available")(live, connector, now),
    "plugged": _is(*sorted(PLUGGED)),
    "unplugged": _is("Available", "Reserved"),
    "charging": _charging,
    "ended": _ended,
    **{f"status:{name}": _is(name) for name in get_args(ConnectorStatus)},
}
