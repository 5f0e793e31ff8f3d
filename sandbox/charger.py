"""One simulated charger put together: plan, faults, station, protocol, link. What acts on the whole box is here: restart, back to start."""

from __future__ import annotations

from collections.abc import Awaitable
from random import Random
from typing import Any

import structlog
from websockets.asyncio.client import ClientConnection

from chargeline.clock import Clock
from chargeline.logs import masked
from sandbox.car import Car, Garage
from sandbox.faults import Faults
from sandbox.link import Address, Link
from sandbox.outbox import Outbox
from sandbox.plan import ChargerPlan
from sandbox.socket import Socket
from sandbox.station import NotPossible, Station
from sandbox.tasks import Tasks
from sandbox.v16.protocol import Identity, Protocol16

log = structlog.get_logger(__name__)

RESTART, OFFLINE = "restart", "offline"
# Faults under which the charger is not expected to be connected and booted.
_ABSENT = ("offline", "silent", "reboot_never_returns")


class Charger:
    def __init__(self, plan: ChargerPlan, url: str, garage: Garage, *, clock: Clock, rng: Random) -> None:
        self.plan = plan
        self.clock = clock
        self.faults = Faults()
        self.outbox = Outbox(plan.id, clock)
        self.station = Station(plan.id, list(plan.connectors), clock=clock, rng=rng, faults=self.faults)
        who = Identity(
            vendor=plan.vendor,
            model=plan.model_name,
            firmware=plan.model.firmware,
            serial=f"SIM-{plan.id}",
            boots_on_reconnect=plan.model.boots_on_reconnect,
        )
        self.protocol = Protocol16(self.station, who, self.outbox, self.restart)
        self.link = Link(
            Address(url, plan.id, self.protocol.subprotocol, plan.password), clock=clock, rng=rng, serve=self._serve
        )
        self._garage = garage
        self._rng = rng
        self._tasks = Tasks(plan.id)
        self._offline_since = 0
        self.faults.on_change(self._fault_changed)
        self._set_up()

    # --- its life -----------------------------------------------------------------------------------------------
    def start(self) -> None:
        self._tasks.spawn(self.link.run(), "link")
        self._tasks.spawn(self._begin_life(), "first minute")

    async def close(self) -> None:
        await self._tasks.close()
        await self.station.close()

    def restart(self) -> None:
        """Cuts the line, forgets what a restart forgets, dials again after the model's time; with `reboot_never_returns` never."""
        log.info("restarting", charger=self.plan.id)
        self.link.hold(RESTART)
        self.protocol.restarted()
        self.station.power_cycle()
        self._tasks.spawn(self._come_back(), "restart")

    async def back_to_start(self) -> None:
        """Ends transactions, takes all faults away, puts cars and faults where they were at the beginning, and restarts."""
        for name in self.faults.all():
            self.faults.clear(name)
        self.station.stop_all("Reboot")
        if self.protocol.online:
            await self.outbox.drained(within_s=3)
        for connector in self.station.connectors.values():
            connector.car, connector.reservation, connector.operative = None, None, True
        self.station.operative = True
        self.station.tokens.cache.clear()
        self.station.power_cycle()
        self.protocol.restarted()
        self.link.drop()
        self._set_up()
        self._tasks.spawn(self._begin_life(), "first minute")

    @property
    def should_be_ready(self) -> bool:
        return not any(self.faults.has(name) for name in _ABSENT)

    @property
    def ready(self) -> bool:
        return self.link.connected and self.protocol.booted

    def _set_up(self) -> None:
        for key, value in self.plan.model.configuration.items():
            if self.protocol.configuration.write(key, value) != "Accepted":
                log.error("configuration_refused", charger=self.plan.id, key=key)
        for number, car in self.plan.cars.items():
            self.station.plug(number, self._garage.car(car))
        for name, params in self.plan.faults.items():
            if name != "silent":
                self.faults.set(name, params)

    async def _begin_life(self) -> None:
        """What comes once the charger is booted: the first swipes, and silence (a charger falls silent, it is not born so)."""
        if not self.plan.swiped and "silent" not in self.plan.faults:
            return
        while not self.protocol.online:
            await self.clock.sleep(1.0)
        for number, token in self.plan.swiped.items():
            await self._first_swipe(number, token)
        if "silent" in self.plan.faults:
            await self.outbox.drained(within_s=30)
            self.faults.set("silent", {})

    async def _first_swipe(self, number: int, token: str) -> None:
        try:
            info = await self.station.swipe(number, token)
        except NotPossible as error:
            log.warning("first_swipe_not_possible", charger=self.plan.id, why=str(error))
            return
        if info.status != "Accepted":
            log.warning("first_swipe_refused", charger=self.plan.id, token=masked(token), status=info.status)

    async def _serve(self, connection: ClientConnection) -> None:
        socket = Socket(
            connection,
            charger=self.plan.id,
            handler=self.protocol.handle,
            spawn=self._spawn,
            new_id=lambda: f"{self._rng.getrandbits(96):024x}",
            clock=self.clock,
            faults=self.faults,
        )
        session = self._tasks.spawn(self.protocol.session(socket), "session")
        try:
            await socket.run()
        finally:
            session.cancel()

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        async def run() -> None:
            await work

        self._tasks.spawn(run(), name)

    async def _come_back(self) -> None:
        await self.clock.sleep(self.plan.model.reboot_s)
        if not self.faults.has("reboot_never_returns"):
            self.link.release(RESTART)

    # --- faults of the line -------------------------------------------------------------------------------------
    def _fault_changed(self, name: str) -> None:
        if name == "offline":
            self._offline_changed()
        elif name == "silent" and not self.faults.has(name):
            self.protocol.tell_statuses()
        elif name == "reboot_never_returns" and not self.faults.has(name):
            self.link.release(RESTART)

    def _offline_changed(self) -> None:
        self._offline_since += 1
        fault = self.faults.get("offline")
        if fault is None:
            self.link.release(OFFLINE)
            return
        self.link.hold(OFFLINE)
        if "seconds" in fault:
            self._tasks.spawn(self._offline_ends(fault["seconds"], self._offline_since), "offline")

    async def _offline_ends(self, seconds: float, since: int) -> None:
        await self.clock.sleep(seconds)
        if since == self._offline_since:
            self.faults.clear("offline")

    # --- what can be seen ---------------------------------------------------------------------------------------
    def snapshot(self) -> dict[str, Any]:
        """The charger as the API shows it. Tokens are shortened: the page may be on a shared screen."""
        self.station.advance()
        plan = self.plan
        whole = self.station.shown(0)
        return {
            "id": plan.id,
            "label": plan.label,
            "site": {"id": plan.site.id, "name": plan.site.name, "city": plan.site.city},
            "vendor": plan.vendor,
            "model": plan.model_name,
            "protocol": self.protocol.name,
            "connected": self.link.connected,
            "booted": self.protocol.booted,
            "boot_status": self.protocol.boot_status,
            "restarting": self.link.held and not self.faults.has("offline"),
            "untold_messages": len(self.outbox),
            "status": whole.status,
            "error_code": None if whole.error_code == "NoError" else whole.error_code,
            "faults": self.faults.all(),
            "connectors": [self._connector(number) for number in self.station.connectors],
        }

    def _connector(self, number: int) -> dict[str, Any]:
        connector, shown = self.station.connectors[number], self.station.shown(number)
        transaction = connector.transaction
        return {
            "connector": number,
            "evse": connector.plan.evse,
            "plug": connector.plan.plug,
            "max_kw": connector.plan.max_kw,
            "tethered": connector.plan.tethered,
            "status": shown.status,
            "error_code": None if shown.error_code == "NoError" else shown.error_code,
            "meter_wh": int(connector.meter_wh),
            "power_w": round(self.station.power_w(number)),
            "authorised_token_last4": connector.authorisation.token[-4:] if connector.authorisation else None,
            "reserved": connector.reservation is not None,
            "car": _car(connector.car),
            "transaction": None
            if transaction is None
            else {
                "number": transaction.number,
                "token_last4": transaction.token[-4:],
                "started_at": transaction.started_at.isoformat(),
                "energy_wh": int(connector.meter_wh) - transaction.meter_start_wh,
            },
        }


def _car(car: Car | None) -> dict[str, Any] | None:
    if car is None:
        return None
    return {
        "kind": car.kind.name,
        "soc": round(car.soc, 1),
        "limit_soc": car.limit_soc,
        "willing": car.willing,
        "full": car.full,
    }
