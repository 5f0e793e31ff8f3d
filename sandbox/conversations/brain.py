"""A goal-driven driver's head: what it does about what the bot just said. No I/O; chance comes from the scenario's seed.

It knows its place and its trouble, gives what it is asked for, does with the car what it is told, and has its limits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

import yaml

from sandbox.conversations.scenario import Goal, Place
from sandbox.conversations.words import Words, labels_in, plain

PHRASES = Path(__file__).parent / "phrases.yml"


@dataclass(frozen=True, slots=True)
class Say:
    text: str
    answers: str | None = None


@dataclass(frozen=True, slots=True)
class Choose:
    title: str
    answers: str | None = None


@dataclass(frozen=True, slots=True)
class Hands:
    """`what`: plug, unplug or swipe, where the driver stands."""

    what: str


@dataclass(frozen=True, slots=True)
class TellHowItWent:
    """Says whether the last thing done with the hands worked."""


@dataclass(frozen=True, slots=True)
class Rest:
    seconds: float


@dataclass(frozen=True, slots=True)
class Drive:
    to: Place


@dataclass(frozen=True, slots=True)
class AwaitMore:
    """Waits for what the bot promised to write."""


@dataclass(frozen=True, slots=True)
class Leave:
    pass


Move = Say | Choose | Hands | TellHowItWent | Rest | Drive | AwaitMore | Leave


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the bot's, as the driver sees it."""

    text: str
    choices: tuple[str, ...] = ()


@dataclass(slots=True)
class Mind:
    """What the driver remembers of the conversation."""

    opened: int = 0
    charger_said: int = 0
    connector_said: int = 0
    steps_done: int = 0
    spoken: int = 0
    moved: bool = False
    wavered: bool = False
    late: bool = False
    asked_person: bool = False
    gone_on: bool = False  # has given the word that the bot asked for, to go on
    card_said: bool = False
    out: bool = False  # the plug has been pulled out
    refused_steps: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Phrases:
    """What a driver says by itself, in its language (`phrases.yml`)."""

    hurry: str
    wavers: str
    no_number: str
    did_that: str
    done: str
    go: str
    person: str
    member_card: str
    out: str
    stuck: str
    yes: tuple[str, ...]
    no: tuple[str, ...]

    @staticmethod
    @cache
    def of(language: str) -> Phrases:
        rows = yaml.safe_load(PHRASES.read_text("utf-8"))
        row = rows.get(language, rows["en"])
        return Phrases(**(row | {"yes": tuple(row["yes"]), "no": tuple(row["no"])}))


def opening(goal: Goal, mind: Mind, phrases: Phrases) -> list[Move]:
    first = goal.opens[min(mind.opened, len(goal.opens) - 1)]
    mind.opened += 1
    return [Say(first), Say(phrases.hurry)] if goal.persona.impatient and mind.opened == 1 else [Say(first)]


def react(
    goal: Goal, mind: Mind, heard: Sequence[Line], words: Words, labels: Sequence[str], phrases: Phrases
) -> list[Move]:
    """What the driver does after these messages; at least one move."""
    persona = goal.persona
    if not heard or mind.spoken >= persona.patience or (persona.silent_after and mind.spoken >= persona.silent_after):
        return [Leave()]
    moves = _moves(goal, mind, heard, words, labels, phrases)
    if not any(isinstance(move, Say | Choose | TellHowItWent) for move in moves):
        return moves
    before: list[Move] = [Rest(persona.slow_s)] if persona.slow_s else []
    if persona.late_s and not mind.late:
        mind.late = True
        before = [Rest(persona.late_s)]
    if persona.changes_mind and not mind.wavered:
        mind.wavered = True
        return [*before, Say(phrases.wavers), Rest(3), *moves]
    return [*before, *moves]


