"""Between question and answer: a wish for time, who is writing here, once more please; and a number that is only that."""

from __future__ import annotations

import pytest

from actions.dialogue.beside import asks_again, asks_if_machine, asks_to_wait, only_a_number
from tests.actions.fake_bridge import FakeBridge
from tests.dialogue.talk import Talk

START = ["say_starting", "say_charging"]
WAITS = ["hang on walking over to look", "esperame tantito", "attends minute je vais voir le numéro", "one sec pls"]


@pytest.mark.parametrize("text", WAITS)
@pytest.mark.parametrize("intent", ["goodbye", "out_of_scope", "reservation", "deny", "affirm", "provide_charger_id"])
async def test_who_wants_a_moment_gets_it_and_the_question_stands(talk: Talk, intent: str, text: str) -> None:
    assert await talk.say("session_not_starting", "wont start") == ["say_ask_charger"]
    assert await talk.say(intent, text) == ["say_take_your_time"]
    assert await talk.say("provide_charger_id", "42") == START


@pytest.mark.parametrize("intent", ["affirm", "deny", "nlu_fallback", "thanks"])
async def test_a_moment_is_no_answer_to_an_offer(talk: Talk, bridge: FakeBridge, intent: str) -> None:
    await talk.say("session_not_starting", "1046 wont start")
    assert await talk.say(intent, "ok wait a sec") == ["say_take_your_time"]
    assert talk.commands == []
    bridge.chargers["CL-1046"]["connectors"][0]["status"] = "Preparing"
    assert await talk.say("affirm", "DONE") == START


@pytest.mark.parametrize(
    "text",
    [
        *("ive been waiting 20 minutes", "wait why was i charged twice", "no espera, 8551", "wait theres smoke"),
        *(
            "attends ca charge pas",
            "hold on it just started charging",
            "is there a wait list",
            "let me check the price",
        ),
    ],
)
def test_more_than_a_wish_for_time_is_more(text: str) -> None:
    assert not asks_to_wait(text)


async def test_whether_a_machine_writes_is_answered_truly_and_nobody_is_called(talk: Talk) -> None:
    await talk.say("session_not_starting", "wont start")
    assert await talk.say("talk_to_human", "is this a real person") == ["say_automated", "say_ask_charger"]
    assert await talk.say("provide_charger_id", "42") == START


@pytest.mark.parametrize("text", ["can i talk to a real person", "quiero hablar con una persona real", "un humain svp"])
def test_the_wish_for_a_person_is_no_such_question(text: str) -> None:
    assert not asks_if_machine(text)


async def test_what_is_beside_the_point_is_said_shortly_where_something_is_open(talk: Talk) -> None:
    await talk.say("session_not_starting", "wont start")
    assert await talk.say("out_of_scope", "do you sell coffee") == ["say_out_of_scope_open", "say_ask_charger"]


async def test_once_more_after_a_no_is_once_more(talk: Talk, bridge: FakeBridge) -> None:
    await talk.say("session_not_starting", "1046 wont start")
    await talk.say("deny", "no")
    bridge.chargers["CL-1046"]["connectors"][0]["status"] = "Preparing"
    assert await talk.say("affirm", "well try again then") == START


def test_what_was_tried_again_in_vain_is_no_such_wish() -> None:
    assert asks_again("otra vez por favor")
    assert not asks_again("i tried it again already")
    assert not asks_again("ya lo intente otra vez")


@pytest.mark.parametrize("text", ["k its number 1042", "el cargador dice 1042", "bon c'est la 1042"])
async def test_a_number_alone_answers_whatever_the_model_takes_it_for(talk: Talk, text: str) -> None:
    await talk.say("session_not_starting", "wont start")
    assert await talk.say("connector_stuck", text) == START


@pytest.mark.parametrize(
    "text", ["1042 is dark", "1042 wont release", "1042 o 1043", "how much at 1042", "is 1042 ok", "1042?"]
)
def test_a_number_with_something_said_of_it_is_more(text: str) -> None:
    assert not only_a_number(text)


@pytest.mark.parametrize("intent", ["reservation", "out_of_scope", "parking_or_blocked"])
async def test_a_corrected_number_counts_whatever_the_model_takes_it_for(talk: Talk, intent: str) -> None:
    await talk.say("session_not_starting", "1044 wont start")
    assert await talk.say(intent, "no espera, 1043") == START
    assert talk.commands == [("start", "CL-1043")]


@pytest.mark.parametrize(
    "text", ["any other one near here that works?", "is there another one close by", "hay otro cerca"]
)
async def test_another_one_nearby_is_looked_for_from_the_charger_that_is_known(talk: Talk, text: str) -> None:
    await talk.say("charger_offline", "1044 is dead")
    assert "say_find_where" not in await talk.say("find_charger", text)
    assert talk.slots["charger_id"] == "CL-1044"


@pytest.mark.parametrize("text", ["are you even listening", "this is ridiculous", "estoy harta", "c'est ridicule"])
async def test_anger_while_something_is_open_is_not_asked_what_it_has_said(talk: Talk, text: str) -> None:
    await talk.say("session_not_starting", "1046 wont start")
    assert await talk.say("out_of_scope", text) == ["say_abuse_open", "say_back_retry"]


@pytest.mark.parametrize("text", ["yes", "si ya", "oui c'est fait", "DONE"])
async def test_a_yes_25_minutes_late_is_acted_on_as_the_charger_is_then(
    talk: Talk, bridge: FakeBridge, text: str
) -> None:
    await talk.say("session_not_starting", "1046 wont start")
    await talk.clock.advance(25 * 60)
    bridge.chargers["CL-1046"]["connectors"][0]["status"] = "Preparing"
    assert await talk.say("affirm", text) == START
    bridge.chargers["CL-1046"]["connectors"][0]["status"] = "Faulted"
    assert "say_charging" not in await talk.say("affirm", text)
