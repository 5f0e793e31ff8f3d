"""The charger's side of an OCPP session, what all versions share: boot until accepted, heartbeats, statuses, what the line carries.

A version subclasses `Session`: it writes the payloads, reads the answers and handles incoming calls.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import structlog

from sandbox import schemas
from sandbox.connector import Transaction
from sandbox.frames import Payload
from sandbox.outbox import Outbox, Outgoing
from sandbox.reporter import Offline, Sample, Shown, Unmoved
from sandbox.socket import Answer, CallFailed, Disconnected, Socket
from sandbox.station import Station
from sandbox.tokens import IdInfo

log = structlog.get_logger(__name__)

BOOT_AGAIN_S = 10.0  # after no usable answer, or one without an interval
BootStatus = Literal["Accepted", "Pending", "Rejected"]


class UnusableAnswer(CallFailed):
    """The answer to a CALL of ours is not what the specification says."""


@dataclass(frozen=True, slots=True)
class Identity:
    vendor: str
    model: str
    firmware: str
    serial: str


@dataclass(frozen=True, slots=True)
class Box:
    """What a version needs of its charger. `new_id` gives an identifier that is used once (36 characters)."""

    station: Station
    identity: Identity
    outbox: Outbox
    reboot: Callable[[], None]
    changed: Callable[[], None]
    spawn: Callable[[Coroutine[Any, Any, None], str], object]
    new_id: Callable[[], str]


class Session(Unmoved, ABC):
    name: ClassVar[str]  # the WebSocket subprotocol, which is also the protocol's name in the API
    version: ClassVar[schemas.Version]
    longest_token: ClassVar[int]
    bad_frame_code: ClassVar[str]  # the CALLERROR for a CALL that cannot be read
    resumes_when_connected: ClassVar[bool] = (
        False  # after a power cut a transaction waits for the line, and is told as resumed
    )
    unknown_type_code: ClassVar[str | None]  # and for a frame of a type that there is not; None: it is passed over

    def __init__(self, box: Box) -> None:
        self.station = box.station
        self.faults = box.station.faults
        self.identity = box.identity
        self.outbox = box.outbox
        self.reboot = box.reboot
        self.new_id = box.new_id
        self.spawn = box.spawn
        self.boot_status: BootStatus | None = None
        self.heartbeat_s = 300
        self._changed = box.changed
        self._socket: Socket | None = None
        self._told: dict[int, Shown] = {}
        self._told_once = False
        self._boot_now = asyncio.Event()
        box.station.reporter = self

    # --- what a version writes ----------------------------------------------------------------------------------
    @abstractmethod
    def boot_request(self) -> Payload: ...

    @abstractmethod
    def handle(self, action: str, payload: Payload) -> Answer:
        """Raises Refusal."""

    @abstractmethod
    def tell_status(self, number: int, shown: Shown, done: Callable[[], None]) -> None:
        """Puts what tells this status into the outbox; `done` is to be called when it has been answered."""

    @abstractmethod
    async def ask_authorize(self, token: str) -> IdInfo:
        """Raises CallFailed."""

    @abstractmethod
    def configure(self, key: str, value: str) -> str:
        """Sets a configuration key (1.6) or `Component.Variable` (OCPP 2); returns the version's status word."""

    @abstractmethod
    def kept(self) -> Payload:
        """What this version keeps over a power cut beside its transaction messages, as JSON can hold it."""

    @abstractmethod
    def recall(self, kept: Payload) -> None:
        """After a power cut: what `kept` had given."""

    @abstractmethod
    def message_again(self, memo: Payload, about: Transaction | None) -> Outgoing:
        """A transaction message that was not told yet, from its memo."""

    # --- the session --------------------------------------------------------------------------------------------
    @property
    def booted(self) -> bool:
        return self.boot_status == "Accepted"

    @property
    def online(self) -> bool:
        """True while messages can be told: connected, accepted, not gone silent."""
        return self._socket is not None and self.booted and not self.faults.has("silent")

    def restarted(self) -> None:
        """The charger has been restarted: the next session begins with BootNotification and all statuses."""
        self.boot_status = None
        self._told.clear()
        self._told_once = False

    async def run(self, socket: Socket) -> None:
        """Runs on a new socket until it closes. Raises nothing for a lost line."""
        self._socket = socket
        try:
            if self.faults.has("boots_on_reconnect"):
                self.boot_status = None
            if not self.booted:
                await self._boot()
            self.connected_again()
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
            self.disconnected()

    async def call(self, action: str, payload: Payload) -> Payload:
        """A CALL outside the outbox, its answer checked. Raises CallFailed's kinds."""
        if self._socket is None:
            raise Disconnected(action)
        answer = await self._socket.call(action, payload)
        if (wrong := self.wrong_answer(action, answer)) is not None:
            raise UnusableAnswer(f"{action}: {wrong}")
        return answer

    def wrong_answer(self, action: str, answer: Payload) -> str | None:
        """Why an answer of the central system cannot be used, or None."""
        try:
            schemas.check(self.version, action, "response", answer)
        except schemas.SchemaViolation as error:
            return str(error)
        return None

    def tell(self, action: str, payload: Payload) -> None:
        """Sends something that is only worth telling now, after what waits already."""
        self.outbox.put(Outgoing(action, lambda: payload))

    async def hang_up(self) -> None:
        if self._socket is not None:
            await self._socket.close()

    def tell_statuses(self) -> None:
        """Tells every status that differs from what was told last, as after a time without a line."""
        if self.faults.has("no_status_after_reconnect") and self._told_once:
            self._told = {number: self.shown(number) for number in (0, *self.station.connectors)}
        for number in (0, *self.station.connectors):
            if self._told.get(number) != self.shown(number):
                self.status_changed(number)
        self._told_once = True
        self.outbox.wake()

    def shown(self, number: int) -> Shown:
        """What this charger says it shows: one quirk lies about a cable."""
        shown = self.station.shown(number)
        if number and shown.status in {"Preparing", "Finishing"} and self.faults.has("available_with_cable"):
            return Shown("Available", shown.error_code)
        return shown

    async def _boot(self) -> None:
        """Again and again until Accepted, at the interval that the central system asks for (OCPP 1.6 4.2, 2.0.1 B02)."""
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
        answer = await self.call("BootNotification", self.boot_request())
        interval = int(answer["interval"])
        self.boot_status = answer["status"]
        log.info("boot_answered", charger=self.station.charger, status=self.boot_status, interval_s=interval)
        if self.booted and interval > 0:
            self.heartbeat_s = interval
        self._changed()
        return float(interval) if interval > 0 else BOOT_AGAIN_S

    async def boot_by_trigger(self) -> None:
        """A TriggerMessage asked for BootNotification."""
        if not self.booted:
            self._boot_now.set()
            return
        try:
            await self.notify_boot()
        except CallFailed as error:
            log.info("boot_failed", charger=self.station.charger, why=str(error))
        if not self.booted:  # it was accepted and is not any more: a new session begins with asking again
            await self.hang_up()

    async def _heartbeats(self, socket: Socket) -> None:
        while True:
            await self.station.clock.sleep(self.heartbeat_s)
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
        sleeps: list[Coroutine[Any, Any, Any]] = [self.station.clock.sleep(seconds), event.wait()]
        tasks = {asyncio.ensure_future(each) for each in sleeps}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    # --- what the station reports -------------------------------------------------------------------------------
    async def authorize(self, token: str) -> IdInfo:
        if not self.online:
            raise Offline
        try:
            return await self.ask_authorize(token)
        except CallFailed as error:
            log.warning("authorize_failed", charger=self.station.charger, why=str(error))
            raise Offline from error

    def status_changed(self, number: int) -> None:
        if not self.online:
            return  # told when the line is back, if it still differs from what was told last
        shown = self.shown(number)
        if self._told.get(number) == shown and self.faults.has("available_with_cable"):
            return
        self.tell_status(number, shown, lambda: self._told.__setitem__(number, shown))

    @abstractmethod
    def transaction_began(self, transaction: Transaction) -> None: ...
    @abstractmethod
    def transaction_metered(self, transaction: Transaction, sample: Sample) -> None: ...
    @abstractmethod
    def transaction_ended(self, transaction: Transaction, sample: Sample) -> None: ...
