"""One bridge, put together: store, picture, charger socket, command engine, HTTP API, in one event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog
from sanic.server.async_server import AsyncioServer

from chargeline.clock import Clock
from chargeline.settings import Settings
from ocpp_bridge.api.app import Services, make_app
from ocpp_bridge.api.keys import Keys
from ocpp_bridge.api.shapes import command_event_json
from ocpp_bridge.audit import AuditLog
from ocpp_bridge.commands.engine import Engine
from ocpp_bridge.commands.windows import Windows, default_windows
from ocpp_bridge.events import EventLog
from ocpp_bridge.importing import read_file, store_network
from ocpp_bridge.knocks import Knocks
from ocpp_bridge.metrics import Metrics
from ocpp_bridge.model import Command, Deviation
from ocpp_bridge.picture import Picture
from ocpp_bridge.recorder import Recorder
from ocpp_bridge.reports import Reports
from ocpp_bridge.server.channel import Proxies
from ocpp_bridge.server.websocket import BACKLOG, ChargerServer
from ocpp_bridge.store.base import BridgeStore
from ocpp_bridge.versions.v16 import V16
from ocpp_bridge.versions.v21 import V21
from ocpp_bridge.versions.v201 import V201
from ocpp_bridge.watches import Watches

log = structlog.get_logger(__name__)


class Bridge:
    def __init__(
        self,
        settings: Settings,
        store: BridgeStore,
        clock: Clock,
        windows: Windows | None = None,
        *,
        alone: bool = False,
    ) -> None:
        """`alone`: no other Sanic app will run in this process."""
        self._alone = alone
        self._settings = settings
        self._store = store
        self._clock = clock
        self._windows = windows or default_windows()
        self.metrics = Metrics()
        self.picture = Picture()
        self._recorder = Recorder(store)
        reports = Reports(store, self.picture, self._recorder, clock, several_sessions=settings.several_sessions)
        reports.on_deviation = self._count
        self.events = EventLog(store, clock)
        reports.on_event = self.events.add
        self.knocks = Knocks(store, clock)
        self.audit = AuditLog(settings.var / "audit")
        self.metrics.lost("audit", lambda: self.audit.lost)
        self.metrics.lost("events", lambda: self.events.dropped)
        self.chargers = ChargerServer(
            [V16(), V201(), V21()],
            self.picture,
            reports,
            clock,
            self.metrics,
            self.knocks,
            self.audit,
            proxies=Proxies.read(settings.ocpp_proxies, settings.ocpp_client_name_header),
            returning_s=self._windows.returning_after_drop_s,
        )
        self.engine = Engine(
            store,
            self.picture,
            self.chargers.connection,
            clock,
            self._windows,
            self.metrics,
            guest_starts=settings.guest_starts,
        )
        self._watches = Watches(
            store, self.picture, settings.url_of("bot"), settings.bridge_webhook_secret, clock, self.metrics
        )
        self.engine.on_finished = self._finished
        self._api: AsyncioServer | None = None
        self._ready = False

    def _count(self, deviation: Deviation) -> None:
        self.metrics.deviation(deviation.kind)

    def _finished(self, command: Command) -> None:
        self._watches.finished(command)
        told = command_event_json(command)
        self.audit.command(self._clock.now(), command.charger, told)
        self.events.add("command.finished", command.charger, told)

    async def start(
        self,
        charger_socket: socket.socket,
        api_socket: socket.socket,
        tls: tuple[socket.socket, ssl.SSLContext] | None = None,
    ) -> None:
        """Serves on listening sockets; `tls` is the chargers' second one. Raises ImportProblem where CHARGERS_FILE cannot
        be used."""
        await self._store.open()
        await self._load()
        if self._settings.chargers_file:
            await store_network(read_file(Path(self._settings.chargers_file)), self._store, self.picture)
        self._recorder.start()
        await self.events.start()
        await self.knocks.start()
        self.audit.start()
        await self._watches.start()
        await self.engine.resume()  # before chargers come back: their reports are what it waits for
        await self.chargers.start(charger_socket)
        if tls is not None:
            await self.chargers.start(*tls)
        await self._serve_api(api_socket)
        self._ready = True
        log.info("bridge_ready", chargers=charger_socket.getsockname()[1], api=api_socket.getsockname()[1])

    async def _load(self) -> None:
        for site in await self._store.sites():
            self.picture.place(site)
        for tariff in await self._store.tariffs():
            self.picture.price(tariff)
        for charger in await self._store.chargers():
            self.picture.provision(charger)
        for boot in await self._store.boots():
            self.picture.live(boot.charger).boot = boot
        for status in await self._store.statuses():
            # It may have changed while nobody listened, and a reconnecting charger need not say so (OCPP 1.6 section 4.9).
            self.picture.live(status.charger).statuses[status.connector] = replace(status, source="inferred")
        now = self._clock.now()
        for presence in await self._store.presences():
            live = self.picture.live(presence.charger)
            live.connection_since = presence.since
            if presence.connected:  # until this bridge's predecessor ended
                live.connection_since = now
                live.returns_until = now + timedelta(seconds=self._windows.returning_after_restart_s)
        for hold in await self._store.holds():
            self.picture.live(hold.charger).holds[hold.connector] = hold
        for session in await self._store.sessions(state="active", limit=1_000_000):
            self.picture.live(session.charger).sessions[session.id] = session

    async def _serve_api(self, listener: socket.socket) -> None:
        services = Services(
            self._settings,
            self._clock,
            self._store,
            self.picture,
            self.engine,
            self._watches,
            self.metrics,
            Keys(self._settings),
            self.chargers.connection,
            self._recorder,
            self.events,
            self.knocks,
        )
        app = make_app(services, self.ready, alone=self._alone)
        self._api = await app.create_server(sock=listener, access_log=False, backlog=BACKLOG)
        assert self._api is not None
        await self._api.startup()  # type: ignore[no-untyped-call]  # Sanic has no annotations here
        await self._api.start_serving()  # type: ignore[no-untyped-call]  # as above

    async def ready(self) -> str | None:
        """Why the bridge is not ready; None when it is."""
        if not self._ready:
            return "starting"
        try:
            await self._store.ping()
        except Exception as error:  # whatever the store's engine raises
            log.warning("store_unreachable", why=type(error).__name__)
            return "the store cannot be reached"
        return None

    async def stop(self) -> None:
        """Ends both sides; commands under way stay in the store and are taken up at the next start."""
        self._ready = False
        if self._api is not None:
            closing = self._api.close()  # type: ignore[no-untyped-call]  # as above
            if closing is not None:
                await closing
        await self.engine.stop()
        await self._watches.stop()
        await self.chargers.stop()
        await self._recorder.stop()
        await self.events.stop()
        await self.knocks.stop()
        await asyncio.to_thread(self.audit.stop)
        await self._store.close()
