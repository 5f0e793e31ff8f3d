"""What a scenario is: chargers and their troubles, drivers and what they do, what must come of it. Only data, no behaviour.

All times are seconds of the clock that the product runs on. `load.py` makes these from files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Channel = Literal["sms", "terminal"]
ENDS = ("resolved", "redirected", "handed_over", "told", "refused")
TOKEN_STATES = ("Accepted", "Blocked", "Expired", "Invalid", "none")
ACTS = ("start", "stop", "unlock", "reset", "operative", "inoperative", "local_list", "clear_cache", "any")


@dataclass(frozen=True, slots=True)
class Car:
    """`owner`: the scenario's name of the driver whose car it is; None: a stranger's."""

    kind: str = "family"
    soc: float = 30.0
    limit_soc: float = 100.0
    willing: bool = True
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Charger:
    """`charging`: connector to the driver whose token has started a session there before the first word is said."""

    label: str
    plugs: tuple[str, ...]
    model: str
    tethered: bool
    site: str
    cars: Mapping[int, Car] = field(default_factory=dict)
    charging: Mapping[int, str] = field(default_factory=dict)
    faults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    priced: bool = False  # the operator has told its price, so that it can be paid for by link

    @property
    def id(self) -> str:
        return f"CL-{self.label}"


@dataclass(frozen=True, slots=True)
class Place:
    charger: str  # a label
    connector: int = 1


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about telemetry, by its name in `predicates.py`."""

    name: str
    charger: str
    connector: int | None = None
    driver: str | None = None


@dataclass(frozen=True, slots=True)
class Persona:
    """How a goal-driven driver behaves. `typos`: chance a word is misspelt; `slow_s`: how long it takes to answer."""

    typos: float = 0.0
    slow_s: float = 0.0
    late_s: float = 0.0  # one answer comes this late
    silent_after: int | None = None  # says nothing more after so many messages
    impatient: bool = False  # writes again before it was answered
    changes_mind: bool = False  # asks for a person's help in the middle, then goes on
    lower_case: bool = True
    patience: int = 8  # own messages after which it gives up


@dataclass(frozen=True, slots=True)
class Goal:
    """A driver who knows its place and its trouble and reacts to what the bot asks.

    `charger_answers`: what it says when asked for the charger, first to last; `refuses`: steps that it will not do again;
    `moves_to`: where it drives when it is told to use another charger.
    """

    opens: tuple[str, ...]
    charger_answers: tuple[str, ...]
    connector_answers: tuple[str, ...]
    yes: bool = True
    done_already: tuple[str, ...] = ()
    steps_it_does: int = 2
    moves_to: Place | None = None
    picks: tuple[str, ...] = ()
    persona: Persona = Persona()


StepKind = Literal["say", "choose", "hear", "silent", "plug", "unplug", "swipe", "pay", "fault", "clear", "until"]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a script; only the fields of its kind are set."""

    kind: StepKind
    line: int
    text: str = ""
    answers: str | None = None  # the question that this text answers: charger, connector, replug, ...
    hazard_at: Place | None = None
    at_once: bool = False  # does not wait for the bot's answer
    seconds: float = 0.0
    place: Place | None = None
    car: Car | None = None
    token: str = "own"  # noqa: S105 - whose card: own, unknown, or a driver's name
    card: str | None = None  # what is paid with on the page behind the last link; None: left without paying
    confirms: bool = True  # what the bank is answered where it asks
    fault: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    condition: Condition | None = None
    hear: str = ""  # asks:charger, claims:charging, tells:hazard_advice, ...


@dataclass(frozen=True, slots=True)
class Driver:
    """`may`: the acts that safety.md allows this driver at its own place; `stands_at`: where its car really is."""

    name: str
    channel: Channel
    known: bool
    token: str
    language: str
    stands_at: Place | None
    hint: bool
    may: frozenset[str]
    begins_at_s: float
    saved_card: str | None = None
    steps: tuple[Step, ...] = ()
    goal: Goal | None = None

    @property
    def pays(self) -> bool:
        """Whether its script has a step on a payment page."""
        return any(step.kind == "pay" for step in self.steps)


@dataclass(frozen=True, slots=True)
class PaidBefore:
    """A payment that an app or a terminal made before the first word. `taken`: at once; else it is a hold."""

    driver: str
    charger: str  # a label
    card: str
    cents: int
    times: int = 1
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to the network by itself, `at_s` seconds after the first word."""

    at_s: float
    step: Step


@dataclass(frozen=True, slots=True)
class Never:
    """An act that must not reach a charger (of this scenario, or the one named), or a claim that must not be made."""

    act: str | None = None
    charger: str | None = None
    connector: int | None = None
    claim: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    ends: tuple[str, ...]
    when: tuple[Condition, ...] = ()
    told: tuple[str, ...] = ()
    never: tuple[Never, ...] = ()
    within_s: float = 120.0
    turns_at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """`id` is the path below the scenarios' folder without its ending; `problem` its folder."""

    id: str
    problem: str
    shows: str
    seed: int
    chargers: Mapping[str, Charger]
    drivers: Mapping[str, Driver]
    events: tuple[Event, ...]
    expect: Expected
    paid_before: tuple[PaidBefore, ...] = ()

    @property
    def is_paid(self) -> bool:
        """Whether money takes part, so that the payment system has to be looked at."""
        return bool(self.paid_before) or any(each.priced for each in self.chargers.values())

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(self.chargers)
