"""What the bridge asks of a store. Sessions, commands, tokens and watches are durable when the call returns; telemetry comes
in batches from the recorder and may lose its last half second when the process is killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ocpp_bridge.model import (
    Attempt,
    Boot,
    Charger,
    Command,
    Deviation,
    Event,
    Hold,
    Knock,
    Presence,
    Session,
    Site,
    Status,
    Tariff,
    Token,
    VariableReport,
    Watch,
)


class KeyReused(Exception):
    """An idempotency key came again with another body."""


@dataclass(slots=True)
class Telemetry:
    """What has changed since the last batch: the newest of each status, boot and meter, every attempt."""

    boots: dict[str, Boot] = field(default_factory=dict)
    statuses: dict[tuple[str, int], Status] = field(default_factory=dict)
    presences: dict[str, Presence] = field(default_factory=dict)
    meters: dict[str, Session] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    deviations: dict[tuple[str, str, str, str], Deviation] = field(default_factory=dict)
    reports: dict[str, VariableReport] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)


class BridgeStore(Protocol):
    async def open(self) -> None:
        """Connects and makes tables or indexes where they are missing."""
        ...

    async def close(self) -> None: ...

    async def ping(self) -> None:
        """Raises where the store cannot be used now."""
        ...

    # ---- what the operator provides

    async def put_sites(self, sites: Sequence[Site]) -> None: ...

    async def put_chargers(self, chargers: Sequence[Charger]) -> None:
        """Replaces by id; a charger without a password hash keeps the one it has."""
        ...

    async def put_tokens(self, tokens: Sequence[Token]) -> None: ...

    async def put_tariffs(self, tariffs: Sequence[Tariff]) -> None: ...

    async def tariffs(self) -> list[Tariff]: ...

    async def sites(self) -> list[Site]: ...

    async def chargers(self) -> list[Charger]: ...

    async def chargers_near(
        self, latitude: float, longitude: float, radius_m: float, limit: int
    ) -> list[tuple[float, str]]:
        """Metres and ids of chargers at sites within `radius_m`, the nearest first, those at one place by id; degrees in."""
        ...

    async def token(self, token_id: str) -> Token | None:
        """Found without regard to case (OCPP 1.6 section 7.26, 2.0.1 `IdTokenType`); the exact one first."""
        ...

    async def tokens_of(self, driver: str) -> list[Token]: ...

    # ---- the live picture

    async def save_telemetry(self, batch: Telemetry) -> None: ...

    async def boots(self) -> list[Boot]: ...

    async def statuses(self) -> list[Status]: ...

    async def presences(self) -> list[Presence]: ...

    async def report(self, charger: str) -> VariableReport | None: ...

    async def attempts(self, charger: str, limit: int = 20) -> list[Attempt]:
        """The newest first."""
        ...

    async def attempts_of(self, tokens: Sequence[str], limit: int = 50) -> list[Attempt]:
        """Attempts with any of these tokens, at any charger, without regard to case; the newest first."""
        ...

    async def deviations(self, charger: str) -> list[Deviation]: ...

    # ---- sessions

    async def next_transaction(self) -> int:
        """A transaction number that was never given out before, from 1 on."""
        ...

    async def add_session(self, session: Session) -> Session:
        """Keeps the session, or returns the one that has its `start_key` already."""
        ...

    async def save_session(self, session: Session) -> None: ...

    async def session(self, session_id: str) -> Session | None: ...

    async def session_of(self, charger: str, transaction: str) -> Session | None: ...

    async def session_started_by(self, start_key: str) -> Session | None: ...

    async def sessions(
        self, *, driver: str | None = None, charger: str | None = None, state: str | None = None, limit: int = 100
    ) -> list[Session]:
        """The newest first."""
        ...

    async def last_session(self, charger: str, connector: int) -> Session | None:
        """The newest on this connector, running or not."""
        ...

    async def latest_sessions(self, chargers: Sequence[str], each: int) -> list[Session]:
        """The newest of each of these chargers, `each` at most."""
        ...

    # ---- out of service on purpose

    async def put_hold(self, hold: Hold) -> None:
        """One a connector: a newer one replaces it."""
        ...

    async def drop_holds(self, charger: str, connector: int) -> None:
        """Of one connector; of the charger and every connector of it where `connector` is 0."""
        ...

    async def holds(self) -> list[Hold]: ...

    # ---- commands and watches

    async def add_command(self, command: Command) -> Command:
        """Keeps the command, or returns the one that has its key. Raises KeyReused where that one's body differs."""
        ...

    async def save_command(self, command: Command) -> None: ...

    async def command(self, command_id: str) -> Command | None: ...

    async def command_of(self, idempotency_key: str) -> Command | None: ...

    async def unfinished_commands(self) -> list[Command]: ...

    async def recent_commands(self, chargers: Sequence[str], since: datetime) -> list[Command]:
        """Commands to these chargers created since; the oldest first."""
        ...

    async def commands_since(self, since: datetime) -> list[Command]:
        """All that were created since; the oldest first."""
        ...

    async def add_watch(self, watch: Watch) -> Watch:
        """Keeps the watch, or returns the one that has its idempotency key."""
        ...

    async def save_watch(self, watch: Watch) -> None: ...

    async def watch(self, watch_id: str) -> Watch | None: ...

    async def waiting_watches(self) -> list[Watch]: ...

    # ---- what happened, and who knocked

    async def add_events(self, events: Sequence[Event], keep: int) -> None:
        """Appends them in order and drops all but the newest `keep`."""
        ...

    async def last_event(self) -> int:
        """The newest sequence number, 0 where there is none."""
        ...

    async def events(self, after: int, *, charger: str | None = None, limit: int = 500) -> list[Event]:
        """Events with a higher sequence number, the oldest first."""
        ...

    async def oldest_event(self) -> int:
        """The lowest sequence number that is kept, 0 where there is none."""
        ...

    async def put_knocks(self, knocks: Sequence[Knock]) -> None: ...

    async def drop_knocks(self, chargers: Sequence[str]) -> None: ...

    async def knocks(self) -> list[Knock]:
        """The newest first."""
        ...
