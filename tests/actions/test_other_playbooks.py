"""The driver's own session, payments, questions, damage, danger: each branch, and what is never done."""

import ast
from pathlib import Path

import pytest

from actions.charging import BridgeClient
from actions.playbooks.book import PLAYBOOKS, RESTART
from actions.playbooks.steps import Offer, Outcome, Say
from tests.actions.fake_bridge import FakeBridge, authorization, charger, connector, session
from tests.actions.playing import GUEST, contact, play, wake

FOLDER = Path(__file__).parents[2] / "actions/playbooks"


def running(bridge: FakeBridge, status: str = "Charging", driver: str = "drv-ada", energy: float = 4200) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, status, session=session(driver, energy)))


def ended(reason: str) -> dict[str, object]:
    return session("drv-ada", 4200, state="ended", ended_at="2026-01-01T12:02:00Z", stop_reason=reason)


# --- stop


async def test_the_own_session_ends_and_is_told_with_what_it_brought(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    running(bridge)
    played = await play(chargers, contact("stop_charging", None, None))
    assert played.said == ["say_session_ending", "say_session_over"]
    assert (played.values["energy"], played.values["duration"]) == ("4.2 kWh", "30 min")
    [body] = bridge.bodies.values()
    assert (body["action"], body["session"]) == ("stop", "ses_CL-1042_1")


async def test_a_strangers_session_is_not_ended(bridge: FakeBridge, chargers: BridgeClient) -> None:
    running(bridge, driver="drv-bob")
    assert (await play(chargers, contact("stop_charging"))).said == ["say_session_not_yours"]
    assert bridge.commands == {}


async def test_no_session_is_said_to_be_none(bridge: FakeBridge, chargers: BridgeClient) -> None:
    assert (await play(chargers, contact("stop_charging", None, None))).said == ["say_no_session"]


async def test_an_end_that_did_not_come_is_not_claimed(bridge: FakeBridge, chargers: BridgeClient) -> None:
    running(bridge)
    bridge.ends = [{"state": "not_verified", "outcome": "accepted_no_effect"}]
    played = await play(chargers, contact("stop_charging"))
    assert (played.said[-1], played.outcome) == ("say_finish_failed", Outcome.HANDED_OVER)


async def test_a_slow_end_is_watched_and_told(bridge: FakeBridge, chargers: BridgeClient) -> None:
    running(bridge)
    bridge.ends = [{"state": "answered", "finished": False}]
    played = await play(chargers, contact("stop_charging"))
    assert (played.said[-1], played.waiting) == ("say_finish_waiting", ["stop"])
    bridge.finish("cmd_1", state="verified")
    over = await wake(chargers, contact("stop_charging"), "stop", command="cmd_1")
    assert over.said == ["say_session_over_plain"], "what it brought is not known yet, so it is not told"


async def test_of_two_own_sessions_the_driver_chooses(bridge: FakeBridge, chargers: BridgeClient) -> None:
    running(bridge)
    bridge.chargers["CL-1043"] = charger(
        "1043", connector(1, "Charging", session=session("drv-ada", 1, charger="CL-1043"))
    )
    assert (await play(chargers, contact("stop_charging", None, None))).said == ["say_which_session"]
    assert bridge.commands == {}


# --- status, slow, stopped early


async def test_status_comes_from_the_meter(bridge: FakeBridge, chargers: BridgeClient) -> None:
    running(bridge)
    played = await play(chargers, contact("session_status", None, None))
    assert (played.said, played.values["power"]) == (["say_session_now"], "7.0 kW")


async def test_without_a_running_session_the_last_one_is_told(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ended = [ended("Local")]
    assert (await play(chargers, contact("session_status", None, None))).said == ["say_session_last"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("Charging", ["say_slow", "say_slow_car"]),
        ("SuspendedEV", ["say_suspended_car"]),
        ("SuspendedEVSE", ["say_suspended_charger"]),
    ],
)
async def test_slow_charging_is_explained_by_what_is_measured(
    bridge: FakeBridge, chargers: BridgeClient, status: str, said: list[str]
) -> None:
    running(bridge, status)
    bridge.chargers["CL-1042"]["connectors"][0]["session"]["power_w"] = 4100
    assert (await play(chargers, contact("charging_slow", None, None))).said == said
    assert bridge.commands == {}


async def test_a_connector_that_gives_all_it_can_is_not_called_slow(bridge: FakeBridge, chargers: BridgeClient) -> None:
    running(bridge)
    bridge.chargers["CL-1042"]["connectors"][0]["session"]["power_w"] = 7100
    assert (await play(chargers, contact("charging_slow", None, None))).said == ["say_slow_full"]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("EVDisconnected", "say_ended_unplugged"),
        ("PowerLoss", "say_ended_power"),
        ("DeAuthorized", "say_ended_card"),
        ("SOCLimitReached", "say_ended_car"),
        ("NeverHeardOf", "say_ended_other"),
    ],
)
async def test_an_early_end_has_its_reason(bridge: FakeBridge, chargers: BridgeClient, reason: str, said: str) -> None:
    bridge.ended = [ended(reason)]
    played = await play(chargers, contact("session_stopped_early", None, None))
    assert (played.said, played.offer) == ([said, "say_ended_go_on"], Offer.RETRY)


