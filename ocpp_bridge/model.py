"""The bridge's own words for chargers, sessions, id tokens, commands and watches, the same for every OCPP version.

Records are frozen: a change makes a new one, so that a snapshot handed to a rule or to the store cannot move under it.
Times are aware UTC datetimes, energy is watt-hours, power is watts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar

R = TypeVar("R")

ConnectorStatus = Literal[
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
]
StatusSource = Literal["pushed", "triggered", "inferred"]
CommandState = Literal[
    "queued", "sent", "answered", "verified", "not_verified", "refused", "rejected", "timed_out", "disconnected"
]
FINAL_STATES: frozenset[str] = frozenset(
    {"verified", "not_verified", "refused", "rejected", "timed_out", "disconnected"}
)


@cache
def _slots(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((row.name, kind.__dict__[row.name]) for row in fields(kind))


def changed(record: R, changes: dict[str, Any]) -> R:
    """What `dataclasses.replace` gives for these records, at a fifth of its cost: meter readings come by the thousand."""
    kind: Any = type(record)
    made: R = object.__new__(kind)
    for name, slot in _slots(kind):
        slot.__set__(made, changes[name] if name in changes else slot.__get__(record))
    return made


@dataclass(frozen=True, slots=True)
class Site:
    id: str
    name: str
    latitude: float | None = None
    longitude: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Connector:
    """What the operator says about a socket or cable. `connector` counts from 1 over the whole charger."""

    connector: int
    evse: int
    plug: str = ""
    max_kw: float | None = None
    tethered: bool = False
    tariff: str | None = None  # where it is another than the charger's


@dataclass(frozen=True, slots=True)
class Charger:
    id: str
    label: str
    site: str
    connectors: tuple[Connector, ...] = ()
    password_hash: str | None = None
    vendor: str | None = None
    model: str | None = None
    tariff: str | None = None
    security_profile: int | None = None  # OCPP security profile 0 to 3; None: what the charger's password asks for


@dataclass(frozen=True, slots=True)
class Boot:
    """The last BootNotification and what was answered."""

    charger: str
    status: Literal["Accepted", "Pending", "Rejected"]
    at: datetime
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What a connector (0: the charger as a whole) last said of itself. `at` is when it reached the bridge."""

    charger: str
    connector: int
    status: ConnectorStatus
    at: datetime
    source: StatusSource = "pushed"
    error_code: str | None = None
    vendor_error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a charger was connected when the bridge last knew, and since when."""

    charger: str
    connected: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """The last power that a connector reported, in watts, whether a transaction ran or not."""

    power_w: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """When a charger last made a call of one kind, and the status that it carried, if any."""

    at: datetime
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A connector (0: the whole charger) that was taken out of service on purpose. Only an operator ends it."""

    charger: str
    connector: int
    reason: Literal["hazard", "operator"]
    at: datetime
    command: str
    driver: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """An id token: an RFID card or an app account. `status` is what an Authorize is answered with, while not expired."""

    id: str
    driver: str
    status: str = "Accepted"
    expires_at: datetime | None = None
    group: str | None = None
    guest: bool = False

    def status_at(self, now: datetime) -> str:
        if self.status == "Accepted" and self.expires_at is not None and self.expires_at <= now:
            return "Expired"
        return self.status


@dataclass(frozen=True, slots=True)
class Session:
    """One transaction. `opened_at` is the bridge's own time of learning of it; `started_at` is the charger's word."""

    id: str
    charger: str
    connector: int
    token: str
    driver: str | None
    transaction: str
    start_key: str
    authorization: str
    opened_at: datetime
    started_at: datetime
    meter_start_wh: float
    state: Literal["active", "ended"] = "active"
    ended_at: datetime | None = None
    stop_reason: str | None = None
    meter_stop_wh: float | None = None
    meter_wh: float | None = None
    power_w: float | None = None
    last_meter_at: datetime | None = None
    remote_start: int | None = None  # OCPP 2: the remoteStartId that it was started with
    seq_no: int | None = None  # OCPP 2: of the newest TransactionEvent
    charging: str | None = None  # OCPP 2: the chargingState last told
    meter_known: bool = True  # False: no reading at the start has come yet

    @property
    def energy_wh(self) -> float:
        """Energy so far. A meter that runs backwards counts as no energy."""
        latest = self.meter_stop_wh if self.meter_stop_wh is not None else self.meter_wh
        return max(0.0, latest - self.meter_start_wh) if latest is not None else 0.0


@dataclass(frozen=True, slots=True)
class Actor:
    """On whose behalf a command is asked for. `tier` is kept as given; the gate judges it."""

    driver: str | None
    tier: int
    conversation: str | None = None
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    id: str
    action: str
    charger: str
    connector: int | None
    token: str | None
    session: str | None
    reason: str
    actor: Actor
    idempotency_key: str
    body_hash: str
    created_at: datetime
    state: CommandState = "queued"
    outcome: str | None = None
    answer: str | None = None
    detail: str | None = None
    refused: dict[str, str] | None = None
    decision: dict[str, Any] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    effect: dict[str, Any] | None = None
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def hazard(self) -> bool:
        """Asked for because somebody reported danger."""
        return self.reason == "hazard"


@dataclass(frozen=True, slots=True)
class Watch:
    """A promise to tell the front door when a command is finished, or a charger is as `until` says (with `command` empty).

    Delivered once by `event`, until acknowledged. `ended` and `told` are kept before the first post: what came true
    stays true for whoever is told late.
    """

    id: str
    event: str
    command: str
    data: dict[str, Any]
    created_at: datetime
    idempotency_key: str | None = None
    state: Literal["waiting", "delivered", "given_up", "cancelled"] = "waiting"
    finished_at: datetime | None = None
    attempts: int = 0
    next_at: datetime | None = None
    charger: str | None = None
    connector: int | None = None
    until: str | None = None
    expires_at: datetime | None = None
    ended: Literal["met", "expired"] | None = None
    told: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class VariableReport:
    """What an OCPP 2 charger told of its variables in NotifyReport, a row `{"name", "value"}` each; `complete` once its last
    part has come. `request` is the number that it was asked for with."""

    charger: str
    request: int
    at: datetime
    rows: list[dict[str, Any]]
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """An id token shown to a charger and what it was told: the first thing to read when a card is refused."""

    charger: str
    token: str
    answer: str
    at: datetime
    via: Literal["Authorize", "StartTransaction"]
    connector: int | None = None


@dataclass(frozen=True, slots=True)
class Deviation:
    """A way in which a charger departs from its OCPP version, counted by kind, with the model and firmware it came from."""

    charger: str
    kind: str
    action: str
    detail: str
    at: datetime
    model: str | None = None
    firmware: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a charger, numbered without gaps in the order of its writing."""

    seq: int
    type: str
    at: datetime
    charger: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Knock:
    """A charger that is not provisioned and tried to connect: what an operator needs to accept or ignore it."""

    charger: str
    address: str
    first_at: datetime
    last_at: datetime
    count: int = 1
    protocols: str | None = None


@dataclass(frozen=True, slots=True)
class Tariff:
    """What charging costs, in the operator's own words and numbers; amounts are in `currency`'s main unit."""

    id: str
    currency: str
    name: str = ""
    price_per_kwh: float | None = None
    price_per_minute: float | None = None
    session_fee: float | None = None
    idle_fee_per_minute: float | None = None
    idle_grace_minutes: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
