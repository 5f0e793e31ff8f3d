"""Tells who is listening to a conversation that something in it changed; what changed is read from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Feed:
    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self.closed = False

    @contextmanager
    def listen(self, conversation: str) -> Iterator[asyncio.Event]:
        """An event that is set at every change, and when the front door closes."""
        event = asyncio.Event()
        self._listeners.setdefault(conversation, set()).add(event)
        try:
            yield event
        finally:
            listeners = self._listeners[conversation]
            listeners.discard(event)
            if not listeners:
                del self._listeners[conversation]

    def listeners(self, conversation: str) -> int:
        return len(self._listeners.get(conversation, ()))

    def changed(self, conversation: str) -> None:
        for event in self._listeners.get(conversation, ()):
            event.set()

    def close(self) -> None:
        """Ends every listener; new ones find `closed` set."""
        self.closed = True
        for listeners in self._listeners.values():
            for event in listeners:
                event.set()
