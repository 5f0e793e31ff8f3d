"""Every fault of the table does what its row says, seen from the central system."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.v16 import call

from sandbox.charger import Charger
from sandbox.fault_table import FAULTS, BadFault, UnknownFault, read_params
from sandbox.faults import Faults
from sandbox.reporter import NotPossible
from tests.sandbox.central import Central
from tests.sandbox.conftest import GARAGE, Build

START = call.RemoteStartTransaction(id_tag="TOK-A", connector_id=1)


async def _ready(central: Central) -> None:
    await central.expect("StatusNotification", connectorId=1)


def _energy(message: dict[str, Any]) -> int:
    return int(message["meterValue"][0]["sampledValue"][0]["value"])


async def test_start_rejected(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, faults={"start_rejected": {}})
    await _ready(central)
    peer = await central.peer()
    assert (await peer.ask(START)).status == "Rejected"
    charger.faults.clear("start_rejected")
    assert (await peer.ask(START)).status == "Accepted"


async def test_accepted_then_nothing(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, faults={"accepted_then_nothing": {}})
    await _ready(central)
    before = len(central.received)
    assert (await (await central.peer()).ask(START)).status == "Accepted"
    await charger.clock.sleep(30)
    assert central.received[before:] == []


async def test_start_timeout_ends_where_it_began(central: Central, build: Build) -> None:
    build(cars={1: "small"}, faults={"start_timeout": {}}, configuration={"ConnectionTimeOut": "20"})
    await _ready(central)
    assert (await (await central.peer()).ask(START)).status == "Accepted"
    await central.expect("StatusNotification", connectorId=1, status="Preparing")
    await central.expect("StatusNotification", connectorId=1, status="Available")
    assert "StartTransaction" not in central.actions()


async def test_stop_ignored(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, swiped={1: "TOK-A"}, faults={"stop_ignored": {}})
    await central.expect("StatusNotification", status="Charging")
    assert (await (await central.peer()).ask(call.RemoteStopTransaction(1))).status == "Accepted"
    await central.expect("MeterValues")
    assert len(charger.station.transactions()) == 1


async def test_offline_for_a_while_comes_back_by_itself(central: Central, build: Build) -> None:
    charger = build()
    await _ready(central)
    charger.faults.set("offline", {"seconds": 60})
    await central.until(lambda: not central.peers)
    assert not charger.should_be_ready
    await central.peer()
    assert charger.faults.all() == {}
    assert central.actions().count("BootNotification") == 1


async def test_offline_again_is_not_ended_by_the_first_ones_time(central: Central, build: Build) -> None:
    charger = build()
    await _ready(central)
    charger.faults.set("offline", {"seconds": 30})
    charger.faults.set("offline", {})
    await charger.clock.sleep(60)
    assert charger.faults.has("offline")
    assert not charger.link.connected


async def test_silent_keeps_the_socket_and_speaks_again_when_it_is_gone(central: Central, build: Build) -> None:
    charger = build()
    await _ready(central)
    peer = await central.peer()
    assert await charger.outbox.drained(within_s=60)
    charger.faults.set("silent", {})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await peer.ask(call.GetLocalListVersion())
    charger.station.plug(1, GARAGE.car("small"))
    assert central.sessions == 1
    charger.faults.clear("silent")
    await central.expect("StatusNotification", connectorId=1, status="Preparing")
    assert (await peer.ask(call.GetLocalListVersion())).list_version == 0


async def test_a_charger_that_is_silent_from_the_start_has_booted_first(central: Central, build: Build) -> None:
    charger = build(faults={"silent": {}})
    await central.expect("BootNotification")
    await _ready(central)
    async with asyncio.timeout(5):
        while not charger.faults.has("silent"):
            await charger.clock.sleep(1)


async def test_slow_answers(central: Central, build: Build) -> None:
    charger = build(faults={"slow_answers": {"seconds": 12}})
    await _ready(central)
    before = charger.clock.monotonic()
    await (await central.peer()).ask(call.GetLocalListVersion())
    assert charger.clock.monotonic() - before >= 12


async def test_faulted_ends_the_transaction_and_names_its_code(central: Central, build: Build) -> None:
    charger = build(connectors=2, cars={1: "small"}, swiped={1: "TOK-A"})
    await central.expect("StatusNotification", status="Charging")
    charger.faults.set("faulted", {"connector": 1, "error_code": "GroundFailure"})
    await central.expect("StopTransaction", reason="Other")
    await central.expect("StatusNotification", connectorId=1, status="Faulted", errorCode="GroundFailure")
    assert charger.station.shown(2).status == "Available"
    assert charger.station.shown(0).status == "Available"
    assert (await (await central.peer()).ask(START)).status == "Rejected"
    charger.faults.clear("faulted")
    await central.expect("StatusNotification", connectorId=1, errorCode="NoError")


@pytest.mark.parametrize("cured", [True, False])
async def test_faulted_is_cured_by_a_reset_only_where_it_says_so(central: Central, build: Build, cured: bool) -> None:
    build(faults={"faulted": {"cured_by_reset": cured}})
    await central.expect("StatusNotification", connectorId=1, status="Faulted")
    await (await central.peer()).ask(call.Reset("Soft"))
    await central.expect("BootNotification")
    after = await central.expect("StatusNotification", connectorId=1)
    assert after["status"] == ("Available" if cured else "Faulted")


async def test_car_refuses_is_suspended_ev_until_it_does_not(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, faults={"car_refuses": {}})
    await _ready(central)
    await (await central.peer()).ask(START)
    await central.expect("StartTransaction")
    await central.expect("StatusNotification", status="SuspendedEV")
    charger.faults.clear("car_refuses")
    await central.expect("StatusNotification", status="Charging")


async def test_meter_stuck_shows_power_but_no_energy(central: Central, build: Build) -> None:
    build(cars={1: "small"}, swiped={1: "TOK-A"}, faults={"meter_stuck": {}})
    await central.expect("StatusNotification", status="Charging")
    first, second = await central.expect("MeterValues"), await central.expect("MeterValues")
    assert _energy(first) == _energy(second)


async def test_stuck_finishing_outlasts_the_cable_and_not_the_reset(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, faults={"stuck_finishing": {}})
    await central.expect("StatusNotification", connectorId=1, status="Finishing")
    charger.station.unplug(1)
    assert charger.station.shown(1).status == "Finishing"
    peer = await central.peer()
    assert (await peer.ask(START)).status == "Rejected"
    await peer.ask(call.Reset("Soft"))
    await central.expect("StatusNotification", connectorId=1, status="Available")


@pytest.mark.parametrize("result", ["Unlocked", "UnlockFailed", "NotSupported"])
async def test_unlock_answers_as_told_and_may_still_hold_the_cable(central: Central, build: Build, result: str) -> None:
    charger = build(cars={1: "small"}, tethered=False, faults={"unlock": {"result": result, "held": True}})
    await _ready(central)
    assert (await (await central.peer()).ask(call.UnlockConnector(1))).status == result
    with pytest.raises(NotPossible):
        charger.station.unplug(1)


async def test_reset_rejected_and_ignored(central: Central, build: Build) -> None:
    charger = build(faults={"reset_rejected": {}})
    await _ready(central)
    peer = await central.peer()
    assert (await peer.ask(call.Reset("Soft"))).status == "Rejected"
    charger.faults.clear("reset_rejected")
    charger.faults.set("reset_ignored", {})
    assert (await peer.ask(call.Reset("Soft"))).status == "Accepted"
    await charger.clock.sleep(20)
    assert central.sessions == 1


async def test_reboot_never_returns_until_it_is_mended(central: Central, build: Build) -> None:
    charger = build(faults={"reboot_never_returns": {}})
    await _ready(central)
    await (await central.peer()).ask(call.Reset("Soft"))
    await central.until(lambda: not central.peers)
    await charger.clock.sleep(30)
    assert central.sessions == 1
    charger.faults.clear("reboot_never_returns")
    await central.expect("BootNotification")


async def test_reader_failure_is_reported_and_no_card_is_read(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, faults={"reader_failure": {}})
    await central.expect("StatusNotification", connectorId=0, errorCode="ReaderFailure")
    with pytest.raises(NotPossible):
        await charger.station.swipe(1, "TOK-A")


async def test_back_to_start_ends_what_runs_and_sets_the_scene_again(central: Central, build: Build) -> None:
    charger: Charger = build(connectors=2, cars={1: "small"}, faults={"car_refuses": {"connector": 1}})
    await central.expect("StatusNotification", connectorId=2)
    await charger.station.swipe(1, "TOK-A")
    await central.expect("StatusNotification", status="SuspendedEV")
    charger.station.plug(2, GARAGE.car("small"))
    charger.faults.set("slow_answers", {})
    await charger.back_to_start()
    await central.expect("StopTransaction", reason="Reboot")
    await central.expect("BootNotification")
    await central.expect("StatusNotification", connectorId=1, status="Preparing")
    await central.expect("StatusNotification", connectorId=2, status="Available")
    assert charger.faults.all()["car_refuses"]["connector"] == 1
    assert list(charger.faults.all()) == ["car_refuses"]


# --- the table --------------------------------------------------------------------------------------------------------
def test_every_row_of_the_table_can_be_set_with_its_defaults() -> None:
    faults = Faults()
    for name in FAULTS:
        faults.set(name, {})
    assert set(faults.all()) == set(FAULTS)


def test_unknown_names_and_parameters_are_refused() -> None:
    with pytest.raises(UnknownFault):
        read_params("gremlins", {})
    for params in ({"seconds": "long"}, {"seconds": -1}, {"seconds": True}, {"colour": "red"}):
        with pytest.raises(BadFault):
            read_params("offline", params)
    with pytest.raises(BadFault):
        read_params("faulted", {"error_code": "Tired"})
    with pytest.raises(BadFault):
        read_params("faulted", {"connector": 3}, frozenset({1, 2}))


json_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2)
)
some_names = st.sampled_from(["connector", "seconds", "error_code", "cured_by_reset", "result", "held", "other"])


@given(st.sampled_from(sorted(FAULTS)), st.dictionaries(some_names, json_values, max_size=3))
def test_any_parameters_are_taken_or_refused_by_name(name: str, params: dict[str, object]) -> None:
    try:
        values = read_params(name, params)
    except BadFault:
        return
    assert set(values) <= set(FAULTS[name].params)
    assert read_params(name, values) == values
