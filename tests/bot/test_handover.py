"""A person has the conversation: the bot is silent, the person reads and writes, the conversation comes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bot.doors import ADA, Door, until
from tests.bot.fake_actions import FakeActions
from tests.bot.fake_carrier import FakeCarrier
from tests.bot.fake_rasa import FakeRasa, Turn

HANDOFF: list[dict[str, Any]] = [
    {"text": "I have passed this to a person."},
    {"custom": {"handoff": {"case": "case_1"}}},
]


async def handed_over(door: Door, rasa: FakeRasa, carrier: FakeCarrier) -> str:
    """Ada's conversation, with the person of case_1."""
    rasa.plans = [Turn(lines=HANDOFF)]
    await door.sms("let me talk to someone")
    await until(lambda: len(carrier.taken) == 2, "introduction and handover")

    async def has_case() -> bool:
        return bool((await door.desk("GET", rasa.asked[0][0])).json()["case"] == "case_1")

    await until(has_case, "the conversation is handed over")
    return rasa.asked[0][0]


async def test_while_a_person_has_it_words_go_to_the_case_in_order_and_the_bot_is_silent(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier, actions: FakeActions
) -> None:
    conversation = await handed_over(door, rasa, carrier)
    actions.faults.extend(["500", "lost"])
    for text in ("my card is 4111 1111 1111 1111", "are you there", "hello?"):
        await door.sms(text)
    expected = ["my card is [card ending 1111]", "are you there", "hello?"]
    await until(lambda: actions.said_to("case_1") == expected, "all three, once and in order")
    assert set(actions.words[0][1]) == {"message_id", "text", "at"}
    event = {"id": "evt_1", "type": "watch.met", "watch": "wat_1", "data": {"conversation": conversation}}
    assert (await door.bridge(event)).status_code == 202
    await until(lambda: len(rasa.asked) == 2, "news of a charger still reaches the dialogue")
    await door.sms("HELP")
    await until(lambda: len(carrier.taken) == 3, "HELP is answered")
    assert "charging help" in carrier.bodies(ADA)[2]
    assert len(rasa.asked) == 2


