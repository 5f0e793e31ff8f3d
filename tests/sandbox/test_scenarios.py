"""Scenario files: all that are shipped can be read, mistakes are told where they are, and what they say happens."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeline.clock import FastClock
from sandbox import scenarios
from sandbox.conversations.nodes import BadScenario
from sandbox.plan import load
from sandbox.world import World
from tests.sandbox.central import Central

PLAN = load()


@pytest.fixture
async def world(central: Central) -> AsyncIterator[World]:
    some = [each for each in PLAN.chargers if each.id in {"CL-1042", "CL-1043", "CL-2001", "CL-1062"}]
    world = World(replace(PLAN, chargers=tuple(some)), central.url, FastClock(600.0, time.time()))
    central.tokens |= {row["id"]: row["status"] for row in PLAN.tokens}
    yield world
    await world.close()


@pytest.mark.parametrize("name", scenarios.names())
def test_every_shipped_scenario_can_be_read(name: str) -> None:
    scenario = scenarios.load(name, PLAN)
    assert scenario.chargers or scenario.steps
    assert scenario.help.endswith(".")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: file: empty"),
        ("help: [", ":1: file: not YAML"),
        ("- a", ":1: file: a mapping"),
        ("chargers: {}", ":1: file: help is missing"),
        ("help: x\ncolour: red", ":2: colour: unknown field"),
        ("help: x\nchargers:\n  CL-0: {}", ":3: chargers.CL-0: there is no simulated charger"),
        (
            "help: x\nchargers:\n  CL-1042:\n    faults: {gremlins: {}}",
            ":4: chargers.CL-1042.faults.gremlins: There is no fault",
        ),
        (
            "help: x\nchargers:\n  CL-1042:\n    faults:\n      offline: {seconds: long}",
            ":5: .*offline: seconds must be",
        ),
        ("help: x\nchargers:\n  CL-1042:\n    cars: {2: compact}", ":4: .*CL-1042 has no connector 2"),
        ("help: x\nchargers:\n  CL-1042:\n    cars: {1: tank}", ":4: .*no car 'tank'"),
        ("help: x\nsteps:\n  - {at_s: -1, charger: CL-1042, do: plug}", ":3: .*at_s: a number"),
        ("help: x\nsteps:\n  - {at_s: 1, charger: CL-1042, do: dance}", ":3: .*do: 'dance' is not one of"),
        ("help: x\nsteps:\n  - {at_s: 1, charger: CL-1042, do: swipe}", ":3: .*token is missing"),
        ("help: x\nsteps:\n  - {at_s: 1, charger: CL-1042, do: plug, token: T}", ":3: .*has no such field"),
        ("a: &a [1]\nhelp: *a", "aliases"),
        ("help: x\nchargers: {1042: {cars: {? [1] : 2}}}", "there is no simulated charger"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_field(text: str, said: str) -> None:
    with pytest.raises(BadScenario, match=said):
        scenarios.read(text, PLAN)


@given(st.text(max_size=200) | st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.dictionaries(st.sampled_from(["help", "chargers", "steps", "CL-1042", "cars", "faults", "1", "offline"]), inner, max_size=3) | st.lists(inner, max_size=2), max_leaves=12).map(json.dumps))  # fmt: skip
def test_any_text_is_a_scenario_or_a_bad_one(text: str) -> None:
    try:
        scenarios.read(text, PLAN)
    except BadScenario as error:
        place = str(error).split(":")[:2]
    else:
        return
    assert place[0] == "scenario"
    assert place[1].isdigit()


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(scenarios.UnknownScenario, match="storm"):
        scenarios.load("../network/network", PLAN)


async def test_a_scenario_sets_the_scene_and_the_others_are_mended(world: World, central: Central) -> None:
    world.start()
    await central.peer("CL-1043")
    text = """
    help: One neighbour.
    chargers:
      CL-2001:
        cars: {1: compact}
        local_list: {TOK-ADA-0001: Blocked}
        faults: {neighbour_charges: {connector: 2}}
    """
    await world.play(scenarios.read(text, world.plan))
    await central.expect("StartTransaction", idTag="TOK-GRACE-0007", connectorId=2)
    await central.expect("StatusNotification", connectorId=2, status="Charging")
    station = world.chargers["CL-2001"].station
    assert station.connectors[1].car is not None
    assert station.tokens.entries["TOK-ADA-0001"].status == "Blocked"
    assert world.chargers["CL-1043"].faults.all() == {}
    assert world.chargers["CL-1042"].station.connectors[1].car is None
    await world.back_to_start()
    assert list(world.chargers["CL-1043"].faults.all()) == ["start_rejected"]
    assert world.chargers["CL-1042"].station.connectors[1].car is not None
    assert station.tokens.entries == {}


async def test_an_hour_at_the_station_takes_seconds(world: World, central: Central) -> None:
    """CLOCK_SPEED 600: the hour between two swipes is six real seconds, its energy an hour's."""
    world.start()
    await central.peer("CL-1062")
    began = time.monotonic()
    await world.play(scenarios.load("a-day-at-the-station", replace(PLAN)))
    start = await central.expect("StartTransaction", idTag="TOK-ADA-0001")
    stop = await central.expect("StopTransaction", idTag="TOK-ADA-0001")
    assert 7.2e3 * 0.97 < stop["meterStop"] - start["meterStart"] < 7.2e3 * 1.03
    assert time.monotonic() - began < 20
