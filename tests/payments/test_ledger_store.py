"""The ledger's contract, on both implementations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from actions.payments.ledger import State, as_json, from_json
from actions.payments.store import LedgerStore, MongoLedger, SqliteLedger
from tests.payments.made import NOW, purchase
from tests.stores.fixtures import EACH_STORE, opened_store


@pytest.fixture(params=EACH_STORE)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LedgerStore]:
    async with opened_store(request, lambda: SqliteLedger(tmp_path / "payments.sqlite3"), MongoLedger) as opened:
        yield opened


def test_a_purchase_survives_its_json() -> None:
    whole = purchase(
        state=State.CHARGING,
        attempts={"checkout": 1},
        checkouts=("cs_1",),
        link_until=NOW,
        intent="pi_1",
        told=("held=in_1",),
    )
    assert from_json(as_json(whole)) == whole
    assert from_json({**as_json(whole), "of_a_later_release": 1}) == whole


async def test_the_first_purchase_with_an_id_stays(store: LedgerStore) -> None:
    assert await store.add(purchase()) == purchase()
    assert await store.add(purchase(hold=9)) == purchase()
    assert await store.get("pay_1") == purchase()
    assert await store.get("pay_9") is None


async def test_changes_made_at_once_are_all_kept(store: LedgerStore) -> None:
    await store.add(purchase())
    await asyncio.gather(*(store.change("pay_1", lambda one, n=n: one.tell(f"t{n}", "in_1")) for n in range(8)))
    found = await store.get("pay_1")
    assert found is not None
    assert len(found.told) == 8
    with pytest.raises(KeyError):
        await store.change("pay_9", lambda one: one)


async def test_purchases_are_found_by_what_they_are(store: LedgerStore) -> None:
    await store.add(purchase(1))
    later = NOW + timedelta(minutes=1)
    await store.add(purchase(2, created_at=later, state=State.CAPTURED, session="ses_1"))
    await store.add(purchase(3, created_at=later + timedelta(minutes=1), conversation="web_2", driver="drv-ada"))
    assert [one.id for one in await store.find()] == ["pay_3", "pay_2", "pay_1"]
    assert [one.id for one in await store.find(conversation="web_1")] == ["pay_2", "pay_1"]
    assert [one.id for one in await store.find(session="ses_1")] == ["pay_2"]
    assert [one.id for one in await store.find(driver="drv-ada", limit=1)] == ["pay_3"]
    assert [one.id for one in await store.open_ones()] == ["pay_1", "pay_3"]


async def test_a_change_of_state_is_found(store: LedgerStore) -> None:
    await store.add(purchase())
    await store.change("pay_1", lambda one: replace(one, state=State.LAPSED))
    assert await store.open_ones() == []


async def test_a_mark_is_kept(store: LedgerStore) -> None:
    assert await store.marked("events") is None
    await store.mark("events", "a")
    await store.mark("events", "b")
    assert await store.marked("events") == "b"
