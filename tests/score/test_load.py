"""Scenario files: the shipped ones are good and enough, and a mistake in one is told with file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.conversations.load import FOLDER, load_all
from sandbox.conversations.nodes import BadScenario
from sandbox.conversations.predicates import CONDITIONS
from tests.score import made


def test_the_shipped_scenarios_cover_the_five_problems_and_what_must_be_refused() -> None:
    scenarios = load_all(FOLDER)
    assert len(scenarios) >= 60
    problems = {each.problem for each in scenarios}
    assert {"session_not_starting", "payment_failed", "charger_offline", "connector_stuck", "rfid_failed"} <= problems
    assert {"two_drivers", "hazards", "refused"} <= problems
    assert sum(each.problem == "refused" for each in scenarios) >= 10


def test_two_files_with_the_same_charger_are_refused(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    for name in ("one", "two"):
        (tmp_path / "made" / f"{name}.yml").write_text(made.SCENARIO)
    with pytest.raises(BadScenario, match=r"made/two\.yml:1: chargers\.7001: made/one has this charger already"):
        load_all(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shows: Two cables, two drivers.", "show: x", r"one\.yml:2: show: unknown field; known here: shows"),
        ("shows: Two cables, two drivers.", "seed: 1", r"one\.yml:2: file: shows is missing"),
        ("expect: {end: refused}", "expect: {end: happy}", r"one\.yml:9: expect\.end: 'happy' is not one of"),
        ("expect: {end: refused}", "expect: {end: resolved}", r"one\.yml:9: expect: resolved needs `when`"),
        ("expect: {end: refused}", "expect: {end: told}", r"one\.yml:9: expect: told needs `told`"),
        ("cars: {1: ada, 2: ben}", "cars: {3: ada}", r"one\.yml:4: chargers\.7001\.cars\.3: a connector from 1 to 2"),
        ("cars: {1: ada, 2: ben}", "cars: {1: eve}", r"one\.yml:4: chargers\.7001\.cars\.1: 'eve' is not one of"),
        (
            "cars: {1: ada, 2: ben}",
            "faults: {gremlin: {}}",
            r"one\.yml:4: chargers\.7001\.faults\.gremlin: There is no fault",
        ),
        ("cars: {1: ada, 2: ben}", "faults: {silent: {a: 1}}", r"one\.yml:4: .*silent has no parameter a"),
        ("cars: {1: ada, 2: ben}", "charging: {1: ada}", r"one\.yml:4: .*nothing charges here: there is no car"),
        (
            'charger: "7001", connector: 1',
            'charger: "9"',
            r"one\.yml:7: drivers\.ada\.stands_at\.charger: '9' is not one of",
        ),
        ("steps: []}", "}", r"one\.yml:7: drivers\.ada: either steps or a goal is expected"),
        (
            "steps: []}",
            "steps: [{shout: x}]}",
            r"one\.yml:7: drivers\.ada\.steps\[1\]: exactly one of these is expected",
        ),
        ("steps: []}", "steps: [{silent: -1}]}", r"one\.yml:7: drivers\.ada\.steps\[1\]\.silent: a number from 0"),
        ("steps: []}", "steps: [{hear: claims:x}]}", r"one\.yml:7: drivers\.ada\.steps\[1\]\.hear: asks:…, claims:…"),
        (
            "channel: sms, stands",
            "hint: true, channel: sms, stands",
            r"one\.yml:7: drivers\.ada\.hint: a QR code needs",
        ),
        ("channel: sms, stands", "known: true, stands", r"one\.yml:7: drivers\.ada\.known: only a phone number"),
        ("shows: Two cables, two drivers.", "shows: [", r"one\.yml:\d+: file: not YAML"),
        ('"7002": {}', '"7001": {}', r"one\.yml:5: chargers\.7001: stands here twice"),
    ],
)
def test_a_mistake_is_told_where_it_is(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in made.SCENARIO
    with pytest.raises(BadScenario, match=said):
        made.scenario(tmp_path, made.SCENARIO.replace(old, new, 1))


def test_an_empty_folder_is_a_mistake_too(tmp_path: Path) -> None:
    with pytest.raises(BadScenario, match="there is no scenario"):
        load_all(tmp_path)


def test_every_condition_can_be_asked(tmp_path: Path) -> None:
    from sandbox.conversations.predicates import holds
    from sandbox.conversations.scenario import Condition

    story = made.Story(made.charger(made.connector(1, token=made.ADA), made.connector(2)))
    for name in CONDITIONS:
        assert holds(Condition(name, "7001", 1), story.end(1.0), made.BOOK, 1.0) in {True, False}
