"""Scenario files: how the network stands at a beginning, and what happens then, as YAML (`sandbox/scenarios/*.yml`).

A file says which chargers it sets up (cars, faults, local lists, running sessions) and, step by step, what drivers and faults do
later. A mistake is one sentence with its line and field. Playing one is `world`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import yaml

from sandbox.car import Car, UnknownCar
from sandbox.conversations.nodes import BadScenario as BadScenario
from sandbox.conversations.nodes import Node
from sandbox.fault_table import BadFault, UnknownFault, read_params
from sandbox.plan import ChargerPlan, NetworkPlan
from sandbox.tokens import IdInfo

FOLDER = Path(__file__).parent / "scenarios"
MOST_TEXT = 100_000
MOST_SECONDS = 7 * 86_400.0
Doing = Literal["plug", "unplug", "swipe", "fault", "mend"]
_WORDS = ("plug", "unplug", "swipe", "fault", "mend")
_TOKEN_WORDS = ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")


class UnknownScenario(LookupError):
    """No scenario has this name."""


@dataclass(frozen=True, slots=True)
class Set:
    """One charger at the beginning. `local_list` None: it keeps none."""

    charger: str
    cars: Mapping[int, Any] = field(default_factory=dict)
    swiped: Mapping[int, str] = field(default_factory=dict)
    faults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    local_list: Mapping[str, IdInfo] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """`at_s`: seconds of the clock after the chargers stand as the scenario says and are connected again."""

    at_s: float
    charger: str
    do: Doing
    connector: int = 1
    token: str = ""
    car: Any = None
    car_unlocked: bool = False
    fault: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`others`: what the chargers that it does not name do: stay as the network has them, or stand mended and empty."""

    name: str
    help: str
    others: Literal["as_they_are", "mended"]
    chargers: tuple[Set, ...]
    steps: tuple[Step, ...]


class _Cars(Protocol):
    def car(self, said: Any) -> Car: ...


def names(folder: Path = FOLDER) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.yml"))


def load(name: str, plan: NetworkPlan, folder: Path = FOLDER) -> Scenario:
    """A scenario that lies in the folder. Raises UnknownScenario or BadScenario."""
    if name not in names(folder):
        raise UnknownScenario(f"There is no scenario {name[:50]!r}; there are: {', '.join(names(folder))}.")
    return read((folder / f"{name}.yml").read_text("utf-8"), plan, name, f"{name}.yml")


