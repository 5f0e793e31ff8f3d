"""The part of a scenario file that drivers do: scripts, goals, conditions, places. Used by `load.py` only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from sandbox.conversations.nodes import Node
from sandbox.conversations.predicates import CONDITIONS
from sandbox.conversations.scenario import Car, Charger, Condition, Driver, Goal, Persona, Place, Step, StepKind
from sandbox.conversations.wallet import CARDS
from sandbox.conversations.words import Words
from sandbox.faults import BadFault, UnknownFault, read_params

_KINDS: tuple[StepKind, ...] = get_args(StepKind)


def place(node: Node, chargers: Mapping[str, Charger]) -> Place:
    """A charger's label, or `{charger, connector}`."""
    if not node.is_mapping:
        return Place(node.word(tuple(chargers)))
    fields = node.fields(("charger", "connector"), ("charger",))
    return _place(fields, chargers, None, node)


def _place(fields: Mapping[str, Node], chargers: Mapping[str, Charger], default: Place | None, node: Node) -> Place:
    if "charger" in fields:
        charger = fields["charger"].word(tuple(chargers))
    elif default is not None:
        charger = default.charger
    else:
        raise node.wrong("charger is missing, and the driver stands nowhere")
    if "connector" not in fields:
        return Place(charger, default.connector if default and default.charger == charger else 1)
    return Place(charger, fields["connector"].whole(1, len(chargers[charger].plugs)))


class StepReader:
    def __init__(self, chargers: Mapping[str, Charger], drivers: Sequence[str]) -> None:
        self._chargers = chargers
        self._drivers = drivers

    def step(self, node: Node, here: Place | None) -> Step:
        """`- say: "…"` and its like. `here` is where the driver stands."""
        names = [key.text() for key, _ in node.items()]
        kinds = [kind for kind in _KINDS if kind in names]
        if len(kinds) != 1:
            raise node.wrong(f"exactly one of these is expected: {', '.join(_KINDS)}")
        kind = kinds[0]
        if kind == "say":
            return self._say(node)
        if kind in {"hear", "until"}:
            return self._wait(node, kind)
        value = node.fields((kind,))[kind]
        if kind == "choose":
            return Step("choose", node.line, text=value.text())
        if kind == "silent":
            return Step("silent", node.line, seconds=value.number(0, 7200))
        if kind in {"fault", "clear"}:
            return self._fault(node.line, kind, value, here)
        if kind == "pay":
            return self._pay(node.line, value)
        return self._at_charger(node.line, kind, value, here)

    def _say(self, node: Node) -> Step:
        fields = node.fields(("say", "answers", "hazard_at", "at_once"))
        return Step(
            "say",
            node.line,
            text=fields["say"].text(most=1600),
            answers=fields["answers"].word(Words.all_names("asks")) if "answers" in fields else None,
            hazard_at=place(fields["hazard_at"], self._chargers) if "hazard_at" in fields else None,
            at_once=fields["at_once"].yes_or_no() if "at_once" in fields else False,
        )

    def _wait(self, node: Node, kind: StepKind) -> Step:
        fields = node.fields((kind, "within_s"))
        seconds = fields["within_s"].number(0, 3600) if "within_s" in fields else 60.0
        if kind == "until":
            return Step(kind, node.line, condition=self.condition(fields[kind], {}), seconds=seconds)
        group, _, name = fields[kind].text().partition(":")
        if group not in {"asks", "claims", "tells"} or name not in Words.all_names(group):
            raise fields[kind].wrong("asks:…, claims:… or tells:… with a name of the word table is expected")
        return Step(kind, node.line, hear=f"{group}:{name}", seconds=seconds)

    def _pay(self, line: int, node: Node) -> Step:
        fields = node.fields(("card", "confirms", "leaves"))
        if ("card" in fields) == ("leaves" in fields):
            raise node.wrong("either a card or leaves: true is expected")
        return Step(
            "pay",
            line,
            card=fields["card"].word(tuple(CARDS)) if "card" in fields else None,
            confirms=fields["confirms"].yes_or_no() if "confirms" in fields else True,
        )

    def _fault(self, line: int, kind: StepKind, node: Node, here: Place | None) -> Step:
        fields = node.fields(("charger", "name", "with"), ("name",))
        at = _place(fields, self._chargers, here, node)
        numbers = frozenset(range(1, len(self._chargers[at.charger].plugs) + 1))
        given = fields["with"].anything() if "with" in fields else {}
        try:
            params = read_params(fields["name"].text(), given, numbers)
        except (UnknownFault, BadFault) as error:
            raise fields["name"].wrong(str(error.args[0])) from None
        return Step(kind, line, place=at, fault=fields["name"].text(), params=params)

    def _at_charger(self, line: int, kind: StepKind, node: Node, here: Place | None) -> Step:
        known = {"plug": ("charger", "connector", "car"), "swipe": ("charger", "connector", "token")}
        fields = node.fields(known.get(kind, ("charger", "connector")))
        return Step(
            kind,
            line,
            place=_place(fields, self._chargers, here, node),
            car=read_car(fields["car"], self._drivers) if "car" in fields else None,
            token=fields["token"].word(("own", "unknown", *self._drivers)) if "token" in fields else "own",
        )

    def condition(self, node: Node, drivers: Mapping[str, Driver]) -> Condition:
        """`charging: ada` (where ada stands, with ada's card) or `charging: {charger, connector, driver}`."""
        fields = node.fields(CONDITIONS)
        if len(fields) != 1:
            raise node.wrong(f"exactly one of these is expected: {', '.join(CONDITIONS)}")
        name, value = next(iter(fields.items()))
        if not value.is_mapping:
            driver = drivers.get(value.word(tuple(drivers)))
            if driver is None or driver.stands_at is None:
                raise value.wrong("this driver stands nowhere; name the charger")
            return Condition(name, driver.stands_at.charger, driver.stands_at.connector, driver.name)
        parts = value.fields(("charger", "connector", "driver"), ("charger",))
        charger = parts["charger"].word(tuple(self._chargers))
        return Condition(
            name,
            charger,
            parts["connector"].whole(1, len(self._chargers[charger].plugs)) if "connector" in parts else None,
            parts["driver"].word(tuple(self._drivers)) if "driver" in parts else None,
        )

    def goal(self, node: Node, here: Place | None) -> Goal:
        fields = node.fields(
            ("opens", "charger", "connector", "yes", "done_already", "steps_it_does", "moves_to", "picks", "persona"),
            ("opens",),
        )

        def texts(name: str, default: tuple[str, ...]) -> tuple[str, ...]:
            return fields[name].one_or_many(lambda each: each.text(most=1600)) if name in fields else default

        return Goal(
            opens=texts("opens", ()),
            charger_answers=texts("charger", (here.charger,) if here else ()),
            connector_answers=texts("connector", (str(here.connector),) if here else ()),
            yes=fields["yes"].yes_or_no() if "yes" in fields else True,
            done_already=fields["done_already"].one_or_many(lambda each: each.word(("replug", "seat_plug", "swipe")))
            if "done_already" in fields
            else (),
            steps_it_does=fields["steps_it_does"].whole(0, 9) if "steps_it_does" in fields else 2,
            moves_to=place(fields["moves_to"], self._chargers) if "moves_to" in fields else None,
            picks=texts("picks", ()),
            persona=_persona(fields["persona"]) if "persona" in fields else Persona(),
        )


