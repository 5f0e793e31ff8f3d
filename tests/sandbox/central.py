"""A strict little central system for the sandbox's tests: the `ocpp` package's routes over a real WebSocket.

Every CALL of a charger is checked against the schemas; what breaks them is kept in `violations`, and the fixture asserts that
there are none.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from ocpp.charge_point import snake_to_camel_case
from ocpp.messages import Call, unpack, validate_payload
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

WAIT_S = 10.0
Message = tuple[str, dict[str, Any]]


class Peer(ChargePoint):
    """The central system's end of one charger's session."""

    def __init__(self, name: str, connection: ServerConnection, central: Central) -> None:
        super().__init__(name, connection, response_timeout=10)
        self.connection = connection
        self.central = central

    async def route_message(self, raw_msg: str) -> None:
        try:
            message = unpack(raw_msg)
            if isinstance(message, Call):
                await validate_payload(message, "1.6")
        except Exception as error:
            self.central.violations.append(f"{error!r}: {raw_msg}")
            raise
        await super().route_message(raw_msg)

    async def ask(self, request: Any) -> Any:
        """The answer to a CALL of ours; a CALLERROR is raised as the package's exception."""
        return await self.call(request, suppress=False)

    def _note(self, action: str, **payload: Any) -> None:
        self.central.received.append((self.id, action, snake_to_camel_case(payload)))
        self.central.news.set()

    @on(Action.boot_notification)
    async def boot(self, **payload: Any) -> call_result.BootNotification:
        self._note("BootNotification", **payload)
        status, interval = self.central.boots.pop(0) if self.central.boots else ("Accepted", 300)
        return call_result.BootNotification(datetime.now(UTC).isoformat(), interval, status)

    @on(Action.heartbeat)
    async def heartbeat(self, **payload: Any) -> call_result.Heartbeat:
        self._note("Heartbeat", **payload)
        return call_result.Heartbeat(datetime.now(UTC).isoformat())

    @on(Action.status_notification)
    async def status(self, **payload: Any) -> call_result.StatusNotification:
        self._note("StatusNotification", **payload)
        return call_result.StatusNotification()

    @on(Action.authorize)
    async def authorize(self, id_tag: str) -> call_result.Authorize:
        self._note("Authorize", id_tag=id_tag)
        return call_result.Authorize({"status": self.central.tokens.get(id_tag, "Invalid")})

    @on(Action.start_transaction)
    async def start_transaction(self, **payload: Any) -> call_result.StartTransaction:
        self._note("StartTransaction", **payload)
        if self.central.before_start_answer is not None:
            await self.central.before_start_answer()
        number = next(self.central.numbers)
        status = self.central.tokens.get(payload["id_tag"], "Invalid")
        return call_result.StartTransaction(number, {"status": status})

    @on(Action.stop_transaction)
    async def stop_transaction(self, **payload: Any) -> call_result.StopTransaction:
        self._note("StopTransaction", **payload)
        return call_result.StopTransaction()

    @on(Action.meter_values)
    async def meter_values(self, **payload: Any) -> call_result.MeterValues:
        self._note("MeterValues", **payload)
        return call_result.MeterValues()

    @on(Action.diagnostics_status_notification)
    async def diagnostics(self, **payload: Any) -> call_result.DiagnosticsStatusNotification:
        self._note("DiagnosticsStatusNotification", **payload)
        return call_result.DiagnosticsStatusNotification()


class Central:
    subprotocol = "ocpp1.6"

    def __init__(self) -> None:
        self.received: list[tuple[str, str, dict[str, Any]]] = []
        self.news = asyncio.Event()
        self.violations: list[str] = []
        self.boots: list[tuple[str, int]] = []
        self.tokens: dict[str, str] = {"TOK-A": "Accepted", "TOK-B": "Accepted", "TOK-BLOCKED": "Blocked"}
        self.numbers = itertools.count(1)
        self.before_start_answer: Callable[[], Awaitable[None]] | None = None
        self.peers: dict[str, Peer] = {}
        self.headers: list[tuple[str, str | None]] = []
        self.sessions = 0
        self._server: Server | None = None
        self._port = 0
        self._seen = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/ocpp"

    async def open(self) -> None:
        """Listens; the second time on the same port."""
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self._port,
            subprotocols=[Subprotocol(self.subprotocol)],
            compression=None,
            ping_interval=None,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close(close_connections=True)
            await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        name = connection.request.path.rsplit("/", 1)[1]
        self.headers.append((name, connection.request.headers.get("Authorization")))
        self.sessions += 1
        peer = self.peers[name] = Peer(name, connection, self)
        self.news.set()
        try:
            await peer.start()
        except ConnectionClosed:
            pass
        finally:
            if self.peers.get(name) is peer:
                del self.peers[name]
            self.news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for news until `true()`; TimeoutError with what came."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not true():
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise TimeoutError(f"received: {self.received[self._seen :]}") from None

    async def expect(self, action: str, **some: Any) -> dict[str, Any]:
        """The next message of that action with these fields (others before it are passed over)."""
        found: dict[str, Any] = {}

        def arrived() -> bool:
            for index in range(self._seen, len(self.received)):
                _, name, payload = self.received[index]
                if name == action and all(payload.get(key) == value for key, value in some.items()):
                    self._seen = index + 1
                    found.update(payload)
                    return True
            return False

        await self.until(arrived)
        return found

    def actions(self) -> list[str]:
        return [action for _, action, _ in self.received]

    async def peer(self, name: str = "CL-1") -> Peer:
        await self.until(lambda: name in self.peers)
        return self.peers[name]
