"""Commands on OCPP 2.0.1 and 2.1: the calls differ, what counts as their effect does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.scripted import CallErrorAnswer
from tests.ocpp_bridge.scripted2 import AT, ScriptedCharger2
from tests.ocpp_bridge.test_more_commands_16 import drive, operate

ACCEPTED = {"status": "Accepted"}
Connect = Callable[[], ScriptedCharger2]


@pytest.fixture(params=["ocpp2.0.1", "ocpp2.1"])
def connect(request: pytest.FixtureRequest, quick: Running) -> Connect:
    return lambda: ScriptedCharger2(f"{quick.ws_url}/ocpp/CL-1042", [request.param])


async def test_tc_f_01_remote_start_cable_first(quick: Running, connect: Connect) -> None:
    """The transaction is there already, without an id: it is no obstacle, and becomes the command's effect."""
    async with connect() as charger:
        await charger.boot()
        await charger.event("Started", trigger="CablePluggedIn", charging="EVConnected", begin=1000)
        command = drive(quick, "start", connector=1, token="TAGADA")
        request = await charger.expect_request("RequestStartTransaction", ACCEPTED)
        assert (request["evseId"], request["idToken"]) == (1, {"idToken": "TAGADA", "type": "Central"})
        await charger.event("Updated", trigger="RemoteStart", tag="TAGADA", remote=request["remoteStartId"])
        await charger.event("Updated", charging="Charging")
        asked = await charger.expect_request("TriggerMessage", ACCEPTED)
        assert asked == {"requestedMessage": "TransactionEvent", "evse": {"id": 1}}
        assert not command.done()
        await charger.event("Updated", trigger="Trigger", wh=1004)
        done = await command
    assert (done["state"], done["effect"]["proof"], done["effect"]["energy_wh"]) == ("verified", "energy", 4)


async def test_what_a_charger_says_when_asked_makes_nobody_ask_again(quick: Running, connect: Connect) -> None:
    """A triggered event tells Charging once more: that is no new Charging."""
    async with connect() as charger:
        await charger.boot()
        command = drive(quick, "start", connector=1, token="TAGADA")
        request = await charger.expect_request("RequestStartTransaction", ACCEPTED)
        await charger.event("Started", tag="TAGADA", remote=request["remoteStartId"], charging="Charging", begin=7)
        for _ in range(3):
            await charger.expect_request("TriggerMessage", ACCEPTED)
            await charger.event("Updated", trigger="Trigger", charging="Charging", wh=7)
        assert (await command)["outcome"] == "no_energy"
        await charger.no_request(0)


