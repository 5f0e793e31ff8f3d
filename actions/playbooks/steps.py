"""What a playbook gives back, step by step: sentences by name, what was tried, what is waited for, and how it ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from actions.places.search import Search


class Offer(StrEnum):
    """What a bare agreement of the driver would mean next."""

    RETRY = "retry"  # look and try once more
    PERSON = "person"
    START = "start"  # begin a session on the driver's own account
    FINISH = "finish"  # end the driver's own session
    KEEP = "keep"  # hold or watch the charger that was named


class Outcome(StrEnum):
    FIXED = "fixed"  # telemetry shows it
    REDIRECTED = "redirected"
    HANDED_OVER = "handed_over"
    NOT_FIXED = "not_fixed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose: `name` and `values` as in Say, `payload` is what choosing it sends to the dialogue."""

    name: str
    payload: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Say:
    """A response of domain/responses by name, and the values for its braces.

    `first`: an act that takes a while follows, so these words go out before it. `shown`: what channels with cards show
    beside the words (docs/contracts.md, "Web"), which must say the same.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    first: bool = False
    shown: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Saw:
    """What was seen, for the case: `causes` are the bridge's names, the surest first."""

    status: str | None
    error: str | None
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """An act, what the charger answered and what came of it (`outcome` None: not known yet)."""

    action: str
    command: str | None
    outcome: str | None
    answer: str | None = None
    observed: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The bridge wakes the conversation: `event` is the id of a watch on a charger, or of a watched command."""

    event: str
    purpose: str
    charger: str
    connector: int | None


@dataclass(frozen=True, slots=True)
class End:
    """How this run ended. Without an outcome the case goes on; `problem`: what a charger that is named next is about."""

    outcome: Outcome | None = None
    offer: Offer | None = None
    problem: str | None = None
    handoff: str | None = None  # the reason why a person takes over
    stays: bool = False  # people are told, and the bot goes on answering
    search: Search | None = None  # what is known of where and what the driver looks for, for the next message
    asks_place: bool = False  # the next message answers "where are you?"


Step = Say | Saw | Tried | Waiting | End
Steps = AsyncIterator[Step]


async def each(*steps: Step) -> Steps:
    """Steps that need no waiting."""
    for step in steps:
        yield step


_DAYS = {"en": "days", "es": "días", "fr": "jours"}


def duration_words(seconds: float, language: str = "en") -> str:
    """A duration as drivers say it, never less than a minute: "1 min", "12 min", "3 h", "2 days"."""
    minutes = max(1, int(seconds // 60))
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} {_DAYS.get(language, _DAYS['en'])}"


def energy_words(energy_wh: float) -> str:
    """ "850 Wh" or "12.3 kWh"."""
    return f"{energy_wh:.0f} Wh" if energy_wh < 1000 else f"{energy_wh / 1000:.1f} kWh"


def power_words(power_w: float) -> str:
    """ "6.9 kW"."""
    return f"{power_w / 1000:.1f} kW"
