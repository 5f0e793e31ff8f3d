"""The store's contract, on both implementations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.store.base import BotStore
from bot.store.model import (
    BOT,
    Channel,
    Consent,
    Conversation,
    Delivery,
    Kind,
    Lane,
    NewEntry,
    NewItem,
    Option,
    Sending,
)
from bot.store.mongo import MongoStore
from bot.store.sqlite import SqliteStore
from chargeline.mongo import Database

NOW = datetime(2026, 3, 1, 12, 0, 0, 250000, tzinfo=UTC)


async def conversation(store: BotStore, name: str = "sms_1", channel: Channel = Channel.SMS) -> Conversation:
    return await store.conversation_for(channel, f"address of {name}", name, NOW)


def item(number: int, of: str = "sms_1", source: str | None = None) -> NewItem:
    return NewItem(
        id=f"in_{of}_{number}",
        conversation=of,
        source=source or f"source:{of}:{number}",
        kind=Kind.TEXT,
        text=f"text {number}",
        received_at=NOW + timedelta(seconds=number),
        shown=f"text {number}",
        client_id=f"c{number}",
    )


def reply(number: int, of: str = "sms_1", delivery: Delivery | None = None) -> NewEntry:
    return NewEntry(
        id=f"in_{of}_1:{number}",
        conversation=of,
        author=BOT,
        turn=f"in_{of}_1",
        turn_kind=Kind.TEXT,
        text=f"reply {number}",
        created_at=NOW + timedelta(seconds=number),
        options=(Option("Left side", '/inform{"side":"left"}'),),
        custom={"card": {"kwh": 1.5}},
        delivery=delivery,
    )


class StoreContract:
    async def test_an_address_has_one_conversation(self, store: BotStore) -> None:
        made = await asyncio.gather(
            *(store.conversation_for(Channel.SMS, "+15550101", f"sms_{number}", NOW) for number in range(5))
        )
        assert len({one.id for one in made}) == 1
        assert made[0] == Conversation(made[0].id, Channel.SMS, "+15550101", NOW)
        other = await store.conversation_for(Channel.WEB, "+15550101", "web_1", NOW)
        assert other.id == "web_1"
        assert await store.conversation(other.id) == other
        assert await store.conversation("sms_none") is None
        await store.set_hints(other.id, "CL-1042", 2)
        hinted = await store.conversation(other.id)
        assert hinted is not None
        assert (hinted.charger_hint, hinted.connector_hint) == ("CL-1042", 2)

    async def test_a_source_is_accepted_once_also_when_it_comes_five_times_at_once(self, store: BotStore) -> None:
        await conversation(store)
        results = await asyncio.gather(*(store.accept(item(number, source="twilio:SM1")) for number in range(5)))
        assert sum(new for _, new in results) == 1
        assert len({stored.id for stored, _ in results}) == 1
        assert len(await store.entries("sms_1", 0, 10)) == 1
        assert await store.waiting_in("sms_1") == 1

    async def test_items_come_back_in_their_order_until_they_are_finished(self, store: BotStore) -> None:
        await conversation(store)
        await conversation(store, "sms_2")
        for number in (1, 2, 3):
            await store.accept(item(number))
        await store.accept(item(0, "sms_2"))
        assert await store.waiting(10, []) == ["sms_2", "sms_1"]
        assert await store.waiting(1, ["sms_2"]) == ["sms_1"]
        seen = []
        while (found := await store.next_item("sms_1")) is not None:
            seen.append((found.number, found.text, found.first, found.received_at))
            await store.finish(found.id, "answered")
        assert seen == [(n, f"text {n}", n == 1, NOW + timedelta(seconds=n)) for n in (1, 2, 3)]
        assert await store.waiting(10, []) == ["sms_2"]

    async def test_lanes_of_a_conversation_do_not_wait_for_each_other(self, store: BotStore) -> None:
        await conversation(store)
        await store.accept(item(1))
        await store.accept(replace(item(2), lane=Lane.HAZARD, kind=Kind.HAZARD))
        assert await store.waiting(10, []) == await store.waiting(10, [], Lane.HAZARD) == ["sms_1"]
        assert await store.waiting(10, [], Lane.DESK) == []
        urgent = await store.next_item("sms_1", Lane.HAZARD)
        assert urgent is not None
        assert (urgent.number, urgent.lane, urgent.kind) == (2, Lane.HAZARD, Kind.HAZARD)
        assert await store.waiting_in("sms_1") == 2
        await store.move(urgent.id, Lane.DESK)
        assert await store.next_item("sms_1", Lane.HAZARD) is None
        moved = await store.next_item("sms_1", Lane.DESK)
        assert moved is not None
        assert moved.number == 2
        assert await store.waiting_in("sms_1") == 1, "nobody awaits an answer of the bot to what goes to a person"
        first = await store.next_item("sms_1")
        assert first is not None
        assert first.number == 1
        await store.finish(moved.id, "forwarded")
        assert await store.waiting(10, [], Lane.DESK) == []

    async def test_a_conversation_keeps_its_language_its_case_and_its_open_question(self, store: BotStore) -> None:
        made = await conversation(store)
        assert (made.language, made.case, made.hazard_until) == (None, None, None)
        await store.set_language(made.id, "fr")
        await store.set_case(made.id, "case_1")
        await store.set_hazard_until(made.id, NOW)
        found = await store.conversation(made.id)
        assert found is not None
        assert (found.language, found.case, found.hazard_until) == ("fr", "case_1", NOW)
        await store.set_case(made.id, None)
        await store.set_hazard_until(made.id, None)
        found = await store.conversation(made.id)
        assert found is not None
        assert (found.language, found.case, found.hazard_until) == ("fr", None, None)

    async def test_what_was_asked_and_how_often_it_failed_is_kept(self, store: BotStore) -> None:
        await conversation(store)
        accepted, _ = await store.accept(item(1))
        assert (accepted.asked_at, accepted.failures) == (None, 0)
        await store.mark_asked(accepted.id, "/affirm", NOW)
        assert [await store.add_failure(accepted.id) for _ in range(2)] == [1, 2]
        found = await store.next_item("sms_1")
        assert found is not None
        assert (found.asked_text, found.asked_at, found.failures) == ("/affirm", NOW, 2)

    async def test_a_reply_is_stored_once_and_numbered_without_gaps(self, store: BotStore) -> None:
        await conversation(store)
        await store.accept(item(1))
        await asyncio.gather(*(store.add_entry(reply(number % 4)) for number in range(12)))
        stored = await store.entries("sms_1", 0, 100)
        assert [entry.seq for entry in stored] == [1, 2, 3, 4, 5]
        assert sorted(entry.text for entry in stored[1:]) == [f"reply {number}" for number in range(4)]
        assert stored[0].author == "driver"
        assert stored[0].client_id == "c1"
        again = await store.add_entry(reply(0))
        assert again.options == (Option("Left side", '/inform{"side":"left"}'),)
        assert again.custom == {"card": {"kwh": 1.5}}
        assert await store.entry(again.id) == again
        assert await store.entry("none") is None
        assert [entry.seq for entry in await store.entries("sms_1", 3, 1)] == [4]
        assert [entry.seq for entry in await store.latest_entries("sms_1", 2)] == [5, 4]

    async def test_a_delivery_is_claimed_by_one_only_and_found_until_it_is_final(self, store: BotStore) -> None:
        await conversation(store)
        await store.add_entry(reply(1, delivery=Delivery(body="first")))
        await store.add_entry(reply(2, delivery=Delivery(body="second", exempt=True)))
        await store.add_entry(reply(3))
        assert await store.undelivered(10, []) == ["sms_1"]
        assert await store.undelivered(10, ["sms_1"]) == []
        first = await store.next_delivery("sms_1")
        assert first is not None
        claims = await asyncio.gather(*(store.claim_delivery(first.id, NOW) for _ in range(4)))
        assert sum(claims) == 1
        claimed = await store.next_delivery("sms_1")
        assert claimed is not None
        assert claimed.delivery == Delivery(body="first", state=Sending.SENDING, attempts=1, claimed_at=NOW)
        final = Delivery(body="first", state=Sending.SENT, attempts=1, claimed_at=NOW, sid="SM1", next_at=NOW)
        await store.set_delivery(first.id, final)
        second = await store.next_delivery("sms_1")
        assert second is not None
        assert second.delivery == Delivery(body="second", exempt=True)
        assert await store.known_sids(["SM1", "SM2"]) == {"SM1"}
        assert (await store.backlog()).deliveries == 1
        await store.set_delivery(second.id, Delivery(body="second", state=Sending.FAILED, error="21211"))
        assert await store.next_delivery("sms_1") is None
        assert await store.undelivered(10, []) == []

    async def test_the_newest_word_on_consent_counts_and_a_repeat_of_an_old_one_does_not(self, store: BotStore) -> None:
        def row(source: str, out: bool) -> Consent:
            return Consent(source, Channel.SMS, "+15550101", out, "stop", NOW)

        assert not await store.opted_out(Channel.SMS, "+15550101")
        assert await store.record_consent(row("twilio:SM1", True))
        assert await store.opted_out(Channel.SMS, "+15550101")
        assert not await store.opted_out(Channel.WEB, "+15550101")
        assert await store.record_consent(row("twilio:SM2", False))
        assert not await store.record_consent(row("twilio:SM1", True))
        assert not await store.opted_out(Channel.SMS, "+15550101")


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[BotStore]:
        made = SqliteStore(tmp_path / "bot.sqlite3")
        await made.open()
        yield made
        await made.close()


@pytest.mark.mongo
class TestMongoStore(StoreContract):
    @pytest.fixture
    async def store(self, mongo_database: Database) -> BotStore:
        made = MongoStore(mongo_database)
        await made.open()
        return made


async def test_what_was_stored_is_there_after_reopening(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "bot.sqlite3")
    await store.open()
    await conversation(store)
    await store.accept(item(1))
    await store.close()
    store = SqliteStore(tmp_path / "bot.sqlite3")
    await store.open()
    assert await store.waiting(10, []) == ["sms_1"]
    assert (await store.backlog()).items == 1
    await store.close()
