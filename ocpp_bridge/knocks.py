"""Chargers that knock without being provisioned: counted, bounded, kept, for an operator to accept. They still get 404."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from chargeline.clock import Clock
from ocpp_bridge.model import Knock
from ocpp_bridge.store.base import BridgeStore

log = structlog.get_logger(__name__)
MOST = 1000  # the ones that knocked longest ago go first
WRITE_S = 1.0  # real time


class Knocks:
    def __init__(self, store: BridgeStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._knocks: dict[str, Knock] = {}  # in the order of their last knock
        self._changed: set[str] = set()
        self._gone: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for knock in reversed(await self._store.knocks()):
            self._knocks[knock.charger] = knock
        self._task = asyncio.create_task(self._run(), name="knocks")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._write()

    def note(self, charger: str, address: str, protocols: str) -> None:
        now = self._clock.now()
        known = self._knocks.pop(charger, None) or Knock(charger, "", now, now, 0)
        self._knocks[charger] = replace(
            known, address=address[:64], last_at=now, count=known.count + 1, protocols=protocols[:100] or None
        )
        self._changed.add(charger)
        if len(self._knocks) > MOST:
            self.forget(next(iter(self._knocks)))

    def forget(self, charger: str) -> bool:
        if self._knocks.pop(charger, None) is None:
            return False
        self._changed.discard(charger)
        self._gone.add(charger)
        return True

    def get(self, charger: str) -> Knock | None:
        return self._knocks.get(charger)

    def all(self) -> list[Knock]:
        """The newest first."""
        return list(reversed(self._knocks.values()))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(WRITE_S)
            await self._write()

    async def _write(self) -> None:
        gone, self._gone = self._gone, set()
        changed, self._changed = self._changed, set()
        try:
            if gone:
                await self._store.drop_knocks(sorted(gone))
            if changed:
                await self._store.put_knocks([self._knocks[name] for name in sorted(changed) if name in self._knocks])
        except Exception:  # whatever the store's engine raises: tried again with the next knock
            log.exception("knocks_not_saved", knocks=len(changed))
            self._gone |= gone
            self._changed |= changed
