"""OCPP 1.6 core profile over a real WebSocket; names carry the official test-case ids where one fits."""

from __future__ import annotations

import pytest

from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.scripted import CallErrorAnswer


async def test_tc_001_cold_boot_is_accepted_with_time_and_interval(running: Running) -> None:
    async with running.charger() as charger:
        answer = await charger.send("BootNotification", chargePointVendor="Acme", chargePointModel="One")
        assert answer["status"] == "Accepted"
        assert answer["interval"] > 0
        assert answer["currentTime"].endswith("Z")
        await charger.status("Available", 0)
        await charger.status("Available", 1)
        assert set(await charger.send("Heartbeat")) == {"currentTime"}
    shown = (await running.api.get("/v1/chargers/CL-1042")).json()
    assert shown["vendor"] == "Acme"
    assert shown["status"] == "Available"


async def test_tc_003_regular_charging_session(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot()
        assert (await charger.send("Authorize", idTag="TAGADA"))["idTagInfo"]["status"] == "Accepted"
        started = await charger.start("TAGADA", meter=1000)
        assert started["idTagInfo"]["status"] == "Accepted"
        await charger.status("Charging")
        await charger.meter(started["transactionId"], 1800)
        session = (await running.connector())["session"]
        assert session["energy_wh"] == 800
        assert session["driver"] == "drv-ada"
        assert session["token_last4"] != "TAGADA"
        await charger.send(
            "StopTransaction",
            transactionId=started["transactionId"],
            meterStop=2500,
            timestamp="2026-01-01T13:00:00Z",
            idTag="TAGADA",
        )
        assert (await running.connector())["session"] is None
    ended = (await running.api.get(f"/v1/sessions/{session['id']}")).json()
    assert (ended["state"], ended["energy_wh"], ended["stop_reason"]) == ("ended", 1500, "Local")


@pytest.mark.parametrize(
    ("tag", "status"),
    [("TAGBAD", "Blocked"), ("TAGOLD", "Expired"), ("NOBODY", "Invalid")],
    ids=["tc_023_3_blocked", "tc_023_2_expired", "tc_023_1_invalid"],
)
async def test_refused_id_tags_are_told_so_but_still_get_a_transaction_id(
    running: Running, tag: str, status: str
) -> None:
    async with running.charger() as charger:
        assert (await charger.send("Authorize", idTag=tag))["idTagInfo"]["status"] == status
        started = await charger.start(tag)
        assert started["idTagInfo"]["status"] == status
        assert started["transactionId"] > 0


async def test_a_repeated_start_transaction_is_the_same_transaction(running: Running) -> None:
    async with running.charger() as charger:
        first = await charger.start("TAGADA")
    async with running.charger() as charger:  # the answer was lost; the charger says it again
        assert (await charger.start("TAGADA")) == first
        other = await charger.start("TAGADA", meter=1001)
        assert other["transactionId"] != first["transactionId"]
    sessions = (await running.api.get("/v1/sessions?charger=CL-1042")).json()["sessions"]
    assert len(sessions) == 2


async def test_a_stop_of_an_unknown_transaction_is_answered(running: Running) -> None:
    async with running.charger() as charger:
        answer = await charger.send("StopTransaction", transactionId=999, meterStop=1, timestamp="2026-01-01T12:00:00Z")
        assert answer == {}


async def test_a_stop_told_twice_changes_nothing(running: Running) -> None:
    async with running.charger() as charger:
        transaction = (await charger.start("TAGADA"))["transactionId"]
        for stop in (1500, 9999):
            await charger.send(
                "StopTransaction", transactionId=transaction, meterStop=stop, timestamp="2026-01-01T13:00:00Z"
            )
    session = (await running.api.get("/v1/sessions?charger=CL-1042")).json()["sessions"][0]
    assert session["meter_stop_wh"] == 1500


async def test_available_closes_a_session_that_was_never_stopped_and_a_late_stop_still_counts(running: Running) -> None:
    async with running.charger() as charger:
        transaction = (await charger.start("TAGADA", meter=0))["transactionId"]
        await charger.status("Available")
        session = (await running.api.get("/v1/sessions?charger=CL-1042")).json()["sessions"][0]
        assert (session["state"], session["stop_reason"]) == ("ended", "Inferred")
        await charger.send(
            "StopTransaction",
            transactionId=transaction,
            meterStop=700,
            timestamp="2026-01-01T13:00:00Z",
            reason="EVDisconnected",
        )
    session = (await running.api.get(f"/v1/sessions/{session['id']}")).json()
    assert (session["stop_reason"], session["energy_wh"]) == ("EVDisconnected", 700)


async def test_a_tap_with_an_extra_field_and_an_over_long_tag_is_handled(running: Running) -> None:
    async with running.charger() as charger:
        answer = await charger.send("Authorize", idTag="TAGADA", connectorId=1)
        assert answer["idTagInfo"]["status"] == "Accepted"
        answer = await charger.send("Authorize", idTag="X" * 30)
        assert answer["idTagInfo"]["status"] == "Invalid"


async def test_odd_meter_values_are_answered_and_the_readable_ones_count(running: Running) -> None:
    async with running.charger() as charger:
        transaction = (await charger.start("TAGADA", meter=0))["transactionId"]
        sampled = [
            {"value": "abc"},
            {"value": "2.5", "unit": "kWh", "context": "Sometimes"},
            {"value": "50", "measurand": "Frequency", "unit": "Hz"},
            {"value": "1500", "measurand": "Power.Active.Import", "unit": "W", "phase": "L1"},
            {"value": "1.5", "measurand": "Power.Active.Import", "unit": "kW", "phase": "L2"},
        ]
        await charger.send(
            "MeterValues",
            connectorId=1,
            transactionId=transaction,
            meterValue=[{"timestamp": "yesterday", "sampledValue": sampled}, {"sampledValue": []}],
        )
        session = (await running.connector())["session"]
    assert (session["energy_wh"], session["power_w"]) == (2500, 3000)


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Frobnicate", {}, "NotImplemented"),
        ("StatusNotification", {"status": "Available", "errorCode": "NoError"}, "ProtocolError"),
        (
            "StatusNotification",
            {"connectorId": "1", "status": "Available", "errorCode": "NoError"},
            "TypeConstraintViolation",
        ),
        (
            "StatusNotification",
            {"connectorId": 1, "status": "Sleeping", "errorCode": "NoError"},
            "PropertyConstraintViolation",
        ),
        ("Authorize", {"idTag": 5}, "TypeConstraintViolation"),
        (
            "StatusNotification",
            {"connectorId": -1, "status": "Available", "errorCode": "NoError"},
            "PropertyConstraintViolation",
        ),
    ],
)
async def test_unusable_calls_get_the_callerror_that_names_the_fault(
    running: Running, action: str, payload: dict[str, object], code: str
) -> None:
    async with running.charger() as charger:
        with pytest.raises(CallErrorAnswer) as caught:
            await charger.send(action, **payload)
        assert caught.value.code == code
        assert "currentTime" in await charger.send("Heartbeat")


async def test_messages_that_need_no_act_are_answered(running: Running) -> None:
    async with running.charger() as charger:
        assert await charger.send("DataTransfer", vendorId="x") == {"status": "UnknownVendorId"}
        assert await charger.send("FirmwareStatusNotification", status="Installed") == {}
        assert await charger.send("DiagnosticsStatusNotification", status="Idle") == {}
        assert (
            await charger.send("SecurityEventNotification", type="StartupOfTheDevice", timestamp="2026-01-01T12:00:00Z")
            == {}
        )
        assert await charger.send("SignCertificate", csr="x") == {"status": "Rejected"}
