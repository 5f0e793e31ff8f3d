"""The charger socket: accepts, checks, registers, and runs one `Connection` per charger until it ends.

The newest connection of a charger wins; the older one is closed, and since its end compares itself with what is registered
it cannot take the newer one's place away.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response
from websockets.typing import Subprotocol

from chargeline.clock import Clock
from ocpp_bridge.audit import AuditLog
from ocpp_bridge.knocks import Knocks
from ocpp_bridge.metrics import Metrics
from ocpp_bridge.picture import Picture
from ocpp_bridge.reports import Reports
from ocpp_bridge.server.channel import Channel, Proxies, channel_of
from ocpp_bridge.server.charger_socket import ChargerSocket
from ocpp_bridge.server.connection import Connection
from ocpp_bridge.server.handshake import admit, choose_subprotocol, identity_of
from ocpp_bridge.versions.base import Version

log = structlog.get_logger(__name__)
LIBRARY_LOG = logging.getLogger("ocpp_bridge.websockets")
LIBRARY_LOG.setLevel(logging.CRITICAL)  # a port scan or a dead peer is no error of ours, and is no stack trace
BACKLOG = 4096  # chargers of a whole network may reconnect in the same second
MAX_FRAME = 256 * 1024  # bytes; longer ones close the connection with 1009
PING_S = 30.0  # a charger that misses one is offline within a minute
OPEN_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 2.0  # a peer that is gone must not hold up the bridge's own end
REPLACED = 4001  # close code towards a connection that a newer one of the same charger replaces


class ChargerServer:
    def __init__(
        self,
        versions: Sequence[Version],
        picture: Picture,
        reports: Reports,
        clock: Clock,
        metrics: Metrics,
        knocks: Knocks,
        audit: AuditLog,
        *,
        proxies: Proxies,
        returning_s: float,
    ) -> None:
        """`returning_s`: how long a charger whose socket dropped is expected back."""
        self._knocks = knocks
        self._audit = audit
        self._proxies = proxies
        self._returning = timedelta(seconds=returning_s)
        self._stopping = False
        self._versions: Mapping[str, Version] = {version.subprotocol: version for version in versions}
        self._picture = picture
        self._reports = reports
        self._clock = clock
        self._metrics = metrics
        self._connections: dict[str, Connection] = {}
        self._servers: list[Server] = []

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Serves on one more listening socket."""
        server = await serve(
            self._serve,
            sock=listener,
            backlog=BACKLOG,  # else the event loop cuts the listening socket's own down to 100
            ssl=tls,
            process_request=self._process_request,
            select_subprotocol=self._select_subprotocol,
            compression="deflate",
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_FRAME,
            max_queue=16,
            server_header=None,
            create_connection=ChargerSocket,
            logger=LIBRARY_LOG,
        )
        self._servers.append(server)

    async def stop(self) -> None:
        self._stopping = True
        for server in self._servers:
            server.close(close_connections=True)
        for server in self._servers:
            await server.wait_closed()

    def connection(self, charger: str) -> Connection | None:
        return self._connections.get(charger)

    # ---- handshake

    def _process_request(self, socket: ServerConnection, request: HttpRequest) -> Response | None:
        identity = identity_of(request.path)
        charger = self._picture.charger(identity) if identity else None
        authorization = request.headers.get_all("Authorization")
        channel = self._channel(socket, request)
        turned = admit(identity, charger, authorization[0] if authorization else None, channel)
        if charger is None and identity is not None:
            self._knocks.note(identity, channel.address, ",".join(request.headers.get_all("Sec-WebSocket-Protocol")))
        if turned is None:
            assert isinstance(socket, ChargerSocket)
            socket.identity = identity or ""
            return None
        self._metrics.connection(turned.status.name.lower())
        log.info("charger_turned_away", status=turned.status.value, charger=(identity or "")[:48])
        response = socket.respond(turned.status, turned.why + "\n")
        if turned.status == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="chargeline"'
        return response

    def _channel(self, socket: ServerConnection, request: HttpRequest) -> Channel:
        transport = socket.transport
        peer = transport.get_extra_info("peername")
        tls = transport.get_extra_info("ssl_object") is not None
        certificate = transport.get_extra_info("peercert") if tls else None
        return channel_of(str(peer[0]) if peer else "", certificate, tls, request.headers, self._proxies)

    def _select_subprotocol(self, socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        if not offered:
            return None  # none may be named in the answer then; `_serve` takes 1.6
        chosen = choose_subprotocol(offered, tuple(self._versions))
        return Subprotocol(chosen) if chosen else None

    # ---- a connection's life

    async def _serve(self, socket: ServerConnection) -> None:
        assert isinstance(socket, ChargerSocket)
        charger = socket.identity
        offered = socket.request.headers.get_all("Sec-WebSocket-Protocol") if socket.request else []
        name = socket.subprotocol or (None if offered else choose_subprotocol([], tuple(self._versions)))
        if name is None or name not in self._versions:
            log.info("no_common_subprotocol", charger=charger, offered=",".join(offered)[:100])
            self._metrics.connection("no_subprotocol")
            await socket.close(1002, "no common OCPP version")
            return
        version = self._versions[name]
        connection = Connection(charger, version, socket, self._reports, self._clock, self._metrics, self._audit)
        older = self._connections.get(charger)
        self._enter(connection)
        closing = asyncio.create_task(older.close(REPLACED, "replaced by a newer connection")) if older else None
        try:
            await connection.run()
        finally:
            self._leave(connection, int(socket.close_code or 0))
            if closing:
                await asyncio.gather(closing, return_exceptions=True)

    def _enter(self, connection: Connection) -> None:
        self._connections[connection.charger] = connection
        live = self._picture.live(connection.charger)
        if live.connection_since is not None:
            self._metrics.reconnect()
        live.link, live.connection_since, live.returns_until = connection, self._clock.now(), None
        self._reports.presence(connection.charger, True, live.connection_since)
        live.changed()
        self._metrics.connection("accepted")
        self._metrics.connected_now(len(self._connections))
        log.info("charger_connected", charger=connection.charger, protocol=connection.protocol)

    def _leave(self, connection: Connection, code: int) -> None:
        log.info("charger_disconnected", charger=connection.charger, code=code)
        if self._connections.get(connection.charger) is not connection:
            return  # replaced by a newer one: nothing here is this connection's to clean
        del self._connections[connection.charger]
        live = self._picture.live(connection.charger)
        live.link, live.connection_since = None, self._clock.now()
        live.returns_until = live.connection_since + self._returning
        if not self._stopping:  # the bridge's own end says nothing about the charger: it is expected back
            self._reports.presence(connection.charger, False, live.connection_since)
        live.last_frame_at = connection.last_frame_at
        live.changed()
        self._metrics.connected_now(len(self._connections))
