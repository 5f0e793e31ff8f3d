"""The store's contract, on both implementations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from actions.cases import Act, Case, Sight, as_json, from_json
from actions.playbooks.steps import Outcome
from actions.store.base import ActionStore, Delivery, Filter, Wait
from actions.store.mongo import MongoStore
from actions.store.sqlite import SqliteStore
from tests.stores.fixtures import EACH_STORE, mongo_stand_in, opened_store

__all__ = ["mongo_stand_in"]
NOW = datetime(2026, 3, 1, 12, 0, 0, 250000, tzinfo=UTC)


@pytest.fixture(params=EACH_STORE)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ActionStore]:
    async with opened_store(request, lambda: SqliteStore(tmp_path / "actions.sqlite3"), MongoStore) as opened:
        yield opened


def case(number: int = 1, **more: object) -> Case:
    made = Case(
        id=f"case_{number}",
        conversation="sms_1",
        driver="drv-ada",
        tier=1,
        channel="sms",
        language="fr",
        problem="connector_stuck",
        opened_at=NOW + timedelta(minutes=number),
        updated_at=NOW + timedelta(minutes=number),
        charger="CL-1042",
        connector=1,
        seen=(Sight(NOW, "Finishing", None, ("cable_not_unplugged",)),),
        tried=(Act("unlock", "cmd_1", NOW, "rejected", "UnlockFailed", "Finishing"),),
        said=("say_unlocking",),
        transcript=({"by": "driver", "text": "coincé", "at": None},),
    )
    return replace(made, **more)  # type: ignore[arg-type]  # tests name fields of their own


def test_a_case_survives_its_json() -> None:
    whole = case(outcome=Outcome.HANDED_OVER, ended_at=NOW, handoff="asked for", handed_over_at=NOW)
    assert from_json(as_json(whole)) == whole


async def test_a_case_is_kept_as_it_was_and_once(store: ActionStore) -> None:
    await store.add_case(case())
    await store.add_case(case(problem="other"))
    assert await store.case("case_1") == case()
    assert await store.case("case_9") is None


async def test_changes_made_at_once_are_all_kept(store: ActionStore) -> None:
    await store.add_case(case())
    await asyncio.gather(
        *(store.change_case("case_1", lambda one, n=n: replace(one, said=(*one.said, f"say_{n}"))) for n in range(8))
    )
    found = await store.case("case_1")
    assert found is not None
    assert len(found.said) == 9
    assert await store.change_case("case_9", lambda one: one) is None


async def test_cases_are_found_by_what_they_are(store: ActionStore) -> None:
    await store.add_case(case(1))
    await store.add_case(case(2, problem="rfid_failed", charger="CL-2001", outcome=Outcome.FIXED))
    await store.add_case(case(3, conversation="web_1", driver="guest:web_1"))

    async def ids(wanted: Filter) -> list[str]:
        return [one.id for one in await store.cases(wanted)]

    assert await ids(Filter()) == ["case_3", "case_2", "case_1"]
    assert await ids(Filter(limit=1)) == ["case_3"]
    assert await ids(Filter(problem="rfid_failed")) == ["case_2"]
    assert await ids(Filter(charger="CL-1042", driver="drv-ada")) == ["case_1"]
    assert await ids(Filter(outcome="fixed")) == ["case_2"]
    assert await ids(Filter(outcome="open")) == ["case_3", "case_1"]
    assert await ids(Filter(since=NOW + timedelta(minutes=2))) == ["case_3", "case_2"]
    assert await ids(Filter(conversation="web_1")) == ["case_3"]


async def test_idle_cases_are_the_open_ones_that_nobody_has(store: ActionStore) -> None:
    await store.add_case(case(1))
    await store.add_case(case(2, outcome=Outcome.FIXED))
    await store.add_case(case(3, handed_over_at=NOW))
    await store.add_case(case(90))
    assert [one.id for one in await store.idle_cases(NOW + timedelta(minutes=60))] == ["case_1"]


async def test_a_wait_is_kept_once_and_ends_once(store: ActionStore) -> None:
    wait = Wait("wat_1", "case_1", "sms_1", "plug_seen", "CL-1042", 1)
    await store.add_wait(wait)
    await store.end_wait("wat_1")
    await store.add_wait(wait)
    assert await store.wait("wat_1") == replace(wait, over=True)
    assert await store.wait("wat_9") is None


async def test_all_that_a_case_waits_for_can_end(store: ActionStore) -> None:
    for number in (1, 2, 3):
        await store.add_wait(Wait(f"wat_{number}", "case_1", "sms_1", "pulled", "CL-1042", None))
    await store.end_waits("case_1", but=["wat_3"])
    found = [await store.wait(f"wat_{number}") for number in (1, 2, 3)]
    assert [one.over for one in found if one] == [True, True, False]


async def test_deliveries_are_due_in_their_time_and_once_an_id(store: ActionStore) -> None:
    first = Delivery("case_1:webhook", "case_1", "webhook", {"type": "case.handed_over"}, NOW, NOW)
    await store.add_delivery(first)
    await store.add_delivery(replace(first, body={"type": "other"}))
    assert await store.due_deliveries(NOW - timedelta(seconds=1)) == []
    assert await store.due_deliveries(NOW) == [first]
    await store.save_delivery(replace(first, attempts=1, next_at=NOW + timedelta(seconds=5)))
    assert await store.due_deliveries(NOW) == []
    await store.save_delivery(replace(first, attempts=2, state="sent"))
    assert await store.due_deliveries(NOW + timedelta(days=1)) == []


async def test_the_first_answer_to_a_request_stays(store: ActionStore) -> None:
    assert await store.recall("hazard:in_1") is None
    await store.remember("hazard:in_1", {"replies": [1]}, NOW)
    await store.remember("hazard:in_1", {"replies": [2]}, NOW)
    assert await store.recall("hazard:in_1") == {"replies": [1]}
