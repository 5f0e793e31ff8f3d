"""A simulated 1.6 charger against a strict central system, over a real socket: what is sent, in which order, and after what."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest
from ocpp.exceptions import NotImplementedError as NotImplementedByCharger
from ocpp.exceptions import NotSupportedError, OCPPError
from ocpp.v16 import call

from sandbox.reporter import NotPossible
from tests.sandbox.central import Central
from tests.sandbox.conftest import GARAGE, Build


async def _booted(central: Central) -> None:
    await central.expect("BootNotification")
    await central.expect("StatusNotification", connectorId=1)


async def test_boots_and_reports_every_connector(central: Central, build: Build) -> None:
    build(connectors=2, cars={2: "small"})
    boot = await central.expect("BootNotification")
    assert (boot["chargePointVendor"], boot["chargePointModel"]) == ("Northgate", "Kerb 7")
    for number, status in ((0, "Available"), (1, "Available"), (2, "Preparing")):
        assert (await central.expect("StatusNotification", connectorId=number))["status"] == status


async def test_asks_again_until_its_boot_is_accepted_and_says_nothing_else_meanwhile(
    central: Central, build: Build
) -> None:
    central.boots = [("Rejected", 3), ("Pending", 3), ("Accepted", 300)]
    build()
    await central.expect("StatusNotification", connectorId=1)
    assert central.actions()[:4] == ["BootNotification"] * 3 + ["StatusNotification"]


async def test_remote_start_is_rejected_while_the_boot_is_pending(central: Central, build: Build) -> None:
    central.boots = [("Pending", 100_000)]
    build(cars={1: "small"})
    await central.expect("BootNotification")
    peer = await central.peer()
    assert (await peer.ask(call.RemoteStartTransaction(id_tag="TOK-A", connector_id=1))).status == "Rejected"
    assert (await peer.ask(call.TriggerMessage("BootNotification"))).status == "Accepted"
    await central.expect("BootNotification")


async def test_sends_heartbeats_at_the_interval_of_the_boot_answer(central: Central, build: Build) -> None:
    central.boots = [("Accepted", 10)]
    build()
    await central.expect("Heartbeat")
    await central.expect("Heartbeat")


async def test_sends_basic_authentication_where_it_has_a_password(central: Central, build: Build) -> None:
    build(password="key")
    await central.peer()
    assert central.headers == [("CL-1", "Basic " + base64.b64encode(b"CL-1:key").decode())]


async def test_remote_start_runs_to_energy_and_remote_stop_to_finishing(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"})
    await _booted(central)
    peer = await central.peer()
    assert (await peer.ask(call.RemoteStartTransaction(id_tag="TOK-A", connector_id=1))).status == "Accepted"
    await central.expect("Authorize", idTag="TOK-A")
    start = await central.expect("StartTransaction", idTag="TOK-A", connectorId=1)
    await central.expect("StatusNotification", connectorId=1, status="Charging")
    readings = []
    for _ in range(3):
        values = (await central.expect("MeterValues", connectorId=1, transactionId=1))["meterValue"][0]["sampledValue"]
        by_name = {value["measurand"]: value["value"] for value in values}
        readings.append(int(by_name["Energy.Active.Import.Register"]))
        assert by_name["Power.Active.Import"] == "7200"
    assert start["meterStart"] < readings[0] < readings[1] < readings[2]

    assert (await peer.ask(call.RemoteStopTransaction(transaction_id=1))).status == "Accepted"
    stop = await central.expect("StopTransaction", transactionId=1, reason="Remote")
    assert stop["meterStop"] >= readings[-1]
    await central.expect("StatusNotification", connectorId=1, status="Finishing")
    charger.station.unplug(1)
    await central.expect("StatusNotification", connectorId=1, status="Available")


async def test_remote_start_without_authorisation_of_its_own_when_configured_so(central: Central, build: Build) -> None:
    build(cars={1: "small"}, configuration={"AuthorizeRemoteTxRequests": "false"})
    await _booted(central)
    await (await central.peer()).ask(call.RemoteStartTransaction(id_tag="TOK-A", connector_id=1))
    await central.expect("StartTransaction")
    assert "Authorize" not in central.actions()


async def test_remote_start_before_the_plug_waits_for_it_and_gives_up_in_time(central: Central, build: Build) -> None:
    charger = build(configuration={"ConnectionTimeOut": "30"})
    await _booted(central)
    peer = await central.peer()
    assert (await peer.ask(call.RemoteStartTransaction(id_tag="TOK-A", connector_id=1))).status == "Accepted"
    await central.expect("StatusNotification", connectorId=1, status="Preparing")
    await central.expect("StatusNotification", connectorId=1, status="Available")
    assert "StartTransaction" not in central.actions()

    await peer.ask(call.RemoteStartTransaction(id_tag="TOK-A", connector_id=1))
    await central.expect("StatusNotification", connectorId=1, status="Preparing")
    charger.station.plug(1, GARAGE.car("small"))
    await central.expect("StartTransaction")


@pytest.mark.parametrize("token", ["TOK-BLOCKED", "TOK-NOBODY"])
async def test_nothing_starts_with_a_token_that_is_not_accepted(central: Central, build: Build, token: str) -> None:
    charger = build(cars={1: "small"})
    await _booted(central)
    assert (await charger.station.swipe(1, token)).status == central.tokens.get(token, "Invalid")
    assert charger.station.shown(1).status == "Preparing"
    assert charger.station.transactions() == []


async def test_a_token_refused_at_the_start_ends_the_transaction(central: Central, build: Build) -> None:
    build(cars={1: "small"}, configuration={"AuthorizeRemoteTxRequests": "false"})
    await _booted(central)
    await (await central.peer()).ask(call.RemoteStartTransaction(id_tag="TOK-BLOCKED", connector_id=1))
    await central.expect("StopTransaction", transactionId=1, reason="DeAuthorized")


async def test_a_token_refused_at_the_start_suspends_where_configured_so(central: Central, build: Build) -> None:
    configuration = {"AuthorizeRemoteTxRequests": "false", "StopTransactionOnInvalidId": "false"}
    build(cars={1: "small"}, configuration=configuration)
    await _booted(central)
    await (await central.peer()).ask(call.RemoteStartTransaction(id_tag="TOK-BLOCKED", connector_id=1))
    await central.expect("StatusNotification", connectorId=1, status="SuspendedEVSE")


async def test_the_same_card_ends_what_it_started_and_another_one_cannot(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"})
    await _booted(central)
    await charger.station.swipe(1, "TOK-A")
    await central.expect("StatusNotification", status="Charging")
    with pytest.raises(NotPossible):
        await charger.station.swipe(1, "TOK-B")
    await charger.station.swipe(1, "TOK-A")
    stop = await central.expect("StopTransaction", idTag="TOK-A")
    assert "reason" not in stop  # Local is what a missing reason means


async def test_unplugging_ends_the_transaction(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"})
    await _booted(central)
    await charger.station.swipe(1, "TOK-A")
    await central.expect("StatusNotification", status="Charging")
    charger.station.unplug(1)
    await central.expect("StopTransaction", reason="EVDisconnected")
    await central.expect("StatusNotification", connectorId=1, status="Available")


async def test_a_full_car_is_suspended_and_the_transaction_goes_on(central: Central, build: Build) -> None:
    charger = build(cars={1: {"kind": "nearly full", "soc": 99}})
    await _booted(central)
    await charger.station.swipe(1, "TOK-A")
    await central.expect("StatusNotification", status="Charging")
    await central.expect("StatusNotification", status="SuspendedEV")
    assert len(charger.station.transactions()) == 1


# --- without a line -------------------------------------------------------------------------------------------------
async def test_a_transaction_survives_the_line_and_is_told_afterwards_as_it_was(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"})
    await _booted(central)
    await charger.station.swipe(1, "TOK-A")
    await central.expect("MeterValues", transactionId=1)
    await central.close()
    await central.until(lambda: not central.peers)
    told_until = len(central.received)

    await charger.station.swipe(1, "TOK-A")  # ends the transaction while nobody hears it
    ended = charger.clock.now()
    charger.station.unplug(1)
    await charger.clock.sleep(30)
    await central.open()
    stop = await central.expect("StopTransaction", transactionId=1)
    assert abs(datetime.fromisoformat(stop["timestamp"]) - ended) < timedelta(seconds=5)
    await central.expect("StatusNotification", connectorId=1, status="Available")
    told = [action for _, action, _ in central.received[told_until:]]
    assert "BootNotification" not in told
    assert told.count("StopTransaction") == 1
    assert [
        payload["status"] for _, action, payload in central.received[told_until:] if action == "StatusNotification"
    ] == ["Available"]


async def test_a_start_whose_answer_was_lost_is_sent_again_unchanged(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"})
    await _booted(central)

    async def cut() -> None:
        central.before_start_answer = None
        await (await central.peer()).connection.close()

    central.before_start_answer = cut
    await charger.station.swipe(1, "TOK-A")
    first = await central.expect("StartTransaction")
    second = await central.expect("StartTransaction")
    assert first == second
    await central.expect("MeterValues")


async def test_a_known_card_starts_a_transaction_while_offline(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"})
    await _booted(central)
    await charger.station.swipe(1, "TOK-A")
    await charger.station.swipe(1, "TOK-A")
    charger.station.unplug(1)
    await central.expect("StatusNotification", status="Available")
    charger.faults.set("offline", {})
    await central.until(lambda: not central.peers)
    charger.station.plug(1, GARAGE.car("small"))
    assert (await charger.station.swipe(1, "TOK-B")).status == "Invalid"
    assert (await charger.station.swipe(1, "TOK-A")).status == "Accepted"
    began = charger.station.transactions()[0].started_at
    charger.faults.clear("offline")
    start = await central.expect("StartTransaction", idTag="TOK-A")
    assert abs(datetime.fromisoformat(start["timestamp"]) - began) < timedelta(seconds=1)


async def test_some_models_boot_on_every_reconnect(central: Central, build: Build) -> None:
    build(quirks={"boots_on_reconnect": {}})
    await _booted(central)
    await (await central.peer()).connection.close()
    await central.expect("BootNotification")


# --- what the central system can ask --------------------------------------------------------------------------------
async def test_soft_reset_ends_transactions_then_restarts_and_boots(central: Central, build: Build) -> None:
    build(cars={1: "small"}, swiped={1: "TOK-A"})
    await central.expect("StatusNotification", status="Charging")
    assert (await (await central.peer()).ask(call.Reset("Soft"))).status == "Accepted"
    await central.expect("StopTransaction", reason="SoftReset")
    await central.expect("BootNotification")
    await central.expect("StatusNotification", connectorId=1, status="Preparing")
    assert central.sessions == 2


async def test_hard_reset_tells_the_stop_after_the_restart(central: Central, build: Build) -> None:
    build(cars={1: "small"}, swiped={1: "TOK-A"})
    await central.expect("StatusNotification", status="Charging")
    await (await central.peer()).ask(call.Reset("Hard"))
    await central.expect("BootNotification")
    assert central.actions().count("StopTransaction") <= 1
    if "StopTransaction" not in central.actions():
        await central.expect("StopTransaction", reason="HardReset")


async def test_inoperative_waits_for_the_transaction_and_outlives_a_reset(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, swiped={1: "TOK-A"})
    await central.expect("StatusNotification", status="Charging")
    peer = await central.peer()
    assert (await peer.ask(call.ChangeAvailability(1, "Inoperative"))).status == "Scheduled"
    await charger.station.swipe(1, "TOK-A")
    await central.expect("StatusNotification", connectorId=1, status="Unavailable")
    await peer.ask(call.Reset("Soft"))
    await central.expect("BootNotification")
    await central.expect("StatusNotification", connectorId=1, status="Unavailable")
    assert (await (await central.peer()).ask(call.ChangeAvailability(0, "Operative"))).status == "Accepted"
    await central.expect("StatusNotification", connectorId=1, status="Preparing")


async def test_unlock_of_a_tethered_connector_is_not_supported_and_ends_nothing(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, swiped={1: "TOK-A"})
    await central.expect("StatusNotification", status="Charging")
    assert (await (await central.peer()).ask(call.UnlockConnector(1))).status == "NotSupported"
    assert len(charger.station.transactions()) == 1


async def test_unlock_of_a_socket_ends_the_transaction(central: Central, build: Build) -> None:
    build(cars={1: "small"}, swiped={1: "TOK-A"}, tethered=False)
    await central.expect("StatusNotification", status="Charging")
    peer = await central.peer()
    assert (await peer.ask(call.UnlockConnector(1))).status == "Unlocked"
    await central.expect("StopTransaction", reason="UnlockCommand")
    assert (await peer.ask(call.UnlockConnector(9))).status == "NotSupported"


@pytest.mark.parametrize(
    ("what", "connector", "then"),
    [
        ("StatusNotification", 1, "StatusNotification"),
        ("StatusNotification", None, "StatusNotification"),
        ("MeterValues", 1, "MeterValues"),
        ("Heartbeat", None, "Heartbeat"),
        ("BootNotification", None, "BootNotification"),
        ("DiagnosticsStatusNotification", None, "DiagnosticsStatusNotification"),
    ],
)
async def test_trigger_is_accepted_then_done(
    central: Central, build: Build, what: str, connector: int | None, then: str
) -> None:
    build()
    await _booted(central)
    peer = await central.peer()
    assert (await peer.ask(call.TriggerMessage(what, connector))).status == "Accepted"
    await central.expect(then)
    assert (await peer.ask(call.TriggerMessage("StatusNotification", 9))).status == "Rejected"


async def test_configuration_is_read_changed_and_refused(central: Central, build: Build) -> None:
    build(connectors=2)
    await central.expect("StatusNotification", connectorId=2)
    peer = await central.peer()
    answer = await peer.ask(call.GetConfiguration(["NumberOfConnectors", "HeartbeatInterval", "Nonsense"]))
    assert answer.unknown_key == ["Nonsense"]
    assert {row["key"]: row["value"] for row in answer.configuration_key} == {
        "NumberOfConnectors": "2",
        "HeartbeatInterval": "300",
    }
    everything = {row["key"]: row for row in (await peer.ask(call.GetConfiguration())).configuration_key}
    assert everything["ConnectionTimeOut"] == {"key": "ConnectionTimeOut", "readonly": False, "value": "60"}
    for key, value, status in (
        ("ConnectionTimeOut", "90", "Accepted"),
        ("ConnectionTimeOut", "soon", "Rejected"),
        ("NumberOfConnectors", "3", "Rejected"),
        ("MeterValuesSampledData", "Energy.Active.Import.Register,Colour", "Rejected"),
        ("Nonsense", "1", "NotSupported"),
    ):
        assert (await peer.ask(call.ChangeConfiguration(key, value))).status == status
    changed = await peer.ask(call.GetConfiguration(["ConnectionTimeOut"]))
    assert changed.configuration_key[0]["value"] == "90"


async def test_the_local_list_decides_where_it_may(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, configuration={"LocalPreAuthorize": "true"})
    await _booted(central)
    peer = await central.peer()
    assert (await peer.ask(call.GetLocalListVersion())).list_version == 0
    entry = {"id_tag": "TOK-LISTED", "id_tag_info": {"status": "Accepted"}}
    assert (await peer.ask(call.SendLocalList(2, "Full", [entry]))).status == "Accepted"
    assert (await peer.ask(call.SendLocalList(2, "Differential", [entry]))).status == "VersionMismatch"
    assert (await peer.ask(call.SendLocalList(3, "Full", [entry, entry]))).status == "Failed"
    assert (await peer.ask(call.GetLocalListVersion())).list_version == 2
    assert (await charger.station.swipe(1, "TOK-LISTED")).status == "Accepted"
    assert "Authorize" not in central.actions()
    assert (await peer.ask(call.SendLocalList(4, "Differential", [{"id_tag": "TOK-LISTED"}]))).status == "Accepted"
    assert charger.station.tokens.entries == {}
    assert (await peer.ask(call.ClearCache())).status == "Accepted"


async def test_a_reservation_keeps_the_connector_for_its_card(central: Central, build: Build) -> None:
    charger = build()
    await _booted(central)
    peer = await central.peer()
    later = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    reserve = call.ReserveNow(connector_id=1, expiry_date=later, id_tag="TOK-A", reservation_id=5)
    assert (await peer.ask(reserve)).status == "Accepted"
    await central.expect("StatusNotification", connectorId=1, status="Reserved")
    assert (await peer.ask(call.RemoteStartTransaction(id_tag="TOK-B", connector_id=1))).status == "Rejected"
    charger.station.plug(1, GARAGE.car("small"))
    with pytest.raises(NotPossible):
        await charger.station.swipe(1, "TOK-B")
    await charger.station.swipe(1, "TOK-A")
    assert (await central.expect("StartTransaction"))["reservationId"] == 5
    assert (await peer.ask(call.CancelReservation(5))).status == "Rejected"


async def test_a_reservation_ends_by_itself_or_by_call(central: Central, build: Build) -> None:
    charger = build()
    await _booted(central)
    peer = await central.peer()
    soon = (charger.clock.now() + timedelta(seconds=30)).isoformat()
    for number in (1, 2):
        request = call.ReserveNow(connector_id=1, expiry_date=soon, id_tag="TOK-A", reservation_id=number)
        assert (await peer.ask(request)).status == "Accepted"
        await central.expect("StatusNotification", connectorId=1, status="Reserved")
        if number == 1:
            assert (await peer.ask(call.CancelReservation(1))).status == "Accepted"
        await central.expect("StatusNotification", connectorId=1, status="Available")


async def test_unknown_and_unsupported_actions_are_told_apart(central: Central, build: Build) -> None:
    build()
    await _booted(central)
    peer = await central.peer()
    assert (await peer.ask(call.DataTransfer("Somebody"))).status == "UnknownVendorId"
    with pytest.raises(NotSupportedError):
        await peer.ask(call.UpdateFirmware("https://example.org/fw", "2030-01-01T00:00:00Z"))
    with pytest.raises(NotImplementedByCharger):
        await peer.ask(call.GetLog({"remoteLocation": "https://example.org"}, "SecurityLog", 1))


async def test_a_payload_that_breaks_its_schema_is_refused(central: Central, build: Build) -> None:
    build()
    await _booted(central)
    peer = await central.peer()
    with pytest.raises(OCPPError):
        await peer.call(call.UnlockConnector("one"), suppress=False, skip_schema_validation=True)
    assert (await peer.ask(call.GetLocalListVersion())).list_version == 0


@pytest.mark.parametrize(
    "frame",
    ["", "{}", "[]", "not json", "[" * 100_000, '[2,"a"]', '[2,"b",["x"],{}]', '[2,5,"Reset",{}]', '[3,"c",{}]', '[9,"d",{}]', '[4,"e",1]'],
)  # fmt: skip
async def test_bad_frames_do_not_end_the_session(central: Central, build: Build, frame: str) -> None:
    build()
    await _booted(central)
    peer = await central.peer()
    await peer.connection.send(frame)
    assert (await peer.ask(call.GetLocalListVersion())).list_version == 0
    assert central.sessions == 1


async def test_calls_that_come_at_once_are_answered_in_order(central: Central, build: Build) -> None:
    build()
    await _booted(central)
    peer = await central.peer()
    answers = await asyncio.gather(*(peer.ask(call.GetLocalListVersion()) for _ in range(10)))
    assert [answer.list_version for answer in answers] == [0] * 10
