"""Time as a thing that is passed in, so that a test or the sandbox runs an hour in a second.

`Clock` is what code asks for; `SystemClock` is real time, `FastClock` is real time multiplied, `ManualClock` moves only
when a test says so. Datetimes are always aware and UTC; durations are seconds.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for deadlines."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def real_seconds(self, seconds: float) -> float:
        """How long `seconds` of this clock take on the wall, for time-outs handed to a library."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def real_seconds(self, seconds: float) -> float:
        return seconds


class FastClock:
    """Runs `speed` times faster than real time from the real moment `epoch` (Unix seconds) on.

    Processes that share speed and epoch agree on the time, also when one is restarted.
    """

    def __init__(self, speed: float, epoch: float) -> None:
        self._speed = speed
        self._epoch = epoch

    def _unix(self) -> float:
        real = time.time()
        return real if real < self._epoch else self._epoch + (real - self._epoch) * self._speed

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._unix(), UTC)

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._speed)

    def real_seconds(self, seconds: float) -> float:
        return seconds / self._speed


class ManualClock:
    """For unit tests: time stands still until `advance`; sleepers wake in order of their time."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), future))
        await future

    def real_seconds(self, seconds: float) -> float:
        return 3600.0  # a library's own time-out must not fire while the test's time stands still

    async def advance(self, seconds: float) -> None:
        """Moves time on and lets whoever wakes run, in order."""
        target = self._elapsed + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            when, _, future = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, when)
            if not future.done():
                future.set_result(None)
            await _settle()
        self._elapsed = target
        await _settle()


async def _settle() -> None:
    """Lets ready tasks run until they wait again (a bounded number of loop turns)."""
    for _ in range(20):
        await asyncio.sleep(0)


def clock_from(speed: float, epoch: str) -> Clock:
    """The clock that the settings CLOCK_SPEED and CLOCK_EPOCH describe."""
    if speed == 1.0:
        return SystemClock()
    return FastClock(speed, float(epoch) if epoch else time.time())