def _moves(
    goal: Goal, mind: Mind, heard: Sequence[Line], words: Words, labels: Sequence[str], phrases: Phrases
) -> list[Move]:
    text = "\n".join(line.text for line in heard)
    choices = next((line.choices for line in reversed(heard) if line.choices), ())
    claims = {each.name for each in words.find("claims", text)}
    asks = {each.name for each in words.find("asks", text)}
    if "go" in asks and "available" not in claims and not mind.gone_on:
        mind.gone_on = True
        return [Say(phrases.go)]
    if "unlocked" in claims and not mind.out:
        return [Hands("unplug"), TellHowItWent()]
    if claims:
        return [Leave()]
    if "charger" in asks:
        return _charger(goal, mind, choices, labels, phrases)
    if "connector" in asks:
        return _connector(goal, mind, choices)
    if step := next(
        (name for name in ("replug", "seat_plug", "pull", "unlock_car", "unplug", "swipe") if name in asks), None
    ):
        if mind.steps_done >= goal.steps_it_does and words.says("tells", "person", text):
            return _person(mind, phrases)
        return _step(goal, mind, step, phrases)
    if "yes_or_no" in asks:
        return [_yes_or_no(goal, choices, phrases)]
    if words.says("tells", "other_charger", text) or "new_number" in asks:
        return _other_charger(goal, mind)
    for pick in goal.picks:
        if match := next((title for title in choices if plain(pick) in plain(title)), None):
            return [Choose(match)]
    if "card_kind" in asks and not mind.card_said:
        mind.card_said = True
        return [Choose(choices[-1]) if choices else Say(phrases.member_card)]
    if words.find("promises", text):
        return [AwaitMore()]
    if words.says("tells", "handover", text):
        return [Leave()]
    if words.says("tells", "person", text):
        return _person(mind, phrases)
    if ("problem" in asks or words.says("tells", "misunderstood", text)) and mind.opened < max(2, len(goal.opens)):
        return opening(goal, mind, phrases)
    return [AwaitMore()]


def _charger(goal: Goal, mind: Mind, choices: Sequence[str], labels: Sequence[str], phrases: Phrases) -> list[Move]:
    if mind.charger_said >= len(goal.charger_answers):
        return [Say(phrases.no_number, "charger")] if mind.charger_said == len(goal.charger_answers) else [Leave()]
    answer = goal.charger_answers[mind.charger_said]
    mind.charger_said += 1
    # A wrong number answers nothing, so the bot may ask again.
    answers = "charger" if labels_in(answer, labels) else None
    named = labels_in(answer, labels)
    match = next((title for title in choices if named and named[0] in labels_in(title, labels)), None)
    return [Choose(match, answers)] if match else [Say(answer, answers)]


def _connector(goal: Goal, mind: Mind, choices: Sequence[str]) -> list[Move]:
    if mind.connector_said >= max(1, len(goal.connector_answers)) + 1 or not goal.connector_answers:
        return [Leave()]
    answer = goal.connector_answers[min(mind.connector_said, len(goal.connector_answers) - 1)]
    mind.connector_said += 1
    # By whole words: "2" is not in "Connector 1, J1772".
    match = next((title for title in choices if set(_words(answer)) <= set(_words(title))), None)
    return [Choose(match, "connector")] if match else [Say(answer, "connector")]


def _person(mind: Mind, phrases: Phrases) -> list[Move]:
    """Takes the offer of a person, once."""
    if mind.asked_person:
        return [Leave()]
    mind.asked_person = True
    return [Say(phrases.person)]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", plain(text))


def _step(goal: Goal, mind: Mind, step: str, phrases: Phrases) -> list[Move]:
    if step in goal.done_already and step not in mind.refused_steps:
        mind.refused_steps.add(step)
        return [Say(phrases.did_that)]
    if mind.steps_done >= goal.steps_it_does:
        return [Leave()]
    mind.steps_done += 1
    if step == "replug":
        return [Hands("unplug"), Rest(10), Hands("plug"), Rest(2), Say(phrases.done, "replug")]
    if step == "seat_plug":
        return [Hands("plug"), Rest(2), Say(phrases.done)]
    if step == "swipe":
        return [Hands("swipe"), Rest(2), Say(phrases.done)]
    if step == "unlock_car":
        return [Rest(5), Hands("unplug"), TellHowItWent()]
    return [Hands("unplug"), TellHowItWent()]


def _yes_or_no(goal: Goal, choices: Sequence[str], phrases: Phrases) -> Move:
    wanted = phrases.yes if goal.yes else phrases.no
    match = next((title for title in choices if any(plain(title).startswith(word) for word in wanted)), None)
    return Choose(match) if match else Say(wanted[0])


def _other_charger(goal: Goal, mind: Mind) -> list[Move]:
    if goal.moves_to is None or mind.moved:
        return [Leave()]
    mind.moved = True
    return [Drive(goal.moves_to), Rest(5), Say(goal.moves_to.charger, "charger")]


def misspelt(text: str, chance: float, rng: Random) -> str:
    """The text as hurried thumbs write it: letters swapped or lost, in words without digits of four letters and more."""
    words = []
    for word in text.split(" "):
        if len(word) >= 4 and word.isalpha() and rng.random() < chance:
            at = rng.randrange(1, len(word) - 1)
            lost = rng.random() < 0.5
            word = word[:at] + word[at + 1 :] if lost else word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        words.append(word)
    return " ".join(words)
