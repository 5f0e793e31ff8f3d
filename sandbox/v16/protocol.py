"""The charger's side of an OCPP 1.6J session: boot until accepted, heartbeats, what the station reports, what the line carries.

Incoming calls are `calls.py`'s; the payloads `messages.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from sandbox import schemas
from sandbox.connector import Transaction
from sandbox.frames import Payload
from sandbox.outbox import Outbox, Outgoing
from sandbox.socket import Answer, CallFailed, Disconnected, Socket
from sandbox.station import Offline, Sample, Shown, Station
from sandbox.tokens import IdInfo
from sandbox.v16 import calls, messages
from sandbox.v16.config import Configuration, Reporting

log = structlog.get_logger(__name__)

BOOT_AGAIN_S = 10.0  # after no usable answer, or one without an interval
BootStatus = Literal["Accepted", "Pending", "Rejected"]
Call = Callable[[str, Payload], Coroutine[Any, Any, Payload]]


class UnusableAnswer(CallFailed):
    """The answer to a CALL of ours is not what the specification says."""


@dataclass(frozen=True, slots=True)
class Identity:
    vendor: str
    model: str
    firmware: str
    serial: str
    boots_on_reconnect: bool = False  # some models do; the specification says they should not


class Protocol16:
    subprotocol = "ocpp1.6"
    name = "ocpp1.6"
    longest_token = 20

    def __init__(self, station: Station, identity: Identity, outbox: Outbox, reboot: Callable[[], None]) -> None:
        self.station = station
        self.identity = identity
        self.outbox = outbox
        self.reboot = reboot
        self.reporting = Reporting()
        self.configuration = Configuration(station, self.reporting, outbox)
        self.boot_status: BootStatus | None = None
        self._socket: Socket | None = None
        self._told: dict[int, Shown] = {}
        self._boot_now = asyncio.Event()
        station.reporter = self

    # --- the session --------------------------------------------------------------------------------------------
    @property
    def booted(self) -> bool:
        return self.boot_status == "Accepted"

    @property
    def online(self) -> bool:
        """True while messages can be told: connected, accepted, not gone silent."""
        return self._socket is not None and self.booted and not self.station.faults.has("silent")

    def restarted(self) -> None:
        """The charger has been restarted: the next session begins with BootNotification and all statuses."""
        self.boot_status = None
        self._told.clear()

    async def session(self, socket: Socket) -> None:
        """Runs on a new socket until it closes. Raises nothing for a lost line."""
        self._socket = socket
        try:
            if self.identity.boots_on_reconnect:
                self.boot_status = None
            if not self.booted:
                await self._boot(socket)
            self.tell_statuses()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.outbox.drain(socket.call, lambda: self.online))
                group.create_task(self._heartbeats(socket))
        except* Disconnected:
            log.debug("session_over", charger=self.station.charger)
        finally:
            if self._socket is socket:
                self._socket = None
            self.outbox.drop_volatile()

    async def call(self, action: str, payload: Payload) -> Payload:
        """A CALL outside the outbox, its answer checked. Raises CallFailed's kinds."""
        if self._socket is None:
            raise Disconnected(action)
        answer = await self._socket.call(action, payload)
        try:
            schemas.check("1.6", action, "response", answer)
        except schemas.SchemaViolation as error:
            raise UnusableAnswer(f"{action}: {error}") from None
        return answer

    def handle(self, action: str, payload: Payload) -> Answer:
        return calls.handle(self, action, payload)

    def tell(self, action: str, payload: Payload) -> None:
        """Sends something that is only worth telling now, after what waits already."""
        self.outbox.put(Outgoing(action, lambda: payload))

    async def hang_up(self) -> None:
        if self._socket is not None:
            await self._socket.close()

    def tell_statuses(self) -> None:
        """Tells every status that differs from what was told last (section 4.9, after a time without a line)."""
        for number in (0, *self.station.connectors):
            if self._told.get(number) != self.station.shown(number):
                self.status_changed(number)
        self.outbox.wake()

    async def _boot(self, socket: Socket) -> None:
        """Section 4.2: again and again until Accepted, at the interval that the central system asks for."""
        while not self.booted:
            self._boot_now.clear()
            wait_s = BOOT_AGAIN_S
            try:
                wait_s = await self.notify_boot()
            except Disconnected:
                raise
            except CallFailed as error:
                log.warning("boot_failed", charger=self.station.charger, why=str(error))
            if not self.booted:
                await self._sleep_or(self._boot_now, wait_s)

    async def notify_boot(self) -> float:
        """Sends BootNotification once; returns the seconds to wait where it was not accepted. Raises CallFailed."""
        who = self.identity
        answer = await self.call("BootNotification", messages.boot(who.vendor, who.model, who.firmware, who.serial))
        interval = int(answer["interval"])
        self.boot_status = answer["status"]
        log.info("boot_answered", charger=self.station.charger, status=self.boot_status, interval_s=interval)
        if self.booted and interval > 0:
            self.reporting.heartbeat_s = interval
        return float(interval) if interval > 0 else BOOT_AGAIN_S

    async def _heartbeats(self, socket: Socket) -> None:
        while True:
            await self.station.clock.sleep(self.reporting.heartbeat_s)
            if not self.online:
                continue
            try:
                await socket.call("Heartbeat", {})
            except Disconnected:
                raise
            except CallFailed as error:
                log.warning("heartbeat_failed", charger=self.station.charger, why=str(error))

    async def _sleep_or(self, event: asyncio.Event, seconds: float) -> None:
        """Sleeps on the station's clock, or until `event`."""
        tasks = {
            asyncio.ensure_future(self.station.clock.sleep(seconds)),
            asyncio.ensure_future(event.wait()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def boot_again(self) -> None:
        """A TriggerMessage asked for BootNotification while it is not yet accepted."""
        self._boot_now.set()

    # --- what the station reports -------------------------------------------------------------------------------
    async def authorize(self, token: str) -> IdInfo:
        if not self.online:
            raise Offline
        try:
            answer = await self.call("Authorize", {"idTag": token})
        except CallFailed as error:
            log.warning("authorize_failed", charger=self.station.charger, why=str(error))
            raise Offline from error
        return messages.read_id_info(answer["idTagInfo"])

    def status_changed(self, number: int) -> None:
        if not self.online:
            return  # told when the line is back, if it still differs from what was told last
        shown, at = self.station.shown(number), self.station.clock.now()
        self.outbox.put(
            Outgoing(
                "StatusNotification",
                lambda: messages.status(number, shown, at),
                on_answer=lambda _: self._told.__setitem__(number, shown),
            )
        )

    def transaction_began(self, transaction: Transaction) -> None:
        payload = messages.start_transaction(transaction)

        def answered(answer: Payload) -> None:
            try:
                schemas.check("1.6", "StartTransaction", "response", answer)
            except schemas.SchemaViolation as error:
                log.warning("start_answer_unusable", charger=self.station.charger, why=str(error))
                return
            transaction.number = int(answer["transactionId"])
            info = messages.read_id_info(answer["idTagInfo"])
            if info.status == "Accepted":
                self.station.tokens.remember(transaction.token, info)
            else:
                self.station.token_refused(transaction, info)

        self.outbox.put(Outgoing("StartTransaction", lambda: payload, durable=True, on_answer=answered))

    def transaction_metered(self, transaction: Transaction, sample: Sample) -> None:
        connector, measurands = transaction.connector, self.reporting.measurands

        def build() -> Payload | None:
            # Without a number the start was never accepted by anyone: nobody waits for its meter values.
            if transaction.number is None:
                return None
            return messages.meter_values(connector, transaction.number, sample, measurands)

        self.outbox.put(Outgoing("MeterValues", build, durable=True, dispensable=True))

    def transaction_ended(self, transaction: Transaction, sample: Sample) -> None:
        def build() -> Payload | None:
            if transaction.number is None:
                log.warning("stop_of_unknown_start", charger=self.station.charger, transaction=transaction.key)
                return None
            return messages.stop_transaction(transaction, transaction.number)

        self.outbox.put(Outgoing("StopTransaction", build, durable=True))
