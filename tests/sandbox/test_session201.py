"""A simulated OCPP 2 charger against a strict central system, over a real socket, in 2.0.1 and in 2.1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.charger import Charger
from sandbox.reporter import NotPossible
from tests.sandbox.central2 import Central2, Peer2, Refused
from tests.sandbox.conftest import GARAGE, Build

TOKEN = {"idToken": "TOK-A", "type": "Central"}
EVSE = {"id": 1, "connectorId": 1}


@pytest.fixture(params=["ocpp2.0.1", "ocpp2.1"])
async def central(request: pytest.FixtureRequest) -> AsyncIterator[Central2]:
    central = Central2(request.param)
    await central.open()
    yield central
    await central.close()
    assert central.violations == []


@pytest.fixture
def build2(build: Build, central: Central2) -> Build:
    def make(**rest: Any) -> Charger:
        return build(**{"protocol": central.subprotocol, **rest})

    return make


async def _booted(central: Central2, connector: int = 1) -> Peer2:
    await central.expect("BootNotification")
    await central.expect("StatusNotification", evseId=connector)
    return await central.peer()


async def _start(peer: Peer2, **more: Any) -> dict[str, Any]:
    return await peer.ask("RequestStartTransaction", evseId=1, remoteStartId=7, idToken=TOKEN, **more)


def _energy(event: dict[str, Any]) -> float:
    return float(event["meterValue"][0]["sampledValue"][0]["value"])


# --- boot and statuses ----------------------------------------------------------------------------------------------
async def test_boots_and_reports_every_connector(central: Central2, build2: Build) -> None:
    build2(connectors=2, cars={2: "small"})
    boot = await central.expect("BootNotification")
    assert (boot["chargingStation"]["vendorName"], boot["reason"]) == ("Northgate", "PowerUp")
    for number, status in ((1, "Available"), (2, "Occupied")):
        told = await central.expect("StatusNotification", evseId=number, connectorId=1)
        assert told["connectorStatus"] == status


async def test_a_model_may_tell_its_status_by_event_instead(central: Central2, build2: Build) -> None:
    charger = build2(configuration={"StatusBy": "NotifyEvent"})
    row = (await central.expect("NotifyEvent"))["eventData"][0]
    assert (row["component"], row["variable"], row["actualValue"]) == (
        {"name": "Connector", "evse": EVSE},
        {"name": "AvailabilityState"},
        "Available",
    )
    charger.station.plug(1, GARAGE.car("small"))
    assert (await central.expect("NotifyEvent"))["eventData"][0]["actualValue"] == "Occupied"
    assert "StatusNotification" not in central.actions()


async def test_pending_allows_the_device_model_and_no_start(central: Central2, build2: Build) -> None:
    central.boots = [("Pending", 100_000)]
    build2(cars={1: "small"})
    await central.expect("BootNotification")
    peer = await central.peer()
    asked = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    result = (await peer.ask("GetVariables", getVariableData=[asked]))["getVariableResult"][0]
    assert (result["attributeStatus"], result["attributeValue"]) == ("Accepted", "300")
    with pytest.raises(Refused, match="SecurityError"):
        await _start(peer)
    assert (await peer.ask("TriggerMessage", requestedMessage="BootNotification"))["status"] == "Accepted"
    await central.expect("BootNotification")
    await central.expect("StatusNotification", evseId=1)
    assert (await peer.ask("TriggerMessage", requestedMessage="BootNotification"))["status"] == "Rejected"


async def test_two_connectors_of_one_evse_serve_one_car_at_a_time(central: Central2, build2: Build) -> None:
    charger = build2(connectors=2, evses={1: 1, 2: 1}, plug="CCS", max_kw=50)
    await central.expect("StatusNotification", evseId=1, connectorId=2)
    charger.station.plug(1, GARAGE.car("small"))
    assert (await central.expect("StatusNotification", connectorId=1))["connectorStatus"] == "Occupied"
    assert (await central.expect("StatusNotification", connectorId=2))["connectorStatus"] == "Unavailable"
    await _start(await central.peer())
    started = await central.event("Started")
    assert started["evse"] == EVSE
    charger.station.plug(2, GARAGE.car("small"))
    with pytest.raises(NotPossible):
        await charger.station.swipe(2, "TOK-B")


# --- transactions ---------------------------------------------------------------------------------------------------
async def test_request_start_runs_to_energy_and_request_stop_to_its_end(central: Central2, build2: Build) -> None:
    charger = build2(cars={1: "small"})
    peer = await _booted(central)
    assert (await _start(peer))["status"] == "Accepted"
    assert (await central.expect("Authorize"))["idToken"] == TOKEN
    started = await central.event("Started", "RemoteStart")
    info = started["transactionInfo"]
    assert (info["remoteStartId"], info["chargingState"], started["idToken"]) == (7, "EVConnected", TOKEN)
    await central.event("Updated", "ChargingStateChanged", "Charging")
    readings = [_energy(started)] + [_energy(await central.event("Updated", "MeterValuePeriodic")) for _ in range(2)]
    assert readings == sorted(set(readings))
    transaction = info["transactionId"]
    running = await peer.ask("GetTransactionStatus", transactionId=transaction)
    assert running["ongoingIndicator"] is True
    assert (await peer.ask("RequestStopTransaction", transactionId=transaction))["status"] == "Accepted"
    ended = await central.event("Ended", "RemoteStop")
    assert ended["transactionInfo"]["stoppedReason"] == "Remote"
    assert _energy(ended) >= readings[-1]
    assert [event["seqNo"] for event in central.events()] == list(range(len(central.events())))
    assert {event["transactionInfo"]["transactionId"] for event in central.events()} == {transaction}
    assert (await peer.ask("RequestStopTransaction", transactionId=transaction))["status"] == "Rejected"
    assert (await peer.ask("GetTransactionStatus", transactionId=transaction))["ongoingIndicator"] is False
    charger.station.unplug(1)
    assert (await central.expect("StatusNotification"))["connectorStatus"] == "Available"


@pytest.mark.parametrize(
    ("start_point", "expected"),
    [
        ("PowerPathClosed", [("Started", "CablePluggedIn"), ("Updated", "ChargingStateChanged")]),
        (
            "Authorized",
            [
                ("Started", "Authorized"),
                ("Updated", "CablePluggedIn"),
                ("Updated", "ChargingStateChanged"),
                ("Updated", "ChargingStateChanged"),
            ],
        ),
        (
            "EVConnected",
            [("Started", "CablePluggedIn"), ("Updated", "Authorized"), ("Updated", "ChargingStateChanged")],
        ),
    ],
)
async def test_the_model_decides_when_a_transaction_starts(
    central: Central2, build2: Build, start_point: str, expected: list[tuple[str, str]]
) -> None:
    charger = build2(configuration={"TxCtrlr.TxStartPoint": start_point})
    await _booted(central)
    await charger.station.swipe(1, "TOK-A")
    charger.station.plug(1, GARAGE.car("small"))
    while not any(event["transactionInfo"].get("chargingState") == "Charging" for event in central.events()):
        await central.event("Updated")
    assert [(event["eventType"], event["triggerReason"]) for event in central.events()][: len(expected)] == expected
    assert len({event["transactionInfo"]["transactionId"] for event in central.events()}) == 1


async def test_a_start_without_a_plug_times_out(central: Central2, build2: Build) -> None:
    build2(configuration={"TxCtrlr.TxStartPoint": "Authorized", "TxCtrlr.EVConnectionTimeOut": "20"})
    peer = await _booted(central)
    await _start(peer)
    await central.event("Started", "RemoteStart", "Idle")
    ended = await central.event("Ended", "EVConnectTimeout")
    assert ended["transactionInfo"]["stoppedReason"] == "Timeout"
    assert (await central.expect("StatusNotification"))["connectorStatus"] == "Available"


async def test_a_cable_alone_can_be_a_transaction_that_unplugging_ends(central: Central2, build2: Build) -> None:
    charger = build2(configuration={"TxCtrlr.TxStartPoint": "EVConnected"})
    peer = await _booted(central)
    charger.station.plug(1, GARAGE.car("small"))
    started = await central.event("Started", "CablePluggedIn", "EVConnected")
    assert "idToken" not in started
    assert (await _start(peer))["transactionId"] == started["transactionInfo"]["transactionId"]
    await central.event("Updated", "RemoteStart")
    charger.station.unplug(1)
    ended = await central.event("Ended", "EVCommunicationLost")
    assert ended["transactionInfo"]["stoppedReason"] == "EVDisconnected"


async def test_what_happens_without_a_line_is_told_afterwards_and_marked(central: Central2, build2: Build) -> None:
    charger = build2(cars={1: "small"})
    await _booted(central)
    await charger.station.swipe(1, "TOK-A")
    await central.event("Updated", "MeterValuePeriodic")
    await central.close()
    while charger.protocol.online:
        await charger.clock.sleep(1)
    await charger.station.swipe(1, "TOK-A")
    at = charger.clock.now()
    charger.station.unplug(1)
    await central.open()
    ended = await central.event("Ended", "StopAuthorized")
    assert ended["offline"] is True
    assert abs(datetime.fromisoformat(ended["timestamp"]) - at) < timedelta(seconds=5)
    assert (await central.expect("StatusNotification"))["connectorStatus"] == "Available"
    seqs = [event["seqNo"] for event in central.events()]
    assert sorted(set(seqs)) == list(range(max(seqs) + 1))
    assert central.actions().count("BootNotification") == 1


async def test_an_event_whose_answer_was_lost_is_sent_again_unchanged(central: Central2, build2: Build) -> None:
    charger = build2(cars={1: "small"})
    await _booted(central)

    async def cut() -> None:
        central.before_start_answer = None
        await (await central.peer()).connection.close()

    central.before_start_answer = cut
    await charger.station.swipe(1, "TOK-A")
    assert await central.event("Started") == await central.event("Started")


@pytest.mark.parametrize("stop", ["true", "false"])
async def test_a_token_refused_at_the_start(central: Central2, build2: Build, stop: str) -> None:
    build2(
        cars={1: "small"},
        configuration={"AuthCtrlr.AuthorizeRemoteStart": "false", "TxCtrlr.StopTxOnInvalidId": stop},
    )
    peer = await _booted(central)
    blocked = {"idToken": "TOK-BLOCKED", "type": "Central"}
    await peer.ask("RequestStartTransaction", evseId=1, remoteStartId=1, idToken=blocked)
    await central.event("Started")
    if stop == "true":
        ended = await central.event("Ended", "Deauthorized")
        assert ended["transactionInfo"]["stoppedReason"] == "DeAuthorized"
    else:
        await central.event("Updated", "ChargingStateChanged", "SuspendedEVSE")


# --- what the central system can ask --------------------------------------------------------------------------------
async def test_reset_at_once_ends_transactions_and_boots(central: Central2, build2: Build) -> None:
    build2(cars={1: "small"}, swiped={1: "TOK-A"})
    await central.event("Updated", state="Charging")
    assert (await (await central.peer()).ask("Reset", type="Immediate"))["status"] == "Accepted"
    ended = await central.event("Ended", "ResetCommand")
    assert ended["transactionInfo"]["stoppedReason"] == "ImmediateReset"
    assert (await central.expect("BootNotification"))["reason"] == "RemoteReset"
    assert (await central.expect("StatusNotification"))["connectorStatus"] == "Occupied"
    assert central.sessions == 2


async def test_reset_when_idle_waits_for_the_transaction(central: Central2, build2: Build) -> None:
    charger = build2(cars={1: "small"}, swiped={1: "TOK-A"})
    await central.event("Updated", state="Charging")
    assert (await (await central.peer()).ask("Reset", type="OnIdle"))["status"] == "Scheduled"
    await charger.clock.sleep(20)
    assert central.sessions == 1
    await charger.station.swipe(1, "TOK-A")
    await central.event("Ended", "StopAuthorized")
    assert (await central.expect("BootNotification"))["reason"] == "ScheduledReset"


async def test_reset_of_one_evse_leaves_the_neighbour_alone(central: Central2, build2: Build) -> None:
    charger = build2(connectors=2, cars={1: "small", 2: "small"}, swiped={1: "TOK-A", 2: "TOK-B"})
    await central.event("Updated", state="Charging")
    await central.event("Updated", state="Charging")
    charger.faults.set("stuck_finishing", {"connector": 1})
    peer = await central.peer()
    assert (await peer.ask("Reset", type="Immediate", evseId=1))["status"] == "Accepted"
    ended = await central.event("Ended", "ResetCommand")
    assert ended["transactionInfo"]["transactionId"] != charger.station.connectors[2].transaction.number  # type: ignore[union-attr]  # it still runs
    assert not charger.faults.has("stuck_finishing")
    assert (await peer.ask("Reset", type="Immediate", evseId=9))["status"] == "Rejected"
    assert central.sessions == 1


async def test_unlock_waits_for_the_end_and_knows_its_connectors(central: Central2, build2: Build) -> None:
    charger = build2(cars={1: "small"}, swiped={1: "TOK-A"}, tethered=False)
    await central.event("Updated", state="Charging")
    peer = await central.peer()
    at = {"evseId": 1, "connectorId": 1}
    assert (await peer.ask("UnlockConnector", **at))["status"] == "OngoingAuthorizedTransaction"
    assert len(charger.station.transactions()) == 1
    await charger.station.swipe(1, "TOK-A")
    assert (await peer.ask("UnlockConnector", **at))["status"] == "Unlocked"
    assert (await peer.ask("UnlockConnector", evseId=1, connectorId=2))["status"] == "UnknownConnector"
    charger.faults.set("unlock", {"result": "UnlockFailed", "held": True, "after": 2})
    assert (await peer.ask("UnlockConnector", **at))["status"] == "UnlockFailed"
    with pytest.raises(NotPossible):
        charger.station.unplug(1)
    assert (await peer.ask("UnlockConnector", **at))["status"] == "Unlocked"
    charger.station.unplug(1)


async def test_unlock_of_a_fixed_cable_is_not_supported(central: Central2, build2: Build) -> None:
    build2(cars={1: "small"})
    peer = await _booted(central)
    with pytest.raises(Refused, match="NotSupported"):
        await peer.ask("UnlockConnector", evseId=1, connectorId=1)


async def test_availability_of_station_evse_and_connector(central: Central2, build2: Build) -> None:
    charger = build2(connectors=2, cars={1: "small"}, swiped={1: "TOK-A"})
    await central.event("Updated", state="Charging")
    peer = await central.peer()
    assert (await peer.ask("ChangeAvailability", operationalStatus="Inoperative"))["status"] == "Scheduled"
    assert (await central.expect("StatusNotification", evseId=2))["connectorStatus"] == "Unavailable"
    await charger.station.swipe(1, "TOK-A")
    assert (await central.expect("StatusNotification", evseId=1))["connectorStatus"] == "Unavailable"
    assert (await peer.ask("ChangeAvailability", operationalStatus="Operative"))["status"] == "Accepted"
    assert (await central.expect("StatusNotification", evseId=1))["connectorStatus"] == "Occupied"
    await peer.ask("ChangeAvailability", operationalStatus="Inoperative", evse={"id": 2})
    assert charger.station.shown(2).status == "Unavailable"
    answer = await peer.ask("ChangeAvailability", operationalStatus="Inoperative", evse={"id": 1, "connectorId": 5})
    assert answer["status"] == "Rejected"


@pytest.mark.parametrize(
    ("what", "evse", "then"),
    [
        ("StatusNotification", EVSE, "StatusNotification"),
        ("StatusNotification", None, "StatusNotification"),
        ("MeterValues", {"id": 1}, "MeterValues"),
        ("Heartbeat", None, "Heartbeat"),
        ("TransactionEvent", {"id": 1}, "TransactionEvent"),
        ("LogStatusNotification", None, "LogStatusNotification"),
        ("FirmwareStatusNotification", None, "FirmwareStatusNotification"),
    ],
)
async def test_trigger_is_accepted_then_done(
    central: Central2, build2: Build, what: str, evse: dict[str, int] | None, then: str
) -> None:
    build2(cars={1: "small"}, swiped={1: "TOK-A"})
    await central.event("Updated", state="Charging")
    peer = await central.peer()
    more = {"evse": evse} if evse else {}
    assert (await peer.ask("TriggerMessage", requestedMessage=what, **more))["status"] == "Accepted"
    if then == "TransactionEvent":
        await central.event("Updated", "Trigger", "Charging")
    else:
        await central.expect(then)
    nowhere = await peer.ask("TriggerMessage", requestedMessage="StatusNotification", evse={"id": 9})
    assert nowhere["status"] == "Rejected"
    unknown = await peer.ask("TriggerMessage", requestedMessage="SignV2GCertificate")
    assert unknown["status"] == "NotImplemented"


async def test_variables_are_read_changed_refused_and_reported(central: Central2, build2: Build) -> None:
    charger = build2(connectors=2, plug="CCS", max_kw=150)
    await central.expect("StatusNotification", evseId=2)
    peer = await central.peer()

    def at(component: str, variable: str, **more: Any) -> dict[str, Any]:
        return {"component": {"name": component, **more}, "variable": {"name": variable}}

    connector = at("Connector", "AvailabilityState", evse={"id": 2, "connectorId": 1})
    asked = [at("txctrlr", "EVConnectionTimeout"), at("TxCtrlr", "Colour"), at("Toaster", "Colour"), connector]
    asked.append(asked[0] | {"attributeType": "Target"})
    results = (await peer.ask("GetVariables", getVariableData=asked))["getVariableResult"]
    assert [row["attributeStatus"] for row in results] == [
        "Accepted",
        "UnknownVariable",
        "UnknownComponent",
        "Accepted",
        "NotSupportedAttributeType",
    ]
    assert (results[0]["attributeValue"], results[3]["attributeValue"]) == ("60", "Available")
    changes = [
        at("TxCtrlr", "EVConnectionTimeOut") | {"attributeValue": "90"},
        at("TxCtrlr", "EVConnectionTimeOut") | {"attributeValue": "soon"},
        at("TxCtrlr", "TxStartPoint") | {"attributeValue": "EVConnected"},
    ]
    results = (await peer.ask("SetVariables", setVariableData=changes))["setVariableResult"]
    assert [row["attributeStatus"] for row in results] == ["Accepted", "Rejected", "Rejected"]
    assert charger.station.behaviour.connection_timeout_s == 90
    counts = {}
    for number, base in enumerate(("SummaryInventory", "ConfigurationInventory", "FullInventory")):
        assert (await peer.ask("GetBaseReport", requestId=number, reportBase=base))["status"] == "Accepted"
        rows, page, seq = [], {"tbc": True}, 0
        while page["tbc"]:
            page = await central.expect("NotifyReport", requestId=number)
            assert page["seqNo"] == seq
            seq += 1
            rows += page["reportData"]
        counts[base] = len(rows)
    assert counts["SummaryInventory"] == 5
    assert counts["SummaryInventory"] < counts["ConfigurationInventory"] < counts["FullInventory"]


async def test_the_local_list_decides_where_it_may(central: Central2, build2: Build) -> None:
    charger = build2(cars={1: "small"}, configuration={"AuthCtrlr.LocalPreAuthorize": "true"})
    peer = await _booted(central)
    assert (await peer.ask("GetLocalListVersion"))["versionNumber"] == 0
    entry = {"idToken": {"idToken": "TOK-LISTED", "type": "ISO14443"}, "idTokenInfo": {"status": "Accepted"}}
    send = {"updateType": "Full", "localAuthorizationList": [entry]}
    assert (await peer.ask("SendLocalList", versionNumber=2, **send))["status"] == "Accepted"
    answer = await peer.ask("SendLocalList", versionNumber=2, **(send | {"updateType": "Differential"}))
    assert answer["status"] == "VersionMismatch"
    answer = await peer.ask("SendLocalList", versionNumber=3, updateType="Full", localAuthorizationList=[entry, entry])
    assert answer["status"] == "Failed"
    assert (await peer.ask("GetLocalListVersion"))["versionNumber"] == 2
    assert (await charger.station.swipe(1, "TOK-LISTED")).status == "Accepted"
    assert "Authorize" not in central.actions()
    assert (await peer.ask("ClearCache"))["status"] == "Accepted"


async def test_a_reservation_keeps_the_connector_for_its_card(central: Central2, build2: Build) -> None:
    charger = build2()
    peer = await _booted(central)
    later = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    answer = await peer.ask("ReserveNow", id=5, expiryDateTime=later, idToken=TOKEN, evseId=1)
    assert answer["status"] == "Accepted"
    assert (await central.expect("StatusNotification"))["connectorStatus"] == "Reserved"
    other = {"idToken": "TOK-B", "type": "Central"}
    refused = await peer.ask("RequestStartTransaction", evseId=1, remoteStartId=1, idToken=other)
    assert refused["status"] == "Rejected"
    charger.station.plug(1, GARAGE.car("small"))
    await charger.station.swipe(1, "TOK-A")
    assert (await central.event("Started"))["reservationId"] == 5
    assert (await peer.ask("CancelReservation", reservationId=5))["status"] == "Rejected"


async def test_a_log_is_promised_and_fails_to_upload(central: Central2, build2: Build) -> None:
    build2()
    peer = await _booted(central)
    log = {"remoteLocation": "https://example.org/logs"}
    assert (await peer.ask("GetLog", logType="DiagnosticsLog", requestId=3, log=log))["status"] == "Accepted"
    await central.expect("LogStatusNotification", status="Uploading", requestId=3)
    await central.expect("LogStatusNotification", status="UploadFailure", requestId=3)


async def test_an_error_code_is_told_as_a_problem_of_its_component(central: Central2, build2: Build) -> None:
    charger = build2()
    await _booted(central)
    charger.faults.set("faulted", {"connector": 1, "error_code": "GroundFailure"})
    row = (await central.expect("NotifyEvent"))["eventData"][0]
    assert (row["component"]["name"], row["variable"]["name"], row["techCode"]) == (
        "Connector",
        "Problem",
        "GroundFailure",
    )
    assert (await central.expect("StatusNotification"))["connectorStatus"] == "Faulted"
    charger.faults.clear("faulted")
    assert (await central.expect("NotifyEvent"))["eventData"][0]["cleared"] is True
    charger.faults.set("reader_failure", {})
    assert (await central.expect("NotifyEvent"))["eventData"][0]["component"] == {"name": "TokenReader"}


async def test_unknown_unsupported_and_malformed_calls_are_told_apart(central: Central2, build2: Build) -> None:
    build2()
    peer = await _booted(central)
    assert (await peer.ask("DataTransfer", vendorId="Somebody"))["status"] == "UnknownVendorId"
    for action, payload, code in (
        ("RemoteStartTransaction", {"idTag": "X"}, "NotImplemented"),
        ("../v16/schemas/Reset", {}, "NotImplemented"),
        ("InstallCertificate", {"certificateType": "CSMSRootCertificate", "certificate": "x"}, "NotSupported"),
        ("Reset", {}, "OccurrenceConstraintViolation"),
        ("Reset", {"type": 1}, "ConstraintViolation"),
        ("Reset", {"type": "OnIdle", "colour": 1}, "FormatViolation"),
    ):
        with pytest.raises(Refused, match=code):
            await peer.ask(action, **payload)
    await peer.connection.send('[2,"x",5,{}]')
    await central.until(lambda: any(frame[:3] == [4, "x", "RpcFrameworkError"] for frame in central.odd))
    assert central.sessions == 1
