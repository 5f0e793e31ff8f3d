"""Every command but start and stop on OCPP 1.6: the call, what counts as its effect, and what the gate keeps back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.scripted import ScriptedCharger

ACCEPTED = {"status": "Accepted"}
OPERATOR = {"tier": 4}
Task = asyncio.Task[dict[str, Any]]


def operate(running: Running, action: str, key: str = "o1", **fields: Any) -> Task:
    body = {"action": action, "actor": OPERATOR, "idempotency_key": key, "wait_s": 5, **fields}

    async def post() -> dict[str, Any]:
        response = await running.operator.post("/v1/chargers/CL-1042/commands", json=body)
        assert response.status_code in (200, 202), response.text
        found: dict[str, Any] = response.json()
        return found

    return asyncio.create_task(post())


def drive(running: Running, action: str, key: str = "d1", **fields: Any) -> Task:
    return asyncio.create_task(running.command(action, key, **fields))


async def _charged(charger: ScriptedCharger, tag: str = "TAGADA") -> None:
    """A session that has run and ended; the cable is still in."""
    await charger.boot()
    await charger.status("Available", 2)
    transaction = (await charger.start(tag))["transactionId"]
    await charger.send("StopTransaction", transactionId=transaction, meterStop=2000, timestamp="2026-01-01T13:00:00Z")
    await charger.status("Finishing")


# ---- unlock


async def test_tc_017_1_unlock_is_verified_by_available_not_by_unlocked(quick: Running) -> None:
    async with quick.charger() as charger:
        await _charged(charger)
        command = drive(quick, "unlock", connector=1)
        assert await charger.expect_request("UnlockConnector", {"status": "Unlocked"}) == {"connectorId": 1}
        await asyncio.sleep(0.1)
        assert not command.done()
        await charger.status("Available")
        done = await command
    assert (done["state"], done["answer"], done["effect"]["status"]) == ("verified", "Unlocked", "Available")


async def test_unlocked_and_nothing_more_is_not_done(quick: Running) -> None:
    async with quick.charger() as charger:
        await _charged(charger)
        command = drive(quick, "unlock", connector=1)
        await charger.expect_request("UnlockConnector", {"status": "Unlocked"})
        done = await command
    assert (done["state"], done["outcome"]) == ("not_verified", "accepted_no_effect")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param({"status": "NotSupported"}, "not_supported", id="TC_017_2"),
        pytest.param({"status": "UnlockFailed"}, "rejected", id="TC_030"),
        pytest.param({"status": "Accepted"}, "invalid_answer", id="off_schema"),
    ],
)
async def test_answers_to_unlock_that_are_no_unlock(quick: Running, answer: Any, outcome: str) -> None:
    async with quick.charger() as charger:
        await _charged(charger)
        command = drive(quick, "unlock", connector=1)
        await charger.expect_request("UnlockConnector", answer)
        done = await command
    assert done["outcome"] == outcome
    assert done["state"] != "verified"


async def test_a_make_that_says_accepted_for_unlocked_is_understood(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.send("BootNotification", chargePointVendor="United Chargers Inc", chargePointModel="Grizzl-E")
        transaction = (await charger.start("TAGADA"))["transactionId"]
        await charger.send("StopTransaction", transactionId=transaction, meterStop=9, timestamp="2026-01-01T13:00:00Z")
        await charger.status("Finishing")
        command = drive(quick, "unlock", connector=1)
        await charger.expect_request("UnlockConnector", ACCEPTED)
        await charger.status("Available")
        assert (await command)["state"] == "verified"


async def test_tc_018_no_unlock_while_a_transaction_runs(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        await charger.start("TAGADA")
        for ask in (drive, operate):
            assert (await ask(quick, "unlock", f"k-{ask.__name__}", connector=1))["refused"]["rule"] == (
                "no-unlock-while-charging"
            )
        await charger.no_request()


async def test_no_unlock_of_somebody_elses_cable_nor_while_power_flows(quick: Running) -> None:
    async with quick.charger() as charger:
        await _charged(charger, "TAGBEN")
        assert (await drive(quick, "unlock", connector=1))["refused"]["rule"] == "own-session-only"
        await charger.power(1, 3000)
        refused = await operate(quick, "unlock", connector=1)
        assert refused["refused"] == {"rule": "no-unlock-while-charging", "why": "current still flows"}
        await charger.no_request()


# ---- reset


async def test_tc_014_soft_reset_is_verified_by_a_boot_on_a_new_connection(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Faulted")
        await charger.status("Available", 2)
        command = drive(quick, "reset")
        assert await charger.expect_request("Reset", ACCEPTED) == {"type": "Soft"}
    async with quick.charger() as charger:
        await charger.boot("Available")
        assert not command.done()
        await charger.status("Available", 2)
        done = await command
    assert (done["state"], done["effect"]["statuses"]) == ("verified", {"1": "Available", "2": "Available"})


async def test_tc_013_hard_reset_takes_an_operator(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Faulted")
        await charger.status("Faulted", 2)
        assert (await drive(quick, "reset", kind="hard"))["refused"]["rule"] == "tier-too-low"
        command = operate(quick, "reset", kind="hard")
        assert await charger.expect_request("Reset", ACCEPTED) == {"type": "Hard"}
        assert (await command)["outcome"] == "accepted_no_effect"  # it never went away


async def test_a_reset_that_does_not_cure_and_one_that_nobody_comes_back_from(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Faulted")
        await charger.status("Available", 2)
        command = drive(quick, "reset")
        await charger.expect_request("Reset", ACCEPTED)
    async with quick.charger() as charger:
        await charger.boot("Faulted")
        await charger.status("Available", 2)
        assert (await command)["outcome"] == "still_faulted"
        refused = await drive(quick, "reset", "d2")
        assert refused["refused"]["rule"] == "rate"
        command = operate(quick, "reset", kind="hard")
        await charger.expect_request("Reset", ACCEPTED)
    assert (await command)["outcome"] == "did_not_return"


async def test_a_reset_never_ends_a_neighbours_session(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Faulted")
        await charger.start("TAGBEN", connector=2)
        await charger.status("Charging", 2)
        for ask, kind in ((drive, "soft"), (operate, "hard")):
            refused = await ask(quick, "reset", f"k-{kind}", kind=kind)
            assert refused["refused"]["rule"] == "neighbour-safe-reset"
        await charger.no_request()


async def test_a_reset_needs_a_reason_that_the_charger_gives(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Available")
        await charger.status("Available", 2)
        assert (await drive(quick, "reset"))["refused"]["rule"] == "neighbour-safe-reset"
        assert (await drive(quick, "reset", "d2", reason="cable_stuck"))["refused"]["rule"] == "neighbour-safe-reset"


async def test_a_neighbour_of_whom_nothing_is_known_keeps_the_reset_back(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Faulted")
        command = drive(quick, "reset")
        await charger.expect_request("TriggerMessage", {"status": "Rejected"})
        await charger.expect_request("TriggerMessage", {"status": "Rejected"})
        assert (await command)["refused"]["rule"] == "fresh-eyes"


async def test_one_evse_is_not_reset_on_16(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Faulted")
        done = await operate(quick, "reset", evse=1)
        assert (done["state"], done["outcome"], done["sent_at"]) == ("rejected", "not_supported", None)


# ---- in and out of service, and danger


async def test_operative_is_verified_by_status_and_is_for_what_is_unavailable(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Available")
        assert (await drive(quick, "operative", connector=1))["refused"]["rule"] == "operative-when-unavailable"
        await charger.status("Unavailable")
        command = drive(quick, "operative", "d2", connector=1)
        request = await charger.expect_request("ChangeAvailability", ACCEPTED)
        assert request == {"connectorId": 1, "type": "Operative"}
        await charger.status("Available")
        assert (await command)["state"] == "verified"


async def test_scheduled_is_not_done(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Charging")
        command = operate(quick, "inoperative", connector=1)
        await charger.expect_request("ChangeAvailability", {"status": "Scheduled"})
        assert (await command)["outcome"] == "scheduled"


async def test_what_an_operator_took_out_of_service_no_driver_puts_back(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Available")
        assert (await drive(quick, "inoperative", connector=1))["refused"]["rule"] == "tier-too-low"
        command = operate(quick, "inoperative", connector=1)
        await charger.expect_request("ChangeAvailability", ACCEPTED)
        await charger.status("Unavailable")
        assert (await command)["state"] == "verified"
        assert (await quick.connector())["held"]["reason"] == "operator"
        refused = await drive(quick, "operative", "d2", connector=1)
        assert refused["refused"]["rule"] == "out-of-service-on-purpose"
        command = operate(quick, "operative", "o2", connector=1)
        await charger.expect_request("ChangeAvailability", ACCEPTED)
        await charger.status("Available")
        assert (await command)["state"] == "verified"
        assert (await quick.connector())["held"] is None


async def test_danger_stops_anybodys_session_and_takes_the_connector_out(quick: Running) -> None:
    stranger = {"driver": "guest:sms_9", "tier": 0}
    async with quick.charger() as charger:
        await charger.boot()
        transaction = (await charger.start("TAGBEN"))["transactionId"]
        await charger.status("Charging")
        command = drive(quick, "stop", connector=1, reason="hazard", actor=stranger)
        assert await charger.expect_request("RemoteStopTransaction", ACCEPTED) == {"transactionId": transaction}
        await charger.send(
            "StopTransaction", transactionId=transaction, meterStop=1500, timestamp="2026-01-01T13:00:00Z"
        )
        done = await command
        assert (done["state"], done["connector"]) == ("verified", 1)
        command = drive(quick, "inoperative", "d2", connector=1, reason="hazard", actor=stranger)
        await charger.expect_request("ChangeAvailability", ACCEPTED)
        await charger.status("Unavailable")
        assert (await command)["state"] == "verified"
        for number, (action, fields) in enumerate(
            (
                ("operative", {"connector": 1}),
                ("start", {"connector": 1, "token": "TAGADA"}),
                ("unlock", {"connector": 1}),
                ("reset", {}),
                ("unlock", {"connector": 1, "reason": "hazard"}),
            )
        ):
            refused = await drive(quick, action, f"x{number}", **fields)
            assert refused["refused"]["rule"] == "hazard-first", action
        second = await drive(quick, "inoperative", "d3", connector=2, reason="hazard", actor=stranger)
        assert second["refused"]["rule"] == "hazard-first"
        again = await drive(quick, "stop", "d4", connector=1, reason="hazard", actor=stranger)
        assert (again["state"], again["sent_at"]) == ("verified", None)  # nothing runs there
        await charger.no_request()


async def test_danger_at_a_charger_that_cannot_be_told_is_held_all_the_same(quick: Running) -> None:
    stranger = {"driver": "guest:sms_9", "tier": 0}
    gone = await drive(quick, "inoperative", connector=1, reason="hazard", actor=stranger)
    assert (gone["state"], gone["sent_at"]) == ("disconnected", None)
    assert (await quick.connector(1))["held"]["reason"] == "hazard"
    async with quick.charger() as charger:
        await charger.boot()
        assert (await quick.start("k1"))["refused"]["rule"] == "hazard-first"
        by_nobody = await drive(quick, "inoperative", "d2", connector=2, reason="hazard", actor={"tier": 0})
        assert by_nobody["refused"]["rule"] == "hazard-first"
        assert (await quick.connector(2))["held"] is None
        await charger.no_request()


async def test_danger_waits_for_no_other_command_and_that_one_is_not_sent(running: Running) -> None:
    """A start asks for a status that does not come; danger is reported meanwhile."""
    async with running.charger() as charger:
        await charger.send("BootNotification", chargePointVendor="Acme", chargePointModel="One")
        start = drive(running, "start", connector=1, token="TAGADA", wait_s=10)
        await charger.expect_request("TriggerMessage", ACCEPTED)
        danger = drive(running, "inoperative", "d2", connector=1, reason="hazard", actor={"driver": "x", "tier": 0})
        await charger.expect_request("ChangeAvailability", ACCEPTED)
        await charger.status("Preparing")
        assert (await start)["refused"]["rule"] in {"hazard-first", "once"}
        await charger.status("Unavailable")
        assert (await danger)["state"] == "verified"


async def test_a_connector_in_danger_is_held_while_its_stop_waits_for_the_charger(running: Running) -> None:
    stranger = {"driver": "x", "tier": 0}
    async with running.charger() as charger:
        await charger.boot()
        await charger.start("TAGBEN")
    stop = await drive(running, "stop", connector=1, reason="hazard", actor=stranger, wait_s=0)
    out = await drive(running, "inoperative", "d2", connector=1, reason="hazard", actor=stranger, wait_s=0)
    assert (stop["state"], out["state"]) == ("queued", "queued")  # the charger is expected back
    assert (await running.connector(1))["held"]["reason"] == "hazard"
    twice = await drive(running, "inoperative", "d3", connector=1, reason="hazard", actor=stranger, wait_s=0)
    assert twice["refused"]["rule"] == "once"


async def test_who_came_first_is_served_first(running: Running) -> None:
    """The second waits behind the first and must not be the reason to refuse it."""
    ben = {"token": "TAGBEN", "actor": {"driver": "drv-ben", "tier": 1}}
    async with running.charger() as charger:
        await charger.send("BootNotification", chargePointVendor="Acme", chargePointModel="One")
        first = drive(running, "start", connector=1, token="TAGADA", wait_s=0)
        asked = await charger.take("TriggerMessage")
        second = await drive(running, "start", "d2", connector=1, wait_s=0, **ben)
        assert second["state"] == "queued"
        await charger.raw([3, asked[1], ACCEPTED])
        await charger.status("Preparing")
        assert (await charger.expect_request("RemoteStartTransaction", ACCEPTED))["idTag"] == "TAGADA"
        done = (await running.api.get(f"/v1/commands/{second['id']}?wait_s=5")).json()
        assert done["refused"]["rule"] == "once"
        assert (await first)["state"] == "queued"


# ---- reads, lists, reservations


async def test_tc_054_trigger_is_verified_by_the_message(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = drive(quick, "trigger", message="Heartbeat")
        assert await charger.expect_request("TriggerMessage", ACCEPTED) == {"requestedMessage": "Heartbeat"}
        await charger.send("Heartbeat")
        assert (await command)["state"] == "verified"
        command = drive(quick, "trigger", "d2", message="Heartbeat")
        await charger.expect_request("TriggerMessage", ACCEPTED)
        assert (await command)["outcome"] == "accepted_no_effect"
        assert (await drive(quick, "trigger", "d3", message="BootNotification"))["refused"]["rule"] == "tier-too-low"


async def test_a_neighbours_status_is_not_the_one_that_was_asked_for(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        for turn, connector, outcome in (("d1", 2, "accepted_no_effect"), ("d2", 1, "verified")):
            command = drive(quick, "trigger", turn, message="StatusNotification", connector=1)
            await charger.expect_request("TriggerMessage", ACCEPTED)
            await charger.status("Available", connector)
            assert (await command)["outcome"] == outcome


async def test_tc_042_list_version_and_tc_043_list_confirmed_by_its_version(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = drive(quick, "get_local_list_version")
        await charger.expect_request("GetLocalListVersion", {"listVersion": -1})
        assert (await command)["effect"] == {"version": -1, "supported": False, "proof": "answer"}
        assert (await drive(quick, "send_local_list", "d2", version=3, tokens=[]))["refused"]["rule"] == "tier-too-low"
        command = operate(quick, "send_local_list", version=3, tokens=["TAGADA", "TAGBAD", "NOBODY"])
        request = await charger.expect_request("SendLocalList", ACCEPTED)
        assert [(row["idTag"], row["idTagInfo"]["status"]) for row in request["localAuthorizationList"]] == [
            ("TAGADA", "Accepted"),
            ("TAGBAD", "Blocked"),
        ]
        await charger.expect_request("GetLocalListVersion", {"listVersion": 3})
        assert (await command)["state"] == "verified"
        command = operate(quick, "send_local_list", "o2", version=4, tokens=[])
        await charger.expect_request("SendLocalList", {"status": "VersionMismatch"})
        assert (await command)["outcome"] == "rejected"
        command = operate(quick, "send_local_list", "o3", version=5, tokens=[])
        await charger.expect_request("SendLocalList", ACCEPTED)
        await charger.expect_request("GetLocalListVersion", {"listVersion": 3})
        assert (await command)["outcome"] == "accepted_no_effect"


async def test_tc_061_clear_cache_and_configuration_are_answers(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = operate(quick, "clear_cache")
        await charger.expect_request("ClearCache", ACCEPTED)
        assert (await command)["effect"] == {"proof": "answer"}
        command = operate(quick, "get_configuration", "o2", keys=["HeartbeatInterval"])
        rows = [
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
            {"key": "AuthorizationKey", "readonly": False, "value": "hunter2"},
        ]
        await charger.expect_request("GetConfiguration", {"configurationKey": rows, "unknownKey": ["Odd"]})
        values = (await command)["effect"]["values"]
        assert values == {"HeartbeatInterval": "300", "AuthorizationKey": "(not shown)"}


async def test_tc_046_reservation_and_tc_051_its_end(quick: Running) -> None:
    ben = {"driver": "drv-ben", "tier": 1}
    async with quick.charger() as charger:
        await charger.boot("Available")
        command = drive(quick, "reserve", connector=1, token="TAGADA", minutes=30)
        request = await charger.expect_request("ReserveNow", ACCEPTED)
        assert (request["connectorId"], request["idTag"]) == (1, "TAGADA")
        await charger.status("Reserved")
        reserved = await command
        assert reserved["state"] == "verified"
        taken = await drive(quick, "reserve", "d2", connector=1, token="TAGBEN", actor=ben)
        assert taken["refused"]["rule"] == "no-start-on-trouble"
        stolen = await drive(quick, "cancel_reservation", "d3", reservation=reserved["id"], actor=ben)
        assert stolen["refused"]["rule"] == "own-session-only"
        command = drive(quick, "cancel_reservation", "d4", reservation=reserved["id"])
        assert await charger.expect_request("CancelReservation", ACCEPTED) == {
            "reservationId": request["reservationId"]
        }
        await charger.status("Available")
        assert (await command)["state"] == "verified"


async def test_tc_045_diagnostics_are_there_when_the_charger_says_uploaded(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = operate(quick, "get_diagnostics", location="ftp://logs.example/in/")
        await charger.expect_request("GetDiagnostics", {"fileName": "d.zip"})
        await charger.send("DiagnosticsStatusNotification", status="Uploading")
        await charger.send("DiagnosticsStatusNotification", status="Uploaded")
        done = await command
        assert (done["state"], done["effect"]) == ("verified", {"file": "d.zip", "upload": "Uploaded"})
        command = operate(quick, "get_diagnostics", "o2", location="ftp://logs.example/in/")
        await charger.expect_request("GetDiagnostics", {})
        assert (await command)["outcome"] == "rejected"
        command = operate(quick, "get_log", "o3", location="https://logs.example/in/", log="security")
        request = await charger.expect_request("GetLog", {"status": "Accepted", "filename": "l.gz"})
        assert request["logType"] == "SecurityLog"
        await charger.send("LogStatusNotification", status="UploadFailure", requestId=request["requestId"])
        assert (await command)["outcome"] == "upload_failed"


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "unlock"},
        {"action": "reset", "kind": "gentle"},
        {"action": "reset", "evse": "1"},
        {"action": "trigger", "message": "Reset"},
        {"action": "send_local_list", "version": 0, "tokens": []},
        {"action": "send_local_list", "version": 1, "tokens": [5]},
        {"action": "reserve", "connector": 1, "token": "T", "minutes": 100_000},
        {"action": "get_diagnostics", "location": "file:///etc/passwd"},
        {"action": "get_variables", "keys": ["NoDot"]},
        {"action": "stop", "connector": 1},
    ],
)
async def test_bad_fields_are_named(quick: Running, fields: dict[str, Any]) -> None:
    body = {"actor": OPERATOR, "idempotency_key": "k", **fields}
    response = await quick.operator.post("/v1/chargers/CL-1042/commands", json=body)
    assert (response.status_code, response.json()["type"]) == (422, "urn:chargeline:bad-command")


async def test_an_unlock_right_after_the_stop_asks_for_the_status_that_the_charger_has_not_told_yet(
    quick: Running,
) -> None:
    """The transaction's end comes before the status that goes with it."""
    async with quick.charger() as charger:
        await charger.boot("Charging")
        transaction = (await charger.start("TAGADA"))["transactionId"]
        row = {"transactionId": transaction, "meterStop": 1500, "timestamp": "2026-01-01T12:00:00Z"}
        await charger.send("StopTransaction", **row)
        command = drive(quick, "unlock", connector=1)
        await charger.expect_request("TriggerMessage", {"status": "Accepted"})
        await charger.status("Finishing")
        await charger.expect_request("UnlockConnector", {"status": "Unlocked"})
        await charger.status("Available")
        assert (await command)["outcome"] == "verified"
