"""More of the official OCA test cases, each under its id: what a central system has to make of a charger's side of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.scripted2 import ScriptedCharger2
from tests.ocpp_bridge.test_more_commands_16 import drive, operate

ACCEPTED = {"status": "Accepted"}
REJECTED = {"status": "Rejected"}


def ago(**given: float) -> str:
    return (datetime.now(UTC) - timedelta(**given)).isoformat(timespec="seconds")


async def session_of(running: Running) -> dict[str, Any]:
    rows = (await running.api.get("/v1/sessions?charger=CL-1042")).json()["sessions"]
    assert len(rows) == 1, rows
    row: dict[str, Any] = rows[0]
    return row


# ---- OCPP 1.6


async def test_tc_005_1_ev_side_disconnected(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot()
        transaction = (await charger.start("TAGADA", meter=0))["transactionId"]
        await charger.status("Charging")
        await charger.status("SuspendedEV")
        stop = {"transactionId": transaction, "meterStop": 900, "timestamp": ago(), "reason": "EVDisconnected"}
        await charger.send("StopTransaction", **stop)
        await charger.status("Finishing")
        await charger.status("Available")
        assert (await running.connector())["status"] == "Available"
    row = await session_of(running)
    assert (row["state"], row["stop_reason"], row["energy_wh"]) == ("ended", "EVDisconnected", 900)


async def test_tc_024_start_with_a_lock_that_fails(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = drive(quick, "start", connector=1, token="TAGADA")
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        await charger.status("Faulted", error="ConnectorLockFailure")
        assert ((done := await command)["state"], done["outcome"]) == ("not_verified", "accepted_no_effect")
        assert (await quick.connector())["error_code"] == "ConnectorLockFailure"
        again = drive(quick, "start", "d2", connector=1, token="TAGADA")
        await charger.expect_request(
            "TriggerMessage", ACCEPTED
        )  # what the first start did is not known: it is asked for
        await charger.status("Faulted", error="ConnectorLockFailure")
        assert (await again)["refused"]["rule"] == "no-start-on-trouble"


async def test_tc_026_remote_start_rejected(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = drive(quick, "start", connector=1, token="TAGADA")
        await charger.expect_request("RemoteStartTransaction", REJECTED)
        assert ((done := await command)["state"], done["outcome"]) == ("rejected", "rejected")


async def test_tc_028_remote_stop_rejected(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        await charger.start("TAGADA")
        await charger.status("Charging")
        command = drive(quick, "stop", session=(await session_of(quick))["id"])
        await charger.expect_request("RemoteStopTransaction", REJECTED)
        assert ((done := await command)["state"], done["outcome"]) == ("rejected", "rejected")
        assert (await session_of(quick))["state"] == "active"


async def test_tc_036_connection_lost_before_the_transaction(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = drive(quick, "start", connector=1, token="TAGADA")
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
    async with quick.charger() as charger:  # it comes back without a boot, and tells what it did meanwhile
        transaction = (await charger.start("TAGADA", meter=100, at=ago(seconds=1)))["transactionId"]
        await charger.status("Charging")
        await charger.meter(transaction, 150)
        assert (await command)["state"] == "verified"


async def test_tc_037_1_and_tc_038_a_transaction_that_began_or_ended_offline(running: Running) -> None:
    began, ended = ago(hours=2), ago(hours=1)
    async with running.charger() as charger:
        started = await charger.start("TAGADA", meter=0, at=began)
        assert started["idTagInfo"]["status"] == "Accepted"
    async with running.charger() as charger:
        stop = {"transactionId": started["transactionId"], "meterStop": 7000, "timestamp": ended, "reason": "Local"}
        await charger.send("StopTransaction", **stop)
    row = await session_of(running)
    for name, said in (("started_at", began), ("ended_at", ended)):
        assert datetime.fromisoformat(row[name]) == datetime.fromisoformat(said)
    assert (row["state"], row["energy_wh"]) == ("ended", 7000)


async def test_tc_039_a_whole_transaction_offline_told_twice(running: Running) -> None:
    began, ended = ago(hours=2), ago(hours=1)
    for _ in range(2):  # the answers of the first time were lost with the connection
        async with running.charger() as charger:
            started = await charger.start("TAGADA", meter=0, at=began)
            stop = {"transactionId": started["transactionId"], "meterStop": 7000, "timestamp": ended}
            await charger.send("StopTransaction", **stop)
    assert (await session_of(running))["energy_wh"] == 7000


async def test_tc_052_cancel_of_a_reservation_rejected(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot("Available")
        command = operate(quick, "reserve", "o1", connector=1, token="TAGADA", minutes=15)
        await charger.expect_request("ReserveNow", ACCEPTED)
        await charger.status("Reserved")
        reservation = (await command)["id"]
        command = operate(quick, "cancel_reservation", "o2", reservation=reservation)
        await charger.expect_request("CancelReservation", REJECTED)
        assert (await command)["outcome"] == "rejected"


async def test_tc_055_trigger_rejected(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = drive(quick, "trigger", message="MeterValues", connector=1)
        await charger.expect_request("TriggerMessage", REJECTED)
        assert ((done := await command)["state"], done["outcome"]) == ("rejected", "rejected")


# ---- OCPP 2.0.1


def station(running: Running) -> ScriptedCharger2:
    return ScriptedCharger2(f"{running.ws_url}/ocpp/CL-1042")


async def test_tc_b_51_status_of_every_connector_after_a_long_time_offline(running: Running) -> None:
    async with station(running) as charger:
        await charger.boot("Available")
    async with station(running) as charger:  # no boot: it did not restart
        await charger.status("Available")
        await charger.status("Faulted", 2)
        shown = (await running.api.get("/v1/chargers/CL-1042")).json()
    assert [row["status"] for row in shown["connectors"]] == ["Available", "Faulted"]
    assert shown["boot"]["status"] == "Accepted"


async def test_tc_e_16_deauthorized_transaction_ends(running: Running) -> None:
    async with station(running) as charger:
        await charger.boot()
        begun = await charger.event("Started", tag="TAGBAD", trigger="Authorized", begin=0)
        assert begun["idTokenInfo"]["status"] == "Blocked"
        await charger.event("Ended", trigger="Deauthorized", reason="DeAuthorized", wh=0)
    row = await session_of(running)
    assert (row["state"], row["stop_reason"], row["authorization"]) == ("ended", "DeAuthorized", "Blocked")


async def test_tc_e_39_no_cable_in_time(quick: Running) -> None:
    async with station(quick) as charger:
        await charger.boot("Available")
        command = drive(quick, "start", connector=1, token="TAGADA")
        remote = (await charger.expect_request("RequestStartTransaction", ACCEPTED))["remoteStartId"]
        await charger.event("Started", trigger="RemoteStart", tag="TAGADA", remote=remote)
        await charger.event("Ended", trigger="EVConnectTimeout", reason="Timeout")
        assert ((done := await command)["outcome"], "Timeout" in done["detail"]) == ("accepted_no_effect", True)
    assert (await session_of(quick))["stop_reason"] == "Timeout"


async def test_tc_f_26_trigger_of_a_boot_rejected(quick: Running) -> None:
    async with station(quick) as charger:
        await charger.boot()
        command = operate(quick, "trigger", "o1", message="BootNotification")
        await charger.expect_request("TriggerMessage", REJECTED)
        assert (await command)["outcome"] == "rejected"
