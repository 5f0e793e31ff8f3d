"""A relay between the simulated chargers and the bridge that writes down every message, and how the charger truly was.

A call to a charger is held until the charger's true state has been read: so the judge knows what the act met. The relay
changes nothing: what comes in goes out, in order; a line lost on one side is lost on the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Protocol

import orjson
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

log = structlog.get_logger(__name__)

# After these the charger is another than before; its state is read before the central system hears of it.
_TELLING = frozenset(
    {"BootNotification", "StatusNotification", "StartTransaction", "StopTransaction", "TransactionEvent"}
)


class Sink(Protocol):
    """Who wants to know what a charger says and hears."""

    async def frame(self, charger: str, *, to_charger: bool, message: list[Any], look: bool) -> None:
        """`look`: the charger's state should be read now, before the message goes on."""
        ...

    async def line(self, charger: str) -> None:
        """The charger's line came or went."""
        ...


class Tap:
    def __init__(self, upstream: str) -> None:
        """`upstream`: the central system's URL without the charger's id."""
        self._upstream = upstream.rstrip("/")
        self._sinks: dict[str, Sink] = {}
        self._lines: dict[ServerConnection, ClientConnection] = {}
        self._server: Server | None = None

    async def start(self, port: int = 0) -> str:
        """Listens on the port, 0: a free one; the URL that chargers dial. Raises OSError."""
        self._server = await serve(
            self._relay,
            "127.0.0.1",
            port,
            process_request=self._dial_on,
            select_subprotocol=self._same_subprotocol,
            compression=None,
            ping_interval=None,
            max_size=None,
        )
        listens = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{listens}/ocpp"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def listen(self, charger: str, sink: Sink) -> None:
        self._sinks[charger] = sink

    def forget(self, charger: str) -> None:
        self._sinks.pop(charger, None)

    async def _dial_on(self, connection: ServerConnection, request: Request) -> Response | None:
        """Dials the central system first, so that a charger is refused here as it would be there."""
        offered = [
            part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if part.strip()
        ]
        headers = {"Authorization": request.headers["Authorization"]} if "Authorization" in request.headers else {}
        try:
            onward = await connect(
                f"{self._upstream}/{request.path.rsplit('/', 1)[-1]}",
                subprotocols=[Subprotocol(each) for each in offered] or None,
                additional_headers=headers,
                user_agent_header=None,
                compression=None,
                ping_interval=None,
                max_size=None,
                open_timeout=10,
                proxy=None,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            return Response(status, HTTPStatus(status).phrase, Headers(), b"")
        except (OSError, TimeoutError, InvalidHandshake, InvalidMessage):
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "The central system cannot be reached.\n")
        self._lines[connection] = onward
        return None

    def _same_subprotocol(self, connection: ServerConnection, offered: Any) -> Subprotocol | None:
        return self._lines[connection].subprotocol

    async def _relay(self, connection: ServerConnection) -> None:
        onward = self._lines.pop(connection)
        assert connection.request is not None
        charger = connection.request.path.rsplit("/", 1)[-1]
        await self._tell_line(charger)
        pumps = {
            asyncio.create_task(self._pump(connection, onward.send, charger, to_charger=False)),
            asyncio.create_task(self._pump(onward, connection.send, charger, to_charger=True)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (connection, onward):
                end.transport.abort()
            await self._tell_line(charger)

    async def _pump(
        self,
        source: ServerConnection | ClientConnection,
        send: Callable[[str | bytes], Awaitable[None]],
        charger: str,
        *,
        to_charger: bool,
    ) -> None:
        try:
            async for raw in source:
                await self._tell_frame(charger, raw, to_charger=to_charger)
                await send(raw)
        except ConnectionClosed:
            log.debug("tap_line_lost", charger=charger, to_charger=to_charger)

    async def _tell_frame(self, charger: str, raw: str | bytes, *, to_charger: bool) -> None:
        sink = self._sinks.get(charger)
        if sink is None:
            return
        try:
            message = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return  # nothing the judge could read; it goes on as it is
        if not isinstance(message, list) or len(message) < 3:
            return
        is_call = message[0] == 2
        look = (to_charger and is_call) or (not to_charger and (not is_call or message[2] in _TELLING))
        await sink.frame(charger, to_charger=to_charger, message=message, look=look)

    async def _tell_line(self, charger: str) -> None:
        sink = self._sinks.get(charger)
        if sink is not None:
            await sink.line(charger)
