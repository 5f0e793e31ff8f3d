"""The WebSocket of a charger: the library's, which tells who it is and when a ping was answered."""

from __future__ import annotations

from collections.abc import Callable

from websockets.asyncio.server import ServerConnection


class ChargerSocket(ServerConnection):
    identity: str = ""
    on_pong: Callable[[float], None] | None = None  # told the round-trip time in seconds

    def acknowledge_pings(self, data: bytes) -> None:
        answered = data in self.pong_waiters  # a pong may come unasked, which says nothing
        super().acknowledge_pings(data)
        if answered and self.on_pong is not None:
            self.on_pong(self.latency)