async def test_after_an_emergency_nothing_is_offered_but_a_person(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ended = [ended("EmergencyStop")]
    played = await play(chargers, contact("session_stopped_early", None, None))
    assert (played.said, played.offer) == (["say_ended_emergency"], Offer.PERSON)


# --- payment


async def test_a_failed_payment_starts_nothing_and_the_account_takes_the_drivers_word(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    played = await play(chargers, contact("payment_failed", reported=["bank_card"]))
    assert (played.said, played.offer) == (["say_payment_own_account"], Offer.START)
    assert bridge.commands == {}


async def test_which_card_is_asked_only_where_neither_words_nor_the_charger_tell(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    asked = await play(chargers, contact("payment_failed"))
    assert asked.said == ["say_which_card"]
    choices = next(step.choices for step in asked.steps if isinstance(step, Say))
    assert [choice.payload for choice in choices] == ["/payment_failed", "/rfid_failed"]
    bridge.authorizations = [authorization("Blocked")]
    assert (await play(chargers, contact("payment_failed"))).said == ["say_payment_own_account"]


@pytest.mark.parametrize(("turn", "said"), [(GUEST, "say_payment_other_way"), (None, "say_card_blocked")])
async def test_without_a_usable_account_there_are_other_ways(
    bridge: FakeBridge, chargers: BridgeClient, turn: object, said: str
) -> None:
    bridge.tokens["drv-ada"][0]["status"] = "Blocked"
    about = contact("payment_failed", turn=GUEST) if turn else contact("payment_failed")
    played = await play(chargers, about)
    assert (played.said, played.offer) == ([said], Offer.PERSON)
    assert bridge.commands == {}


# --- questions, damage, places


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (charger("1042", connector(1, "Available")), "say_looks_fine"),
        (charger("1042", connector(1, "Preparing")), "say_looks_fine_plugged"),
        (charger("1042", connector(1, "Faulted")), "say_faulted"),
        (charger("1042", connector(1, "Unavailable")), "say_unavailable"),
        (charger("1042", connector(1, "Charging", session=session("drv-bob"))), "say_looks_in_use"),
        (charger("1042", connector(1, "Reserved")), "say_reserved"),
        (charger("1042", connector(1, "Available"), connector(2, "Charging")), "say_looks_partly_free"),
        (charger("1042", state="disconnected"), "say_offline_since_unknown"),
    ],
)
async def test_a_question_is_answered_by_the_live_state_and_nothing_is_done(
    bridge: FakeBridge, chargers: BridgeClient, row: dict[str, object], said: str
) -> None:
    bridge.chargers["CL-1042"] = row
    assert (await play(chargers, contact("status_question_about_charger", connector=None))).said == [said]
    assert bridge.commands == {}
    assert bridge.watches == []


async def test_damage_is_noted_and_takes_nothing_out_of_service(bridge: FakeBridge, chargers: BridgeClient) -> None:
    played = await play(chargers, contact("report_damage"))
    assert (played.said, played.outcome) == (["say_damage_noted"], Outcome.HANDED_OVER)
    assert bridge.commands == {}


async def test_the_nearest_is_found_from_where_the_driver_stands(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1043"] = charger("1043", connector(1, "Available"), site={"name": "Elgin"}, latitude=45.421)
    bridge.around = ["CL-1043"]
    played = await play(chargers, contact("find_charger"))
    assert (played.said, played.values["list"]) == (["say_near_list"], "1043 Elgin, 100 m, J1772 7.2 kW")
    assert (await play(chargers, contact("find_charger", None, None))).said == ["say_find_where"]


# --- danger


async def test_danger_ends_the_session_then_takes_the_connector_out(bridge: FakeBridge, chargers: BridgeClient) -> None:
    running(bridge, driver="drv-bob")
    played = await play(chargers, contact("safety_hazard", turn=GUEST))
    assert [(body["action"], body["reason"]) for body in bridge.bodies.values()] == [
        ("stop", "hazard"),
        ("inoperative", "hazard"),
    ]
    assert (played.said, played.outcome) == (["say_hazard_out"], Outcome.HANDED_OVER)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ({"state": "refused", "refused": {"rule": "hazard-first", "why": "…"}}, "say_hazard_limit"),
        ({"state": "not_verified", "outcome": "accepted_no_effect"}, "say_hazard_unconfirmed"),
        ({"state": "answered", "finished": False}, "say_hazard_unconfirmed"),
        ({"state": "disconnected", "outcome": "disconnected"}, "say_hazard_offline"),
    ],
)
async def test_what_is_not_confirmed_is_not_called_off(
    bridge: FakeBridge, chargers: BridgeClient, end: dict[str, object], said: str
) -> None:
    bridge.ends = [end]
    played = await play(chargers, contact("safety_hazard"))
    assert (played.said, played.outcome) == ([said], Outcome.HANDED_OVER)


async def test_without_a_charger_it_is_asked_for_and_people_know_already(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    played = await play(chargers, contact("safety_hazard", None, None))
    assert (played.said, played.end.handoff) == (["say_hazard_ask"], "danger was reported")


async def test_people_hear_of_danger_with_the_bridge_away_too(chargers: BridgeClient, bridge: FakeBridge) -> None:
    bridge.unavailable = 1000
    played = await play(chargers, contact("safety_hazard"))
    assert (played.said, played.end.handoff) == (["say_hazard_known"], "danger was reported")


# --- all of them


def test_no_playbook_imports_rasa_http_or_time() -> None:
    banned = {"rasa", "rasa_sdk", "httpx", "sanic", "time", "asyncio", "random", "sqlite3", "requests"}
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in banned, f"{file.name} imports {name}"
                assert not name.startswith(("actions.charging", "actions.dialogue", "actions.store", "chargeline"))


def test_every_problem_has_a_rule() -> None:
    rules = "".join(file.read_text("utf-8") for file in (FOLDER.parents[1] / "data/rules").glob("*.yml"))
    for problem in PLAYBOOKS.keys() - {RESTART}:  # an order to restart is heard in the words of any intent
        assert f"intent: {problem}\n" in rules