def _persona(node: Node) -> Persona:
    fields = node.fields(
        ("typos", "slow_s", "late_s", "silent_after", "impatient", "changes_mind", "lower_case", "patience")
    )
    return Persona(
        typos=fields["typos"].number(0, 1) if "typos" in fields else 0.0,
        slow_s=fields["slow_s"].number(0, 600) if "slow_s" in fields else 0.0,
        late_s=fields["late_s"].number(0, 3600) if "late_s" in fields else 0.0,
        silent_after=fields["silent_after"].whole(1, 50) if "silent_after" in fields else None,
        impatient=fields["impatient"].yes_or_no() if "impatient" in fields else False,
        changes_mind=fields["changes_mind"].yes_or_no() if "changes_mind" in fields else False,
        lower_case=fields["lower_case"].yes_or_no() if "lower_case" in fields else True,
        patience=fields["patience"].whole(1, 50) if "patience" in fields else 8,
    )


def read_car(node: Node, drivers: Sequence[str]) -> Car:
    """A car: `stranger`, the name of a driver, or a mapping."""
    if not node.is_mapping:
        owner = node.word((*drivers, "stranger"))
        return Car(owner=None if owner == "stranger" else owner)
    fields = node.fields(("kind", "soc", "limit_soc", "willing", "owner"))
    return Car(
        kind=fields["kind"].word(("compact", "family", "pickup", "plug-in hybrid")) if "kind" in fields else "family",
        soc=fields["soc"].number(0, 100) if "soc" in fields else 30.0,
        limit_soc=fields["limit_soc"].number(0, 100) if "limit_soc" in fields else 100.0,
        willing=fields["willing"].yes_or_no() if "willing" in fields else True,
        owner=fields["owner"].word(drivers) if "owner" in fields else None,
    )
