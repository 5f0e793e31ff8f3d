"""BotStore in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.store.base import Backlog
from bot.store.model import (
    Channel,
    Consent,
    Conversation,
    Delivery,
    Entry,
    Item,
    Kind,
    Lane,
    NewEntry,
    NewItem,
    Seen,
    Sending,
    driver_entry,
    is_news,
)
from bot.store.rows import (
    MIGRATIONS,
    conversation_of,
    delivery_values,
    entry_of,
    insert_entry,
    item_of,
    moment_of,
    seconds_of,
)
from chargeline.sqlite import Sqlite


class SqliteStore:
    def __init__(self, path: Path | str) -> None:
        self._db = Sqlite(path, MIGRATIONS, inline_reads=True)

    async def open(self) -> None:
        await self._db.open()

    async def close(self) -> None:
        await self._db.close()

    async def check(self) -> None:
        await self._db.read(lambda db: db.execute("SELECT 1 FROM inbox LIMIT 1").fetchone())

    async def conversation_for(self, channel: Channel, address: str, new_id: str, now: datetime) -> Conversation:
        def work(db: sqlite3.Connection) -> Conversation:
            db.execute(
                "INSERT INTO conversations (id, channel, address, created_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (channel, address) DO NOTHING",
                (new_id, channel, address, now.timestamp()),
            )
            return conversation_of(db.execute(_BY_ADDRESS, (channel, address)).fetchone())

        known = await self._db.read(lambda db: db.execute(_BY_ADDRESS, (channel, address)).fetchone())
        return conversation_of(known) if known is not None else await self._db.write(work)

    async def person(
        self, channel: Channel, user: str | None, phone: str | None, new_id: str, now: datetime
    ) -> Conversation:
        def work(db: sqlite3.Connection) -> Conversation:
            row = db.execute(_BY_USER, (channel, user)).fetchone() if user else None
            if row is None and phone:
                row = db.execute(_BY_PHONE, (channel, phone)).fetchone()
                if row is not None and user and row["user"] is not None:
                    row = None  # the number has gone to somebody else
            if phone and (row is None or row["phone"] != phone):
                db.execute("UPDATE conversations SET phone = NULL WHERE channel = ? AND phone = ?", (channel, phone))
            if row is None:
                # The address of somebody who had this number before may be the number itself.
                taken = db.execute(_BY_ADDRESS, (channel, user or phone)).fetchone() is not None
                db.execute(
                    "INSERT INTO conversations (id, channel, address, created_at, user, phone) VALUES (?, ?, ?, ?, ?, ?)",
                    (new_id, channel, new_id if taken else user or phone, now.timestamp(), user, phone),
                )
                row = {"id": new_id}
            else:
                db.execute(
                    "UPDATE conversations SET user = coalesce(?, user), phone = coalesce(?, phone) WHERE id = ?",
                    (user, phone, row["id"]),
                )
            return conversation_of(db.execute(_BY_ID, (row["id"],)).fetchone())

        query, name = (_BY_USER, user) if user else (_BY_PHONE, phone)
        known = await self._db.read(lambda db: db.execute(query, (channel, name)).fetchone())
        if known is not None and phone in {None, known["phone"]}:
            return conversation_of(known)
        return await self._db.write(work)

    async def conversation(self, conversation_id: str) -> Conversation | None:
        row = await self._db.read(
            lambda db: db.execute("SELECT * FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
        )
        return None if row is None else conversation_of(row)

    async def set_hints(self, conversation_id: str, charger: str | None, connector: int | None) -> None:
        await self._db.write(
            lambda db: db.execute(
                "UPDATE conversations SET charger_hint = ?, connector_hint = ? WHERE id = ?",
                (charger, connector, conversation_id),
            )
        )

    async def set_language(self, conversation_id: str, language: str) -> None:
        await self._change("UPDATE conversations SET language = ? WHERE id = ?", language, conversation_id)

    async def set_case(self, conversation_id: str, case: str | None) -> None:
        await self._change("UPDATE conversations SET person_case = ? WHERE id = ?", case, conversation_id)

    async def set_hazard_until(self, conversation_id: str, until: datetime | None) -> None:
        await self._change("UPDATE conversations SET hazard_until = ? WHERE id = ?", seconds_of(until), conversation_id)

    async def _change(self, statement: str, *values: str | float | None) -> None:
        await self._db.write(lambda db: db.execute(statement, values))

    async def accept(self, item: NewItem) -> tuple[Item, bool]:
        def work(db: sqlite3.Connection) -> tuple[Item, bool]:
            known = db.execute("SELECT * FROM inbox WHERE source = ?", (item.source,)).fetchone()
            if known is not None:
                return item_of(known), False
            db.execute(
                """INSERT INTO inbox (id, conversation, number, source, kind, text, received_at, shown, client_id, lane,
                       media, place)
                   SELECT ?, ?, coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM inbox WHERE conversation = ?""",
                (
                    *(item.id, item.conversation, item.source, item.kind, item.text, item.received_at.timestamp()),
                    *(item.shown, item.client_id, item.lane, json.dumps([asdict(one) for one in item.media])),
                    None if item.place is None else json.dumps(asdict(item.place)),
                    item.conversation,
                ),
            )
            shown = driver_entry(item)
            if shown is not None:
                insert_entry(db, shown)
            return item_of(db.execute("SELECT * FROM inbox WHERE id = ?", (item.id,)).fetchone()), True

        return await self._db.write(work)

    async def waiting(self, limit: int, exclude: Collection[str], lane: Lane = Lane.TALK) -> list[str]:
        rows = await self._db.read(
            lambda db: db.execute(
                "SELECT conversation FROM inbox WHERE done = 0 AND lane = ? "
                "AND conversation NOT IN (SELECT value FROM json_each(?)) "
                "GROUP BY conversation ORDER BY min(received_at) LIMIT ?",
                (lane, json.dumps(list(exclude)), limit),
            ).fetchall()
        )
        return [row["conversation"] for row in rows]

    async def next_item(self, conversation_id: str, lane: Lane = Lane.TALK) -> Item | None:
        row = await self._db.read(
            lambda db: db.execute(
                "SELECT * FROM inbox WHERE conversation = ? AND lane = ? AND done = 0 ORDER BY number LIMIT 1",
                (conversation_id, lane),
            ).fetchone()
        )
        return None if row is None else item_of(row)

    async def open_items(self, conversation_id: str, limit: int) -> list[Item]:
        rows = await self._db.read(
            lambda db: db.execute(
                "SELECT * FROM inbox WHERE conversation = ? AND lane = ? AND done = 0 ORDER BY number LIMIT ?",
                (conversation_id, Lane.TALK, limit),
            ).fetchall()
        )
        return [item_of(row) for row in rows]

    async def join(self, item_id: str, followers: Collection[str], text: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            names = json.dumps(list(followers))
            db.execute("UPDATE inbox SET asked_text = ?, joined = ? WHERE id = ?", (text, names, item_id))
            db.execute(
                "UPDATE inbox SET done = 1, outcome = 'joined' WHERE id IN (SELECT value FROM json_each(?))", (names,)
            )

        await self._db.write(work)

    async def last_heard(self, conversation_id: str) -> datetime | None:
        row = await self._db.read(
            lambda db: db.execute(
                "SELECT received_at FROM inbox WHERE conversation = ? AND kind <> ? ORDER BY number DESC LIMIT 1",
                (conversation_id, Kind.EVENT),
            ).fetchone()
        )
        return None if row is None else moment_of(row[0])

    async def waiting_in(self, conversation_id: str) -> int:
        row = await self._db.read(
            lambda db: db.execute(
                "SELECT count(*) FROM inbox WHERE conversation = ? AND done = 0 AND lane <> ?",
                (conversation_id, Lane.DESK),
            ).fetchone()
        )
        return int(row[0])

    async def move(self, item_id: str, lane: Lane) -> None:
        await self._change("UPDATE inbox SET lane = ? WHERE id = ?", lane, item_id)

    async def rewrite(self, texts: Mapping[str, str]) -> None:
        def work(db: sqlite3.Connection) -> None:
            for item, text in texts.items():
                db.execute(
                    "UPDATE inbox SET text = ?, shown = CASE WHEN shown IS NULL THEN NULL ELSE ? END, "
                    "asked_text = CASE WHEN asked_text IS NULL THEN NULL ELSE ? END WHERE id = ?",
                    (text, text, text, item),
                )
                db.execute("UPDATE entries SET text = ? WHERE id = ?", (text, item))

        await self._db.write(work)

    async def mark_asked(self, item_id: str, text: str, at: datetime) -> None:
        await self._db.write(
            lambda db: db.execute(
                "UPDATE inbox SET asked_at = ?, asked_text = ? WHERE id = ?", (at.timestamp(), text, item_id)
            )
        )

    async def add_failure(self, item_id: str) -> int:
        def work(db: sqlite3.Connection) -> int:
            db.execute("UPDATE inbox SET failures = failures + 1 WHERE id = ?", (item_id,))
            return int(db.execute("SELECT failures FROM inbox WHERE id = ?", (item_id,)).fetchone()[0])

        return await self._db.write(work)

    async def finish(self, item_id: str, outcome: str) -> None:
        await self._db.write(
            lambda db: db.execute("UPDATE inbox SET done = 1, outcome = ? WHERE id = ?", (outcome, item_id))
        )

    async def note_understood(self, item_id: str, understood: dict[str, Any]) -> None:
        await self._change("UPDATE inbox SET understood = ? WHERE id = ?", json.dumps(understood), item_id)

    async def add_entry(self, entry: NewEntry) -> Entry:
        return await self._db.write(lambda db: insert_entry(db, entry))

    async def entry(self, entry_id: str) -> Entry | None:
        row = await self._db.read(lambda db: db.execute("SELECT * FROM entries WHERE id = ?", (entry_id,)).fetchone())
        return None if row is None else entry_of(row)

    async def entries(self, conversation_id: str, after: int, limit: int) -> list[Entry]:
        rows = await self._db.read(
            lambda db: db.execute(
                "SELECT * FROM entries WHERE conversation = ? AND seq > ? ORDER BY seq LIMIT ?",
                (conversation_id, after, limit),
            ).fetchall()
        )
        return [entry_of(row) for row in rows]

    async def latest_entries(self, conversation_id: str, limit: int) -> list[Entry]:
        rows = await self._db.read(
            lambda db: db.execute(
                "SELECT * FROM entries WHERE conversation = ? ORDER BY seq DESC LIMIT ?", (conversation_id, limit)
            ).fetchall()
        )
        return [entry_of(row) for row in rows]

    async def seen(self, since: datetime, before: tuple[datetime, str] | None, limit: int) -> list[Seen]:
        until = (float("inf"), "") if before is None else (before[0].timestamp(), before[1])
        rows = await self._db.read(
            lambda db: db.execute(
                "SELECT entries.*, inbox.understood, inbox.asked_text AS asked FROM entries "
                "LEFT JOIN inbox ON inbox.id = entries.id "
                "WHERE entries.created_at >= ? AND (entries.created_at, entries.id) < (?, ?) "
                "ORDER BY entries.created_at DESC, entries.id DESC LIMIT ?",
                (since.timestamp(), *until, limit),
            ).fetchall()
        )
        return [Seen(entry_of(row), json.loads(row["understood"] or "null"), row["asked"]) for row in rows]

    async def undelivered(self, limit: int, exclude: Collection[str]) -> list[str]:
        rows = await self._db.read(
            lambda db: db.execute(
                "SELECT conversation FROM entries WHERE delivery IN ('queued', 'sending') "
                "AND conversation NOT IN (SELECT value FROM json_each(?)) "
                "GROUP BY conversation ORDER BY min(created_at) LIMIT ?",
                (json.dumps(list(exclude)), limit),
            ).fetchall()
        )
        return [row["conversation"] for row in rows]

    async def next_delivery(self, conversation_id: str) -> Entry | None:
        row = await self._db.read(
            lambda db: db.execute(
                "SELECT * FROM entries WHERE conversation = ? AND delivery IN ('queued', 'sending') "
                "ORDER BY seq LIMIT 1",
                (conversation_id,),
            ).fetchone()
        )
        return None if row is None else entry_of(row)

    async def claim_delivery(self, entry_id: str, at: datetime) -> bool:
        changed = await self._db.write(
            lambda db: (
                db.execute(
                    "UPDATE entries SET delivery = 'sending', attempts = attempts + 1, claimed_at = ? "
                    "WHERE id = ? AND delivery = 'queued'",
                    (at.timestamp(), entry_id),
                ).rowcount
            )
        )
        return changed == 1

    async def set_delivery(self, entry_id: str, delivery: Delivery) -> None:
        values = delivery_values(delivery)
        await self._db.write(
            lambda db: db.execute(
                "UPDATE entries SET delivery = ?, body = ?, attempts = ?, next_at = ?, claimed_at = ?, error = ?, "
                "exempt = ?, language = ?, again = ?, status = CASE WHEN sid IS ? THEN status ELSE ? END, sid = ? "
                "WHERE id = ? AND delivery IN ('queued', 'sending')",
                (*values[:5], *values[6:9], delivery.again, delivery.sid, delivery.status, delivery.sid, entry_id),
            )
        )

    async def note_status(self, entry_id: str | None, sid: str, status: str, error: str | None) -> Entry | None:
        def work(db: sqlite3.Connection) -> Entry | None:
            column, name = ("sid", sid) if entry_id is None else ("id", entry_id)
            row = db.execute(f"SELECT * FROM entries WHERE {column} = ?", (name,)).fetchone()  # noqa: S608 - two literals
            if row is None or row["delivery"] is None:
                return None
            sending = row["delivery"] == Sending.SENDING
            if row["sid"] == sid:
                if not is_news(row["status"], status):
                    return None
            elif not sending:
                return None
            state = Sending.SENT if sending else row["delivery"]
            db.execute(
                "UPDATE entries SET status = ?, sid = ?, delivery = ?, error = coalesce(?, error) WHERE id = ?",
                (status, sid, state, error, row["id"]),
            )
            return entry_of(db.execute("SELECT * FROM entries WHERE id = ?", (row["id"],)).fetchone())

        return await self._db.write(work)

    async def send_again(self, entry_id: str, at: datetime) -> bool:
        changed = await self._db.write(
            lambda db: (
                db.execute(
                    "UPDATE entries SET delivery = 'queued', again = coalesce(again, 0) + 1, next_at = ? "
                    "WHERE id = ? AND delivery = 'sent' AND coalesce(again, 0) = 0",
                    (at.timestamp(), entry_id),
                ).rowcount
            )
        )
        return changed == 1

    async def known_sids(self, sids: Collection[str]) -> set[str]:
        rows = await self._db.read(
            lambda db: db.execute(
                "SELECT sid FROM entries WHERE sid IN (SELECT value FROM json_each(?))", (json.dumps(list(sids)),)
            ).fetchall()
        )
        return {row["sid"] for row in rows}

    async def record_consent(self, row: Consent) -> bool:
        changed = await self._db.write(
            lambda db: (
                db.execute(
                    "INSERT INTO consent (source, channel, address, opted_out, words, at) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (source) DO NOTHING",
                    (row.source, row.channel, row.address, int(row.opted_out), row.words, row.at.timestamp()),
                ).rowcount
            )
        )
        return changed == 1

    async def consents(self, channel: Channel, address: str) -> list[Consent]:
        rows = await self._db.read(
            lambda db: db.execute(
                "SELECT * FROM consent WHERE channel = ? AND address = ? ORDER BY number", (channel, address)
            ).fetchall()
        )
        return [
            Consent(
                source=row["source"],
                channel=Channel(row["channel"]),
                address=row["address"],
                opted_out=bool(row["opted_out"]),
                words=row["words"],
                at=datetime.fromtimestamp(row["at"], UTC),
            )
            for row in rows
        ]

    async def opted_out(self, channel: Channel, address: str) -> bool:
        row = await self._db.read(
            lambda db: db.execute(
                "SELECT opted_out FROM consent WHERE channel = ? AND address = ? ORDER BY number DESC LIMIT 1",
                (channel, address),
            ).fetchone()
        )
        return row is not None and bool(row["opted_out"])

    async def backlog(self) -> Backlog:
        row = await self._db.read(
            lambda db: db.execute(
                "SELECT (SELECT count(*) FROM inbox WHERE done = 0), "
                "(SELECT count(*) FROM entries WHERE delivery IN ('queued', 'sending'))"
            ).fetchone()
        )
        return Backlog(items=int(row[0]), deliveries=int(row[1]))


_BY_ID = "SELECT * FROM conversations WHERE id = ?"
_BY_ADDRESS = "SELECT * FROM conversations WHERE channel = ? AND address = ?"
_BY_USER = "SELECT * FROM conversations WHERE channel = ? AND user = ?"
_BY_PHONE = "SELECT * FROM conversations WHERE channel = ? AND phone = ?"
