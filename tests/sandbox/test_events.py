"""The event log: what it keeps, how it is read on, what is said when a reader came too late."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ocpp.v16 import call

from chargeline.clock import ManualClock
from sandbox.charger import Charger
from sandbox.events import EventLog, Page
from sandbox.reporter import NotPossible
from tests.sandbox.central import Central
from tests.sandbox.conftest import GARAGE, Build


def _seqs(page: Page) -> list[int]:
    return [event.seq for event in page.events]


def _events(charger: Charger, **wanted: Any) -> list[dict[str, Any]]:
    page = json.loads(charger.events.after(0, limit=10_000).json())
    return [each for each in page["events"] if all(each.get(key) == value for key, value in wanted.items())]


@given(st.integers(1, 30), st.integers(0, 60), st.integers(0, 70), st.integers(1, 20))
def test_a_reader_gets_everything_once_or_is_told_how_much_is_lost(
    most: int, added: int, after: int, limit: int
) -> None:
    events = EventLog(ManualClock(), most=most)
    for number in range(added):
        events.add("CL-1" if number % 3 else "CL-2", "fault", name="silent", params=None)
    page = events.after(after, limit=limit)
    kept_from = max(1, added - most + 1)
    assert page.lost == max(0, kept_from - 1 - after)
    wanted = list(range(max(kept_from, after + 1), added + 1))
    assert _seqs(page) == wanted[:limit]
    read, at = _seqs(page), page.next
    while (more := events.after(at, limit=limit)).events:
        read, at = read + _seqs(more), more.next
    assert read == wanted
    assert at == added
    assert set(_seqs(events.after(0, charger="CL-2"))) == {seq for seq in range(kept_from, added + 1) if seq % 3 == 1}
    assert _seqs(events.newest(limit=limit)) == list(range(kept_from, added + 1))[-limit:]


def test_the_ring_is_bounded_in_bytes_too() -> None:
    events = EventLog(ManualClock(), most_bytes=2000)
    for _ in range(50):
        events.add("CL-1", "state", snapshot={"text": "x" * 300})
    assert len(events.after(0).events) < 10
    assert json.loads(events.after(0).json())["lost"] > 40


async def test_a_call_is_noted_with_the_state_before_it(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"})
    await central.expect("StatusNotification", connectorId=1)
    await (await central.peer()).ask(call.RemoteStartTransaction(id_tag="TOK-A", connector_id=1))
    await central.expect("StatusNotification", status="Charging")
    asked = _events(charger, type="frame", direction="in", kind="call")[0]
    assert (asked["action"], asked["payload"]) == ("RemoteStartTransaction", {"idTag": "TOK-A", "connectorId": 1})
    assert asked["before"]["connectors"][0]["status"] == "Preparing"
    answer = _events(charger, message_id=asked["message_id"], direction="out")[0]
    assert (answer["kind"], answer["action"], answer["payload"]["status"]) == (
        "result",
        "RemoteStartTransaction",
        "Accepted",
    )
    started = _events(charger, type="frame", kind="result", direction="in", action="StartTransaction")[0]
    states = _events(charger, type="state")
    numbers = [row["snapshot"]["connectors"][0]["transaction"] for row in states if row["seq"] > started["seq"]]
    assert numbers[-1]["number"] == 1
    seen = [row["snapshot"]["connectors"][0]["status"] for row in states]
    assert seen.index("Preparing") < seen.index("Charging")
    assert [row["at"] for row in states] == sorted(row["at"] for row in states)


async def test_acts_and_faults_are_noted_with_what_came_of_them(central: Central, build: Build) -> None:
    charger = build(cars={1: "small"}, tethered=False)
    await central.expect("StatusNotification", connectorId=1)
    charger.faults.set("unlock", {"held": True})
    try:
        charger.unplug(1)
    except NotPossible:
        pass
    else:
        raise AssertionError("the cable was held")
    charger.faults.clear("unlock")
    charger.unplug(1)
    charger.plug(1, GARAGE.car("small"))
    await charger.swipe(1, "TOK-A")
    assert [(row["what"], row["outcome"]) for row in _events(charger, type="act")] == [
        ("unplug", "NotPossible"),
        ("unplug", "done"),
        ("plug", "done"),
        ("swipe", "Accepted"),
    ]
    faults = _events(charger, type="fault")
    assert [(row["name"], row["params"] is None) for row in faults] == [("unlock", False), ("unlock", True)]
    held = [row["snapshot"]["connectors"][0]["held"] for row in _events(charger, type="state")]
    assert True in held
    assert held[-1] is False
    await charger.swipe(1, "TOK-A")
    last = charger.snapshot()["connectors"][0]["last_session"]
    assert (last["token_last4"], last["stop_reason"]) == ("OK-A", "Local")
