"""One lane a conversation: within a lane strictly one thing after another, lanes side by side, a bounded number of them.

What is to be done is found in the store, never remembered here, so a restart goes on where the last process stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog

log = structlog.get_logger(__name__)

PAUSE_AFTER_ERROR_S = 2.0
LOOK_AGAIN_S = 5.0


class Lanes:
    """`find(limit, exclude)` names lanes with work; `work(lane)` does all of it and returns when there is none left."""

    def __init__(
        self,
        name: str,
        find: Callable[[int, Collection[str]], Awaitable[list[str]]],
        work: Callable[[str], Awaitable[None]],
        *,
        parallel: int,
    ) -> None:
        self._name = name
        self._find = find
        self._work = work
        self._parallel = parallel
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._named: dict[str, None] = {}  # lanes that were said to have work, in the order in which they were
        self._look = True

    def wake(self, lane: str | None = None) -> None:
        """Says that there is new work in this lane, or somewhere: then the store is looked through, which costs more."""
        if lane is None:
            self._look = True
        else:
            self._named[lane] = None
        self._wake.set()

    async def run(self) -> None:
        """Runs until cancelled; then the lanes are cancelled too."""
        try:
            while True:
                self._wake.clear()
                await self._start_lanes()
                # Also looked at without a wake: another front door may have stored work. Not wait_for, which in Python
                # 3.11 drops a cancellation that comes together with the wake.
                try:
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await self._wake.wait()
                except TimeoutError:
                    self._look = True
        finally:
            lanes = list(self._busy.values())
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _start_lanes(self) -> None:
        self._start_named()
        room = self._parallel - len(self._busy)
        if not self._look or room <= 0:
            return
        try:
            found = await self._find(room, list(self._busy))
        except Exception:
            # The store may be unreachable for a while; the lanes must outlive that.
            log.exception("lanes_cannot_look", lanes=self._name)
            await asyncio.sleep(PAUSE_AFTER_ERROR_S)
            self._wake.set()
            return
        self._look = len(found) >= room  # there may be more than there was room for
        self._named.update(dict.fromkeys(found))
        self._start_named()

    def _start_named(self) -> None:
        for lane in list(self._named):
            if len(self._busy) >= self._parallel:
                return
            if lane not in self._busy:  # a busy one stays named: it may just have looked for the last time
                del self._named[lane]
                self._busy[lane] = asyncio.create_task(self._run_lane(lane), name=f"{self._name}:{lane}")

    async def _run_lane(self, lane: str) -> None:
        try:
            await self._work(lane)
        except Exception:
            # An error of one conversation, or of the store, must not end the others; the work is still in the store.
            log.exception("lane_failed", lanes=self._name, conversation=lane)
            await asyncio.sleep(PAUSE_AFTER_ERROR_S)
            self._look = True
        finally:
            self._busy.pop(lane, None)
            self._wake.set()  # new work may have come after `work` looked last, and there is room for another lane
