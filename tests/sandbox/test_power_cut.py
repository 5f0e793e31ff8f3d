"""A simulator that is cut off and started again: its chargers have lost power and do what real ones do then, by model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ocpp.v16 import call

from chargeline.clock import FastClock
from sandbox.charger import Charger
from sandbox.connector import ConnectorPlan
from sandbox.plan import ChargerPlan, ModelPlan, Site
from sandbox.store import Store, StoreUnusable
from tests.sandbox.central import Central
from tests.sandbox.central2 import Central2
from tests.sandbox.conftest import GARAGE, SPEED

TOKEN2 = {"idToken": "TOK-A", "type": "Central"}


class Runs:
    """One charger over several runs of its simulator, with one file. `cut` is kill -9, `end` an orderly end."""

    def __init__(self, path: Path, epoch: float) -> None:
        self._path = path
        self._epoch = epoch
        self._charger: Charger | None = None
        self._store: Store | None = None

    def start(self, url: str, *, cars: dict[int, Any] | None = None, connectors: int = 1, **model: Any) -> Charger:
        self._store = Store(self._path)
        built = tuple(ConnectorPlan(n, n, "J1772", 7.2, True) for n in range(1, connectors + 1))
        plan = ChargerPlan(
            id="CL-1",
            label="1",
            site=Site("site-1", "Test Yard", 45.0, -75.0, "Testville"),
            vendor="Northgate",
            model_name="Kerb 7",
            model=ModelPlan(**{"reboot_s": 5.0, **model}),
            connectors=built,
            password=None,
            cars=cars or {},
            swiped={},
            faults={},
        )
        clock = FastClock(SPEED, self._epoch)
        charger = Charger(plan, url, GARAGE, clock=clock, rng=Random(time.time()), store=self._store)
        self._charger = charger
        charger.start()
        return charger

    async def cut(self) -> None:
        await asyncio.sleep(0)  # the turn of the loop in which something happened is always kept
        await self._close(orderly=False)

    async def end(self) -> None:
        await self._close(orderly=True)

    async def _close(self, *, orderly: bool) -> None:
        if self._charger is not None and self._store is not None:
            await self._charger.close()
            self._store.close(orderly=orderly)
        self._charger = self._store = None


@pytest.fixture
async def runs(tmp_path: Path) -> AsyncIterator[Runs]:
    runs = Runs(tmp_path / "network.sqlite3", time.time())
    yield runs
    await runs.end()


async def charging(central: Central, charger: Charger) -> dict[str, Any]:
    """Starts from afar; the StartTransaction. There is energy when it returns."""
    await central.expect("StatusNotification", connectorId=1, status="Preparing")
    await (await central.peer()).ask(call.RemoteStartTransaction(id_tag="TOK-A", connector_id=1))
    begun = await central.expect("StartTransaction")
    await central.expect("StatusNotification", connectorId=1, status="Charging")
    await central.expect("MeterValues", transactionId=1)
    return begun


def energy(charger: Charger) -> int:
    return int(charger.station.connectors[1].meter_wh)


# --- OCPP 1.6 -------------------------------------------------------------------------------------------------------
async def test_a_model_that_does_not_resume_tells_the_end_by_power_loss(central: Central, runs: Runs) -> None:
    charger = runs.start(central.url, cars={1: "small"})
    begun = await charging(central, charger)
    await runs.cut()
    charger = runs.start(central.url, cars={1: "small"})
    await central.expect("BootNotification")
    stop = await central.expect("StopTransaction", transactionId=1)
    assert stop["reason"] == "PowerLoss"
    assert begun["meterStart"] < stop["meterStop"] <= energy(charger)
    await central.expect("StatusNotification", connectorId=1, status="Preparing")  # the car is still there


async def test_a_model_that_resumes_goes_on_with_the_same_transaction(central: Central, runs: Runs) -> None:
    charger = runs.start(central.url, cars={1: "small"}, after_power_loss="resumes")
    await charging(central, charger)
    await runs.cut()
    before = len(central.received)
    charger = runs.start(central.url, cars={1: "small"}, after_power_loss="resumes")
    woken = energy(charger)
    await central.expect("BootNotification")
    told = await central.expect("StatusNotification", connectorId=1)
    assert told["status"] == "Charging"  # never Preparing, which would say that nothing runs
    await central.expect("MeterValues", transactionId=1)
    await central.until(lambda: energy(charger) > woken)
    assert not {"StartTransaction", "StopTransaction"} & {action for _, action, _ in central.received[before:]}
    await (await central.peer()).ask(call.RemoteStopTransaction(transaction_id=1))
    assert (await central.expect("StopTransaction"))["transactionId"] == 1


async def test_what_could_not_be_told_before_the_cut_is_told_after_it_in_order(central: Central, runs: Runs) -> None:
    charger = runs.start(central.url, cars={1: "small"})
    await charging(central, charger)
    charger.faults.set("offline", {})
    await charger.clock.sleep(60)  # meter values that nobody gets
    charger.station.end(charger.station.connectors[1], "Local", "TOK-A")
    charger.unplug(1)
    waiting = len(charger.outbox)
    assert waiting >= 3
    await runs.cut()
    before = len(central.received)
    charger = runs.start(central.url, cars={1: "small"})
    assert len(charger.outbox) == waiting
    assert charger.faults.has("offline")  # a broken line is not mended by a power cut
    await charger.clock.sleep(30)
    assert len(central.received) == before
    charger.faults.clear("offline")
    stop = await central.expect("StopTransaction")
    assert "reason" not in stop  # Local, as it was
    told = [action for _, action, _ in central.received[before:]]
    assert told[0] == "BootNotification"
    assert told[1:waiting] == ["MeterValues"] * (waiting - 1)


async def test_a_start_that_was_never_answered_is_told_again(central: Central, runs: Runs) -> None:
    runs.start(central.url, cars={1: "small"})
    await central.expect("StatusNotification", connectorId=1, status="Preparing")
    asked, gone = asyncio.Event(), asyncio.Event()

    async def too_late() -> None:
        asked.set()
        await gone.wait()

    central.before_start_answer = too_late
    await (await central.peer()).ask(call.RemoteStartTransaction(id_tag="TOK-A", connector_id=1))
    await asyncio.wait_for(asked.wait(), 10)
    await runs.cut()
    central.before_start_answer = None
    gone.set()
    runs.start(central.url, cars={1: "small"})
    begun = await central.expect("StartTransaction")
    stop = await central.expect("StopTransaction")
    assert stop["transactionId"] == 2  # the number of the second answer: the first one reached nobody
    assert stop["timestamp"] >= begun["timestamp"]


async def test_lists_configuration_reservations_and_availability_stay(central: Central, runs: Runs) -> None:
    charger = runs.start(central.url, connectors=2)
    await central.expect("StatusNotification", connectorId=2)
    peer = await central.peer()
    entries = [{"idTag": "TOK-B", "idTagInfo": {"status": "Blocked"}}]
    await peer.ask(
        call.SendLocalList(list_version=4, update_type="Full", local_authorization_list=entries),
    )
    await peer.ask(call.ChangeConfiguration(key="MeterValueSampleInterval", value="7"))
    await peer.ask(call.ChangeAvailability(connector_id=2, type="Inoperative"))
    until = "2099-01-01T00:00:00Z"
    await peer.ask(call.ReserveNow(connector_id=1, expiry_date=until, id_tag="TOK-A", reservation_id=5))
    await runs.cut()
    charger = runs.start(central.url, connectors=2)
    await central.expect("BootNotification")
    await central.expect("StatusNotification", connectorId=1, status="Reserved")
    await central.expect("StatusNotification", connectorId=2, status="Unavailable")
    peer = await central.peer()
    assert (await peer.ask(call.GetLocalListVersion())).list_version == 4
    assert charger.station.tokens.entries["TOK-B"].status == "Blocked"
    row = (await peer.ask(call.GetConfiguration(key=["MeterValueSampleInterval"]))).configuration_key[0]
    assert row["value"] == "7"


async def test_a_timed_fault_of_the_line_ends_when_it_would_have(central: Central, runs: Runs) -> None:
    charger = runs.start(central.url)
    await central.expect("StatusNotification", connectorId=1)
    charger.faults.set("offline", {"seconds": 120})
    await runs.cut()
    before = len(central.received)
    charger = runs.start(central.url)
    assert not charger.should_be_ready
    await central.until(lambda: len(central.received) > before)
    assert not charger.faults.has("offline")


async def test_after_an_orderly_end_the_day_begins_as_planned_and_what_ran_has_ended(
    central: Central, runs: Runs
) -> None:
    charger = runs.start(central.url, cars={1: "small"}, after_power_loss="resumes")
    await charging(central, charger)
    charger.faults.set("meter_stuck", {})
    await runs.end()
    charger = runs.start(central.url, after_power_loss="resumes")
    stop = await central.expect("StopTransaction", transactionId=1)
    assert stop["reason"] == "PowerLoss"
    await central.expect("StatusNotification", connectorId=1, status="Available")
    assert charger.faults.all() == {}
    assert energy(charger) == stop["meterStop"]


async def test_another_charger_of_the_same_name_begins_anew(central: Central, runs: Runs) -> None:
    charger = runs.start(central.url, cars={1: "small"})
    await central.expect("StatusNotification", connectorId=1, status="Preparing")
    charger.faults.set("meter_stuck", {})
    await runs.cut()
    charger = runs.start(central.url, connectors=2)
    assert charger.faults.all() == {}
    assert charger.station.connectors[1].car is None


# --- OCPP 2 ---------------------------------------------------------------------------------------------------------
@pytest.fixture(params=["ocpp2.0.1", "ocpp2.1"])
async def central2(request: pytest.FixtureRequest) -> AsyncIterator[Central2]:
    central = Central2(request.param)
    await central.open()
    yield central
    await central.close()
    assert central.violations == []


async def charging2(central: Central2) -> dict[str, Any]:
    await central.expect("StatusNotification", evseId=1, connectorStatus="Occupied")
    peer = await central.peer()
    await peer.ask("RequestStartTransaction", evseId=1, remoteStartId=7, idToken=TOKEN2)
    begun = await central.expect("TransactionEvent", eventType="Started")
    await central.until(_state(central, "Charging"))
    return begun


def _state(central: Central2, state: str) -> Callable[[], bool]:
    def told() -> bool:
        rows = [payload for _, action, payload in central.received if action == "TransactionEvent"]
        return any(row["transactionInfo"].get("chargingState") == state for row in rows)

    return told


async def test_ocpp2_tells_the_end_by_power_loss_with_the_next_number(central2: Central2, runs: Runs) -> None:
    model: dict[str, Any] = {"protocol": central2.subprotocol}
    runs.start(central2.url, cars={1: "small"}, **model)
    begun = await charging2(central2)
    await runs.cut()
    before = len(central2.received)
    last = max(p["seqNo"] for _, a, p in central2.received if a == "TransactionEvent")
    runs.start(central2.url, cars={1: "small"}, **model)
    assert (await central2.expect("BootNotification"))["reason"] == "PowerUp"
    ended = await central2.expect("TransactionEvent", eventType="Ended")
    assert ended["transactionInfo"]["transactionId"] == begun["transactionInfo"]["transactionId"]
    assert ended["transactionInfo"]["stoppedReason"] == "PowerLoss"
    assert ended["offline"] is True
    numbers = [p["seqNo"] for _, a, p in central2.received[before:] if a == "TransactionEvent"]
    assert numbers == list(range(numbers[0], ended["seqNo"] + 1))
    assert last <= numbers[0] <= last + 1  # the last one before the cut may come twice, none is left out


async def test_ocpp2_that_resumes_goes_on_with_the_same_transaction(central2: Central2, runs: Runs) -> None:
    model: dict[str, Any] = {"protocol": central2.subprotocol, "after_power_loss": "resumes"}
    runs.start(central2.url, cars={1: "small"}, **model)
    begun = await charging2(central2)
    await runs.cut()
    before = len(central2.received)
    runs.start(central2.url, cars={1: "small"}, **model)
    await central2.expect("BootNotification")
    resumed = "TxResumed" if central2.subprotocol == "ocpp2.1" else "MeterValuePeriodic"
    await central2.until(lambda: any(p.get("triggerReason") == resumed for _, _, p in central2.received[before:]))
    rows = [payload for _, action, payload in central2.received[before:] if action == "TransactionEvent"]
    assert {row["transactionInfo"]["transactionId"] for row in rows} == {begun["transactionInfo"]["transactionId"]}
    assert {row["eventType"] for row in rows} == {"Updated"}


# --- the fault and the file -----------------------------------------------------------------------------------------
async def test_the_fault_power_out_does_the_same_to_a_model_that_resumes(central: Central, runs: Runs) -> None:
    charger = runs.start(central.url, cars={1: "small"}, after_power_loss="resumes")
    await charging(central, charger)
    charger.faults.set("power_out", {})
    dark = energy(charger)
    await charger.clock.sleep(120)
    charger.station.advance()
    assert energy(charger) == dark
    charger.faults.clear("power_out")
    await central.expect("BootNotification")
    await central.expect("StatusNotification", connectorId=1, status="Charging")
    assert "StopTransaction" not in central.actions()


def test_a_file_that_is_none_is_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "network.sqlite3"
    path.write_text("this is no database, and it is long enough to be looked at as one " * 20)
    with pytest.raises(StoreUnusable, match=r"network\.sqlite3 cannot be used: file is not a database"):
        Store(path)
