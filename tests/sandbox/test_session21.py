"""What only an OCPP 2.1 charger does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sandbox.frames import BadFrame, Call, decode
from tests.sandbox.central2 import Central2, Refused
from tests.sandbox.conftest import Build


@pytest.fixture
async def central() -> AsyncIterator[Central2]:
    central = Central2("ocpp2.1")
    await central.open()
    yield central
    await central.close()
    assert central.violations == []


async def test_a_transaction_goes_on_after_a_reset_that_says_so(central: Central2, build: Build) -> None:
    charger = build(protocol="ocpp2.1", cars={1: "small"}, swiped={1: "TOK-A"})
    started = await central.event("Started")
    await central.event("Updated", state="Charging")
    assert started["transactionInfo"]["operationMode"] == "ChargingOnly"
    assert (await (await central.peer()).ask("Reset", type="ImmediateAndResume"))["status"] == "Accepted"
    assert (await central.expect("BootNotification"))["reason"] == "RemoteReset"
    resumed = await central.event("Updated", "TxResumed", "Charging")
    assert resumed["transactionInfo"]["transactionId"] == started["transactionInfo"]["transactionId"]
    assert len(charger.station.transactions()) == 1
    assert not any(event["eventType"] == "Ended" for event in central.events())


async def test_custom_triggers_and_severities(central: Central2, build: Build) -> None:
    charger = build(protocol="ocpp2.1")
    await central.expect("StatusNotification")
    peer = await central.peer()
    asked = await peer.ask("TriggerMessage", requestedMessage="CustomTrigger", customTrigger="Dance")
    assert asked["status"] == "Rejected"
    charger.faults.set("faulted", {"error_code": "GroundFailure"})
    assert (await central.expect("NotifyEvent"))["eventData"][0]["severity"] == 2
    with pytest.raises(Refused, match="NotSupported"):
        await peer.ask("GetTariffs", evseId=0)


async def test_a_long_token_is_taken(central: Central2, build: Build) -> None:
    build(protocol="ocpp2.1", cars={1: "small"})
    await central.expect("StatusNotification")
    central.tokens["T" * 200] = "Accepted"
    peer = await central.peer()
    token = {"idToken": "T" * 200, "type": "DirectPayment"}
    assert (await peer.ask("RequestStartTransaction", evseId=1, remoteStartId=1, idToken=token))["status"] == "Accepted"
    assert (await central.event("Started"))["idToken"] == token


async def test_a_send_is_taken_and_not_answered(central: Central2, build: Build) -> None:
    build(protocol="ocpp2.1")
    await central.expect("StatusNotification")
    peer = await central.peer()
    await peer.connection.send('[6,"s1","NotifyPeriodicEventStream",{}]')
    await peer.connection.send('[9,"s2",{}]')
    await central.until(lambda: bool(central.odd))
    assert central.odd == [[4, "s2", "MessageTypeNotSupported", "message type 9 is unknown", {}]]


def test_a_send_is_a_frame_of_its_own() -> None:
    assert decode('[2,"a","Heartbeat",{}]') == Call("a", "Heartbeat", {})
    with pytest.raises(BadFrame):
        decode('[6,"a"]')
