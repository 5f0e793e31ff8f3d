"""Every fault of the table does what its row says, seen from the central system."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.v16 import call

from sandbox.charger import Charger
from sandbox.fault_table import FAULTS, BadFault, UnknownFault, read_params
from sandbox.faults import Faults
from sandbox.quirks import written
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


# --- what a remote hand or a driver ends ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["start_rejected", "accepted_then_nothing", "start_timeout"])
@pytest.mark.parametrize("by", ["reset", "replug"])
async def test_a_fault_can_be_cured_by_a_reset_or_by_plugging_in_anew(
    central: Central, build: Build, name: str, by: str
) -> None:
    charger = build(cars={1: "small"}, faults={name: {f"cured_by_{by}": True}})
    await _ready(central)
    if by == "reset":
        await (await central.peer()).ask(call.Reset("Soft"))
        await central.expect("BootNotification")
    else:
        charger.station.unplug(1)
        charger.station.plug(1, GARAGE.car("small"))
    assert charger.faults.all() == {}
    await (await central.peer()).ask(START)
    await central.expect("StartTransaction")


async def test_a_start_may_be_late(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, faults={"start_delayed": {"seconds": 30}})
    await _ready(central)
    before = charger.clock.monotonic()
    await (await central.peer()).ask(START)
    await central.expect("StartTransaction")
    assert charger.clock.monotonic() - before >= 30


async def test_a_charger_taken_out_of_service_is_put_back_by_a_remote_hand(central: Central, build: Build) -> None:
    charger = build(faults={"inoperative": {}})
    await central.expect("StatusNotification", connectorId=1, status="Unavailable")
    peer = await central.peer()
    charger.faults.set("inoperative", {"locked": True})
    await peer.ask(call.ChangeAvailability(0, "Operative"))
    assert charger.station.shown(1).status == "Unavailable"
    charger.faults.set("inoperative", {})
    await peer.ask(call.ChangeAvailability(0, "Operative"))
    await central.expect("StatusNotification", connectorId=1, status="Available")


async def test_reserved_for_somebody_else(central: Central, build: Build) -> None:
    charger = build(faults={"reserved": {"token": "TOK-B"}})
    await central.expect("StatusNotification", connectorId=1, status="Reserved")
    assert (await (await central.peer()).ask(START)).status == "Rejected"
    charger.faults.clear("reserved")
    await central.expect("StatusNotification", connectorId=1, status="Available")


async def test_the_car_holds_its_cable_until_it_is_unlocked(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, faults={"car_holds": {}})
    await _ready(central)
    assert charger.snapshot()["connectors"][0]["held"]
    with pytest.raises(NotPossible):
        charger.unplug(1)
    charger.unplug(1, car_unlocked=True)


@pytest.mark.parametrize("cure", ["SendLocalList", "ClearCache"])
async def test_a_stale_entry_refuses_a_good_card_until_it_is_renewed(central: Central, build: Build, cure: str) -> None:
    charger = build(cars={1: "small"}, faults={"stale_list": {"token": "TOK-A"}})
    await _ready(central)
    assert (await charger.swipe(1, "TOK-A")).status == "Invalid"
    assert "Authorize" not in central.actions()
    peer = await central.peer()
    await peer.ask(call.SendLocalList(2, "Full", []) if cure == "SendLocalList" else call.ClearCache())
    assert (await charger.swipe(1, "TOK-A")).status == "Accepted"


async def test_concurrent_tx_holds_for_its_token_only(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, faults={"concurrent_tx": {"token": "TOK-A"}})
    await _ready(central)
    assert (await charger.swipe(1, "TOK-A")).status == "ConcurrentTx"
    assert (await charger.swipe(1, "TOK-B")).status == "Accepted"


async def test_a_power_cut_ends_transactions_and_boots_again(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, swiped={1: "TOK-A"})
    await central.expect("StatusNotification", status="Charging")
    charger.faults.set("power_out", {"seconds": 60})
    await central.expect("BootNotification")
    await central.expect("StopTransaction", reason="PowerLoss")
    assert charger.faults.all() == {}


async def test_a_neighbour_comes_charges_and_goes(central: Central, build: Build) -> None:
    central.tokens["TOK-GRACE-0007"] = "Accepted"
    charger = build(connectors=2, cars={1: "small"})
    await central.expect("StatusNotification", connectorId=2)
    charger.faults.set("neighbour_charges", {})
    await central.expect("StartTransaction", connectorId=2, idTag="TOK-GRACE-0007")
    charger.faults.clear("neighbour_charges")
    await central.expect("StopTransaction", reason="EVDisconnected")
    assert charger.station.connectors[1].car is not None


async def test_away_after_a_stop_and_late_to_reconnect(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, swiped={1: "TOK-A"}, faults={"away_after_stop": {"seconds": 60}})
    await central.expect("StatusNotification", status="Charging")
    await charger.station.swipe(1, "TOK-A")
    await central.expect("StopTransaction")
    await central.until(lambda: not central.peers)
    await central.peer()
    charger.faults.set("reconnects_late", {"seconds": 100_000})
    await (await central.peer()).connection.close()
    await charger.clock.sleep(60)
    assert not central.peers
    charger.faults.clear("reconnects_late")
    await central.peer()


# --- what real models do otherwise ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("quirk", "action", "fits"),
    [
        ("extra_fields", "BootNotification", lambda told: told["vendorUptime"] > 0),
        ("long_strings", "BootNotification", lambda told: len(told["chargePointSerialNumber"]) == 34),
        ("authorize_with_connector", "Authorize", lambda told: told["connectorId"] == 1),
        ("odd_meter_values", "MeterValues", lambda told: told["meterValue"][1]["sampledValue"] == []),
        ("lower_case_keys", "MeterValues", lambda told: "sampledvalue" in told["meterValue"][0]),
        ("times_without_zone", "StartTransaction", lambda told: not told["timestamp"].endswith("Z")),
        ("longer_tag", "StopTransaction", lambda told: len(told["idTag"]) == 24),
        ("stop_with_zero_id", "StopTransaction", lambda told: told["transactionId"] == 0),
    ],
)
async def test_a_written_quirk_goes_over_the_wire(
    central: Central, build: Build, quirk: str, action: str, fits: Any
) -> None:
    charger = build(cars={1: "small"}, swiped={1: "TOK-A"}, quirks={quirk: {}})
    seen: list[dict[str, Any]] = []
    while not seen:
        await charger.clock.sleep(5)
        if charger.station.transactions() and (action == "StopTransaction"):
            await charger.station.swipe(1, "TOK-A")
        page = orjson.loads(charger.events.after(0, kind="frame", limit=5000).json())
        seen = [row["payload"] for row in page["events"] if row["action"] == action and row["direction"] == "out"]
    assert fits(seen[0])
    central.violations.clear()  # that it breaks the schemas is the point


async def test_answers_and_silences_of_real_models(central: Central, build: Build) -> None:
    charger = build(
        tethered=False, faults={"unlock_accepted": {}, "numeric_configuration": {}, "trigger_of_all_rejected": {}}
    )
    await _ready(central)
    assert charger.protocol.handle("UnlockConnector", {"connectorId": 1}).payload == {"status": "Unlocked"}
    written_ = written(charger.faults, "result", "UnlockConnector", {"status": "Unlocked"})
    assert written_ == {"status": "Accepted"}
    rows = {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]}
    assert written(charger.faults, "result", "GetConfiguration", rows)["configurationKey"][0]["value"] == 300
    peer = await central.peer()
    assert (await peer.ask(call.TriggerMessage("StatusNotification"))).status == "Rejected"
    charger.faults.set("trigger_of_connector_ignored", {})
    before = len(central.received)
    assert (await peer.ask(call.TriggerMessage("StatusNotification", 1))).status == "Accepted"
    await charger.clock.sleep(20)
    assert len(central.received) == before
    charger.faults.set("availability_of_all_rejected", {})
    assert (await peer.ask(call.ChangeAvailability(0, "Operative"))).status == "Rejected"
    charger.faults.set("configuration_restarts", {})
    await peer.ask(call.ChangeConfiguration("ConnectionTimeOut", "70"))
    await central.expect("BootNotification")


async def test_a_session_that_is_never_closed_and_a_status_that_is_never_told(central: Central, build: Build) -> None:
    charger = build(
        cars={1: "small"}, swiped={1: "TOK-A"}, faults={"stop_not_told": {}, "no_status_after_reconnect": {}}
    )
    await central.expect("StatusNotification", status="Charging")
    await charger.station.swipe(1, "TOK-A")
    await central.expect("StatusNotification", status="Finishing")
    charger.faults.set("offline", {})
    while charger.protocol.online:
        await charger.clock.sleep(1)
    charger.station.unplug(1)
    charger.faults.clear("offline")
    await central.peer()
    await charger.clock.sleep(30)
    assert "StopTransaction" not in central.actions()
    told = [p["status"] for _, action, p in central.received if action == "StatusNotification"]
    assert told[-1] == "Finishing"


async def test_available_with_a_cable_in(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, quirks={"available_with_cable": {}})
    assert (await central.expect("StatusNotification", connectorId=1))["status"] == "Available"
    assert charger.station.shown(1).status == "Preparing"


async def test_a_charger_that_is_offline_by_plan_does_not_connect_while_all_is_reset(
    central: Central, build: Build
) -> None:
    charger = build(faults={"offline": {}})
    await charger.back_to_start()
    await charger.clock.sleep(60)
    assert central.sessions == 0
    charger.faults.clear("offline")
    await central.expect("BootNotification")
    await charger.back_to_start()
    await charger.clock.sleep(60)
    assert (central.sessions, charger.link.connected) == (1, False)


async def test_a_line_that_is_cut_while_the_charger_dials_stays_cut(central: Central, build: Build) -> None:
    charger = build(start=False)
    charger.start()
    await asyncio.sleep(0)  # it dials now
    charger.faults.set("offline", {})
    await charger.clock.sleep(60)
    assert not charger.link.connected
    charger.faults.clear("offline")
    await central.expect("BootNotification")
