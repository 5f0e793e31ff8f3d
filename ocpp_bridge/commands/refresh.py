"""Fresh eyes: asks a charger for its status where the last one is old, and waits until it has come.

On 1.6 once more without a connector where the answer stays out: some chargers never answer for one connector. A charger
that cannot be asked at all is remembered as such; its pushed status stands while the connection does (OCPP 1.6 section 4.9:
a change is reported when it happens).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from chargeline.clock import Clock
from ocpp_bridge import quirks
from ocpp_bridge.commands.waiting import wait_for
from ocpp_bridge.model import Charger, Status
from ocpp_bridge.picture import LiveCharger
from ocpp_bridge.server.connection import Connection
from ocpp_bridge.versions.base import Request
from ocpp_bridge.wire import session as wire

log = structlog.get_logger(__name__)


class Refresher:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def refresh(
        self,
        connection: Connection,
        live: LiveCharger,
        charger: Charger | None,
        connectors: Sequence[int],
        seconds: float,
    ) -> bool:
        """True when a status of each of the connectors has come since the call. Takes `seconds` at most."""
        asked_at = self._clock.now()
        deadline = self._clock.monotonic() + seconds
        targets: tuple[int | None, ...] = (connectors[0], None) if len(connectors) == 1 else (None, *connectors)
        if not quirks.of(live.boot).asks_connectors:
            targets = (None,)
        if not connection.version.asks_all:
            targets = tuple(connectors)
        for n, target in enumerate(targets):
            left = deadline - self._clock.monotonic()
            missing = [number for number in connectors if not _come(live, number, asked_at)]
            if not missing:
                return True
            if left <= 0 or live.link is not connection:
                break
            if target is not None and target not in missing:
                continue
            share = 1.0 if n == len(targets) - 1 else 0.6
            version = connection.version
            place = None if target is None else version.place(charger, target)
            request = version.trigger("StatusNotification", place)
            await self._ask(connection, live, missing if target is None else [target], request, asked_at, left * share)
            if live.trigger_unsupported:
                break
        return all(_come(live, number, asked_at) for number in connectors)

    async def _ask(
        self,
        connection: Connection,
        live: LiveCharger,
        connectors: Sequence[int],
        request: Request,
        asked_at: datetime,
        seconds: float,
    ) -> None:
        deadline = self._clock.monotonic() + seconds
        everything = "connectorId" not in request.payload and "evse" not in request.payload
        call = asyncio.create_task(connection.call(request, seconds))
        with live.listening() as changed:
            outcome = await call
            if not _accepted(outcome):
                if isinstance(outcome, wire.Refused) and outcome.not_supported:
                    live.trigger_unsupported = True
                elif isinstance(outcome, wire.Answered) and outcome.payload.get("status") == "NotImplemented":
                    live.trigger_unsupported = everything  # for one connector it may only mean: not that way
                log.info("status_not_refreshed", charger=live.id, everything=everything, outcome=type(outcome).__name__)
                return
            while not all(_come(live, number, asked_at) for number in connectors):
                left = deadline - self._clock.monotonic()
                if left <= 0 or live.link is not connection:
                    return
                changed.clear()
                await wait_for(changed, left, self._clock)
        for number in connectors:
            live.statuses[number] = replace(live.statuses[number], source="triggered")


def _come(live: LiveCharger, connector: int, asked_at: datetime) -> bool:
    status = live.statuses.get(connector)
    return status is not None and status.at >= asked_at


def _accepted(outcome: wire.Outcome) -> bool:
    return isinstance(outcome, wire.Answered) and outcome.payload.get("status") == "Accepted"


def is_old(status: Status | None, oldest: datetime) -> bool:
    """Whether the charger should be asked: nothing is known, it is too old, or it is from before a restart."""
    return status is None or status.source == "inferred" or status.at < oldest
