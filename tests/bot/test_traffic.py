"""What the trainers' desk may read of drivers' words: how they were taken, and nothing that says who wrote."""

from __future__ import annotations

from typing import Any

from bot.understood import understood_of
from tests.bot.doors import ADA, Door, until
from tests.bot.fake_carrier import FakeCarrier
from tests.bot.fake_rasa import FakeRasa, Turn

KEY = {"Authorization": "Bearer traffic-key"}


def taken_as(intent: str, confidence: float, *said: str) -> dict[str, Any]:
    ranking = [[intent, confidence], ["greet", 0.1]]
    return {
        "understood": {"intent": intent, "confidence": confidence, "ranking": ranking, "said": [*said], "model": "m"}
    }


async def test_a_drivers_words_come_masked_with_how_they_were_taken(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    rasa.plans = [Turn(lines=[{"text": "Say it another way?"}, taken_as("nlu_fallback", 0.31, "say_rephrase")])]
    await door.sms("the thingy ate my plastic, call me at 613 555 0177")
    await until(lambda: len(carrier.taken) == 2, "introduction and answer")
    assert (await door.http.get("/v1/traffic")).status_code == 401
    assert (await door.http.get("/v1/traffic", headers={"Authorization": "Bearer x"})).status_code == 403

    async def told() -> bool:
        lines = (await door.http.get("/v1/traffic", headers=KEY)).json()["lines"]
        return any(line.get("understood") for line in lines)

    await until(told, "how it was taken is stored")
    traffic = (await door.http.get("/v1/traffic", headers=KEY)).json()
    said = [line for line in traffic["lines"] if line["author"] == "driver"]
    assert [line["text"] for line in said] == ["the thingy ate my plastic, call me at [number]"]
    assert said[0]["understood"]["said"] == ["say_rephrase"]
    assert traffic["conversations"][said[0]["conversation"]]["channel"] == "sms"
    assert ADA not in str(traffic)
    answers = [line["text"] for line in traffic["lines"] if line["author"] == "bot"]
    assert "Say it another way?" in answers
    assert len(answers) == 2  # the line that says how it was taken is no reply


async def test_who_opted_out_is_not_shown(door: Door, rasa: FakeRasa, carrier: FakeCarrier) -> None:
    await door.sms("tap does not work")
    await until(lambda: len(carrier.taken) == 2, "introduction and answer")
    assert (await door.http.get("/v1/traffic", headers=KEY)).json()["lines"]
    await door.sms("STOP")
    await until(lambda: len(carrier.taken) == 3, "the one confirmation")
    traffic = (await door.http.get("/v1/traffic", headers=KEY)).json()
    assert (traffic["lines"], traffic["conversations"]) == ([], {})


async def test_bad_questions_are_refused(door: Door) -> None:
    for query in ("days=-1", "days=x", "days=99999", "before=yesterday", "before=1e99~x"):
        assert (await door.http.get(f"/v1/traffic?{query}", headers=KEY)).status_code == 400, query


def test_only_what_has_the_known_shape_is_kept() -> None:
    assert understood_of({"intent": None}) is None
    assert understood_of("greet") is None
    kept = understood_of(
        {
            "intent": "x" * 500,
            "confidence": 7,
            "ranking": [["a", 0.123456], "b", ["c"]],
            "said": ["s"] * 50,
            "more": "no",
        }
    )
    assert kept is not None
    assert kept.keys() == {"intent", "confidence", "ranking", "said", "model"}
    assert (len(kept["intent"]), kept["confidence"], kept["ranking"], len(kept["said"])) == (
        80,
        1.0,
        [["a", 0.1235]],
        8,
    )
