"""A charger without its network: connectors, authorisation, transactions, meters, and what a driver or a remote hand does to them.

It knows no OCPP version. What happens is told to a `Reporter` (the protocol), which also asks the central system about
tokens. The statuses are `connector.status_of`'s; what is broken is `faults`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Literal, Protocol

import structlog

from chargeline.clock import Clock
from chargeline.logs import masked
from sandbox.car import Car
from sandbox.connector import (
    Authorisation,
    Conditions,
    Connector,
    ConnectorPlan,
    Reservation,
    Status,
    Transaction,
    drawn_kw,
    status_of,
)
from sandbox.faults import Faults
from sandbox.tasks import Tasks
from sandbox.tokens import IdInfo, TokenBook, TokenPolicy

log = structlog.get_logger(__name__)

STEP_S = 5.0  # how often a running transaction's energy is brought up to date
LEAST_REAL_STEP_S = 0.05  # however fast the clock runs, no transaction wakes more often than this


class NotPossible(Exception):
    """What was asked cannot be done at this charger now; the message says why."""


class Offline(Exception):
    """The central system cannot be asked now."""


@dataclass(frozen=True, slots=True)
class Sample:
    at: datetime
    context: Literal["Sample.Periodic", "Transaction.Begin", "Transaction.End", "Trigger"]
    energy_wh: int
    power_w: float
    voltage_v: float
    current_a: float
    soc: float | None  # percent; only direct current tells


@dataclass(frozen=True, slots=True)
class Shown:
    """What a connector (or, as number 0, the charger) reports of itself."""

    status: Status
    error_code: str = "NoError"


@dataclass(slots=True)
class Behaviour:
    """What configuration can change, by neutral names; each protocol maps its own keys to these."""

    connection_timeout_s: float = 60.0
    meter_interval_s: float = 15.0
    authorize_remote_starts: bool = True
    stop_on_refused_token: bool = True
    local_list_limit: int = 200
    tokens: TokenPolicy = field(default_factory=TokenPolicy)


class Reporter(Protocol):
    @property
    def online(self) -> bool: ...
    async def authorize(self, token: str) -> IdInfo:
        """Raises Offline."""
        ...

    def status_changed(self, number: int) -> None: ...
    def transaction_began(self, transaction: Transaction) -> None: ...
    def transaction_metered(self, transaction: Transaction, sample: Sample) -> None: ...
    def transaction_ended(self, transaction: Transaction, sample: Sample) -> None: ...


class Station:
    def __init__(self, charger: str, plans: list[ConnectorPlan], *, clock: Clock, rng: Random, faults: Faults) -> None:
        self.charger = charger
        self.clock = clock
        self.faults = faults
        self.behaviour = Behaviour()
        self.tokens = TokenBook()
        self.operative = True
        self.connectors = {plan.number: Connector(plan, float(rng.randrange(100_000, 9_000_000))) for plan in plans}
        self.reporter: Reporter
        self._tasks = Tasks(charger)
        self._count = 0
        self._advanced_at = clock.monotonic()
        self._shown: dict[int, Shown] = {number: self.shown(number) for number in (0, *self.connectors)}
        faults.on_change(self._fault_changed)

    async def close(self) -> None:
        await self._tasks.close()

    # --- what can be seen ---------------------------------------------------------------------------------------
    def connector(self, number: int) -> Connector:
        """Raises NotPossible where there is no such connector."""
        try:
            return self.connectors[number]
        except KeyError:
            raise NotPossible(f"Charger {self.charger} has no connector {number}.") from None

    def conditions(self, number: int) -> Conditions:
        faulted = self.faults.get("faulted", number)
        return Conditions(
            now=self.clock.monotonic(),
            station_operative=self.operative,
            error_code=faulted["error_code"] if faulted else None,
            car_refuses=self.faults.has("car_refuses", number),
            stuck_finishing=self.faults.has("stuck_finishing", number),
            plug_unseen=self.faults.has("start_timeout", number),
        )

    def shown(self, number: int) -> Shown:
        if number == 0:
            faulted = self.faults.get("faulted")
            if faulted and faulted.get("connector") is None:
                return Shown("Faulted", faulted["error_code"])
            error = "ReaderFailure" if self.faults.has("reader_failure") else "NoError"
            return Shown("Available" if self.operative else "Unavailable", error)
        conditions = self.conditions(number)
        return Shown(status_of(self.connectors[number], conditions), conditions.error_code or "NoError")

    def power_w(self, number: int) -> float:
        return drawn_kw(self.connectors[number], self.conditions(number)) * 1000

    def transactions(self) -> list[Transaction]:
        return [c.transaction for c in self.connectors.values() if c.transaction is not None]

    def sample(self, number: int, context: Literal["Sample.Periodic", "Transaction.End", "Trigger"]) -> Sample:
        self.advance()
        connector = self.connectors[number]
        power_w, direct = self.power_w(number), connector.plan.direct
        voltage = 400.0 if direct else 240.0
        return Sample(
            at=self.clock.now(),
            context=context,
            energy_wh=int(connector.meter_wh),
            power_w=power_w,
            voltage_v=voltage,
            current_a=power_w / voltage,
            soc=connector.car.soc if direct and connector.car is not None else None,
        )

    # --- the driver at the charger ------------------------------------------------------------------------------
    def plug(self, number: int, car: Car) -> None:
        connector = self.connector(number)
        if connector.car is not None:
            raise NotPossible(f"A car is plugged into connector {number} already.")
        connector.car = car
        connector.finishing = False
        if connector.authorisation is not None:
            self._authorised(connector, connector.authorisation)
        self.refresh()

    def unplug(self, number: int) -> None:
        connector = self.connector(number)
        if connector.car is None:
            raise NotPossible(f"No car is plugged into connector {number}.")
        held = self.faults.get("unlock", number)
        if held and held["held"]:
            raise NotPossible(f"The cable is held in connector {number} and cannot be pulled out.")
        self.advance()
        if connector.transaction is not None:
            self.end(connector, "EVDisconnected")
        connector.car = None
        connector.finishing = False
        self.refresh()

    async def swipe(self, number: int, token: str) -> IdInfo:
        """A card is held to the reader: ends this token's transaction, else authorises a new one. Raises NotPossible."""
        connector = self.connector(number)
        if self.faults.has("reader_failure"):
            raise NotPossible("The card reader reads nothing.")
        if connector.transaction is not None and connector.transaction.token == token:
            self.end(connector, "Local", token)
            return IdInfo("Accepted")
        info = await self.authorise(token)
        if info.status != "Accepted":
            return info
        running = connector.transaction
        if running is not None:
            if info.parent is None or info.parent != running.parent:
                raise NotPossible(f"Connector {number} charges with another card.")
            self.end(connector, "Local", token)
            return info
        if (trouble := self._no_start(connector, token, info.parent)) is not None:
            raise NotPossible(trouble)
        self._authorised(connector, Authorisation(token, info.parent, self.clock.monotonic()))
        return info

    async def authorise(self, token: str) -> IdInfo:
        """What the list, the cache or the central system says of the token."""
        policy, now = self.behaviour.tokens, self.clock.now()
        info = self.tokens.decide(token, online=self.reporter.online, policy=policy, now=now)
        if info is not None:
            return info
        try:
            info = await self.reporter.authorize(token)
        except Offline:
            return self.tokens.decide(token, online=False, policy=policy, now=now) or IdInfo("Invalid")
        self.tokens.remember(token, info)
        return info

    # --- the remote hand ----------------------------------------------------------------------------------------
    def accepts_remote_start(self, number: int | None, token: str) -> Connector | None:
        """The connector that a remote start would use, or None: rejected. Without a number: the one with a waiting car."""
        if number is not None:
            candidates = [self.connectors[number]] if number in self.connectors else []
        else:
            candidates = sorted(self.connectors.values(), key=lambda connector: connector.car is None)
        for connector in candidates:
            if self.faults.has("start_rejected", connector.number):
                continue
            if connector.transaction is None and self._no_start(connector, token, None) is None:
                return connector
        return None

    async def remote_start(self, connector: Connector, token: str, remote_start: int | None = None) -> None:
        """What follows an accepted remote start."""
        if self.faults.has("accepted_then_nothing", connector.number):
            return
        parent = None
        if self.behaviour.authorize_remote_starts:
            info = await self.authorise(token)
            if info.status != "Accepted":
                log.info("remote_start_refused", charger=self.charger, token=masked(token), status=info.status)
                return
            parent = info.parent
        if connector.transaction is None and self._no_start(connector, token, parent) is None:
            self._authorised(connector, Authorisation(token, parent, self.clock.monotonic(), remote_start))

    def unlock(self, number: int) -> Literal["Unlocked", "UnlockFailed", "NotSupported"]:
        """Ends a running transaction where there is a lock to open (OCPP 1.6 section 5.18)."""
        connector = self.connectors.get(number)
        if connector is None:
            return "NotSupported"
        fault = self.faults.get("unlock", number)
        result: Literal["Unlocked", "UnlockFailed", "NotSupported"]
        result = fault["result"] if fault else ("NotSupported" if connector.plan.tethered else "Unlocked")
        if result != "NotSupported" and connector.transaction is not None:
            self.end(connector, "UnlockCommand")
        return result

    def change_availability(self, number: int, operative: bool) -> Literal["Accepted", "Rejected", "Scheduled"]:
        """Number 0 is the whole charger. A running transaction goes on; the change shows when it has ended."""
        if number != 0 and number not in self.connectors:
            return "Rejected"
        touched = list(self.connectors.values()) if number == 0 else [self.connectors[number]]
        if number == 0:
            self.operative = operative
        for connector in touched:
            connector.operative = operative
        waits = not operative and any(connector.transaction is not None for connector in touched)
        self.refresh()
        return "Scheduled" if waits else "Accepted"

    def reserve(
        self, number: int, reservation: Reservation
    ) -> Literal["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"]:
        connector = self.connectors.get(number)
        if connector is None or reservation.expires_at <= self.clock.now():
            return "Rejected"
        status = self.shown(number).status
        if status == "Faulted" or status == "Unavailable":
            return status
        same = connector.reservation is not None and connector.reservation.number == reservation.number
        if status != "Available" and not (status == "Reserved" and same):
            return "Occupied"
        self.cancel_reservation(reservation.number)  # the same number moves, it is not held twice
        connector.reservation = reservation
        self._tasks.spawn(self._expire(connector, reservation), f"reservation {reservation.number}")
        self.refresh()
        return "Accepted"

    def cancel_reservation(self, number: int) -> bool:
        for connector in self.connectors.values():
            if connector.reservation is not None and connector.reservation.number == number:
                connector.reservation = None
                self.refresh()
                return True
        return False

    def stop_all(self, reason: str) -> None:
        for connector in self.connectors.values():
            if connector.transaction is not None:
                self.end(connector, reason)

    def power_cycle(self) -> None:
        """What a restart forgets; what a reset cures. Availability and reservations persist (OCPP 1.6 section 5.2)."""
        for connector in self.connectors.values():
            connector.authorisation = None
            connector.finishing = False
        for name in ("faulted", "stuck_finishing"):
            fault = self.faults.get(name)
            if fault and fault["cured_by_reset"]:
                self.faults.clear(name)
        self.refresh()

    # --- transactions -------------------------------------------------------------------------------------------
    def end(self, connector: Connector, reason: str, token: str | None = None) -> None:
        """Ends the connector's transaction. `reason` is one of OCPP 1.6's; `token` the one that ended it, if any."""
        transaction = connector.transaction
        if transaction is None:
            return
        sample = self.sample(connector.number, "Transaction.End")
        transaction.ended_at = sample.at
        transaction.meter_stop_wh = sample.energy_wh
        transaction.stop_reason, transaction.stop_token = reason, token
        connector.transaction = None
        connector.finishing = connector.car is not None
        log.info("transaction_ended", charger=self.charger, connector=connector.number, reason=reason)
        self.reporter.transaction_ended(transaction, sample)
        self.refresh()

    def token_refused(self, transaction: Transaction, info: IdInfo) -> None:
        """The central system answered the start with a status that is not Accepted (OCPP 1.6 section 4.8)."""
        self.tokens.remember(transaction.token, info)
        if transaction.ended_at is not None:
            return
        self.advance()
        if self.behaviour.stop_on_refused_token:
            self.end(self.connectors[transaction.connector], "DeAuthorized")
        else:
            transaction.suspended = True
            self.refresh()

    def advance(self) -> None:
        """Brings energy and batteries up to now."""
        now = self.clock.monotonic()
        since, self._advanced_at = self._advanced_at, now
        for connector in self.connectors.values():
            transaction, car = connector.transaction, connector.car
            if transaction is None or car is None:
                continue
            if drawn_kw(connector, self.conditions(connector.number)) <= 0:
                continue
            seconds = now - max(since, transaction.draws_from)
            taken = car.charge(seconds, connector.plan.max_kw, direct=connector.plan.direct)
            if not self.faults.has("meter_stuck", connector.number):
                connector.meter_wh += taken

    def refresh(self) -> None:
        """Tells the reporter every status that has changed."""
        for number, before in self._shown.items():
            after = self.shown(number)
            if after != before:
                self._shown[number] = after
                self.reporter.status_changed(number)

    def _no_start(self, connector: Connector, token: str, parent: str | None) -> str | None:
        """Why no transaction can start here now, or None."""
        status = self.shown(connector.number).status
        if status in {"Faulted", "Unavailable", "Finishing"}:
            return f"Connector {connector.number} is {status}."
        reservation = connector.reservation
        if reservation is not None and not _holds(reservation, token, parent):
            return f"Connector {connector.number} is reserved for another card."
        return None

    def _authorised(self, connector: Connector, authorisation: Authorisation) -> None:
        if connector.car is not None and not self.faults.has("start_timeout", connector.number):
            self._begin(connector, authorisation, connector.car)
            return
        connector.authorisation = authorisation
        self._tasks.spawn(self._wait_for_plug(connector, authorisation), f"connection time-out {connector.number}")
        self.refresh()

    def _begin(self, connector: Connector, authorisation: Authorisation, car: Car) -> None:
        self.advance()
        connector.authorisation = None
        self._count += 1
        reservation = connector.reservation
        if reservation is not None and _holds(reservation, authorisation.token, authorisation.parent):
            connector.reservation = None
        else:
            reservation = None
        transaction = Transaction(
            key=f"{self.charger}-{self._count}",
            connector=connector.number,
            token=authorisation.token,
            parent=authorisation.parent,
            started_at=self.clock.now(),
            meter_start_wh=int(connector.meter_wh),
            draws_from=self.clock.monotonic() + car.kind.handshake_s,
            reservation=reservation.number if reservation else None,
            remote_start=authorisation.remote_start,
        )
        connector.transaction = transaction
        log.info("transaction_began", charger=self.charger, connector=connector.number, token=masked(transaction.token))
        self.reporter.transaction_began(transaction)
        self.refresh()
        self._tasks.spawn(self._run(connector, transaction), f"transaction {transaction.key}")

    async def _run(self, connector: Connector, transaction: Transaction) -> None:
        """Wakes for the handshake's end, the battery's filling and the meter's times, as long as the transaction runs."""
        least = LEAST_REAL_STEP_S / self.clock.real_seconds(1.0)
        sampled_at = self.clock.monotonic()
        while transaction.ended_at is None:
            now, interval = self.clock.monotonic(), self.behaviour.meter_interval_s
            wake = now + STEP_S
            if now < transaction.draws_from:
                wake = min(wake, transaction.draws_from)
            if interval > 0:
                wake = min(wake, max(sampled_at + interval, now))
            await self.clock.sleep(max(wake - now, least))
            if transaction.ended_at is not None:
                return
            self.advance()
            self.refresh()
            interval = self.behaviour.meter_interval_s
            if 0 < interval <= self.clock.monotonic() - sampled_at:
                sampled_at = self.clock.monotonic()
                self.reporter.transaction_metered(transaction, self.sample(connector.number, "Sample.Periodic"))

    async def _wait_for_plug(self, connector: Connector, authorisation: Authorisation) -> None:
        await self.clock.sleep(self.behaviour.connection_timeout_s)
        if connector.authorisation is authorisation:
            connector.authorisation = None
            self.refresh()

    async def _expire(self, connector: Connector, reservation: Reservation) -> None:
        await self.clock.sleep((reservation.expires_at - self.clock.now()).total_seconds())
        if connector.reservation is reservation:
            connector.reservation = None
            self.refresh()

    def _fault_changed(self, name: str) -> None:
        if name == "faulted":
            for connector in self.connectors.values():
                if connector.transaction is not None and self.faults.has("faulted", connector.number):
                    self.end(connector, "Other")
        self.advance()
        self.refresh()


def _holds(reservation: Reservation, token: str, parent: str | None) -> bool:
    return reservation.token == token or (parent is not None and reservation.parent == parent)
