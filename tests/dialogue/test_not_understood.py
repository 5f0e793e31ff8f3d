"""Not understood: choices first, then the usual problems, then a person; every answer to the choices goes on as what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.dialogue.misunderstanding import OFFERED, likely_meanings
from tests.dialogue.talk import Talk

CLOSE = {"nlu_fallback": 0.6, "connector_stuck": 0.36, "charging_slow": 0.33, "greet": 0.1}


async def test_a_close_call_is_a_question_between_the_two(talk: Talk) -> None:
    assert await talk.say("nlu_fallback", "it hangs at 1042", CLOSE) == ["say_which_of_two"]
    assert talk.choices == ["/connector_stuck", "/charging_slow"]


async def test_a_choice_goes_on_as_that_problem_with_all_that_was_said(talk: Talk) -> None:
    await talk.say("nlu_fallback", "it kinda goes nowhere, 1042", {"session_not_starting": 0.3, "charging_slow": 0.28})
    assert await talk.tap("/session_not_starting") == ["say_starting", "say_charging"]
    assert talk.commands == [("start", "CL-1042")]


async def test_little_confidence_offers_the_likeliest_and_a_person(talk: Talk) -> None:
    await talk.say(
        "nlu_fallback", "hmm", {"nlu_fallback": 0.9, "price_question": 0.3, "greet": 0.2, "how_to_start": 0.1}
    )
    assert talk.names == ["say_did_you_mean"]
    assert talk.choices == ["/price_question", "/how_to_start", "/talk_to_human"]


async def test_a_danger_among_the_likely_ones_is_offered_first(talk: Talk) -> None:
    await talk.say("nlu_fallback", "weird heat", {"charging_slow": 0.32, "safety_hazard": 0.27})
    assert talk.choices == ["/safety_hazard", "/charging_slow"]


async def test_the_second_time_shows_the_five_problems_and_the_third_is_a_person(talk: Talk) -> None:
    await talk.say("nlu_fallback", "blorp")
    assert await talk.say("nlu_fallback", "blorp blorp") == ["say_rephrase"]
    assert len(talk.choices) == 6
    for _ in range(3):
        assert await talk.say("nlu_fallback", "blorp") == ["say_misunderstood_no_phone"]
        assert talk.choices == []


@pytest.mark.parametrize("intent", ["affirm", "deny"])
async def test_a_bare_yes_or_no_to_the_choices_is_the_next_step(talk: Talk, intent: str) -> None:
    await talk.say("nlu_fallback", "it hangs", CLOSE)
    assert await talk.say(intent, "none") == ["say_rephrase"]


async def test_being_understood_once_begins_anew(talk: Talk) -> None:
    await talk.say("nlu_fallback", "blorp")
    await talk.say("thanks", "thanks")
    await talk.say("nlu_fallback", "it hangs", CLOSE)
    assert talk.names == ["say_which_of_two"]


async def test_two_problems_that_the_model_cannot_part_are_both_taken(talk: Talk) -> None:
    text = "cable is stuck at 1042 and you charged me twice"
    said = await talk.say("nlu_fallback", text, {"connector_stuck": 0.35, "billing_dispute_refund": 0.34})
    assert said[0].startswith("say_stuck") or said[0].startswith("say_unlock")
    assert said[-1] == "say_billing_dispute_refund"


ranking = st.lists(
    st.tuples(st.sampled_from([*sorted(OFFERED), "greet", "unlock_request"]), st.floats(0, 1)), max_size=8
)


@given(ranking)
def test_at_most_two_different_meanings_are_offered(ranked: list[tuple[str, float]]) -> None:
    meanings, close = likely_meanings(sorted(ranked, key=lambda one: -one[1]))
    assert len(meanings) == len(set(meanings)) <= 2
    assert set(meanings) <= OFFERED
    assert not close or len(meanings) == 2