def read(text: str, plan: NetworkPlan, name: str = "given", shown_as: str = "scenario") -> Scenario:
    """A scenario from YAML text. Raises BadScenario, whose message begins with `file:line: field:`."""
    if len(text) > MOST_TEXT:
        raise BadScenario(f"{shown_as}:1: file: at most {MOST_TEXT} characters are expected")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise BadScenario(f"{shown_as}:1: file: aliases (*name) are not taken")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadScenario(f"{shown_as}:{line}: file: not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BadScenario(f"{shown_as}:1: file: not YAML: {type(error).__name__}") from None
    if root is None:
        raise BadScenario(f"{shown_as}:1: file: empty")
    plans = {each.id: each for each in plan.chargers}
    fields = Node(root, shown_as, "").fields(("help", "others", "chargers", "steps"), ("help",))
    others = fields["others"].word(("as_they_are", "mended")) if "others" in fields else "mended"
    chargers = (
        [_set(key, value, plans, plan.garage) for key, value in fields["chargers"].items()]
        if "chargers" in fields
        else []
    )
    steps = [_step(node, plans, plan.garage) for node in fields["steps"].each()] if "steps" in fields else []
    return Scenario(
        name,
        fields["help"].text(most=500),
        "mended" if others == "mended" else "as_they_are",
        tuple(chargers),
        tuple(sorted(steps, key=lambda step: step.at_s)),
    )


def _charger(node: Node, plans: Mapping[str, ChargerPlan]) -> ChargerPlan:
    name = node.text(most=48)
    if name not in plans:
        raise node.wrong(f"there is no simulated charger {name!r}")
    return plans[name]


def _numbers(plan: ChargerPlan) -> frozenset[int]:
    return frozenset(each.number for each in plan.connectors)


def _number(node: Node, plan: ChargerPlan) -> int:
    number = node.whole(1, 999)
    if number not in _numbers(plan):
        raise node.wrong(f"{plan.id} has no connector {number}")
    return number


def _car(node: Node, garage: _Cars) -> Any:
    said = node.anything()
    try:
        garage.car(said)
    except (UnknownCar, TypeError, AttributeError) as error:
        raise node.wrong(str(error)) from None
    return said


def _params(node: Node, name: str, plan: ChargerPlan, at: Node) -> dict[str, Any]:
    params = node.anything() if node is not at else {}
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise node.wrong("a mapping of the fault's parameters is expected")
    try:
        return read_params(name, {str(key): value for key, value in params.items()}, _numbers(plan))
    except UnknownFault as error:
        raise at.wrong(str(error.args[0])) from None
    except BadFault as error:
        raise node.wrong(str(error)) from None


def _by_connector(node: Node, plan: ChargerPlan, value: Callable[[Node], Any]) -> dict[int, Any]:
    return {_number(key, plan): value(inner) for key, inner in node.items()}


def _set(key: Node, node: Node, plans: Mapping[str, ChargerPlan], garage: _Cars) -> Set:
    plan = _charger(key, plans)
    fields = node.fields(("cars", "swiped", "faults", "local_list"))
    faults = {}
    if "faults" in fields:
        for name, params in fields["faults"].items():
            faults[name.text()] = _params(params, name.text(), plan, name)
    local: dict[str, IdInfo] | None = None
    if "local_list" in fields:
        local = {name.text(most=36): IdInfo(word.word(_TOKEN_WORDS)) for name, word in fields["local_list"].items()}
    return Set(
        plan.id,
        _by_connector(fields["cars"], plan, lambda each: _car(each, garage)) if "cars" in fields else {},
        _by_connector(fields["swiped"], plan, lambda each: each.text(most=36)) if "swiped" in fields else {},
        faults,
        local,
    )


_FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "plug": (("connector", "car"), ()),
    "unplug": (("connector", "car_unlocked"), ()),
    "swipe": (("connector", "token"), ("token",)),
    "fault": (("fault", "params"), ("fault",)),
    "mend": (("fault",), ("fault",)),
}


def _step(node: Node, plans: Mapping[str, ChargerPlan], garage: _Cars) -> Step:
    every = ("at_s", "charger", "do", "connector", "token", "car", "car_unlocked", "fault", "params")
    fields = node.fields(every, ("at_s", "charger", "do"))
    do = fields["do"].word(_WORDS)
    known, needed = _FIELDS[do]
    for name in fields:
        if name not in {"at_s", "charger", "do", *known}:
            raise fields[name].wrong(f"a step that does {do!r} has no such field; it has: {', '.join(known)}")
    if missing := [name for name in needed if name not in fields]:
        raise node.wrong(f"{', '.join(missing)} is missing")
    plan = _charger(fields["charger"], plans)
    fault, params = "", {}
    if "fault" in fields:
        fault = fields["fault"].text()
        params = _params(fields.get("params", fields["fault"]), fault, plan, fields["fault"])
    return Step(
        at_s=fields["at_s"].number(0, MOST_SECONDS),
        charger=plan.id,
        do=do,  # type: ignore[arg-type]  # `word` has checked that it is one of them
        connector=_number(fields["connector"], plan) if "connector" in fields else min(_numbers(plan)),
        token=fields["token"].text(most=36) if "token" in fields else "",
        car=_car(fields["car"], garage) if "car" in fields else None,
        car_unlocked=fields["car_unlocked"].yes_or_no() if "car_unlocked" in fields else False,
        fault=fault,
        params=params,
    )
