"""From a driver's words to training data: what comes first, what one decision decides, who did it, and taking it back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.bot.doors import until
from tests.trainer.world import World, world


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world(tmp_path, monkeypatch) as there:
        yield there


async def grouped(desk: World, **asked: str) -> dict[str, Any]:
    async def done() -> bool:
        return (await desk.inbox(**asked))["note"] is None

    await until(done, "messages are grouped by their sense")
    return await desk.inbox(**asked)


async def test_what_was_misunderstood_comes_first_and_near_duplicates_are_one_decision(desk: World) -> None:
    await desk.driver_writes("declined card", "payment_failed", 0.97)
    await desk.driver_writes("machine ate my plastic", "rfid_failed", 0.55, sender="+16135550112")
    await desk.driver_writes("machine ate my visa call 613 555 0177", "nlu_fallback", 0.3, "say_did_you_mean")
    inbox = await grouped(desk)
    assert [len(group["messages"]) for group in inbox["groups"]] == [2]
    (group,) = inbox["groups"]
    assert [one["text"] for one in group["messages"]] == ["machine ate my visa call [number]", "machine ate my plastic"]
    assert {"not_understood", "unsure"} <= set(group["reasons"])
    assert inbox["reasons"]["not_understood"] == 1
    assert (await desk.inbox(reason="close_call"))["groups"] == []
    assert len((await desk.inbox(reason="all"))["groups"]) == 2
    assert (await desk.inbox(language="es"))["count"] == 0

    before = desk.data()
    examples = [
        {"text": "machine ate my visa", "spans": [], "intent": "payment_failed", "language": "en"},
        {
            "text": "machine ate my plastic at 1042",
            "spans": [{"start": 26, "end": 30, "entity": "charger_id"}],
            "intent": "payment_failed",
            "language": "en",
        },
    ]
    messages = [one["id"] for one in group["messages"]]
    told = (await desk.http.post("inbox/label", json={"messages": messages, "examples": examples})).json()
    assert told["added"] == 2
    line = "      - the reader wont take my debit card at [1042](charger_id)\n"
    new = "      - machine ate my visa\n      - machine ate my plastic at [1042](charger_id)\n"
    assert desk.data() == before.replace(line, line + new)
    assert (await desk.inbox())["groups"] == []
    assert (await desk.ben.post("inbox/label", json={"messages": messages, "examples": examples})).status_code == 409
    (decision,) = (await desk.ben.get("data/history")).json()["decisions"]
    assert (decision["trainer"], decision["what"], decision["messages"]) == ("ada", "labelled", 2)
    assert decision["at"]
    assert (await desk.ben.post("data/undo", json={"decision": told["decision"]})).status_code == 200
    assert desk.data() == before
    assert len((await desk.inbox())["groups"][0]["messages"]) == 2
    assert (
        (await desk.http.post("data/undo", json={"decision": told["decision"]})).json()["detail"].startswith("ben has")
    )


async def test_what_the_driver_chose_afterwards_says_what_was_meant(desk: World) -> None:
    buttons = [{"title": "Payment", "payload": "/payment_failed"}, {"title": "Tag", "payload": "/rfid_failed"}]
    await desk.driver_writes("it wont take it", "nlu_fallback", 0.2, "say_did_you_mean", buttons=buttons)
    await desk.driver_writes("1", "payment_failed", 1.0)
    (group,) = (await grouped(desk))["groups"]
    assert (group["meant"], group["messages"][0]["text"]) == ("payment_failed", "it wont take it")
    assert "corrected" in group["reasons"]


async def test_a_message_that_a_trainer_marks_as_wrong_comes_first(desk: World) -> None:
    await desk.driver_writes("good morning to you all", "greet", 0.99)
    await desk.driver_writes("zzz unplugging gizmo qqq", "rfid_failed", 0.35, sender="+16135550112")
    everything = (await desk.inbox(reason="all"))["groups"]
    mild = next(group["id"] for group in everything if "morning" in group["messages"][0]["text"])
    assert (await desk.ben.post("inbox/wrong", json={"message": mild})).status_code == 200
    assert (await desk.inbox())["groups"][0]["id"] == mild
    seen = (await desk.http.get(f"inbox/message/{mild}")).json()
    assert [line["author"] for line in seen["lines"]][:2] == ["driver", "bot"]
    assert seen["lines"][0]["wrong"] is True
    assert seen["suggestions"]["meanings"][0] == ["payment_failed", 0.8]
    await desk.ben.post("inbox/wrong", json={"message": mild, "wrong": False})
    assert mild not in [group["id"] for group in (await desk.inbox())["groups"]]


async def test_skipped_is_gone_until_that_is_undone(desk: World) -> None:
    await desk.driver_writes("qwe rty uio", "rfid_failed", 0.35)
    (group,) = (await desk.inbox())["groups"]
    told = (await desk.http.post("inbox/skip", json={"messages": [group["id"]]})).json()
    assert (await desk.inbox())["groups"] == []
    await desk.http.post("data/undo", json={"decision": told["decision"]})
    assert len((await desk.inbox())["groups"]) == 1


async def test_a_decision_that_cannot_be_written_whole_is_not_written_at_all(desk: World) -> None:
    await desk.driver_writes("qwe rty uio", "rfid_failed", 0.35)
    (group,) = (await desk.inbox())["groups"]
    before = desk.data()
    examples = [
        {"text": "qwe rty uio", "intent": "rfid_failed", "language": "en"},
        {"text": "uio", "intent": "made_up", "language": "en"},
    ]
    answer = await desk.http.post("inbox/label", json={"messages": [group["id"]], "examples": examples})
    assert (answer.status_code, answer.json()["detail"]) == (400, "There is no intent called made_up.")
    assert desk.data() == before
    assert len((await desk.inbox())["groups"]) == 1


async def test_without_the_language_model_equal_messages_still_stand_together(desk: World) -> None:
    desk.model.away = "it is being started"
    for sender in ("+16135550112", "+16135550113"):
        await desk.driver_writes("Qwe rty 1042!!", "rfid_failed", 0.35, sender=sender)
    await desk.inbox()

    async def told() -> bool:
        return "it is being started" in str((await desk.inbox())["note"])

    await until(told, "the note says why")
    assert [len(group["messages"]) for group in (await desk.inbox())["groups"]] == [2]


async def test_what_cannot_be_taken_is_refused_with_a_sentence(desk: World) -> None:
    good = {"text": "hi there", "intent": "greet", "language": "en"}
    for body in (
        {"messages": [], "examples": [good]},
        {"messages": ["x"], "examples": []},
        {"messages": ["x"], "examples": [{**good, "text": "  "}]},
        {"messages": ["x"], "examples": [{**good, "language": 3}]},
        {
            "messages": ["x"],
            "examples": [{**good, "spans": [{"start": 0, "end": 99, "entity": "charger_id"}, {"start": 1}]}],
        },
        {"messages": ["x"], "examples": [{**good, "spans": [{"start": 0, "end": 2, "entity": "a b"}]}]},
    ):
        answer = await desk.http.post("inbox/label", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["detail"]
    assert (await desk.http.get("inbox/message/none")).status_code == 404
