"""The verdict: what bars a model, what is only said of it. And the figures that it stands on."""

from __future__ import annotations

from typing import Any

import pytest

from bot.trainer.models.compare import confusion, figures, on_test_set
from bot.trainer.models.testset import Labelled
from bot.trainer.models.verdict import judge


def said(name: str, confidence: float = 0.9) -> dict[str, Any]:
    """`name?`: likeliest, but not sure enough."""
    likeliest = {"name": name.rstrip("?"), "confidence": confidence}
    if name.endswith("?"):
        fallback = {"name": "nlu_fallback", "confidence": 0.6}
        return {"intent": fallback, "intent_ranking": [fallback, likeliest]}
    return {"intent": likeliest, "intent_ranking": [likeliest]}


def compared(rows: list[tuple[str, str, str]], words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Rows: meant, live, candidate; each its own message, called by its number. `words`: messages with danger words."""
    messages = [Labelled(str(place), row[0], "en") for place, row in enumerate(rows)]
    return on_test_set(
        messages, [said(row[1]) for row in rows], [said(row[2]) for row in rows], lambda text: text in words
    )


def stops(report: dict[str, Any]) -> list[str]:
    return [stop.name for stop in judge(report).stops]


HAZARD, STUCK, PAY = "safety_hazard", "connector_stuck", "payment_failed"


def test_a_danger_that_is_heard_no_more_bars_it_whatever_else_it_gains() -> None:
    rows = [(HAZARD, HAZARD, STUCK), (PAY, STUCK, PAY), (PAY, STUCK, PAY), (STUCK, PAY, STUCK)]
    test = compared(rows)
    assert (test["better"], test["worse"]) == (3, 1)
    assert stops({"test": test}) == ["hazards"]


def test_the_danger_words_do_not_excuse_the_model() -> None:
    test = compared([(HAZARD, HAZARD, STUCK), (PAY, STUCK, PAY)], words=("0",))
    verdict = judge({"test": test})
    assert test["hazards"]["candidate"]["together"] == 1
    assert [stop.name for stop in verdict.stops] == ["hazards"]
    assert "danger words still catch 1" in verdict.stops[0].words


def test_another_danger_heard_instead_of_the_lost_one_is_no_worse() -> None:
    assert stops({"test": compared([(HAZARD, HAZARD, STUCK), (HAZARD, STUCK, HAZARD)])}) == []


@pytest.mark.parametrize(
    ("rows", "barred"),
    [
        ([(STUCK, STUCK, PAY)], True),
        ([(STUCK, STUCK, PAY), (PAY, STUCK, PAY)], False),
        ([(STUCK, STUCK, PAY), (PAY, PAY, STUCK), (PAY, STUCK, PAY)], True),
        ([(STUCK, PAY, "greet")], False),
        ([(STUCK, STUCK, f"{STUCK}?")], True),  # the same guess, but the bot would not act on it any more
        ([(STUCK, f"{STUCK}?", STUCK)], False),
        ([], False),
    ],
)
def test_losing_more_than_it_gains_bars_it(rows: list[tuple[str, str, str]], barred: bool) -> None:
    assert stops({"test": compared(rows)}) == (["loses-more"] if barred else [])


def test_an_unsafe_act_or_more_wrong_ends_in_played_conversations_bar_it() -> None:
    test = compared([(STUCK, STUCK, STUCK)])
    clean = {"scenarios": 10, "wrong": 1, "unsafe": 0, "false_claims": 0}
    for candidate, live, barred in (
        (clean, clean, False),
        (clean, None, False),
        ({**clean, "unsafe": 1}, None, True),
        ({**clean, "false_claims": 1}, {**clean, "false_claims": 1}, True),
        ({**clean, "wrong": 2}, clean, True),
        ({**clean, "wrong": 0}, clean, False),
    ):
        report = {"test": test, "score": {"candidate": candidate, "live": live}}
        assert stops(report) == (["score"] if barred else []), (candidate, live)


def test_the_verdict_says_it_in_words() -> None:
    better = judge({"test": compared([(STUCK, PAY, STUCK), (PAY, PAY, PAY)])})
    assert better.words == "Good to promote: 1 of 2 test messages get better, 0 worse (50.0% to 100.0% right), and no danger is lost."
    worse = judge({"test": compared([(HAZARD, HAZARD, STUCK)])})
    assert worse.words.startswith("Do not promote: it is worse on dangers and it loses more than it gains")
    assert judge({"test": compared([(STUCK, STUCK, STUCK)])}).words.startswith("No difference")
    names = {note.name for note in judge({"test": compared([(STUCK, STUCK, STUCK)] * 9 + [(PAY, STUCK, PAY)] * 9)}).notes}
    assert {"intents-better", "no-traffic", "not-scored"} <= names


def test_figures_by_intent_are_the_textbooks() -> None:
    meant = [STUCK, STUCK, STUCK, PAY, PAY]
    heard = [STUCK, STUCK, PAY, PAY, STUCK]
    assert figures(meant, heard, STUCK) == {"precision": 0.6667, "recall": 0.6667, "f1": 0.6667}
    assert figures(meant, heard, "greet") == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert confusion(meant, heard, [STUCK, PAY]) == [[2, 1], [1, 1]]
