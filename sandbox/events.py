"""What has happened on the network, in order: every OCPP message, change of state, act of a driver and fault. A ring in memory.

Events are kept as JSON text, so that a full ring is tens of megabytes, not hundreds, and is answered without being built again.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from chargeline.clock import Clock

MOST_EVENTS = 50_000
MOST_BYTES = 32 * 1024 * 1024
Kind = Literal["frame", "state", "act", "fault"]


@dataclass(frozen=True, slots=True)
class Event:
    seq: int
    charger: str
    kind: Kind
    text: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is where to go on; `lost` is how many events after the asked one had fallen out of the ring."""

    events: list[Event]
    next: int
    lost: int

    def json(self) -> bytes:
        inside = b",".join(event.text for event in self.events)
        return b'{"events":[%b],"next":%d,"lost":%d}' % (inside, self.next, self.lost)


class EventLog:
    def __init__(self, clock: Clock, most: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._most = most
        self._most_bytes = most_bytes
        self._ring: deque[Event] = deque()
        self._bytes = 0
        self._last = 0

    def add(self, charger: str, kind: Kind, /, **facts: Any) -> None:
        """Notes what happened now. `facts` are the event's own fields, as JSON can hold them."""
        self._last += 1
        head = {"seq": self._last, "at": self._clock.now().isoformat(), "charger": charger, "type": kind}
        event = Event(self._last, charger, kind, orjson.dumps(head | facts))
        self._ring.append(event)
        self._bytes += len(event.text)
        while len(self._ring) > self._most or (self._bytes > self._most_bytes and len(self._ring) > 1):
            self._bytes -= len(self._ring.popleft().text)

    def after(self, seq: int, *, charger: str | None = None, kind: str | None = None, limit: int = 500) -> Page:
        """The events after `seq`, oldest first, at most `limit`; those of other chargers and kinds are passed over."""
        first = self._ring[0].seq if self._ring else self._last + 1
        lost = max(0, first - 1 - seq)
        newer = list(itertools.islice(reversed(self._ring), max(0, self._last - max(seq, first - 1))))
        found: list[Event] = []
        for event in reversed(newer):
            if _wanted(event, charger, kind):
                found.append(event)
                if len(found) >= limit:
                    return Page(found, event.seq, lost)
        return Page(found, self._last, lost)

    def newest(self, *, charger: str | None = None, kind: str | None = None, limit: int = 50) -> Page:
        """The last `limit` events, oldest first."""
        wanted = (event for event in reversed(self._ring) if _wanted(event, charger, kind))
        found = list(itertools.islice(wanted, limit))
        return Page(found[::-1], self._last, 0)


def _wanted(event: Event, charger: str | None, kind: str | None) -> bool:
    return (charger is None or event.charger == charger) and (kind is None or event.kind == kind)
