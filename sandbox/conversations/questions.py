"""Questions asked twice and promises not kept: how the bot treats a driver, read from the words alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.conversations.history import History, Said
from sandbox.conversations.scenario import Driver, Scenario
from sandbox.conversations.words import Words, labels_in, names_unknown_charger

# Questions that have an answer which stays true; "shall I?" and "tell me when" may well come again.
LASTING = frozenset({"charger", "connector", "location", "card_kind"})
# Steps that a driver may report as done before anyone asks.
STEPS = frozenset({"replug", "swipe"})
PROMISE_S = 180.0


@dataclass(frozen=True, slots=True)
class AskedTwice:
    at: float
    question: str
    sentence: str


def asked_twice(scenario: Scenario, history: History) -> list[AskedTwice]:
    """Each time a question was asked that this driver had answered already."""
    found: list[AskedTwice] = []
    for driver in scenario.drivers.values():
        words = Words.of(driver.language)
        answered: set[str] = {"charger"} if driver.hint else set()
        for said in history.words(driver.name):
            if said.by == "driver":
                answered |= _answers(said, driver, scenario, words)
                if names_unknown_charger(said.text, scenario.labels):
                    answered.discard("charger")  # it speaks of another charger now, one that there is not
                continue
            if said.own:
                continue
            for question in words.find("asks", said.text):
                if question.name in LASTING | STEPS and question.name in answered:
                    found.append(AskedTwice(said.at, question.name, question.sentence))
    return found


def _answers(said: Said, driver: Driver, scenario: Scenario, words: Words) -> set[str]:
    """What this message of the driver's answers: what its script says, a real charger it names, a choice it takes."""
    given: set[str] = set()
    if said.answers is not None:
        given.add(said.answers)
    if labels_in(said.text, scenario.labels):
        given.add("charger")
    given |= {each.name for each in words.find("did", said.text)}
    return given


def broken_promises(scenario: Scenario, history: History) -> list[Said]:
    """Promises to write again that nothing followed, though the scenario went on for `PROMISE_S` (clock) after them."""
    last = {said.driver: said for said in history.said if said.by == "bot" and not said.own}
    return [
        said
        for driver, said in last.items()
        if Words.of(scenario.drivers[driver].language).find("promises", said.text)
        and history.ended_at - said.at >= PROMISE_S
    ]


def open_promise(said: Sequence[Said], language: str) -> bool:
    """Whether the last thing the bot said promises more."""
    last = next((each for each in reversed(said) if each.by == "bot" and not each.own), None)
    return last is not None and bool(Words.of(language).find("promises", last.text))
