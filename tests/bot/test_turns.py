"""What becomes of a message when Rasa is slow, dead, or says nothing; through HTTP on both sides."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.front_door import front_door
from chargeline.settings import Settings
from tests.bot.doors import ADA, FAST, Door, until
from tests.bot.fake_carrier import FakeCarrier
from tests.bot.fake_rasa import FakeRasa, Turn


def texts(carrier: FakeCarrier) -> list[str]:
    """What Ada got after the introduction."""
    return carrier.bodies(ADA)[1:]


async def test_rasa_being_down_only_delays_the_answer(door: Door, rasa: FakeRasa, carrier: FakeCarrier) -> None:
    await rasa.stop()
    assert (await door.sms("one")).status_code == 200
    assert (await door.sms("two")).status_code == 200
    ready = await door.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["rasa"] == "down"
    await until(lambda: len(carrier.taken) == 1, "the introduction goes out meanwhile")
    await rasa.start()
    await until(lambda: texts(carrier) == ["You said: one", "You said: two"], "the answers come when Rasa is back")
    assert (await door.http.get("/readyz")).json()["rasa"] == "up"


async def test_rasa_dying_in_a_turn_makes_the_message_go_again_and_replies_stay_single(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    lines = [{"text": "Looking at 1042."}, {"text": "It is charging."}]
    rasa.plans = [Turn(lines=lines, fault="die", after_lines=1), Turn(lines=lines)]
    await door.sms("1042")
    await until(lambda: texts(carrier) == ["Looking at 1042.", "It is charging."], "both replies, once")
    assert rasa.messages == ["1042", "1042"]
    assert rasa.asked[0][2]["message_id"] == rasa.asked[1][2]["message_id"]
    assert rasa.checks == 1


async def test_a_turn_that_ended_unseen_is_read_from_the_tracker_and_not_repeated(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    buttons = [{"title": "Left", "payload": "/left"}]
    lines: list[dict[str, Any]] = [
        {"text": "Starting it."},
        {"text": "Started.", "custom": None},
        {"text": "Which one?", "buttons": buttons},
    ]
    rasa.plans = [Turn(lines=lines, fault="lose", after_lines=1)]
    await door.sms("1042")
    await until(lambda: texts(carrier) == ["Starting it.", "Started.", "Which one?\n1 Left"], "the rest is found")
    await door.sms("1")
    await until(lambda: rasa.messages == ["1042", "/left"], "the message was sent once, the choice works")


async def test_a_turn_that_rasa_gave_up_without_a_word_is_noticed_and_tried_again(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    rasa.plans = [Turn(fault="raise")]
    await door.sms("1042")
    await until(lambda: texts(carrier) == ["You said: 1042"], "the second attempt answers")
    assert len(rasa.asked) == 2


async def test_a_slow_turn_is_waited_for_and_not_sent_twice(door: Door, rasa: FakeRasa, carrier: FakeCarrier) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(lines=[{"text": "one moment"}], hold=hold)]
    await door.sms("1042")
    await until(lambda: rasa.checks >= 1, "the tracker is asked, which waits for the turn")
    hold.set()
    await door.sms("and?")
    await until(lambda: texts(carrier) == ["one moment", "You said: and?"], "all is answered once")
    assert rasa.messages == ["1042", "and?"]


async def test_a_driver_who_hears_nothing_for_a_while_is_told_so_once(
    env: dict[str, str], rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(fault="empty", hold=hold)]
    tuning = replace(FAST, turns=replace(FAST.turns, patience_s=0.05))
    async with front_door(Settings.load(env), tuning, port=0) as port, Door.at(port) as door:
        await door.sms("1042")
        await until(lambda: len(texts(carrier)) == 1, "it says that it takes longer")
        assert texts(carrier)[0].startswith("One moment")
        hold.set()
        await until(lambda: len(texts(carrier)) == 2, "a turn without a reply is still a failure")
        hold.clear()
        rasa.plans = [Turn(lines=[{"text": "Looking."}], hold=hold)]
        await door.sms("1043")
        await until(lambda: len(texts(carrier)) == 3, "a first word")
        await asyncio.sleep(0.2)
        hold.set()
        await door.sms("and?")
        await until(lambda: texts(carrier)[2:] == ["Looking.", "You said: and?"], "no second one after a first word")


async def test_a_turn_that_fails_every_time_ends_in_one_truthful_message(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    rasa.plans = [Turn(fault="raise"), Turn(fault="500"), Turn(fault="die")]
    await door.sms("1042")
    await door.sms("hello")
    await until(lambda: len(texts(carrier)) == 2, "the failure is told, the next message is answered")
    assert texts(carrier)[0].startswith("Something on our side failed")
    assert "+1 555 0100" in texts(carrier)[0]
    assert texts(carrier)[1] == "You said: hello"


async def test_a_turn_that_hangs_is_given_up_after_the_time_limit(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    rasa.plans = [Turn(fault="empty", hold=asyncio.Event())]
    await door.sms("1042")
    await until(lambda: len(texts(carrier)) == 1, "the failure is told")
    assert texts(carrier)[0].startswith("Something on our side failed")
    assert 'chargeline_bot_turns_total{outcome="failed"} 1.0' in (await door.http.get("/metrics")).text


async def test_a_turn_without_a_reply_is_a_failure_unless_it_says_that_it_is_silent(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    rasa.plans = [Turn(lines=[{"custom": {"silent": True}}])]
    await door.sms("ok")
    await door.sms("hello")
    await until(lambda: texts(carrier) == ["You said: hello"], "silence is kept")
    rasa.answer = lambda message: []
    await door.sms("hm")
    await until(lambda: len(texts(carrier)) == 2, "no reply at all is told")
    assert texts(carrier)[1].startswith("Something on our side failed")


async def test_a_rasa_without_a_model_is_waited_for(door: Door, rasa: FakeRasa, carrier: FakeCarrier) -> None:
    rasa.plans = [Turn(fault="409")] * 6
    await door.sms("1042")
    await until(lambda: texts(carrier) == ["You said: 1042"], "answered when the model is there")


async def test_an_event_of_the_bridge_becomes_one_turn_of_its_conversation(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    await door.sms("1042")
    await until(lambda: len(rasa.asked) == 1, "the conversation is there")
    conversation = rasa.asked[0][0]
    event = {
        "id": "evt_1",
        "type": "command.finished",
        "at": "2026-03-01T12:00:00Z",
        "data": {"conversation": conversation},
        "command": {"id": "cmd_7"},
    }
    assert (await door.bridge(event)).status_code == 202
    assert (await door.bridge(event)).status_code == 200
    await until(lambda: len(rasa.asked) == 2, "Rasa is told")
    assert rasa.asked[1][1] == '/EXTERNAL_command_finished{"command_id":"cmd_7"}'
    assert rasa.asked[1][2]["message_id"] != rasa.asked[0][2]["message_id"]
    await door.sms("thanks")
    await until(lambda: len(rasa.asked) == 3, "the next message follows")
    assert rasa.messages[2] == "thanks"


@pytest.mark.parametrize(("kind", "met"), [("watch.met", "true"), ("watch.expired", "false")])
async def test_the_end_of_a_watch_becomes_one_turn_of_its_conversation(
    door: Door, rasa: FakeRasa, kind: str, met: str
) -> None:
    await door.sms("1044 is dark")
    await until(lambda: len(rasa.asked) == 1, "the conversation is there")
    event = {
        "id": "evt_9",
        "type": kind,
        "watch": "wat_3",
        "data": {"conversation": rasa.asked[0][0], "language": "en", "purpose": "back_online"},
    }
    assert [(await door.bridge(event)).status_code for _ in range(2)] == [202, 200]
    await until(lambda: len(rasa.asked) == 2, "Rasa is told")
    assert rasa.messages[1] == f'/EXTERNAL_watch_ended{{"watch_id":"wat_3","met":{met},"purpose":"back_online"}}'


async def test_events_that_are_not_the_bridges_are_refused(door: Door, rasa: FakeRasa) -> None:
    event = {"id": "evt_1", "type": "command.finished", "data": {"conversation": "sms_x"}, "command": {"id": "cmd_1"}}
    assert (await door.bridge(event, secret="other")).status_code == 403
    assert (await door.bridge(event, at=1_000_000.0)).status_code == 403
    assert (await door.http.post("/webhooks/bridge", json=event)).status_code == 403
    for header in ("", "t=,v1=", "t=1,v1=zz", "v1=1,t=2", "t=99999999999999999999,v1=" + "0" * 64):
        answer = await door.http.post("/webhooks/bridge", content=b"{}", headers={"Chargeline-Signature": header})
        assert answer.status_code == 403
    assert (await door.bridge({"type": "command.finished"})).status_code == 400
    assert (await door.bridge({"id": "evt_2", "type": "command.finished", "command": "no"})).status_code == 400
    assert (await door.bridge({"id": "evt_3", "type": "charger.sang"})).status_code == 202
    assert (await door.bridge({"id": "evt_4", "type": "watch.met", "watch": 3})).status_code == 400
    assert (
        await door.bridge({"id": "evt_5", "type": "watch.met", "watch": "w", "data": {"purpose": "/x{"}})
    ).status_code == 400
    assert (await door.bridge(event)).status_code == 202  # signed, but nobody's conversation
    assert (await door.bridge({**event, "data": {"conversation": {"a": 1}}})).status_code == 202
    assert rasa.asked == []


async def test_the_language_that_a_driver_writes_in_is_kept_for_rasa_and_for_the_front_doors_own_words(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    await door.sms("hola")
    await door.sms("1042")
    await door.sms("HELP")
    await until(lambda: len(carrier.taken) == 4, "all are answered")
    assert [metadata["language"] for _, _, metadata in rasa.asked] == ["es", "es"]
    assert "asistente" in carrier.bodies(ADA)[0]
    assert "ayuda" in carrier.bodies(ADA)[3]


async def test_what_a_broken_run_said_already_is_not_said_again_wherever_it_stands_in_the_next_one(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    first = [{"text": text} for text in ("1061 is online.", "Back to 3022.", "Never sent.")]
    second = [{"text": text} for text in ("One moment.", "1061 is online.", "Back to 3022.", "Back to 3022.", "Bye.")]
    rasa.plans = [Turn(lines=first, fault="raise", after_lines=2), Turn(lines=second)]
    await door.sms("is 1061 working")
    await until(lambda: "Bye." in carrier.bodies(ADA), "the second run's end")
    assert carrier.bodies(ADA)[1:] == ["1061 is online.", "Back to 3022.", "One moment.", "Back to 3022.", "Bye."]


async def test_a_run_that_says_the_same_twice_is_heard_twice(door: Door, rasa: FakeRasa, carrier: FakeCarrier) -> None:
    rasa.plans = [Turn(lines=[{"text": "Still waiting."}] * 2)]
    await door.sms("1042")
    await until(lambda: len(carrier.bodies(ADA)) == 3, "both")
    assert carrier.bodies(ADA)[1:] == ["Still waiting."] * 2
