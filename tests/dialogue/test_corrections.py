"""A charger or cable that is corrected: the playbook goes on there unasked, nothing more is done at the old one, and what was done is said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.actions.fake_bridge import FakeBridge, charger, connector, session
from tests.dialogue.talk import Talk

START = ["say_starting", "say_charging"]


@pytest.mark.parametrize(
    ("intent", "text"),
    [
        ("deny", "no, 43"),
        ("provide_charger_id", "sorry its CL-1043 not 1044"),
        ("provide_charger_id", "1043"),
        ("deny", "non, la 43"),
        ("nlu_fallback", "perdon digo el 43"),
        ("affirm", "yes but i meant 1043"),
        ("session_not_starting", "i mean 43 wont start"),
    ],
)
async def test_a_corrected_number_goes_on_there(talk: Talk, intent: str, text: str) -> None:
    assert (await talk.say("session_not_starting", "1044 wont start"))[0].startswith("say_offline")
    assert await talk.say(intent, text) == START
    assert talk.commands == [("start", "CL-1043")]


@pytest.mark.parametrize("text", ["the other one", "no the other side", "el otro", "l'autre"])
async def test_the_other_one_is_the_other_cable(talk: Talk, bridge: FakeBridge, text: str) -> None:
    bridge.ends = [{"state": "rejected", "outcome": "rejected"}]
    await talk.say("session_not_starting", "1045 does nothing")
    await talk.say("provide_charger_id", "left")
    assert await talk.say("provide_charger_id", text) == START
    assert [body["connector"] for body in bridge.bodies.values()] == [1, 2]


@pytest.mark.parametrize(
    "text", ["right i mean", "no, the right one", "digo la derecha", "celle de droite je veux dire"]
)
async def test_a_side_is_corrected(talk: Talk, bridge: FakeBridge, text: str) -> None:
    bridge.ends = [{"state": "rejected", "outcome": "rejected"}]
    await talk.say("session_not_starting", "1045 does nothing")
    await talk.say("provide_charger_id", "left")
    assert await talk.say("provide_charger_id", text) == START
    assert [body["connector"] for body in bridge.bodies.values()] == [1, 2]


async def test_while_asked_for_the_cable_the_charger_can_be_corrected(talk: Talk) -> None:
    assert await talk.say("session_not_starting", "1045 does nothing") == ["say_ask_connector"]
    assert await talk.say("deny", "no, 43") == START
    assert not talk.active


async def test_while_asked_for_the_charger_a_no_with_a_number_is_the_answer(talk: Talk) -> None:
    assert await talk.say("session_not_starting", "wont start") == ["say_ask_charger"]
    assert await talk.say("deny", "no number, oh wait 1043") == START


async def test_the_wrong_one_without_another_is_asked_for(talk: Talk) -> None:
    await talk.say("session_not_starting", "1044 wont start")
    assert await talk.say("deny", "wrong one") == ["say_ask_charger"]
    assert await talk.say("provide_charger_id", "42") == START


async def test_a_corrected_charger_with_two_cables_is_asked_for_the_cable_only(talk: Talk, bridge: FakeBridge) -> None:
    await talk.say("session_not_starting", "1044 wont start")
    assert await talk.say("deny", "no, 45") == ["say_ask_connector"]
    assert await talk.tap(talk.choices[1]) == START
    assert [body["connector"] for body in bridge.bodies.values()] == [2]


async def test_a_plug_that_comes_to_the_old_charger_starts_nothing(talk: Talk, bridge: FakeBridge) -> None:
    assert await talk.say("session_not_starting", "1046 wont start") == ["say_plug_not_seen_watched"]
    await talk.say("deny", "no, 42")
    bridge.chargers["CL-1046"]["connectors"][0]["status"] = "Preparing"
    assert await talk.woken(bridge.watches[0]) == []
    assert talk.commands == [("start", "CL-1042")]


async def test_a_plug_that_comes_after_a_no_starts_nothing(talk: Talk, bridge: FakeBridge) -> None:
    await talk.say("session_not_starting", "1046 wont start")
    assert await talk.say("deny", "no leave it") == ["say_left_alone"]
    bridge.chargers["CL-1046"]["connectors"][0]["status"] = "Preparing"
    assert await talk.woken(bridge.watches[0]) == []
    assert talk.commands == []


async def test_who_goes_back_to_the_first_charger_is_served_there(talk: Talk, bridge: FakeBridge) -> None:
    await talk.say("session_not_starting", "1046 wont start")
    await talk.say("deny", "no, 44")
    assert await talk.say("provide_charger_id", "sorry 1046 was right") == ["say_plug_not_seen_watched"]
    bridge.chargers["CL-1046"]["connectors"][0]["status"] = "Preparing"
    assert await talk.woken(bridge.watches[-1]) == ["say_plug_seen", "say_charging"]


def begun(driver: str) -> dict[str, Any]:
    return {"state": "verified", "then": {"session": session(driver, 40), "status": "Charging"}}


async def test_a_session_begun_at_the_wrong_charger_is_said_and_closed_on_a_word(
    talk: Talk, bridge: FakeBridge
) -> None:
    bridge.ends = [begun("drv-ada")]
    assert await talk.say("session_not_starting", "1042 wont start") == START
    assert await talk.say("deny", "no, 43") == ["say_corrected_started"]
    assert talk.commands == [("start", "CL-1042")]
    said = await talk.say("stop_charging", "FINISH")
    assert said == ["say_session_ending", "say_session_over", *START]
    assert talk.commands == [("start", "CL-1042"), ("stop", "CL-1042"), ("start", "CL-1043")]


async def test_the_same_by_a_bare_yes(talk: Talk, bridge: FakeBridge) -> None:
    bridge.ends = [begun("drv-ada")]
    await talk.say("session_not_starting", "1042 wont start")
    await talk.say("provide_charger_id", "i meant 1043")
    await talk.say("affirm", "yes")
    assert talk.commands == [("start", "CL-1042"), ("stop", "CL-1042"), ("start", "CL-1043")]


async def test_a_start_at_the_wrong_charger_that_fails_later_is_not_tried_again(talk: Talk, bridge: FakeBridge) -> None:
    bridge.ends = [{"state": "answered", "finished": False}]
    await talk.say("session_not_starting", "1042 wont start")
    assert (await talk.say("deny", "no, 43"))[0] == "say_corrected_asked"
    bridge.finish("cmd_1", state="disconnected", outcome="disconnected")
    assert await talk.tap('/EXTERNAL_command_finished{"command_id": "cmd_1"}') == []
    assert talk.commands == [("start", "CL-1042"), ("start", "CL-1043")]


async def test_a_start_at_the_wrong_charger_that_succeeds_later_is_told(talk: Talk, bridge: FakeBridge) -> None:
    bridge.ends = [{"state": "answered", "finished": False}]
    await talk.say("session_not_starting", "1042 wont start")
    await talk.say("deny", "no, 44")
    bridge.finish("cmd_1", state="verified")
    assert await talk.tap('/EXTERNAL_command_finished{"command_id": "cmd_1"}') == ["say_charging"]


def ended(driver: str) -> dict[str, Any]:
    """A session at 1042 that is over since a few minutes."""
    return {**session(driver, 900), "state": "ended", "ended_at": "2026-01-01T12:05:00Z"}


async def test_an_unlock_at_the_wrong_charger_is_said(talk: Talk, bridge: FakeBridge) -> None:
    for label in ("1042", "1043"):
        bridge.chargers[f"CL-{label}"] = charger(label, connector(1, "Finishing", tethered=False))
    bridge.ended = [ended("drv-ada")]
    await talk.say("connector_stuck", "cable stuck at 1042")
    assert (await talk.say("deny", "no, 43"))[0] == "say_corrected_unlocked"


@pytest.mark.parametrize("text", ["no i already waited 20", "no thanks", "no i tried it 3 times", "no dont reset it"])
async def test_a_no_with_a_number_in_passing_is_a_no(talk: Talk, text: str) -> None:
    await talk.say("session_not_starting", "1044 wont start")
    assert await talk.say("deny", text) == ["say_left_alone"]
    assert talk.commands == []


async def test_the_same_number_again_is_no_correction(talk: Talk) -> None:
    await talk.say("session_not_starting", "1044 wont start")
    assert (await talk.say("provide_charger_id", "its 1044"))[0].startswith("say_offline")
    assert talk.commands == []


async def test_of_two_cables_of_one_charger_each_is_named(talk: Talk, bridge: FakeBridge) -> None:
    bridge.ends = [{"state": "verified", "then": {"session": session("drv-ada", 40, "CL-1045"), "status": "Charging"}}]
    await talk.say("session_not_starting", "1045 does nothing")
    await talk.say("provide_charger_id", "left")
    assert await talk.say("deny", "sorry, the other one") == ["say_corrected_started"]
    said = next(reply for reply in talk.replies if reply.get("response") == "say_corrected_started")
    assert (said["old"], said["charger"]) == ("1045 (Connector 1)", "1045 (Connector 2)")
