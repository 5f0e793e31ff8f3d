"""What happens at the chargers, as a numbered log that outlives the bridge and can be read on from any number that is kept.

An event is shown only once it is stored, so a number never means two things, whatever is killed when. Whoever reports an
event never waits for it: a failing store delays readers, and beyond WAITING_LIMIT loses events, never a session.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import structlog

from chargeline.clock import Clock
from ocpp_bridge.model import Event
from ocpp_bridge.store.base import BridgeStore

log = structlog.get_logger(__name__)
KEPT = 50_000
WAITING_LIMIT = 10_000
BATCH = 500
RETRY_S = 1.0
GATHER_S = 0.05  # real time: events of the same moment share a write


class EventLog:
    def __init__(self, store: BridgeStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: deque[Event] = deque()
        self._come = asyncio.Event()
        self._stored = asyncio.Condition()
        self._last_stored = 0
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self.dropped = 0

    @property
    def last(self) -> int:
        """The newest number that can be read."""
        return self._last_stored

    async def start(self) -> None:
        self._last_stored = await self._store.last_event()
        self._task = asyncio.create_task(self._run(), name="events")

    async def stop(self) -> None:
        """Writes what waits, once, and ends. A write is not cut short: nobody would know whether it took place."""
        self._ending = True
        self._come.set()
        if self._task is not None:
            await self._task

    def add(self, kind: str, charger: str | None, data: dict[str, Any]) -> None:
        if len(self._waiting) >= WAITING_LIMIT:
            self.dropped += 1
            return
        self._waiting.append(Event(0, kind, self._clock.now(), charger, data))
        self._come.set()

    async def _run(self) -> None:
        while not self._ending:
            await self._come.wait()
            await asyncio.sleep(GATHER_S)
            self._come.clear()
            while self._waiting:
                if await self._write():
                    continue
                if self._ending:
                    return
                await asyncio.sleep(RETRY_S)

    async def _write(self) -> bool:
        """Stores the oldest of what waits under the next numbers; False where the store would not have it."""
        batch = [self._waiting[n] for n in range(min(BATCH, len(self._waiting)))]
        events = [
            Event(self._last_stored + n, row.type, row.at, row.charger, row.data) for n, row in enumerate(batch, 1)
        ]
        try:
            await self._store.add_events(events, KEPT)
        except Exception:  # whatever the store's engine raises must not end the log
            log.exception("events_not_saved", waiting=len(self._waiting))
            return False
        for _ in batch:
            self._waiting.popleft()
        async with self._stored:
            self._last_stored = events[-1].seq
            self._stored.notify_all()
        return True

    async def read(self, after: int, charger: str | None, limit: int = BATCH) -> list[Event]:
        return await self._store.events(after, charger=charger, limit=limit)

    async def oldest(self) -> int:
        return await self._store.oldest_event()

    async def beyond(self, after: int) -> None:
        """Returns when there is an event with a higher number."""
        async with self._stored:
            while self._last_stored <= after:
                await self._stored.wait()
