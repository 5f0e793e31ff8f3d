"""What OCPP 2.0.1 and 2.1 chargers say, in one picture with 1.6: statuses, ids, transactions told by events."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ocpp_bridge.wire import session as wire
from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.scripted import CallErrorAnswer
from tests.ocpp_bridge.scripted2 import AT, ScriptedCharger2, energy


def charger_of(running: Running, protocol: str = "ocpp2.0.1", identity: str = "CL-1042") -> ScriptedCharger2:
    return ScriptedCharger2(f"{running.ws_url}/ocpp/{identity}", [protocol])


async def sessions(running: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await running.api.get("/v1/sessions?charger=CL-1042")).json()["sessions"]
    return found


@pytest.mark.parametrize("protocol", ["ocpp2.0.1", "ocpp2.1"])
async def test_tc_b_01_cold_boot_and_tc_g_01_status(running: Running, protocol: str) -> None:
    async with charger_of(running, protocol) as charger:
        assert charger.socket.subprotocol == protocol
        await charger.boot("Available")
        await charger.status("Faulted", 2)
        shown = (await running.api.get("/v1/chargers/CL-1042")).json()
    assert (shown["protocol"], shown["model"], shown["boot"]["status"]) == (protocol, "Two", "Accepted")
    assert [(row["connector"], row["evse"], row["status"]) for row in shown["connectors"]] == [
        (1, 1, "Available"),
        (2, 2, "Faulted"),
    ]


async def test_connectors_of_one_evse_have_numbers_of_their_own(running: Running) -> None:
    async with charger_of(running, identity="CL%209") as charger:
        for local, status in ((1, "Available"), (2, "Reserved")):
            await charger.send("StatusNotification", timestamp=AT, connectorStatus=status, evseId=1, connectorId=local)
    rows = (await running.api.get("/v1/chargers/CL%209")).json()["connectors"]
    assert len({row["connector"] for row in rows}) == 2
    assert [(row["evse"], row["status"]) for row in rows] == [(1, "Available"), (1, "Reserved")]


async def test_a_connectors_state_can_come_as_an_event(running: Running) -> None:
    async with charger_of(running) as charger:
        event = {
            "eventId": 1,
            "timestamp": AT,
            "trigger": "Delta",
            "actualValue": "Unavailable",
            "eventNotificationType": "HardWiredNotification",
            "component": {"name": "Connector", "evse": {"id": 2, "connectorId": 1}},
            "variable": {"name": "AvailabilityState"},
        }
        other = {**event, "component": {"name": "Clock"}, "actualValue": "x"}
        await charger.send("NotifyEvent", generatedAt=AT, seqNo=0, eventData=[other, event])
    assert (await running.connector(2))["status"] == "Unavailable"


@pytest.mark.parametrize(
    ("tag", "status"), [("TAGADA", "Accepted"), ("TAGBAD", "Blocked"), ("TAGOLD", "Expired"), ("WHO", "Unknown")]
)
async def test_tc_c_02_authorize_is_answered_from_the_store(running: Running, tag: str, status: str) -> None:
    async with charger_of(running) as charger:
        answer = await charger.send("Authorize", idToken={"idToken": tag, "type": "ISO14443"})
    assert answer["idTokenInfo"]["status"] == status


async def test_a_transaction_from_plug_to_end(running: Running) -> None:
    async with charger_of(running) as charger:
        await charger.boot()
        assert await charger.event("Started", trigger="CablePluggedIn", charging="EVConnected", begin=1000) == {}
        assert (await running.connector())["status"] == "Preparing"
        answer = await charger.event("Updated", trigger="Authorized", tag="TAGADA")
        assert answer["idTokenInfo"]["status"] == "Accepted"
        await charger.event("Updated", charging="Charging")
        assert (await running.connector())["status"] == "Charging"
        await charger.event("Updated", trigger="MeterValuePeriodic", wh=1500)
        await charger.status("Occupied")
        row = await running.connector()
        assert (row["status"], row["session"]["energy_wh"], row["session"]["driver"]) == ("Charging", 500, "drv-ada")
        await charger.event("Updated", charging="SuspendedEV")
        assert (await running.connector())["status"] == "SuspendedEV"
        await charger.event("Ended", trigger="StopAuthorized", reason="Local", wh=2000)
        assert (await running.connector())["status"] == "Finishing"
        await charger.status("Available")
        [session] = await sessions(running)
    assert (session["state"], session["energy_wh"], session["stop_reason"]) == ("ended", 1000, "Local")


async def test_events_repeated_and_out_of_order_are_one_session(running: Running) -> None:
    async with charger_of(running) as charger:
        await charger.event("Updated", seq=2, charging="Charging", wh=1700)
        await charger.event("Started", seq=0, tag="TAGADA", begin=1000)
        await charger.event("Started", seq=0, tag="TAGADA", begin=1000)
        await charger.event("Updated", seq=1, charging="EVConnected", wh=1100)
        [session] = await sessions(running)
        assert (session["state"], session["driver"], session["energy_wh"]) == ("active", "drv-ada", 700)
        await charger.event("Ended", seq=3, wh=2000, reason="EVDisconnected")
        await charger.event("Ended", seq=3, wh=9000, reason="Other")
        await charger.event("Updated", seq=2, charging="Charging", wh=1700)
        [session] = await sessions(running)
    assert (session["state"], session["energy_wh"], session["stop_reason"]) == ("ended", 1000, "EVDisconnected")


async def test_an_event_that_was_overtaken_says_nothing_of_the_connector_now(running: Running) -> None:
    async with charger_of(running) as charger:
        await charger.boot()
        await charger.event("Started", tag="TAGADA", charging="Charging", begin=0, seq=0)
        await charger.event("Updated", charging="SuspendedEV", wh=50, seq=2)
        await charger.event("Updated", charging="Charging", wh=40, seq=1)
        assert (await running.connector())["status"] == "SuspendedEV"
        await charger.event("Ended", reason="Local", wh=100, seq=4)
        await charger.event("Updated", charging="Charging", wh=90, seq=3)
        assert (await running.connector())["status"] == "Finishing"
        assert [(row["state"], row["energy_wh"]) for row in await sessions(running)] == [("ended", 100)]


async def test_an_offline_transaction_told_later_is_kept_and_disturbs_no_status(running: Running) -> None:
    async with charger_of(running) as charger:
        await charger.boot("Available")
        await charger.event("Ended", "tx-old", tag="TAGADA", begin=0, wh=800, offline=True, charging="Charging")
        assert (await running.connector())["status"] == "Available"
        [session] = await sessions(running)
    assert (session["state"], session["energy_wh"]) == ("ended", 800)


async def test_available_ends_a_forgotten_transaction_but_not_one_that_waits_for_its_plug(running: Running) -> None:
    async with charger_of(running) as charger:
        await charger.event("Started", "tx-1", tag="TAGADA", charging="Idle", trigger="Authorized")
        await charger.status("Available")
        assert (await sessions(running))[0]["state"] == "active"
        await charger.event("Updated", "tx-1", charging="Charging")
        await charger.status("Available")
        assert (await sessions(running))[0]["stop_reason"] == "Inferred"
        await charger.event("Updated", "tx-1", charging="Charging", wh=5)
        assert (await sessions(running))[0]["state"] == "active"


async def test_meter_values_without_a_transaction_id_count_for_its_evse(running: Running) -> None:
    async with charger_of(running) as charger:
        await charger.event("Started", tag="TAGADA", begin=100)
        await charger.send("MeterValues", evseId=1, meterValue=[energy(350)])
        assert (await running.connector())["session"]["energy_wh"] == 250


async def test_an_unknown_action_is_not_implemented_and_an_unusable_event_is_named(running: Running) -> None:
    async with charger_of(running) as charger:
        for action, payload, code in (
            ("Dance", {}, "NotImplemented"),
            ("TransactionEvent", {"eventType": "Started"}, "OccurrenceConstraintViolation"),
            ("TransactionEvent", {"eventType": 5, "seqNo": 0, "transactionInfo": {}}, "TypeConstraintViolation"),
            (
                "StatusNotification",
                {"timestamp": AT, "connectorStatus": "Faulted", "evseId": -7, "connectorId": 1},
                "PropertyConstraintViolation",
            ),
        ):
            with pytest.raises(CallErrorAnswer) as error:
                await charger.send(action, **payload)
            assert error.value.code == code
        assert (await charger.send("Heartbeat"))["currentTime"]


@pytest.mark.parametrize("protocol", ["ocpp2.0.1", "ocpp2.1"])
async def test_the_rest_of_what_chargers_report_is_answered(running: Running, protocol: str) -> None:
    calls: dict[str, dict[str, Any]] = {
        "FirmwareStatusNotification": {"status": "Idle"},
        "LogStatusNotification": {"status": "Idle"},
        "SecurityEventNotification": {"type": "SettingSystemTime", "timestamp": AT},
        "NotifyReport": {"requestId": 1, "generatedAt": AT, "seqNo": 0},
        "ReservationStatusUpdate": {"reservationId": 1, "reservationUpdateStatus": "Expired"},
        "DataTransfer": {"vendorId": "acme"},
        "SignCertificate": {"csr": "x"},
    }
    async with charger_of(running, protocol) as charger:
        for action, payload in calls.items():
            await charger.send(action, **payload)


async def test_21_streams_are_taken_in_silence_and_a_refused_answer_harms_nobody(running: Running) -> None:
    async with charger_of(running, "ocpp2.1") as charger:
        stream = {"id": 1, "pending": 0, "basetime": AT, "data": [{"t": 0, "v": "1"}]}
        await charger.raw([6, "s1", "NotifyPeriodicEventStream", stream])
        await charger.raw([6, "s2", "Dance", {}])
        await charger.raw([5, "m1", "FormatViolation", "your answer was odd", {}])
        await charger.send("NotifySettlement", pspRef="p", status="Settled", settlementAmount=1.5, settlementTime=AT)
        answer = await charger.send("VatNumberValidation", vatNumber="X1")
        assert answer == {"vatNumber": "X1", "status": "Rejected"}
        assert charger.stray.empty(), json.dumps(charger.stray.get_nowait())


async def test_21_streams_behind_a_call_that_waits_are_not_kept_without_end(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()

    async def slow(*_: Any) -> None:
        await go_on.wait()

    monkeypatch.setattr(running.bridge._store, "token", slow)
    async with charger_of(running, "ocpp2.1") as charger:
        waiting = asyncio.create_task(charger.send("Authorize", idToken={"idToken": "TAGADA", "type": "ISO14443"}))
        await asyncio.sleep(0)
        for number in range(500):
            await charger.raw([6, f"s{number}", "NotifyPeriodicEventStream", {"id": 1}])
        connection = running.bridge.chargers.connection("CL-1042")
        assert connection is not None
        for _ in range(200):
            await asyncio.sleep(0.01)
            if len(connection._inbound) >= wire.INBOUND_LIMIT:
                break
        await asyncio.sleep(0.05)
        assert len(connection._inbound) == wire.INBOUND_LIMIT
        go_on.set()
        assert (await waiting)["idTokenInfo"]["status"] == "Unknown"


async def test_a_call_that_cannot_be_handled_is_an_internal_error_and_the_session_lives(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise OSError("the disk is gone")

    async with charger_of(running, "ocpp2.0.1") as charger:
        with monkeypatch.context() as broken:
            broken.setattr(running.bridge._store, "token", fail)
            with pytest.raises(CallErrorAnswer) as error:
                await charger.send("Authorize", idToken={"idToken": "TAGADA", "type": "ISO14443"})
            assert error.value.code == "InternalError"
            assert (await charger.send("Heartbeat"))["currentTime"]
        assert (await charger.send("Authorize", idToken={"idToken": "TAGADA", "type": "ISO14443"}))["idTokenInfo"]
