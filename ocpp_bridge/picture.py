"""The live picture of every charger, in memory: boot, status of each connector, running sessions, connection.

Filled from the store at start, from chargers afterwards; what changes goes to the recorder. Whoever waits for a change of
one charger (an effect, a refresh) listens here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from ocpp_bridge.model import Boot, Charger, Heard, Hold, Reading, Session, Site, Status, Tariff, VariableReport

ConnectionState = Literal["connected", "returning", "disconnected"]


class Link(Protocol):
    """What the picture shows of a connection; `server.connection` has the rest."""

    @property
    def protocol(self) -> str: ...

    @property
    def last_frame_at(self) -> datetime | None: ...

    @property
    def last_pong_at(self) -> datetime | None: ...

    @property
    def latency_s(self) -> float | None: ...


@dataclass(slots=True)
class LiveCharger:
    id: str
    boot: Boot | None = None
    statuses: dict[int, Status] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)  # the active ones
    link: Link | None = None
    connection_since: datetime | None = None  # of the present state, connected or not
    returns_until: datetime | None = None  # not connected, but expected back until then
    last_frame_at: datetime | None = None
    trigger_unsupported: bool = False
    holds: dict[int, Hold] = field(default_factory=dict)
    readings: dict[int, Reading] = field(default_factory=dict)  # by connector
    report: VariableReport | None = None  # the newest, as far as it has come
    heard: dict[str, Heard] = field(default_factory=dict)  # by action
    listeners: set[asyncio.Event] = field(default_factory=set)
    observers: set[Callable[[], None]] = field(default_factory=set)  # called at every change, so they miss none

    def connection_state(self, now: datetime) -> ConnectionState:
        """`returning`: the socket dropped a moment ago, or the bridge was restarted and the charger is not back yet."""
        if self.link is not None:
            return "connected"
        return "returning" if self.returns_until is not None and now < self.returns_until else "disconnected"

    def hold_on(self, connector: int | None) -> Hold | None:
        """What keeps the connector out of service: its own hold, or the whole charger's."""
        return self.holds.get(connector or 0) or self.holds.get(0)

    def changed(self) -> None:
        for event in self.listeners:
            event.set()
        if self.observers:
            for observer in tuple(self.observers):
                observer()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set at every change of this charger; the listener clears it."""
        event = asyncio.Event()
        self.listeners.add(event)
        try:
            yield event
        finally:
            self.listeners.discard(event)

    def sessions_on(self, connector: int | None) -> list[Session]:
        return [session for session in self.sessions.values() if session.connector == connector]


class Picture:
    def __init__(self) -> None:
        self._live: dict[str, LiveCharger] = {}
        self._chargers: dict[str, Charger] = {}
        self._sites: dict[str, Site] = {}
        self._tariffs: dict[str, Tariff] = {}

    # ---- what the operator said

    def provision(self, charger: Charger) -> None:
        self._chargers[charger.id] = charger

    def place(self, site: Site) -> None:
        self._sites[site.id] = site

    def price(self, tariff: Tariff) -> None:
        self._tariffs[tariff.id] = tariff

    def tariff(self, tariff_id: str | None) -> Tariff | None:
        return self._tariffs.get(tariff_id) if tariff_id is not None else None

    def tariff_on(self, charger_id: str, connector: int) -> Tariff | None:
        """What charging costs there: the connector's own tariff, else the charger's."""
        charger = self._chargers.get(charger_id)
        if charger is None:
            return None
        own = next((row.tariff for row in charger.connectors if row.connector == connector), None)
        return self.tariff(own) or self.tariff(charger.tariff)

    def site(self, site_id: str) -> Site | None:
        return self._sites.get(site_id)

    def sites(self) -> list[Site]:
        return list(self._sites.values())

    def charger(self, charger_id: str) -> Charger | None:
        return self._chargers.get(charger_id)

    def chargers(self) -> list[Charger]:
        return list(self._chargers.values())

    # ---- what the chargers say

    def live(self, charger_id: str) -> LiveCharger:
        live = self._live.get(charger_id)
        if live is None:
            live = self._live[charger_id] = LiveCharger(charger_id)
        return live

    def connected(self) -> int:
        return sum(1 for live in self._live.values() if live.link is not None)

    def active_sessions_of(self, token: str) -> list[Session]:
        """Running sessions of this id token anywhere; tags are compared without case (OCPP 1.6 section 7.26)."""
        folded = token.casefold()
        return [
            session
            for live in self._live.values()
            for session in live.sessions.values()
            if session.token.casefold() == folded
        ]