async def test_tc_f_02_remote_start_before_the_cable(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot("Available")
        command = drive(quick, "start", connector=1, token="TAGADA")
        request = await charger.expect_request("RequestStartTransaction", ACCEPTED)
        await charger.event(
            "Started", trigger="RemoteStart", tag="TAGADA", remote=request["remoteStartId"], charging="Idle"
        )
        await charger.status("Occupied")
        await charger.event("Updated", charging="Charging", wh=10)
        await charger.event("Updated", wh=30)
        assert (await command)["effect"]["energy_wh"] == 20


async def test_another_remote_start_id_is_not_this_commands_transaction(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot()
        command = drive(quick, "start", connector=1, token="TAGADA")
        request = await charger.expect_request("RequestStartTransaction", ACCEPTED)
        await charger.event("Started", tag="TAGADA", remote=request["remoteStartId"] + 1, charging="Charging", begin=0)
        await charger.event("Updated", wh=500)
        assert (await command)["outcome"] == "accepted_no_effect"


async def test_tc_f_04_accepted_and_no_cable_in_time(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot("Available")
        command = drive(quick, "start", connector=1, token="TAGADA")
        request = await charger.expect_request("RequestStartTransaction", ACCEPTED)
        remote = request["remoteStartId"]
        await charger.event("Started", trigger="RemoteStart", tag="TAGADA", remote=remote, charging="Idle")
        await charger.event("Ended", trigger="EVConnectTimeout", reason="Timeout")
        done = await command
    assert (done["state"], done["outcome"]) == ("not_verified", "accepted_no_effect")


async def test_a_transaction_that_waits_for_its_plug_is_no_car_that_does_not_draw(
    quick: Running, connect: Connect
) -> None:
    async with connect() as charger:
        await charger.boot("Available")
        command = drive(quick, "start", connector=1, token="TAGADA")
        request = await charger.expect_request("RequestStartTransaction", ACCEPTED)
        remote = request["remoteStartId"]
        await charger.event("Started", trigger="RemoteStart", tag="TAGADA", remote=remote)
        done = await command
    assert (done["state"], done["outcome"]) == ("not_verified", "accepted_no_effect")
    assert "no plug" in done["detail"]


async def test_tc_f_08_remote_stop(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot()
        await charger.event("Started", tag="TAGADA", charging="Charging", begin=0)
        session = (await quick.connector())["session"]["id"]
        command = drive(quick, "stop", session=session)
        assert await charger.expect_request("RequestStopTransaction", ACCEPTED) == {"transactionId": "tx-1"}
        await charger.event("Ended", trigger="RemoteStop", reason="Remote", wh=700)
        done = await command
    assert (done["state"], done["effect"]["energy_wh"]) == ("verified", 700)


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        pytest.param([3, {"status": "Unlocked"}], "verified", id="TC_F_06"),
        pytest.param([3, {"status": "OngoingAuthorizedTransaction"}], "rejected", id="TC_F_05"),
        pytest.param([3, {"status": "UnknownConnector"}], "rejected", id="unknown_connector"),
        pytest.param([4, "NotSupported", "", {}], "not_supported", id="no_lock"),
    ],
)
async def test_unlock_after_the_own_session(quick: Running, connect: Connect, answer: list[Any], end: str) -> None:
    async with connect() as charger:
        await charger.boot()
        await charger.event("Started", tag="TAGADA", charging="Charging", begin=0)
        assert (await drive(quick, "unlock", connector=1))["refused"]["rule"] == "no-unlock-while-charging"
        await charger.event("Ended", reason="Local", wh=5)
        command = drive(quick, "unlock", "d2", connector=1)
        frame = await charger.take("UnlockConnector")
        assert frame[3] == {"evseId": 1, "connectorId": 1}
        await charger.raw([answer[0], frame[1], *answer[1:]])
        if end == "verified":
            await charger.status("Available")
        assert (await command)["outcome"] == end


async def test_tc_b_20_reset_on_idle(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot("Faulted")
        await charger.status("Available", 2)
        command = drive(quick, "reset")
        assert await charger.expect_request("Reset", ACCEPTED) == {"type": "OnIdle"}
    async with connect() as charger:
        await charger.boot("Available")
        await charger.status("Available", 2)
        assert (await command)["state"] == "verified"


async def test_tc_b_22_immediate_reset_ends_nobodys_transaction(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot("Faulted")
        await charger.event("Started", "tx-9", tag="TAGBEN", charging="Charging", begin=0, evse=2)
        refused = await operate(quick, "reset", kind="hard")
        assert refused["refused"]["rule"] == "neighbour-safe-reset"


async def test_tc_b_25_one_evse_is_reset_while_the_neighbour_charges(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot("Faulted")
        await charger.event("Started", "tx-9", tag="TAGBEN", charging="Charging", begin=0, evse=2)
        command = drive(quick, "reset", evse=1)
        assert await charger.expect_request("Reset", ACCEPTED) == {"type": "OnIdle", "evseId": 1}
        await charger.status("Available")
        done = await command
    assert (done["state"], done["effect"]["statuses"]) == ("verified", {"1": "Available"})


async def test_tc_b_21_scheduled_is_not_done(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot("Faulted")
        await charger.status("Available", 2)
        command = drive(quick, "reset")
        await charger.expect_request("Reset", {"status": "Scheduled"})
        assert (await command)["outcome"] == "scheduled"


async def test_tc_g_change_availability_of_a_connector(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot("Unavailable")
        command = drive(quick, "operative", connector=1)
        request = await charger.expect_request("ChangeAvailability", ACCEPTED)
        assert request == {"operationalStatus": "Operative", "evse": {"id": 1, "connectorId": 1}}
        await charger.status("Available")
        assert (await command)["state"] == "verified"


async def test_tc_f_11_trigger_names_evse_and_connector(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot()
        command = drive(quick, "trigger", message="StatusNotification", connector=2)
        request = await charger.expect_request("TriggerMessage", ACCEPTED)
        assert request == {"requestedMessage": "StatusNotification", "evse": {"id": 2, "connectorId": 1}}
        await charger.status("Available", 2)
        assert (await command)["state"] == "verified"


async def test_list_cache_variables_log_and_reservation(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot("Available")
        command = operate(quick, "send_local_list", "o1", version=2, update="full", tokens=["TAGADA"])
        request = await charger.expect_request("SendLocalList", ACCEPTED)
        assert (request["versionNumber"], request["updateType"]) == (2, "Full")
        await charger.expect_request("GetLocalListVersion", {"versionNumber": 2})
        assert (await command)["state"] == "verified"
        command = operate(quick, "clear_cache", "o2")
        await charger.expect_request("ClearCache", {"status": "Rejected"})
        assert (await command)["outcome"] == "rejected"
        command = operate(quick, "get_variables", "o3", keys=["AlignedDataCtrlr.Interval", "No.Such"])
        rows = [
            {
                "attributeStatus": "Accepted",
                "attributeValue": "900",
                "component": {"name": "AlignedDataCtrlr"},
                "variable": {"name": "Interval"},
            },
            {"attributeStatus": "UnknownComponent", "component": {"name": "No"}, "variable": {"name": "Such"}},
        ]
        await charger.expect_request("GetVariables", {"getVariableResult": rows})
        effect = (await command)["effect"]
        assert (effect["values"], effect["unknown"]) == ({"AlignedDataCtrlr.Interval": "900"}, ["No.Such"])
        command = operate(quick, "get_log", "o4", location="https://logs.example/in/")
        request = await charger.expect_request("GetLog", {"status": "Accepted", "filename": "l.gz"})
        await charger.send("LogStatusNotification", status="Uploaded", requestId=request["requestId"])
        assert (await command)["effect"] == {"file": "l.gz", "upload": "Uploaded"}
        command = drive(quick, "reserve", "d1", connector=1, token="TAGADA")
        await charger.expect_request("ReserveNow", {"status": "Occupied"})
        assert (await command)["outcome"] == "rejected"


async def test_six_ends_of_a_call_are_six_outcomes(quick: Running, connect: Connect) -> None:
    seen = []
    answers: tuple[Any, ...] = (
        [3, {"status": "Rejected"}],
        [4, "NotImplemented", "", {}],
        [4, "InternalError", "oh", {}],
        [3, {"status": "Perhaps"}],
        None,
        "close",
    )
    for number, answer in enumerate(answers):
        async with connect() as charger:
            await charger.boot()
            command = operate(quick, "start", f"k{number}", connector=1, token="TAGADA")
            frame = await charger.take("RequestStartTransaction")
            if answer == "close":
                await charger.socket.close()
            elif isinstance(answer, list):
                await charger.raw([answer[0], frame[1], *answer[1:]])
            seen.append((await command)["outcome"])
    assert seen == ["rejected", "not_supported", "call_error", "invalid_answer", "timed_out", "disconnected"]


async def test_a_refresh_asks_for_each_connector(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        answer = asyncio.create_task(quick.api.post("/v1/chargers/CL-1042/refresh", json={}))
        for evse in (1, 2):
            request = await charger.expect_request("TriggerMessage", ACCEPTED)
            assert request["evse"] == {"id": evse, "connectorId": 1}
            await charger.status("Available", evse)
        assert [row["status"] for row in (await answer).json()["connectors"]] == ["Available", "Available"]


async def test_tc_b_12_all_variables_come_in_parts_and_are_kept(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot()
        assert (await quick.operator.get("/v1/chargers/CL-1042/variables")).status_code == 404
        command = operate(quick, "get_variables", "o9")
        asked = await charger.expect_request("GetBaseReport", {"status": "Accepted"})
        assert asked["reportBase"] == "FullInventory"
        parts = [
            [
                row("AlignedDataCtrlr", "Interval", "900"),
                row("SecurityCtrlr", "BasicAuthPassword", "geheim", type="Actual"),
                {"component": {"name": "Odd"}, "variable": 5},
            ],
            [row("Connector", "AvailabilityState", "Available", evse={"id": 1, "connectorId": 1})],
        ]
        for number, rows in enumerate(parts):
            more = number + 1 < len(parts)
            told = {"requestId": asked["requestId"], "generatedAt": AT, "seqNo": number, "tbc": more}
            assert await charger.send("NotifyReport", **told, reportData=rows) == {}
        done = await command
        assert (done["state"], done["effect"]) == ("verified", {"variables": 3, "proof": "report"})
    for kept in (True, False):
        found = (await quick.operator.get("/v1/chargers/CL-1042/variables")).json()
        assert found["complete"]
        assert found["variables"] == {
            "AlignedDataCtrlr.Interval": "900",
            "SecurityCtrlr.BasicAuthPassword": "(not shown)",
            "Connector(1,1).AvailabilityState": "Available",
        }
        if kept:  # and from the store, as after a restart
            await quick.bridge._recorder.flush()
            quick.bridge.picture.live("CL-1042").report = None
    assert (await quick.api.get("/v1/chargers/CL-1042/variables")).status_code == 403


async def test_a_report_that_stops_half_way_is_no_report(quick: Running, connect: Connect) -> None:
    async with connect() as charger:
        await charger.boot()
        command = operate(quick, "get_variables", "o9")
        asked = await charger.expect_request("GetBaseReport", {"status": "Accepted"})
        rows = [row("AlignedDataCtrlr", "Interval", "900")]
        told = {"generatedAt": AT, "seqNo": 0, "tbc": True, "reportData": rows}
        await charger.send("NotifyReport", requestId=asked["requestId"], **told)
        with pytest.raises(CallErrorAnswer):
            await charger.send("NotifyReport", requestId=2**62, **told)
        assert ((await command)["state"], (await command)["outcome"]) == ("not_verified", "accepted_no_effect")


def row(component: str, variable: str, value: str, evse: Any = None, **attribute: Any) -> dict[str, Any]:
    place = {"name": component} if evse is None else {"name": component, "evse": evse}
    return {
        "component": place,
        "variable": {"name": variable},
        "variableAttribute": [{"type": "Target", "value": "x"}, {"value": value, **attribute}],
    }
