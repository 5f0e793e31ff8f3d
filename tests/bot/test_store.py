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
    Media,
    NewEntry,
    NewItem,
    Option,
    Place,
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

    async def test_what_was_seen_comes_newest_first_in_pages_with_what_rasa_made_of_it(self, store: BotStore) -> None:
        for name in ("sms_1", "sms_2"):
            await conversation(store, name)
        for number, of in ((1, "sms_1"), (2, "sms_2"), (3, "sms_1")):
            await store.accept(item(number, of))
        await store.add_entry(reply(1))
        understood = {"intent": "greet", "confidence": 0.9, "ranking": [["greet", 0.9]], "said": [], "model": "m"}
        await store.mark_asked("in_sms_1_3", "/payment_failed", NOW)
        await store.note_understood("in_sms_1_3", understood)
        everything = await store.seen(NOW - timedelta(days=1), None, 10)
        assert [(one.entry.id, one.understood is not None) for one in everything][:2] == [
            ("in_sms_1_3", True),
            ("in_sms_2_2", False),
        ]
        assert (everything[0].understood, everything[0].asked) == (understood, "/payment_failed")
        assert len(everything) == 4
        paged, before = [], None
        while page := await store.seen(NOW - timedelta(days=1), before, 1):
            paged += [one.entry.id for one in page]
            before = (page[-1].entry.created_at, page[-1].entry.id)
        assert paged == [one.entry.id for one in everything]
        late = await store.seen(NOW + timedelta(seconds=3), None, 10)
        assert [one.entry.id for one in late] == ["in_sms_1_3"]
        stored = await store.next_item("sms_1")
        assert stored is not None  # what Rasa made of an item is no part of the item

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

    async def test_a_person_is_known_by_id_or_number_and_a_number_may_change_hands(self, store: BotStore) -> None:
        wa, phone = Channel.WHATSAPP, "+16135550101"
        first = await store.person(wa, None, phone, "wa_1", NOW)
        assert (first.id, first.address, first.user, first.phone) == ("wa_1", phone, None, phone)
        named = await store.person(wa, "CA.1", phone, "wa_2", NOW)
        assert (named.id, named.address, named.user, named.phone) == ("wa_1", phone, "CA.1", phone)
        assert (await store.person(wa, "CA.1", None, "wa_3", NOW)).id == "wa_1"
        assert (await store.person(wa, None, phone, "wa_3", NOW)).id == "wa_1"
        moved = await store.person(wa, "CA.1", "+16135550102", "wa_3", NOW)
        assert (moved.id, moved.phone) == ("wa_1", "+16135550102")
        other = await store.person(wa, "CA.2", phone, "wa_4", NOW)
        assert (other.id, other.user, other.phone) == ("wa_4", "CA.2", phone)
        taken = await store.person(wa, "CA.3", phone, "wa_5", NOW)
        assert (taken.id, taken.phone) == ("wa_5", phone)
        left = await store.conversation("wa_4")
        assert left is not None
        assert left.phone is None
        assert (await store.person(wa, "CA.2", None, "wa_6", NOW)).id == "wa_4"
        together = await asyncio.gather(*(store.person(wa, "CA.9", None, f"wa_9{n}", NOW) for n in range(4)))
        assert len({one.id for one in together}) == 1

    async def test_media_and_places_come_back_as_they_were(self, store: BotStore) -> None:
        await conversation(store)
        media = (Media("in_1-0", "image/jpeg", "https://carrier.example/1"),)
        place = Place(45.42, -75.69, "Rideau Centre", None)
        await store.accept(replace(item(1), media=media, place=place))
        stored = await store.next_item("sms_1")
        assert stored is not None
        assert (stored.media, stored.place) == (media, place)
        (shown,) = await store.entries("sms_1", 0, 10)
        assert shown.custom == {"media": [{"id": "in_1-0", "type": "image/jpeg"}]}

    async def test_joined_items_end_with_the_one_that_speaks_for_them(self, store: BotStore) -> None:
        await conversation(store)
        for number in (1, 2, 3):
            await store.accept(item(number))
        assert [one.number for one in await store.open_items("sms_1", 2)] == [1, 2]
        await store.join("in_sms_1_1", ["in_sms_1_2"], "text 1\ntext 2")
        first, third = await store.open_items("sms_1", 9)
        assert (first.asked_text, first.asked_at, first.joined) == ("text 1\ntext 2", None, ("in_sms_1_2",))
        assert third.number == 3
        await store.finish(first.id, "answered")
        assert await store.next_item("sms_1") == third

    async def test_words_that_must_not_be_kept_are_replaced_wherever_they_are(self, store: BotStore) -> None:
        await conversation(store)
        for number in (1, 2):
            await store.accept(item(number))
        await store.accept(replace(item(3), kind=Kind.EVENT, shown=None))
        await store.mark_asked("in_sms_1_1", "text 1", NOW)
        await store.rewrite({"in_sms_1_1": "gone", "in_sms_1_3": "gone too", "in_nobody": "x"})
        first, second, third = await store.open_items("sms_1", 5)
        assert (first.text, first.shown, first.asked_text) == ("gone", "gone", "gone")
        assert (second.text, second.shown, second.asked_text) == ("text 2", "text 2", None)
        assert (third.text, third.shown, third.asked_text) == ("gone too", None, None)
        assert [entry.text for entry in await store.entries("sms_1", 0, 5)] == ["gone", "text 2"]

    async def test_when_the_driver_last_wrote_does_not_count_events(self, store: BotStore) -> None:
        await conversation(store)
        assert await store.last_heard("sms_1") is None
        await store.accept(item(1))
        await store.accept(replace(item(2), kind=Kind.EVENT, shown=None))
        assert await store.last_heard("sms_1") == NOW + timedelta(seconds=1)

    async def test_statuses_only_move_on_and_settle_what_was_in_doubt(self, store: BotStore) -> None:
        await conversation(store)
        entry = await store.add_entry(reply(1, delivery=Delivery("hello")))
        assert await store.note_status(entry.id, "SM1", "sent", None) is None  # not sent yet: somebody else's
        assert await store.claim_delivery(entry.id, NOW)
        noted = await store.note_status(entry.id, "SM1", "delivered", None)
        assert noted is not None
        assert noted.delivery is not None
        assert (noted.delivery.state, noted.delivery.sid, noted.delivery.status) == (Sending.SENT, "SM1", "delivered")
        for late in ("queued", "sent", "failed", "delivered", "unheard-of"):
            assert await store.note_status(None, "SM1", late, "30003") is None
        # The send's own answer comes last and changes nothing; neither does one that says to try later.
        await store.set_delivery(entry.id, Delivery("hello", state=Sending.SENT, sid="SM1"))
        await store.set_delivery(entry.id, Delivery("hello"))
        assert await store.next_delivery("sms_1") is None
        read = await store.note_status(None, "SM1", "read", None)
        assert read is not None
        assert read.delivery is not None
        assert read.delivery.error is None

    async def test_what_did_not_arrive_is_sent_again_once(self, store: BotStore) -> None:
        await conversation(store)
        entry = await store.add_entry(reply(1, delivery=Delivery("hello")))
        await store.claim_delivery(entry.id, NOW)
        await store.set_delivery(entry.id, Delivery("hello", state=Sending.SENT, sid="SM1"))
        failed = await store.note_status(entry.id, "SM1", "undelivered", "30003")
        assert failed is not None
        assert failed.delivery is not None
        assert failed.delivery.error == "30003"
        assert await store.send_again(entry.id, NOW + timedelta(seconds=60))
        assert not await store.send_again(entry.id, NOW)
        again = await store.next_delivery("sms_1")
        assert again is not None
        assert again.delivery is not None
        assert (again.delivery.next_at, again.delivery.again) == (NOW + timedelta(seconds=60), 1)
        await store.claim_delivery(entry.id, NOW)
        assert await store.note_status(entry.id, "SM1", "failed", "30003") is None  # of the first attempt
        await store.set_delivery(entry.id, replace(again.delivery, state=Sending.SENT, sid="SM2", error=None))
        assert await store.note_status(entry.id, "SM1", "delivered", None) is None
        done = await store.note_status(entry.id, "SM2", "delivered", None)
        assert done is not None
        assert done.delivery is not None
        assert (done.delivery.status, done.delivery.again) == ("delivered", 1)
        assert not await store.send_again(entry.id, NOW)

    async def test_the_ledger_says_who_said_what_and_when(self, store: BotStore) -> None:
        rows = [
            Consent(f"twilio:SM{number}", Channel.WHATSAPP, "CA.1", out, words, NOW + timedelta(seconds=number))
            for number, (out, words) in enumerate([(True, "please stop texting me"), (False, "start")])
        ]
        for row in rows:
            assert await store.record_consent(row)
        assert await store.consents(Channel.WHATSAPP, "CA.1") == rows
        assert await store.consents(Channel.SMS, "CA.1") == []


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
