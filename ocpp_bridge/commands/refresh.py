"""Fresh eyes: asks a charger for its status where the last one is old, and waits until it has come.

On 1.6 once more without a connector where the answer stays out: some chargers never answer for one connector. A charger
that cannot be asked at all is remembered as such; its pushed status stands while the connection does (OCPP 1.6 section 4.9:
a change is reported when it happens).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

import structlog

from chargeline.clock import Clock
from ocpp_bridge.commands.waiting import wait_for
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.picture import LiveCharger
from ocpp_bridge.server.connection import Connection
from ocpp_bridge.wire import session as wire

log = structlog.get_logger(__name__)


class Refresher:
    def __init__(self, clock: Clock, windows: Windows) -> None:
        self._clock = clock
        self._windows = windows

    async def refresh(self, connection: Connection, live: LiveCharger, connector: int) -> bool:
        """True when a status of the connector has come since the call. Takes `refresh_wait_s` at most."""
        asked_at = self._clock.now()
        deadline = self._clock.monotonic() + self._windows.refresh_wait_s
        for target, share in ((connector, 0.6), (None, 1.0)):
            left = deadline - self._clock.monotonic()
            if left <= 0 or live.link is not connection:
                break
            if await self._ask(connection, live, connector, target, asked_at, left * share):
                return True
            if live.trigger_unsupported:
                break
        return False

    async def _ask(
        self,
        connection: Connection,
        live: LiveCharger,
        connector: int,
        target: int | None,
        asked_at: datetime,
        seconds: float,
    ) -> bool:
        def come() -> bool:
            status = live.statuses.get(connector)
            return status is not None and status.at >= asked_at

        deadline = self._clock.monotonic() + seconds
        request = connection.version.trigger_status(target)
        call = asyncio.create_task(connection.call(request, seconds))
        with live.listening() as changed:
            outcome = await call
            if not _accepted(outcome):
                if isinstance(outcome, wire.Refused) and outcome.not_supported:
                    live.trigger_unsupported = True
                elif isinstance(outcome, wire.Answered) and outcome.payload.get("status") == "NotImplemented":
                    live.trigger_unsupported = target is None  # for one connector it may only mean: not that way
                log.info("status_not_refreshed", charger=live.id, connector=target, outcome=type(outcome).__name__)
                return come()
            while not come():
                left = deadline - self._clock.monotonic()
                if left <= 0 or live.link is not connection:
                    return False
                changed.clear()
                await wait_for(changed, left, self._clock)
        live.statuses[connector] = replace(live.statuses[connector], source="triggered")
        return True


def _accepted(outcome: wire.Outcome) -> bool:
    return isinstance(outcome, wire.Answered) and outcome.payload.get("status") == "Accepted"
