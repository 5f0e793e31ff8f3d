"""One connector: what is in it, what runs on it, and the status that follows from that. No I/O, no clock of its own.

The status is not stored and changed step by step; it is a function of the facts, so that it cannot contradict them.
Its words are OCPP 1.6's nine; later versions translate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sandbox.car import Car

Status = Literal[
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
DIRECT_PLUGS = frozenset({"CCS", "CHAdeMO"})


@dataclass(frozen=True, slots=True)
class ConnectorPlan:
    """What is built in. `NACS` carries both kinds of current: above 22 kW it is a direct one."""

    number: int
    evse: int
    plug: str
    max_kw: float
    tethered: bool

    @property
    def direct(self) -> bool:
        return self.plug in DIRECT_PLUGS or self.max_kw > 22


@dataclass(slots=True)
class Authorisation:
    """A token that may charge here, waiting for a plug. `monotonic` is when it came (seconds)."""

    token: str
    parent: str | None
    monotonic: float
    remote_start: int | None = None  # OCPP 2's remoteStartId; 1.6 has none


@dataclass(slots=True)
class Reservation:
    number: int
    token: str
    parent: str | None
    expires_at: datetime

    def holds_for(self, token: str, parent: str | None) -> bool:
        """True where this token, or one of the same parent, may charge."""
        return self.token == token or (parent is not None and self.parent == parent)


@dataclass(slots=True)
class Transaction:
    key: str  # our own name for it; the central system's number comes later, or never
    connector: int
    token: str
    parent: str | None
    started_at: datetime
    meter_start_wh: int
    draws_from: float  # monotonic seconds: the car's handshake is over
    reservation: int | None = None
    remote_start: int | None = None
    plug_last: bool = False  # the token had waited for the plug
    number: int | str | None = None  # the OCPP transactionId: from the central system in 1.6, our own in OCPP 2
    suspended: bool = False  # the charger gives no energy: the token was refused after the start, or it restarts
    refused: bool = False  # the token was refused after the start
    ended_at: datetime | None = None
    meter_stop_wh: int | None = None
    stop_reason: str | None = None
    stop_token: str | None = None


@dataclass(frozen=True, slots=True)
class LastSession:
    token_last4: str
    stop_reason: str
    energy_wh: int
    ended_at: datetime


@dataclass(slots=True)
class Connector:
    plan: ConnectorPlan
    meter_wh: float
    car: Car | None = None
    authorisation: Authorisation | None = None
    transaction: Transaction | None = None
    finishing: bool = False  # a transaction has ended and the cable is still in
    operative: bool = True
    reservation: Reservation | None = None
    last_session: LastSession | None = None
    unlocks: int = 0  # since the plug went in

    @property
    def number(self) -> int:
        return self.plan.number

    @property
    def in_use(self) -> bool:
        return self.car is not None or self.authorisation is not None or self.transaction is not None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What else decides the status: faults and the station around the connector."""

    now: float  # monotonic seconds
    station_operative: bool = True
    evse_taken: bool = False  # another connector of the same EVSE is in use: an EVSE serves one at a time
    error_code: str | None = None
    car_refuses: bool = False
    stuck_finishing: bool = False
    plug_unseen: bool = False  # start_timeout: the charger does not notice the car


def drawn_kw(connector: Connector, conditions: Conditions) -> float:
    """The power that flows, in kW."""
    transaction, car = connector.transaction, connector.car
    if transaction is None or car is None or transaction.suspended or conditions.now < transaction.draws_from:
        return 0.0
    if conditions.error_code is not None or conditions.car_refuses:
        return 0.0
    return car.power_kw(connector.plan.max_kw, direct=connector.plan.direct)


def status_of(connector: Connector, conditions: Conditions) -> Status:
    """The status after OCPP 1.6 section 4.9, from the facts. A running transaction outlasts a change to inoperative."""
    if conditions.error_code is not None:
        return "Faulted"
    transaction = connector.transaction
    if transaction is not None:
        if transaction.suspended:
            return "SuspendedEVSE"
        if conditions.now < transaction.draws_from:
            return "Preparing"
        return "Charging" if drawn_kw(connector, conditions) > 0 else "SuspendedEV"
    if not (connector.operative and conditions.station_operative) or (conditions.evse_taken and not connector.in_use):
        return "Unavailable"
    if connector.finishing or conditions.stuck_finishing:
        return "Finishing"
    if connector.authorisation is not None or (connector.car is not None and not conditions.plug_unseen):
        return "Preparing"
    return "Reserved" if connector.reservation is not None else "Available"
