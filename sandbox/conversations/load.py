"""Scenario files to scenarios: `tests/conversations/<problem>/<name>.yml`. A mistake is one line with file, line and field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chargeline.processes import ROOT
from sandbox.conversations import steps
from sandbox.conversations.nodes import BadScenario, Node, read_file
from sandbox.conversations.predicates import CONDITIONS
from sandbox.conversations.scenario import (
    ACTS,
    ENDS,
    TOKEN_STATES,
    Channel,
    Charger,
    Driver,
    Event,
    Expected,
    Never,
    PaidBefore,
    Scenario,
)
from sandbox.conversations.wallet import CARDS
from sandbox.conversations.words import Words
from sandbox.faults import BadFault, UnknownFault, read_params

FOLDER = ROOT / "tests" / "conversations"
PLUGS = ("J1772", "CCS", "NACS", "CHAdeMO")
MODELS = ("Kerb 7", "Kerb 7 Duo", "Lode 19", "Post 7S", "Torrent 60", "Torrent 150")
_DEFAULT_ACTS = {"Accepted": frozenset({"start", "stop", "unlock"})}


def load_all(folder: Path = FOLDER) -> list[Scenario]:
    """Every scenario below the folder, by id. Raises BadScenario, also where two files use the same charger."""
    scenarios: list[Scenario] = []
    chargers: dict[str, str] = {}
    for path in sorted(folder.glob("*/*.yml")):
        scenario = load(path, folder)
        for label in scenario.chargers:
            if (other := chargers.setdefault(label, scenario.id)) != scenario.id:
                raise BadScenario(f"{path.relative_to(folder)}:1: chargers.{label}: {other} has this charger already")
        scenarios.append(scenario)
    if not scenarios:
        raise BadScenario(f"{folder}:1: file: there is no scenario in this folder")
    return scenarios


def load(path: Path, folder: Path) -> Scenario:
    """Raises BadScenario."""
    shown_as = str(path.relative_to(folder))
    root = read_file(path, shown_as)
    fields = root.fields(
        ("shows", "seed", "chargers", "drivers", "paid_before", "events", "expect"),
        ("shows", "chargers", "drivers", "expect"),
    )
    names = [key.text() for key, _ in fields["drivers"].items()]
    chargers = {key.text(): _charger(key, value, names) for key, value in fields["chargers"].items()}
    reader = steps.StepReader(chargers, names)
    drivers = {key.text(): _driver(key.text(), value, chargers, reader) for key, value in fields["drivers"].items()}
    if not chargers or not drivers:
        raise root.wrong("at least one charger and one driver are expected")
    return Scenario(
        id=str(Path(shown_as).with_suffix("")),
        problem=path.parent.name,
        shows=fields["shows"].text(),
        seed=fields["seed"].whole() if "seed" in fields else 1,
        chargers=chargers,
        drivers=drivers,
        events=tuple(_event(each, reader) for each in fields["events"].each()) if "events" in fields else (),
        expect=_expected(fields["expect"], chargers, drivers, reader),
        paid_before=tuple(_paid_before(each, chargers, drivers) for each in fields["paid_before"].each())
        if "paid_before" in fields
        else (),
    )


def _charger(key: Node, node: Node, drivers: Sequence[str]) -> Charger:
    label = key.text(most=12)
    if not label.isalnum():
        raise key.wrong("a charger is named by the letters and digits on its label")
    fields = node.fields(("plugs", "model", "tethered", "site", "cars", "charging", "faults", "priced"))
    plugs = fields["plugs"].one_or_many(lambda each: each.word(PLUGS)) if "plugs" in fields else ("J1772",)
    tethered = fields["tethered"].yes_or_no() if "tethered" in fields else True
    numbers = range(1, len(plugs) + 1)

    def connector(at: Node) -> int:
        text = at.text()
        if not text.isdecimal() or int(text) not in numbers:
            raise at.wrong(f"a connector from 1 to {len(plugs)} is expected")
        return int(text)

    cars = {connector(k): steps.read_car(v, drivers) for k, v in fields["cars"].items()} if "cars" in fields else {}
    charging = {}
    for k, v in fields["charging"].items() if "charging" in fields else ():
        charging[connector(k)] = v.word(drivers)
        if connector(k) not in cars:
            raise k.wrong("nothing charges here: there is no car in this connector")
    faults = {}
    for k, v in fields["faults"].items() if "faults" in fields else ():
        params = v.anything() or {}
        if not isinstance(params, dict):
            raise v.wrong("the fault's parameters are expected, or {}")
        try:
            faults[k.text()] = read_params(k.text(), params, frozenset(numbers))
        except (UnknownFault, BadFault) as error:
            raise k.wrong(str(error.args[0])) from None
    return Charger(
        label=label,
        plugs=plugs,
        model=fields["model"].word(MODELS) if "model" in fields else _model_for(plugs, tethered),
        tethered=tethered,
        site=fields["site"].text() if "site" in fields else "here",
        cars=cars,
        charging=charging,
        faults=faults,
        priced=fields["priced"].yes_or_no() if "priced" in fields else False,
    )


def _model_for(plugs: Sequence[str], tethered: bool) -> str:
    if not tethered:
        return "Post 7S"
    if any(plug in {"CCS", "CHAdeMO"} for plug in plugs):
        return "Torrent 150"
    return "Kerb 7 Duo" if len(plugs) > 1 else "Kerb 7"


def _driver(name: str, node: Node, chargers: Mapping[str, Charger], reader: steps.StepReader) -> Driver:
    fields = node.fields(
        (
            "channel",
            "known",
            "token",
            "language",
            "stands_at",
            "hint",
            "may",
            "begins_at_s",
            "saved_card",
            "steps",
            "goal",
        )
    )
    channel: Channel = "terminal"
    if "channel" in fields and fields["channel"].word(("sms", "terminal")) == "sms":
        channel = "sms"
    known = fields["known"].yes_or_no() if "known" in fields else channel == "sms"
    if known and channel != "sms":
        raise fields["known"].wrong("only a phone number makes a driver known; use channel: sms")
    default_token = "Accepted" if known else "none"
    token = fields["token"].word(TOKEN_STATES) if "token" in fields else default_token
    if ("steps" in fields) == ("goal" in fields):
        raise node.wrong("either steps or a goal is expected")
    stands_at = steps.place(fields["stands_at"], chargers) if "stands_at" in fields else None
    hint = fields["hint"].yes_or_no() if "hint" in fields else False
    if hint and (stands_at is None or channel == "sms"):
        raise fields["hint"].wrong("a QR code needs stands_at and a channel other than sms")
    may = _DEFAULT_ACTS.get(token, frozenset()) if known else frozenset({"start", "stop"})
    if "steps" in fields and not list(fields["steps"].each()):
        may = frozenset()  # somebody who says nothing has asked for nothing
    if "may" in fields:
        may = frozenset(each.word(ACTS) for each in fields["may"].each())
    return Driver(
        name=name,
        channel=channel,
        known=known,
        token=token,
        language=fields["language"].word(("en", "es", "fr")) if "language" in fields else "en",
        stands_at=stands_at,
        hint=hint,
        may=may,
        begins_at_s=fields["begins_at_s"].number() if "begins_at_s" in fields else 0.0,
        saved_card=fields["saved_card"].word(tuple(CARDS)) if "saved_card" in fields else None,
        steps=tuple(reader.step(each, stands_at) for each in fields["steps"].each()) if "steps" in fields else (),
        goal=reader.goal(fields["goal"], stands_at) if "goal" in fields else None,
    )


def _paid_before(node: Node, chargers: Mapping[str, Charger], drivers: Mapping[str, Driver]) -> PaidBefore:
    fields = node.fields(("driver", "charger", "card", "cents", "times", "taken"), ("driver",))
    driver = drivers[fields["driver"].word([each.name for each in drivers.values() if each.known])]
    if "charger" not in fields and driver.stands_at is None:
        raise node.wrong("this driver stands nowhere; name the charger")
    return PaidBefore(
        driver=driver.name,
        charger=fields["charger"].word(tuple(chargers))
        if "charger" in fields
        else driver.stands_at.charger
        if driver.stands_at
        else "",
        card=fields["card"].word(tuple(CARDS)) if "card" in fields else "good",
        cents=fields["cents"].whole(50, 100_000) if "cents" in fields else 5000,
        times=fields["times"].whole(1, 5) if "times" in fields else 1,
        taken=fields["taken"].yes_or_no() if "taken" in fields else False,
    )


def _event(node: Node, reader: steps.StepReader) -> Event:
    fields = node.fields(("at_s", "do"), ("at_s", "do"))
    step = reader.step(fields["do"], None)
    if step.kind not in {"plug", "unplug", "swipe", "fault", "clear"}:
        raise fields["do"].wrong("only plug, unplug, swipe, fault and clear happen by themselves")
    return Event(fields["at_s"].number(), step)


def _expected(
    node: Node, chargers: Mapping[str, Charger], drivers: Mapping[str, Driver], reader: steps.StepReader
) -> Expected:
    fields = node.fields(("end", "when", "told", "never", "within_s", "turns_at_most"), ("end",))
    expected = Expected(
        ends=fields["end"].one_or_many(lambda each: each.word(ENDS)),
        when=tuple(reader.condition(each, drivers) for each in fields["when"].each()) if "when" in fields else (),
        told=fields["told"].one_or_many(lambda each: each.word(Words.all_names("tells"))) if "told" in fields else (),
        never=tuple(_never(each, chargers) for each in fields["never"].each()) if "never" in fields else (),
        within_s=fields["within_s"].number(1, 3600) if "within_s" in fields else 120.0,
        turns_at_most=fields["turns_at_most"].whole(1, 50) if "turns_at_most" in fields else None,
    )
    if "resolved" in expected.ends and not expected.when:
        raise node.wrong(f"resolved needs `when`: what telemetry shows then ({', '.join(CONDITIONS)})")
    if "told" in expected.ends and not expected.told:
        raise node.wrong("told needs `told`: what the driver must have been told")
    return expected


def _never(node: Node, chargers: Mapping[str, Charger]) -> Never:
    fields = node.fields(("act", "charger", "connector", "claim"))
    if ("act" in fields) == ("claim" in fields):
        raise node.wrong("either an act or a claim is expected")
    return Never(
        act=fields["act"].word(ACTS) if "act" in fields else None,
        charger=fields["charger"].word(tuple(chargers)) if "charger" in fields else None,
        connector=fields["connector"].whole(1, 9) if "connector" in fields else None,
        claim=fields["claim"].word(Words.all_names("claims")) if "claim" in fields else None,
    )
