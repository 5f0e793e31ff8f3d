"""A charger without its network: connectors, authorisation, transactions, meters, and what a driver or a remote hand does to them.

It knows no OCPP version. What happens is told to a `Reporter` (the protocol), which also asks the central system about
tokens. The statuses are `connector.status_of`'s; what is broken is `faults`; what a remote hand asks for is `remote`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random

import structlog

from chargeline.clock import Clock
from chargeline.logs import masked
from sandbox import cures
from sandbox.car import Car
from sandbox.connector import (
    Authorisation,
    Conditions,
    Connector,
    ConnectorPlan,
    LastSession,
    Transaction,
    drawn_kw,
    status_of,
)
from sandbox.faults import Faults
from sandbox.reporter import Behaviour, Context, NotPossible, Offline, Reporter, Sample, Shown
from sandbox.reservations import Reservations
from sandbox.tasks import Tasks
from sandbox.tokens import IdInfo, TokenBook

log = structlog.get_logger(__name__)

STEP_S = 5.0  # how often a running transaction's energy is brought up to date
LEAST_REAL_STEP_S = 0.05  # however fast the clock runs, no transaction wakes more often than this


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
        self.on_refresh: Callable[[], None] = lambda: None
        self.on_ended: Callable[[], None] = lambda: None
        self._tasks = Tasks(charger)
        self.reservations = Reservations(
            self.connectors, clock=clock, faults=faults, tasks=self._tasks, changed=self.refresh
        )
        self.count = 0  # of transactions
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
        evse = self.connectors[number].plan.evse
        return Conditions(
            now=self.clock.monotonic(),
            station_operative=self.operative and not self.faults.has("inoperative", number),
            evse_taken=any(
                other.plan.evse == evse and other.in_use for other in self.connectors.values() if other.number != number
            ),
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
            out = self.faults.get("inoperative")
            operative = self.operative and (out is None or out.get("connector") is not None)
            return Shown("Available" if operative else "Unavailable", error)
        conditions = self.conditions(number)
        return Shown(status_of(self.connectors[number], conditions), conditions.error_code or "NoError")

    def power_w(self, number: int) -> float:
        return drawn_kw(self.connectors[number], self.conditions(number)) * 1000

    def transactions(self) -> list[Transaction]:
        return [c.transaction for c in self.connectors.values() if c.transaction is not None]

    def held(self, number: int, *, car_unlocked: bool = False) -> str | None:
        """Why the cable in this connector cannot be pulled out, or None."""
        if self.connector(number).car is None:
            return None
        lock = self.faults.get("unlock", number)
        if lock and lock["held"]:
            return f"The cable is held in connector {number} and cannot be pulled out."
        if self.faults.has("car_holds", number) and not car_unlocked:
            return f"The car holds the cable of connector {number}; it has to be unlocked at the car."
        return None

    def sample(self, number: int, context: Context) -> Sample:
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
        connector.unlocks = 0
        cures.cure(self.faults, "cured_by_replug", number)
        if not self.faults.has("start_timeout", number):
            self.reporter.plugged(number)
        if connector.authorisation is not None:
            self.authorised(connector, connector.authorisation)
        self.refresh()

    def unplug(self, number: int, *, car_unlocked: bool = False) -> None:
        """`car_unlocked`: the driver has opened the car's own lock first. Raises NotPossible."""
        connector = self.connector(number)
        if connector.car is None:
            raise NotPossible(f"No car is plugged into connector {number}.")
        if (why := self.held(number, car_unlocked=car_unlocked)) is not None:
            raise NotPossible(why)
        self.advance()
        if connector.transaction is not None:
            self.end(connector, "EVDisconnected")
        connector.car = None
        connector.finishing = False
        self.reporter.unplugged(number)
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
        if (trouble := self.why_no_start(connector, token, info.parent)) is not None:
            raise NotPossible(trouble)
        self.authorised(connector, Authorisation(token, info.parent, self.clock.monotonic()))
        return info

    async def authorise(self, token: str) -> IdInfo:
        """What the list, the cache or the central system says of the token."""
        for name in ("stale_list", "concurrent_tx"):
            fault = self.faults.get(name)
            if fault is not None and fault.get("token") in {None, token}:
                return IdInfo(fault["status"] if name == "stale_list" else "ConcurrentTx")
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

    def stop_all(self, reason: str) -> None:
        for connector in self.connectors.values():
            if connector.transaction is not None:
                self.end(connector, reason)

    def power_cycle(self) -> None:
        """What a restart forgets; what a reset cures. Availability and reservations persist (OCPP 1.6 section 5.2)."""
        for number, connector in self.connectors.items():
            if connector.authorisation is not None:
                connector.authorisation = None
                self.reporter.authorisation_lapsed(number)
            connector.finishing = False
        cures.cure(self.faults, "cured_by_reset")
        self.refresh()

    def empty(self) -> None:
        """Nothing is plugged in, reserved, out of service or remembered any more."""
        self.operative = True
        for number, connector in self.connectors.items():
            connector.reservation, connector.last_session, connector.operative = None, None, True
            connector.authorisation, connector.finishing = None, False
            if connector.car is not None:
                connector.car = None
                self.reporter.unplugged(number)
        self.refresh()

    def reset_evse(self, numbers: Sequence[int]) -> None:
        """OCPP 2's reset of one EVSE: what a restart forgets, for these connectors only."""
        for number in numbers:
            self.connectors[number].authorisation = None
            self.connectors[number].finishing = False
            cures.cure(self.faults, "cured_by_reset", number)
        self.refresh()

    # --- transactions -------------------------------------------------------------------------------------------
    def end(self, connector: Connector, reason: str, token: str | None = None, at: datetime | None = None) -> None:
        """Ends the connector's transaction. `reason` is one of OCPP 1.6's; `token` the one that ended it, if any;
        `at` when, where that was before now.
        """
        transaction = connector.transaction
        if transaction is None:
            return
        sample = self.sample(connector.number, "Transaction.End")
        if at is not None:
            sample = replace(sample, at=at)
        transaction.ended_at = sample.at
        transaction.meter_stop_wh = sample.energy_wh
        transaction.stop_reason, transaction.stop_token = reason, token
        connector.transaction = None
        connector.finishing = connector.car is not None
        connector.last_session = LastSession(
            transaction.token[-4:], reason, sample.energy_wh - transaction.meter_start_wh, sample.at
        )
        log.info("transaction_ended", charger=self.charger, connector=connector.number, reason=reason)
        self.reporter.transaction_ended(transaction, sample)
        self.refresh()
        self.on_ended()

    def token_refused(self, transaction: Transaction, info: IdInfo) -> None:
        """The central system answered the start with a status that is not Accepted (OCPP 1.6 section 4.8)."""
        self.tokens.remember(transaction.token, info)
        if transaction.ended_at is not None:
            return
        self.advance()
        if self.behaviour.stop_on_refused_token:
            self.end(self.connectors[transaction.connector], "DeAuthorized")
        else:
            transaction.suspended = transaction.refused = True
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
        self.on_refresh()

    def why_no_start(self, connector: Connector, token: str, parent: str | None) -> str | None:
        """Why no transaction can start here now, or None."""
        status = self.shown(connector.number).status
        if status in {"Faulted", "Unavailable", "Finishing"}:
            return f"Connector {connector.number} is {status}."
        for other in self.connectors.values():
            if other is not connector and other.plan.evse == connector.plan.evse and other.transaction is not None:
                return f"Connector {other.number} of the same EVSE is charging."
        reservation = connector.reservation
        if reservation is not None and not reservation.holds_for(token, parent):
            return f"Connector {connector.number} is reserved for another card."
        return None

    def authorised(self, connector: Connector, authorisation: Authorisation) -> None:
        if connector.car is not None and not self.faults.has("start_timeout", connector.number):
            self._begin(connector, authorisation, connector.car)
            return
        if connector.authorisation is not authorisation:
            self.reporter.authorisation_waits(connector.number, authorisation)
        connector.authorisation = authorisation
        self._tasks.spawn(self._wait_for_plug(connector, authorisation), f"connection time-out {connector.number}")
        self.refresh()

    def _begin(self, connector: Connector, authorisation: Authorisation, car: Car) -> None:
        self.advance()
        plug_last = connector.authorisation is authorisation
        connector.authorisation = None
        self.count += 1
        reservation = connector.reservation
        if reservation is not None and reservation.holds_for(authorisation.token, authorisation.parent):
            self.reservations.free(connector)
        else:
            reservation = None
        transaction = Transaction(
            key=f"{self.charger}-{self.count}",
            connector=connector.number,
            token=authorisation.token,
            parent=authorisation.parent,
            started_at=self.clock.now(),
            meter_start_wh=int(connector.meter_wh),
            draws_from=self.clock.monotonic() + car.kind.handshake_s,
            reservation=reservation.number if reservation else None,
            remote_start=authorisation.remote_start,
            plug_last=plug_last,
        )
        connector.transaction = transaction
        log.info("transaction_began", charger=self.charger, connector=connector.number, token=masked(transaction.token))
        self.reporter.transaction_began(transaction)
        self.go_on(connector, transaction)

    def go_on(self, connector: Connector, transaction: Transaction) -> None:
        """The transaction runs: it has begun, or goes on after a power cut."""
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
            self.reporter.authorisation_lapsed(connector.number)
            self.refresh()

    def _fault_changed(self, name: str) -> None:
        if name == "faulted":
            for connector in self.connectors.values():
                if connector.transaction is not None and self.faults.has("faulted", connector.number):
                    self.end(connector, "Other")
        elif name == "reserved":
            self.reservations.follow_fault()
        self.advance()
        self.refresh()
