"""What a charger has yet to tell, in order. Transaction messages stay until they are answered, also while there is no link;
the rest is only worth telling now (OCPP 1.6 section 3.7).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from chargeline.clock import Clock
from sandbox.connector import Transaction
from sandbox.frames import Payload
from sandbox.socket import CallRefused, CallTimedOut

log = structlog.get_logger(__name__)

MOST_WAITING = 2000
LEAST_REAL_WAIT_S = 2.0


@dataclass(slots=True)
class Outgoing:
    """`build` is asked at the moment of sending; None from it: nothing is left to tell. `durable`: survives a lost link.
    `dispensable`: may go when too much waits (section 3.7.2 lets a charger drop meter values first). `memo`: what a version
    needs to write it again after a power cut, with the transaction that it is `about`.
    """

    action: str
    build: Callable[[], Payload | None]
    durable: bool = False
    dispensable: bool = False
    on_answer: Callable[[Payload], None] | None = None
    attempts: int = 0
    memo: Payload | None = None
    about: Transaction | None = None


class Outbox:
    """`attempts` and `retry_s`: how often a refused transaction message is tried, and the wait that grows with each."""

    def __init__(self, charger: str, clock: Clock) -> None:
        self._charger = charger
        self._clock = clock
        self._items: deque[Outgoing] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.attempts = 3
        self.retry_s = 10.0
        self.on_change: Callable[[], None] = lambda: None  # something durable came or is told

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Outgoing) -> None:
        if len(self._items) >= MOST_WAITING:
            self._drop_one()
        self._items.append(item)
        self._empty.clear()
        self._wake.set()
        if item.durable:
            self.on_change()

    def waiting(self) -> tuple[Outgoing, ...]:
        """What is yet to be told, in order."""
        return tuple(self._items)

    def wake(self) -> None:
        """To be called when `usable` may have changed."""
        self._wake.set()

    def drop_volatile(self) -> None:
        self._items = deque(item for item in self._items if item.durable)
        self._mark()

    def _drop_one(self) -> None:
        # Not the first: it may be on the wire.
        for index in range(1, len(self._items)):
            if self._items[index].dispensable:
                del self._items[index]
                return

    def _pop(self) -> None:
        if self._items.popleft().durable:
            self.on_change()
        self._mark()

    def _mark(self) -> None:
        if not self._items:
            self._empty.set()

    async def drained(self, within_s: float) -> bool:
        """Waits until nothing is left to tell, at most `within_s`; False where something still is."""
        try:
            async with asyncio.timeout(max(self._clock.real_seconds(within_s), LEAST_REAL_WAIT_S)):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def drain(self, call: Callable[[str, Payload], Awaitable[Payload]], usable: Callable[[], bool]) -> None:
        """Sends in order, for ever. Raises what `call` raises when the link is gone; nothing durable is lost then."""
        while True:
            self._wake.clear()
            if not self._items or not usable():
                await self._wake.wait()
                continue
            item = self._items[0]
            payload = item.build()
            if payload is None:
                self._pop()
                continue
            try:
                answer = await call(item.action, payload)
            except CallRefused as refused:
                item.attempts += 1
                log.warning("message_refused", charger=self._charger, action=item.action, code=refused.code)
                if item.durable and item.attempts < self.attempts:
                    await self._clock.sleep(self.retry_s * item.attempts)
                else:
                    self._pop()
            except CallTimedOut:
                log.warning("message_unanswered", charger=self._charger, action=item.action)
                if not item.durable:
                    self._pop()
            else:
                if item.on_answer is not None:
                    item.on_answer(answer)
                self._pop()
