"""One simulated charger put together: plan, faults, station, protocol, link. What acts on the whole box is here: restart, faults of
the line, back to the start. What happens to it is noted in the event log.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal, Protocol
from uuid import uuid4

import structlog
from websockets.asyncio.client import ClientConnection

from chargeline.clock import Clock
from chargeline.logs import masked
from sandbox import memory, power
from sandbox.car import Car, Garage
from sandbox.events import EventLog
from sandbox.faults import Faults
from sandbox.frames import Call, CallError, Frame
from sandbox.link import Address, Link
from sandbox.neighbour import Neighbour
from sandbox.outbox import Outbox
from sandbox.plan import ChargerPlan
from sandbox.protocols import PROTOCOLS
from sandbox.reporter import NotPossible
from sandbox.session import Box, Identity
from sandbox.snapshot import essence, snapshot
from sandbox.socket import Socket
from sandbox.station import Station
from sandbox.store import Store
from sandbox.tasks import Tasks
from sandbox.tokens import IdInfo

log = structlog.get_logger(__name__)

RESTART, OFFLINE, POWER, AWAY = "restart", "offline", "power_out", "away_after_stop"
# Faults under which the charger is not expected to be connected and booted.
_ABSENT = ("offline", "silent", "reboot_never_returns", "power_out", "reconnects_late")


class Scene(Protocol):
    """How a charger stands at a beginning: the plan's way, or a scenario's."""

    @property
    def cars(self) -> Mapping[int, Any]: ...
    @property
    def swiped(self) -> Mapping[int, str]: ...
    @property
    def faults(self) -> Mapping[str, Mapping[str, Any]]: ...


class Charger:
    def __init__(
        self,
        plan: ChargerPlan,
        url: str,
        garage: Garage,
        *,
        clock: Clock,
        rng: Random,
        events: EventLog | None = None,
        store: Store | None = None,
    ) -> None:
        """With a `store` it stands as it stood when its process was cut off, else as the plan says."""
        self.plan = plan
        self.clock = clock
        self.events = events or EventLog(clock)
        self.faults = Faults()
        self.outbox = Outbox(plan.id, clock)
        self.station = Station(plan.id, list(plan.connectors), clock=clock, rng=rng, faults=self.faults)
        self._tasks = Tasks(plan.id)
        who = Identity(plan.vendor, plan.model_name, plan.model.firmware, f"SIM-{plan.id}")
        box = Box(
            station=self.station,
            identity=who,
            outbox=self.outbox,
            reboot=self.restart,
            changed=self.note_state,
            spawn=self._tasks.spawn,
            new_id=self._new_id,
        )
        self.protocol = PROTOCOLS[plan.model.protocol](box)
        self.link = Link(
            Address(url, plan.id, self.protocol.name, plan.password),
            clock=clock,
            rng=rng,
            serve=self._serve,
            changed=self.note_state,
            late_s=lambda: float((self.faults.get("reconnects_late") or {"seconds": 0.0})["seconds"]),
            bare=lambda: self.protocol.version == "1.6" and self.faults.has("no_subprotocol"),
        )
        self._garage = garage
        self._store = store
        self._begun = False  # the first minute is over
        self._held_since = {OFFLINE: 0, POWER: 0}
        self._held_until: dict[str, str] = {}
        self._restarting = False
        self._first_minute: asyncio.Task[None] | None = None
        self._neighbour = Neighbour(self.station, garage, self._tasks, self._strangers_swipe)
        self._noted: dict[str, Any] | None = None
        self.station.on_refresh = self.note_state
        self.station.on_ended = self._transaction_ended
        self.faults.on_change(self._fault_changed)
        self.outbox.on_change = self._keep
        self._wake_up()

    # --- its life -----------------------------------------------------------------------------------------------
    def start(self) -> None:
        self._tasks.spawn(self.link.run(), "link")
        if not self._begun:
            self._first_minute = self._tasks.spawn(self._begin_life(self.plan), "first minute")

    def _wake_up(self) -> None:
        kept = self._store.kept.get(self.plan.id) if self._store is not None else None
        if kept is not None and kept["shape"] != memory.shape(self):
            log.warning("memory_of_another_charger", charger=self.plan.id)
            kept = None
        if kept is not None and kept["box"]["begun"] and self._store is not None and not self._store.orderly:
            self._begun = True
            power.after_cut(self, kept, self._garage)
            self._put_back_line(kept["box"])
            return
        if kept is not None:
            power.before_a_new_day(self, kept)
        self._set_up(self.plan)

    async def close(self) -> None:
        await self._tasks.close()
        await self.station.close()

    def restart(self) -> None:
        """Cuts the line, forgets what a restart forgets, dials again after the model's time; with `reboot_never_returns` never."""
        log.info("restarting", charger=self.plan.id)
        self._restarting = True
        self.link.hold(RESTART)
        self.protocol.restarted()
        self.station.power_cycle()
        self._tasks.spawn(self._come_back(), "restart")

    async def back_to_start(self) -> None:
        """Ends transactions, takes all faults away, puts cars and faults where they were at the beginning, and restarts."""
        await self.stand_as(self.plan)

    async def stand_as(self, scene: Scene) -> None:
        """Puts the charger where a scenario wants it; its quirks, which are its model's, stay."""
        await self.clear_scene()
        self._set_up(scene)
        self._first_minute = self._tasks.spawn(self._begin_life(scene), "first minute")

    async def clear_scene(self) -> None:
        """Ends transactions and takes away all faults and cars; the charger then connects and boots anew."""
        if self._first_minute is not None:
            self._first_minute.cancel()
        for name in self.faults.all():
            self.faults.clear(name)
        self.station.stop_all("Reboot")
        self.station.empty()
        if self.protocol.online:
            await self.outbox.drained(within_s=3)
        self.station.tokens.forget()
        self.protocol.restarted()
        self.station.power_cycle()
        self.link.drop()
        self.link.hurry()

    @property
    def restarting(self) -> bool:
        return self._restarting

    @property
    def should_be_ready(self) -> bool:
        return not self.link.version_refused and not any(self.faults.has(name) for name in _ABSENT)

    @property
    def ready(self) -> bool:
        return self.link.connected and self.protocol.booted

    def _set_up(self, scene: Scene) -> None:
        for key, value in self.plan.model.configuration.items():
            if (status := self.protocol.configure(key, value)) != "Accepted":
                log.error("configuration_refused", charger=self.plan.id, key=key, status=status)
        for number, car in scene.cars.items():
            self.station.plug(number, self._garage.car(car))
        for name, params in {**self.plan.model.quirks, **scene.faults}.items():
            if name != "silent":
                self.faults.set(name, params)

    async def _begin_life(self, scene: Scene) -> None:
        """What comes once the charger is booted: the first swipes, and silence (a charger falls silent, it is not born so)."""
        if scene.swiped or "silent" in scene.faults:
            await self.when_online()
        for number, token in scene.swiped.items():
            await self.swipe_quietly(number, token)
        if "silent" in scene.faults:
            await self.outbox.drained(within_s=30)
            self.faults.set("silent", {})
        self._begun = True
        self._keep()

    async def when_online(self) -> None:
        while not self.protocol.online:
            await self.clock.sleep(1.0)

    async def swipe_quietly(self, number: int, token: str) -> None:
        """A swipe that nobody waits for: what comes of it is only logged."""
        try:
            info = await self.station.swipe(number, token)
        except NotPossible as error:
            log.warning("swipe_not_possible", charger=self.plan.id, why=str(error))
            return
        if info.status != "Accepted":
            log.warning("swipe_refused", charger=self.plan.id, token=masked(token), status=info.status)

    async def _serve(self, connection: ClientConnection) -> None:
        socket = Socket(
            connection,
            charger=self.plan.id,
            handler=self.protocol.handle,
            spawn=self._spawn,
            new_id=lambda: secrets.token_hex(12),
            clock=self.clock,
            faults=self.faults,
            seen=self._frame_seen,
            bad_frame_code=self.protocol.bad_frame_code,
            unknown_type_code=self.protocol.unknown_type_code,
        )
        self.note_state()
        session = self._tasks.spawn(self.protocol.run(socket), "session")
        try:
            await socket.run()
        finally:
            session.cancel()

    def _new_id(self) -> str:
        """Not from the seed: a central system remembers a transaction's id over our restarts, and this is another one."""
        return str(uuid4())

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        async def run() -> None:
            await work

        self._tasks.spawn(run(), name)

    async def _come_back(self) -> None:
        await self.clock.sleep(self.plan.model.reboot_s)
        if not self.faults.has("reboot_never_returns"):
            self._released()

    def _released(self) -> None:
        self._restarting = False
        self.link.release(RESTART)
        self.note_state()

    # --- faults of the whole box --------------------------------------------------------------------------------
    def _fault_changed(self, name: str) -> None:
        self.events.add(self.plan.id, "fault", name=name, params=self.faults.get(name))
        there = self.faults.has(name)
        match name:
            case "offline":
                self._line_fault(OFFLINE, there)
            case "power_out":
                power.lost(self) if there else power.back(self)
                self._line_fault(POWER, there)
            case "silent" if not there:
                self.protocol.tell_statuses()
            case "reboot_never_returns" if not there:
                self._released()
            case "reconnects_late" if not there:
                self.link.hurry()
            case "neighbour_charges":
                self._neighbour.follow_fault()
        self.note_state()

    def _line_fault(self, name: str, there: bool) -> None:
        self._held_since[name] += 1
        self._held_until.pop(name, None)
        if not there:
            self.link.release(name)
            return
        seconds = (self.faults.get(name) or {}).get("seconds")
        self._hold_line(name, seconds)

    def _hold_line(self, name: str, seconds: float | None) -> None:
        self.link.hold(name)
        if seconds is not None:
            self._held_until[name] = (self.clock.now() + timedelta(seconds=seconds)).isoformat()
            self._tasks.spawn(self._line_fault_ends(name, seconds, self._held_since[name]), name)

    # --- what it keeps over a power cut --------------------------------------------------------------------------
    def kept(self) -> dict[str, Any]:
        """What is neither the station's nor the protocol's."""
        return {
            "begun": self._begun,
            "held_until": dict(self._held_until),
            "restarting": self._restarting,
            "neighbour": self._neighbour.at,
        }

    def _keep(self) -> None:
        if self._store is not None:
            self._store.changed(self.plan.id, lambda: memory.written(self))

    def _put_back_line(self, box: Mapping[str, Any]) -> None:
        """The faults of the line go on for as long as they still have to."""
        self._neighbour.at = box["neighbour"]
        for name in (OFFLINE, POWER):
            if self.faults.has(name):
                until = box["held_until"].get(name)
                left = until and (datetime.fromisoformat(until) - self.clock.now()).total_seconds()
                self._hold_line(name, left)
        if box["restarting"] and self.faults.has("reboot_never_returns"):
            self._restarting = True
            self.link.hold(RESTART)

    async def _line_fault_ends(self, name: str, seconds: float, since: int) -> None:
        await self.clock.sleep(seconds)
        if since == self._held_since[name]:
            self.faults.clear(name)

    def _transaction_ended(self) -> None:
        if (away := self.faults.get("away_after_stop")) is not None:
            self._tasks.spawn(self._go_away(away["seconds"]), "away")

    async def _go_away(self, seconds: float) -> None:
        await self.outbox.drained(within_s=5)
        self.link.hold(AWAY)
        await self.clock.sleep(seconds)
        self.link.release(AWAY)

    async def _strangers_swipe(self, number: int, token: str) -> None:
        await self.when_online()
        if self._neighbour.at == number:
            await self.swipe_quietly(number, token)

    # --- what a driver does, noted ------------------------------------------------------------------------------
    def plug(self, number: int, car: Car) -> None:
        """Raises NotPossible."""
        with self._noted_act("plug", number):
            self.station.plug(number, car)

    def unplug(self, number: int, *, car_unlocked: bool = False) -> None:
        """Raises NotPossible."""
        with self._noted_act("unplug", number):
            self.station.unplug(number, car_unlocked=car_unlocked)

    async def swipe(self, number: int, token: str) -> IdInfo:
        """Raises NotPossible."""
        with self._noted_act("swipe", number) as outcome:
            info = await self.station.swipe(number, token)
            outcome.append(info.status)
        return info

    @contextmanager
    def _noted_act(self, what: Literal["plug", "unplug", "swipe"], connector: int) -> Iterator[list[str]]:
        outcome: list[str] = []
        try:
            yield outcome
        except NotPossible as error:
            self.events.add(self.plan.id, "act", what=what, connector=connector, outcome="NotPossible", why=str(error))
            raise
        done = outcome[0] if outcome else "done"
        self.events.add(self.plan.id, "act", what=what, connector=connector, outcome=done)

    # --- what can be seen ---------------------------------------------------------------------------------------
    def snapshot(self) -> dict[str, Any]:
        return snapshot(self)

    def note_state(self) -> None:
        """Notes the state in the event log where it is a new one."""
        now = self.snapshot()
        core = essence(now)
        if core != self._noted:
            self._noted = core
            self.events.add(self.plan.id, "state", snapshot=now)
            self._keep()

    def _frame_seen(self, direction: Literal["in", "out"], frame: Frame, action: str) -> None:
        facts: dict[str, Any] = {"direction": direction, "message_id": frame.message_id, "action": action}
        if isinstance(frame, CallError):
            facts |= {"kind": "error", "payload": {"code": frame.code, "description": frame.description}}
        else:
            facts |= {"kind": "call" if isinstance(frame, Call) else "result", "payload": frame.payload}
        if direction == "in" and isinstance(frame, Call):
            facts["before"] = self.snapshot()
        if direction == "out" and not isinstance(frame, Call):
            self._keep()  # what a remote hand has changed: lists, configuration, availability
        self.events.add(self.plan.id, "frame", **facts)