async def test_urgent_news_is_said_while_a_person_has_the_conversation(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    conversation = await handed_over(door, rasa, carrier)
    rasa.plans = [Turn(lines=[{"text": "quiet"}, {"text": "1042 did not stop.", "custom": {"urgent": True}}])]
    event = {"id": "evt_1", "type": "watch.met", "watch": "wat_1", "data": {"conversation": conversation}}
    assert (await door.bridge(event)).status_code == 202
    await until(lambda: carrier.bodies(ADA)[2:] == ["1042 did not stop."], "only that")


async def test_danger_is_answered_and_told_to_the_person_too(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier, actions: FakeActions
) -> None:
    await handed_over(door, rasa, carrier)
    await door.sms("there is smoke coming out of the charger")
    await until(lambda: len(carrier.taken) == 4, "advice and what was done")
    assert carrier.bodies(ADA)[2].startswith("Step away")
    await until(lambda: len(actions.words) == 1, "the person reads it")
    assert len(actions.hazards) == 1


async def test_a_person_writes_to_the_driver_once_and_in_order(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    conversation = await handed_over(door, rasa, carrier)
    words = {"text": "Hi, this is Maya. I am opening it.", "agent": "Maya", "client_id": "m1"}
    first, second = [await door.desk("POST", f"{conversation}/messages", words) for _ in range(2)]
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["delivery"] == "queued"
    assert (await door.desk("POST", f"{conversation}/messages", {**words, "text": "other"})).status_code == 409
    await until(lambda: carrier.bodies(ADA)[2:] == [words["text"]], "the text goes out once")
    shown = (await door.desk("GET", conversation)).json()
    assert [(line["author"], line["text"]) for line in shown["entries"] if line["text"]] == [
        ("driver", "let me talk to someone"),
        ("bot", carrier.bodies(ADA)[0]),
        ("bot", "I have passed this to a person."),
        ("person", words["text"]),
    ]
    assert shown["entries"][-1]["agent"] == "Maya"
    assert (shown["driver"], shown["tier"], shown["channel"]) == ("drv-ada", 1, "sms")


async def test_a_person_can_write_to_a_visitor_of_the_page_and_the_terminal(door: Door, rasa: FakeRasa) -> None:
    await door.terminal("bo", "c1", text="hi")
    await until(lambda: len(rasa.asked) == 1, "the conversation is there")
    await door.desk("POST", f"{rasa.asked[0][0]}/messages", {"text": "Hello", "agent": "Maya", "client_id": "m1"})
    lines = await door.transcript("/terminal/bo/events", lambda entries: entries[-1]["author"] == "person")
    assert (lines[-1]["text"], lines[-1]["agent"]) == ("Hello", "Maya")
    assert "client_id" not in lines[-1]


async def test_released_the_bot_answers_again(door: Door, rasa: FakeRasa, carrier: FakeCarrier) -> None:
    conversation = await handed_over(door, rasa, carrier)
    other = await door.desk("POST", f"{conversation}/release", {"case": "case_9"})
    assert other.json() == {"released": False}
    assert (await door.desk("POST", f"{conversation}/release", {"case": "case_1"})).json() == {"released": True}
    assert (await door.desk("POST", f"{conversation}/release")).json() == {"released": False}
    await door.sms("1042")
    await until(lambda: carrier.bodies(ADA)[2:] == ["You said: 1042"], "an answer of the bot's")


async def test_a_case_that_is_closed_gives_the_conversation_back_and_loses_no_words(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier, actions: FakeActions
) -> None:
    await handed_over(door, rasa, carrier)
    actions.faults.append("404")
    await door.sms("1042")
    await until(lambda: carrier.bodies(ADA)[2:] == ["You said: 1042"], "the bot answers them")
    assert actions.words == []


async def test_words_that_cannot_be_forwarded_yet_do_not_hold_up_stop_and_help(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier, actions: FakeActions
) -> None:
    await handed_over(door, rasa, carrier)
    await actions.stop()
    await door.sms("are you there")
    await door.sms("help")
    await until(lambda: len(carrier.taken) == 3, "HELP is answered")
    await actions.start()
    await until(lambda: actions.said_to("case_1") == ["are you there"], "the words come when it is back")


@pytest.mark.parametrize(
    ("method", "path", "body", "key", "status"),
    [
        ("GET", "sms_none", None, "operator-key", 404),
        ("GET", "{known}", None, "", 401),
        ("GET", "{known}", None, "terminal-key", 403),
        ("GET", "{known}?limit=0", None, "operator-key", 400),
        ("GET", "{known}?after=x", None, "operator-key", 400),
        ("POST", "{known}/messages", {"text": "x", "agent": "a"}, "operator-key", 400),
        ("POST", "{known}/messages", {"text": " ", "agent": "a", "client_id": "1"}, "operator-key", 400),
        ("POST", "{known}/messages", {"text": "/", "agent": "a", "client_id": "1"}, "operator-key", 400),
        ("POST", "{known}/messages", {"text": "x" * 1601, "agent": "a", "client_id": "1"}, "operator-key", 413),
        ("POST", "{known}/messages", {"text": "x", "agent": "a\nb", "client_id": "1"}, "operator-key", 400),
        ("POST", "{known}/messages", [], "operator-key", 400),
        ("POST", "{known}/release", {"case": 1}, "operator-key", 400),
        ("POST", "{known}/release", [], "operator-key", 400),
        ("POST", "{known}/release", {}, "", 401),
    ],
)
async def test_what_a_person_may_not_send_is_refused_clearly(
    door: Door, rasa: FakeRasa, method: str, path: str, body: object, key: str, status: int
) -> None:
    await door.terminal("bo", "c1", text="hi")
    await until(lambda: len(rasa.asked) == 1, "the conversation is there")
    answer = await door.desk(method, path.format(known=rasa.asked[0][0]), body, key)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_long_transcript_is_read_in_pages(door: Door, rasa: FakeRasa) -> None:
    for number in range(3):
        await door.terminal("bo", f"c{number}", text=f"{number}")
    await until(lambda: len(rasa.asked) == 3, "all are answered")
    conversation, seen, after = rasa.asked[0][0], [], 0
    while after is not None:
        page = (await door.desk("GET", f"{conversation}?after={after}&limit=2")).json()
        seen += [line["seq"] for line in page["entries"]]
        after = page["next_after"]
    assert seen == sorted(set(seen))
    assert len(seen) >= 6
