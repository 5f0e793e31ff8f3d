"""Start and stop on OCPP 1.6: what the charger answered is one thing, what was then seen is the outcome."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.scripted import ScriptedCharger

ACCEPTED = {"status": "Accepted"}


async def test_tc_010_remote_start_is_verified_by_transaction_and_charging(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = asyncio.create_task(quick.start())
        request = await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        assert request == {"connectorId": 1, "idTag": "TAGADA"}
        await charger.start("TAGADA")
        await charger.status("Charging")
        done = await command
    assert (done["state"], done["outcome"], done["answer"]) == ("verified", "verified", "Accepted")
    assert done["session"].startswith("ses_")
    assert done["effect"]["status"] == "Charging"


async def _begin(running: Running, charger: ScriptedCharger) -> tuple[asyncio.Task[dict[str, Any]], int]:
    """A start command as far as Charging, with the meter at 1000 Wh."""
    await charger.boot()
    command = asyncio.create_task(running.start())
    await charger.expect_request("RemoteStartTransaction", ACCEPTED)
    transaction: int = (await charger.start("TAGADA"))["transactionId"]
    await charger.status("Charging")
    return command, transaction


async def test_charging_without_any_meter_value_is_proved_by_status_at_the_end_of_the_window(quick: Running) -> None:
    async with quick.charger() as charger:
        command, _ = await _begin(quick, charger)
        await charger.no_request(0.3, but="TriggerMessage")
        assert not command.done()
        done = await command
    assert (done["state"], done["effect"]["proof"]) == ("verified", "status")


async def test_meter_values_are_asked_for_at_charging_and_once_more(quick: Running) -> None:
    async with quick.charger() as charger:
        command, transaction = await _begin(quick, charger)
        asked = await charger.expect_request("TriggerMessage", ACCEPTED)
        assert asked == {"requestedMessage": "MeterValues", "connectorId": 1}
        await charger.meter(transaction, 1000)
        assert not command.done()
        await charger.expect_request("TriggerMessage", ACCEPTED)
        await charger.meter(transaction, 1003)
        done = await command
    assert (done["state"], done["effect"]["proof"], done["effect"]["energy_wh"]) == ("verified", "energy", 3)


async def test_a_meter_that_stands_still_is_no_charging_whatever_the_status_says(quick: Running) -> None:
    async with quick.charger() as charger:
        command, transaction = await _begin(quick, charger)
        for wh in (1000, 1000, 900):
            await charger.meter(transaction, wh)
        done = await command
    assert (done["state"], done["outcome"]) == ("not_verified", "no_energy")


@pytest.mark.parametrize(("measured", "outcome"), [("Power.Active.Import", "verified"), ("Voltage", "no_energy")])
async def test_power_proves_energy_where_the_charger_reports_none(quick: Running, measured: str, outcome: str) -> None:
    async with quick.charger() as charger:
        command, transaction = await _begin(quick, charger)
        sampled = [{"value": "7000", "measurand": measured}]
        values = [{"timestamp": "2026-01-01T12:00:00Z", "sampledValue": sampled}]
        await charger.send("MeterValues", connectorId=1, transactionId=transaction, meterValue=values)
        done = await command
    assert done["outcome"] == outcome
    assert done["effect"].get("proof") == ("power" if outcome == "verified" else None)


async def test_a_command_waits_for_a_charger_that_dropped_a_moment_ago(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
    await asyncio.sleep(0.05)
    assert (await quick.api.get("/v1/chargers/CL-1042")).json()["connection"]["state"] == "returning"
    command = asyncio.create_task(quick.start())
    await asyncio.sleep(0.1)
    async with quick.charger() as charger:
        await charger.expect_request("RemoteStartTransaction", {"status": "Rejected"})
        assert (await command)["outcome"] == "rejected"


async def test_a_refresh_of_all_connectors_asks_once(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        answer = asyncio.create_task(
            quick.api.post("/v1/chargers/CL-1042/refresh", json={"connector": None, "max_age_s": 0})
        )
        assert await charger.expect_request("TriggerMessage", ACCEPTED) == {"requestedMessage": "StatusNotification"}
        await charger.status("Preparing", 1)
        await charger.status("Faulted", 2)
        rows = (await answer).json()["connectors"]
        assert [row["status"] for row in rows] == ["Preparing", "Faulted"]
        await charger.no_request()


async def test_rising_energy_verifies_where_charging_is_never_reported(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = asyncio.create_task(quick.start())
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        transaction = (await charger.start("TAGADA", meter=100))["transactionId"]
        await charger.meter(transaction, 112)
        done = await command
    assert done["state"] == "verified"
    assert done["effect"]["energy_wh"] == 12


async def test_tc_011_2_accepted_and_then_nothing_is_not_a_start(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = asyncio.create_task(quick.start())
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        await charger.status("Charging")  # a lie: there is no transaction
        done = await command
    assert (done["state"], done["outcome"]) == ("not_verified", "accepted_no_effect")


async def test_another_drivers_transaction_is_not_this_commands_effect(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = asyncio.create_task(quick.start())
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        await charger.start("TAGBEN")
        await charger.status("Charging")
        done = await command
    assert (done["state"], done["outcome"]) == ("not_verified", "accepted_no_effect")


async def test_a_transaction_without_current_is_a_car_that_does_not_draw(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = asyncio.create_task(quick.start())
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        await charger.start("TAGADA")
        await charger.status("SuspendedEV")
        done = await command
    assert (done["state"], done["outcome"]) == ("not_verified", "car_not_drawing")
    assert done["session"]


async def test_six_ends_of_a_call_are_six_outcomes(quick: Running) -> None:
    seen = []
    for number, answer in enumerate(
        (
            [3, {"status": "Rejected"}],
            [4, "NotSupported", "", {}],
            [4, "InternalError", "oh", {}],
            [3, {"status": "Perhaps"}],
            None,
            "close",
        )
    ):
        async with quick.charger() as charger:
            await charger.boot()
            command = asyncio.create_task(_operator_start(quick, f"k{number}"))
            frame = await charger.take("RemoteStartTransaction")
            if answer == "close":
                await charger.socket.close()
            elif isinstance(answer, list):
                await charger.raw([answer[0], frame[1], *answer[1:]])
            done = await command
            seen.append((done["state"], done["outcome"]))
    assert seen == [
        ("rejected", "rejected"),
        ("rejected", "not_supported"),
        ("rejected", "call_error"),
        ("not_verified", "invalid_answer"),
        ("timed_out", "timed_out"),
        ("disconnected", "disconnected"),
    ]


async def _operator_start(running: Running, key: str) -> dict[str, Any]:
    body = {
        "action": "start",
        "connector": 1,
        "token": "TAGADA",
        "actor": {"tier": 4},
        "idempotency_key": key,
        "wait_s": 5,
    }
    found: dict[str, Any] = (await running.operator.post("/v1/chargers/CL-1042/commands", json=body)).json()
    return found


async def test_a_charger_that_is_not_connected_is_reported_so_and_nothing_is_sent(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
    done = await quick.start()
    assert (done["state"], done["outcome"], done["sent_at"]) == ("disconnected", "disconnected", None)


async def test_a_lost_answer_does_not_hide_a_start_that_was_seen(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = asyncio.create_task(quick.start())
        await charger.take("RemoteStartTransaction")  # never answered
        await charger.start("TAGADA")
        await charger.status("Charging")
        done = await command
    assert done["state"] == "verified"


async def test_an_answer_after_the_deadline_changes_nothing_and_is_kept(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        command = asyncio.create_task(quick.start())
        frame = await charger.take("RemoteStartTransaction")
        done = await command
        assert (done["state"], done["outcome"]) == ("timed_out", "timed_out")
        await charger.raw([3, frame[1], {"status": "Accepted"}])
        await charger.send("Heartbeat")
        rows = (await quick.operator.get("/v1/chargers/CL-1042/deviations")).json()["deviations"]
        assert [(row["action"], row["detail"]) for row in rows if row["kind"] == "late_answer"] == [
            ("RemoteStartTransaction", "Accepted after the deadline")
        ]
        assert (await quick.api.get(f"/v1/commands/{done['id']}")).json()["state"] == "timed_out"


async def test_the_same_key_is_the_same_command_and_is_sent_once(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        both = asyncio.gather(quick.start("same"), quick.start("same"))
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        await charger.start("TAGADA")
        await charger.status("Charging")
        first, second = await both
        assert first["id"] == second["id"]
        await charger.no_request(but="TriggerMessage")
    body = {
        "action": "start",
        "connector": 2,
        "token": "TAGADA",
        "actor": {"driver": "drv-ada", "tier": 1},
        "idempotency_key": "same",
    }
    response = await quick.api.post("/v1/chargers/CL-1042/commands", json=body)
    assert response.status_code == 409
    assert response.json()["type"] == "urn:chargeline:key-reused"


async def test_tc_012_remote_stop_is_verified_by_the_end_of_that_transaction(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        transaction = (await charger.start("TAGADA"))["transactionId"]
        await charger.status("Charging")
        session = (await quick.connector())["session"]["id"]
        command = asyncio.create_task(quick.command("stop", "s1", session=session))
        assert await charger.expect_request("RemoteStopTransaction", ACCEPTED) == {"transactionId": transaction}
        await charger.send(
            "StopTransaction",
            transactionId=transaction,
            meterStop=1500,
            timestamp="2026-01-01T13:00:00Z",
            reason="Remote",
        )
        done = await command
        assert (done["state"], done["session"], done["connector"]) == ("verified", session, 1)
        again = await quick.command("stop", "s2", session=session)
        assert again["state"] == "verified"
        await charger.no_request()


async def test_a_stop_without_the_end_of_the_transaction_is_not_done(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        await charger.start("TAGADA")
        session = (await quick.connector())["session"]["id"]
        command = asyncio.create_task(quick.command("stop", "s1", session=session))
        await charger.expect_request("RemoteStopTransaction", ACCEPTED)
        done = await command
    assert (done["state"], done["outcome"]) == ("not_verified", "accepted_no_effect")


@pytest.mark.parametrize(
    ("status", "rule"),
    [(status, "no-start-on-trouble") for status in ("Faulted", "Unavailable", "Reserved", "Finishing", "Charging")],
)
async def test_no_start_on_trouble(quick: Running, status: str, rule: str) -> None:
    async with quick.charger() as charger:
        await charger.boot(status)
        done = await quick.start()
        assert (done["state"], done["refused"]["rule"]) == ("refused", rule)
        await charger.no_request()


async def test_nobody_stops_somebody_elses_session_whatever_they_say(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        await charger.start("TAGBEN")
        session = (await quick.connector())["session"]["id"]
        for number, tier in enumerate((0, 1, 2, 3)):
            actor = {"driver": "drv-ada", "tier": tier}
            done = await quick.command("stop", f"s{number}", session=session, actor=actor, reason="it is my car")
            assert done["refused"]["rule"] == "own-session-only"
        done = await quick.command("stop", "s9", session=session, actor={"driver": "drv-ben", "tier": 99})
        assert done["refused"]["rule"] == "unknown-tier"
        body = {"action": "stop", "session": session, "actor": {"driver": "drv-ada", "tier": 2}, "idempotency_key": "o"}
        answer = await quick.operator.post("/v1/chargers/CL-1042/commands", json=body)
        assert answer.json()["refused"]["rule"] == "own-session-only"  # a driver's tier is a driver's right
        await charger.no_request()


@pytest.mark.parametrize(
    ("token", "rule"),
    [
        ("TAGBAD", "no-free-energy"),
        ("TAGOLD", "no-free-energy"),
        ("NOBODY", "no-free-energy"),
        ("TAGBEN", "own-session-only"),
    ],
)
async def test_only_an_accepted_token_of_the_driver_starts(quick: Running, token: str, rule: str) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        done = await quick.start(token=token)
        assert done["refused"]["rule"] == rule
        await charger.no_request()


async def test_guests_charge_only_where_the_operator_switched_it_on(launch: Any) -> None:
    off: Running = await launch()
    response = await off.api.post("/v1/guest-tokens", json={"driver": "guest:web_1"})
    assert (response.status_code, response.json()["type"]) == (403, "urn:chargeline:no-free-energy")
    await off.bridge.stop()
    on: Running = await launch(guest_starts=True)
    token, again = [(await on.api.post("/v1/guest-tokens", json={"driver": "guest:web_1"})).json() for _ in range(2)]
    assert token == again
    assert token["guest"]
    async with on.charger() as charger:
        await charger.boot()
        actor = {"driver": "guest:web_1", "tier": 0}
        command = asyncio.create_task(on.start(token=token["id"], actor=actor))
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        transaction = (await charger.start(token["id"]))["transactionId"]
        await charger.meter(transaction, 1001)
        assert (await command)["state"] == "verified"


async def test_a_paid_session_starts_without_a_guest_policy_and_only_who_saw_the_money_says_that_it_is_paid(
    launch: Any,
) -> None:
    on: Running = await launch(bridge_payment_key="key-payment")
    paid = {"driver": "guest:web_1", "payment": "pay_1"}
    for refused in (on.api, on.operator):
        assert (await refused.post("/v1/paid-tokens", json=paid)).status_code == 401
    key = {"Authorization": "Bearer key-payment"}
    token, again, other = [
        (await on.api.post("/v1/paid-tokens", json=body, headers=key)).json()
        for body in (paid, paid, {**paid, "payment": "pay_2"})
    ]
    assert token == again
    assert token["id"] != other["id"]
    assert token["expires_at"] is not None
    assert (await on.api.post("/v1/paid-tokens", json={"driver": "guest:web_1"}, headers=key)).status_code == 422
    async with on.charger() as charger:
        await charger.boot()
        theft = await on.start(token=token["id"], key="k2", actor={"driver": "guest:web_2", "tier": 1})
        assert theft["refused"]["rule"] == "own-session-only"
        actor = {"driver": "guest:web_1", "tier": 1}
        command = asyncio.create_task(on.start(token=token["id"], actor=actor))
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        transaction = (await charger.start(token["id"]))["transactionId"]
        await charger.meter(transaction, 1001)
        assert (await command)["state"] == "verified"
