"""What the bridge tells about chargers, tokens and commands, as playbooks see it, and what can go wrong on the way to it.

Plain types without HTTP: `charging` fills them from the bridge's JSON, tests fill them by hand. Shapes: docs/contracts.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from actions.places.resolve import Site


class BridgeError(RuntimeError):
    """Anything that went wrong between the action server and the bridge."""


class BridgeAway(BridgeError):
    """The bridge could not be reached, or answered 5xx, for as long as a turn can wait."""


class BridgeRefused(BridgeError):
    """The bridge answered 4xx: `slug` is the problem's type without its urn."""

    def __init__(self, status: int, slug: str, detail: str) -> None:
        super().__init__(f"{status} {slug}: {detail}")
        self.status = status
        self.slug = slug


class BridgeAnswerInvalid(BridgeError):
    """The bridge answered what its contract does not allow."""


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    charger: str
    driver: str | None
    state: str  # active | ended
    energy_wh: float | None
    power_w: float | None
    connector: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stop_reason: str | None = None
    last_meter_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tariff:
    """What the operator posted; amounts in `currency`'s main unit, None where nothing is said of it."""

    currency: str
    price_per_kwh: float | None = None
    price_per_minute: float | None = None
    session_fee: float | None = None
    tax_included: bool | None = None


@dataclass(frozen=True, slots=True)
class Connector:
    connector: int
    plug: str | None
    status: str | None  # one of OCPP 1.6's nine, None while unknown
    error_code: str | None
    session: Session | None
    status_age_s: float | None = None
    max_kw: float | None = None
    tethered: bool | None = None
    tariff: Tariff | None = None  # what counts on it now
    held: bool = False  # out of service on purpose


@dataclass(frozen=True, slots=True)
class Charger:
    id: str
    label: str
    site: str
    connected: bool
    since: datetime | None  # when the connection got the state it has
    boot: str | None
    status: str | None  # of the charger as a whole
    error_code: str | None
    connectors: tuple[Connector, ...]
    returning: bool = False  # not connected, but gone for moments only
    latitude: float | None = None
    longitude: float | None = None
    tariff: Tariff | None = None
    last_frame_age_s: float | None = None  # since anything was heard of it
    opening_hours: str | None = None  # of the site, as the operator wrote them
    time_zone: str | None = None
    delivered_at: datetime | None = None  # when energy last flowed; only from a search
    failures: int = 0  # starts of the last day that came to nothing since then; only from a search

    def connector(self, number: int | None) -> Connector | None:
        return next((one for one in self.connectors if one.connector == number), None)


@dataclass(frozen=True, slots=True)
class Authorization:
    """One card read: `answer` is what we said to it. `last4` of a card that is not the driver's is never told."""

    charger: str
    connector: int | None
    own: bool
    last4: str
    answer: str
    age_s: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One charger as one call of the bridge shows it: docs/contracts.md, Diagnosis. `own` means: of the driver that was named."""

    charger: Charger
    connector: int | None
    session: Session | None
    session_own: bool
    own_sessions_elsewhere: tuple[Session, ...]
    authorizations: tuple[Authorization, ...]
    hold: str | None  # hazard | operator: taken out of service on purpose
    site_gone: tuple[str, ...]  # ids of the site's chargers whose line is gone
    site_free: tuple[str, ...]
    causes: tuple[str, ...]  # the surest first
    own_start: str | None = None  # the driver's newest start on this connector that was not refused, as a command's id

    @property
    def plug(self) -> Connector | None:
        return self.charger.connector(self.connector)


@dataclass(frozen=True, slots=True)
class Token:
    id: str
    last4: str
    status: str
    guest: bool


@dataclass(frozen=True, slots=True)
class Command:
    id: str
    action: str
    charger: str
    connector: int | None
    state: str
    outcome: str | None
    finished: bool
    refused_rule: str | None
    session: str | None
    effect_status: str | None
    energy_wh: float | None
    idempotency_key: str
    reason: str | None
    actor: Mapping[str, Any] = field(default_factory=dict)
    answer: str | None = None  # the charger's own word


@dataclass(frozen=True, slots=True)
class Actor:
    """On whose behalf a command is sent."""

    driver: str
    tier: int
    conversation: str

    def as_json(self) -> dict[str, Any]:
        return {"driver": self.driver, "tier": self.tier, "conversation": self.conversation}


class Chargers(Protocol):
    """The port to the bridge. Every call may raise BridgeError; each is safe to repeat."""

    async def find_chargers(self, code: str) -> list[Charger]: ...

    async def charger(self, charger_id: str) -> Charger: ...

    async def around(self, latitude: float, longitude: float, radius_km: float) -> list[Charger]:
        """All chargers within the radius, used or not, with what they delivered lately; the nearest first, at most 40."""
        ...

    async def sites(self) -> list[Site]:
        """Where the operator has chargers."""
        ...

    async def refreshed(self, charger_id: str, connector: int | None, max_age_s: float = 60.0) -> Charger: ...

    async def diagnosis(self, charger_id: str, connector: int | None, driver: str) -> Diagnosis: ...

    async def authorizations(self, driver: str, since_s: float) -> list[Authorization]:
        """Where the driver's own cards were shown, the newest first."""
        ...

    async def running_sessions(self, driver: str) -> list[Session]: ...

    async def ended_sessions(self, driver: str) -> list[Session]:
        """The newest first."""
        ...

    async def sessions_at(self, charger_id: str) -> list[Session]:
        """Those that ended on a charger, the newest first."""
        ...

    async def tokens(self, driver: str) -> list[Token]: ...

    async def guest_token(self, driver: str) -> Token: ...

    async def paid_token(self, driver: str, payment: str) -> Token:
        """The id token of a session that is paid for under `payment`."""
        ...

    async def start(
        self, charger_id: str, connector: int, token: str, *, actor: Actor, reason: str, key: str, wait_s: float
    ) -> Command: ...

    async def send(
        self,
        action: str,
        charger_id: str,
        fields: Mapping[str, Any],
        *,
        actor: Actor,
        reason: str,
        key: str,
        wait_s: float,
    ) -> Command:
        """Any command but a start; `fields` are the action's own (connector, session, ...)."""
        ...

    async def command(self, command_id: str, wait_s: float = 0) -> Command: ...

    async def watch(self, command_id: str, data: Mapping[str, Any], key: str) -> str: ...

    async def watch_charger(
        self, charger_id: str, connector: int | None, until: str, within_s: float, data: Mapping[str, Any], key: str
    ) -> str:
        """Has the driver's conversation woken when the condition holds, or when `within_s` have passed without it."""
        ...
