"""The SQLite store's schema, and how its rows become what the front door keeps and back."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

from bot.store.model import (
    FINAL,
    Channel,
    Conversation,
    Delivery,
    Entry,
    Item,
    Kind,
    Lane,
    Media,
    NewEntry,
    Option,
    Place,
    Sending,
)

MIGRATIONS = [
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY, channel TEXT NOT NULL, address TEXT NOT NULL, created_at REAL NOT NULL,
        charger_hint TEXT, connector_hint INTEGER, UNIQUE (channel, address)
    ) STRICT;
    CREATE TABLE inbox (
        id TEXT PRIMARY KEY, conversation TEXT NOT NULL REFERENCES conversations, number INTEGER NOT NULL,
        source TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, text TEXT NOT NULL, received_at REAL NOT NULL, shown TEXT,
        client_id TEXT, done INTEGER NOT NULL DEFAULT 0, outcome TEXT, asked_at REAL, asked_text TEXT,
        failures INTEGER NOT NULL DEFAULT 0, UNIQUE (conversation, number)
    ) STRICT;
    CREATE INDEX inbox_waiting ON inbox (conversation, number) WHERE done = 0;
    CREATE TABLE entries (
        id TEXT PRIMARY KEY, conversation TEXT NOT NULL REFERENCES conversations, seq INTEGER NOT NULL,
        author TEXT NOT NULL, turn TEXT NOT NULL, turn_kind TEXT NOT NULL, text TEXT NOT NULL, created_at REAL NOT NULL,
        options TEXT NOT NULL, custom TEXT, own INTEGER NOT NULL, client_id TEXT,
        delivery TEXT, body TEXT, attempts INTEGER, next_at REAL, claimed_at REAL, sid TEXT, error TEXT, exempt INTEGER,
        UNIQUE (conversation, seq)
    ) STRICT;
    CREATE INDEX entries_undelivered ON entries (conversation, seq) WHERE delivery IN ('queued', 'sending');
    CREATE INDEX entries_sid ON entries (sid) WHERE sid IS NOT NULL;
    CREATE TABLE consent (
        number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL UNIQUE, channel TEXT NOT NULL,
        address TEXT NOT NULL, opted_out INTEGER NOT NULL, words TEXT NOT NULL, at REAL NOT NULL
    ) STRICT;
    CREATE INDEX consent_address ON consent (channel, address, number);
    """,
    """
    ALTER TABLE conversations ADD COLUMN language TEXT;
    ALTER TABLE conversations ADD COLUMN person_case TEXT;
    ALTER TABLE conversations ADD COLUMN hazard_until REAL;
    ALTER TABLE inbox ADD COLUMN lane TEXT NOT NULL DEFAULT 'talk';
    DROP INDEX inbox_waiting;
    CREATE INDEX inbox_waiting ON inbox (conversation, lane, number) WHERE done = 0;
    """,
    """
    ALTER TABLE conversations ADD COLUMN user TEXT;
    ALTER TABLE conversations ADD COLUMN phone TEXT;
    CREATE UNIQUE INDEX conversations_user ON conversations (channel, user) WHERE user IS NOT NULL;
    CREATE UNIQUE INDEX conversations_phone ON conversations (channel, phone) WHERE phone IS NOT NULL;
    ALTER TABLE inbox ADD COLUMN media TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE inbox ADD COLUMN place TEXT;
    ALTER TABLE inbox ADD COLUMN joined TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE entries ADD COLUMN language TEXT;
    ALTER TABLE entries ADD COLUMN status TEXT;
    ALTER TABLE entries ADD COLUMN again INTEGER;
    """,
    """
    ALTER TABLE inbox ADD COLUMN understood TEXT;
    CREATE INDEX entries_created ON entries (created_at, id);
    """,
]

assert {"queued", "sending"} | FINAL == set(Sending)  # the partial index above names the states that are not final


def seconds_of(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def moment_of(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def conversation_of(row: sqlite3.Row) -> Conversation:
    return Conversation(
        id=row["id"],
        channel=Channel(row["channel"]),
        address=row["address"],
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
        charger_hint=row["charger_hint"],
        connector_hint=row["connector_hint"],
        language=row["language"],
        case=row["person_case"],
        hazard_until=moment_of(row["hazard_until"]),
        user=row["user"],
        phone=row["phone"],
    )


def item_of(row: sqlite3.Row) -> Item:
    return Item(
        id=row["id"],
        conversation=row["conversation"],
        number=row["number"],
        source=row["source"],
        kind=Kind(row["kind"]),
        text=row["text"],
        received_at=datetime.fromtimestamp(row["received_at"], UTC),
        shown=row["shown"],
        client_id=row["client_id"],
        lane=Lane(row["lane"]),
        done=bool(row["done"]),
        outcome=row["outcome"],
        asked_at=moment_of(row["asked_at"]),
        asked_text=row["asked_text"],
        failures=row["failures"],
        media=tuple(Media(**one) for one in json.loads(row["media"])),
        place=None if row["place"] is None else Place(**json.loads(row["place"])),
        joined=tuple(json.loads(row["joined"])),
    )


def entry_of(row: sqlite3.Row) -> Entry:
    delivery = None
    if row["delivery"] is not None:
        delivery = Delivery(
            body=row["body"],
            state=Sending(row["delivery"]),
            attempts=row["attempts"],
            next_at=moment_of(row["next_at"]),
            claimed_at=moment_of(row["claimed_at"]),
            sid=row["sid"],
            error=row["error"],
            exempt=bool(row["exempt"]),
            language=row["language"] or "en",
            status=row["status"],
            again=row["again"] or 0,
        )
    return Entry(
        id=row["id"],
        conversation=row["conversation"],
        seq=row["seq"],
        author=row["author"],
        turn=row["turn"],
        turn_kind=Kind(row["turn_kind"]),
        text=row["text"],
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
        options=tuple(Option(**option) for option in json.loads(row["options"])),
        custom=None if row["custom"] is None else json.loads(row["custom"]),
        own=bool(row["own"]),
        client_id=row["client_id"],
        delivery=delivery,
    )


def insert_entry(db: sqlite3.Connection, entry: NewEntry) -> Entry:
    known = db.execute("SELECT * FROM entries WHERE id = ?", (entry.id,)).fetchone()
    if known is not None:
        return entry_of(known)
    delivery = entry.delivery
    db.execute(
        """INSERT INTO entries (id, conversation, seq, author, turn, turn_kind, text, created_at, options, custom, own,
               client_id, delivery, body, attempts, next_at, claimed_at, sid, error, exempt, language, status, again)
           SELECT ?, ?, coalesce(max(seq), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
           FROM entries WHERE conversation = ?""",
        (
            *(entry.id, entry.conversation, entry.author, entry.turn, entry.turn_kind, entry.text),
            entry.created_at.timestamp(),
            json.dumps([{"title": option.title, "payload": option.payload} for option in entry.options]),
            None if entry.custom is None else json.dumps(entry.custom),
            *(int(entry.own), entry.client_id),
            *(delivery_values(delivery) if delivery is not None else (None,) * 11),
            entry.conversation,
        ),
    )
    return entry_of(db.execute("SELECT * FROM entries WHERE id = ?", (entry.id,)).fetchone())


def delivery_values(delivery: Delivery) -> tuple[str | float | int | None, ...]:
    return (
        *(delivery.state.value, delivery.body, delivery.attempts, seconds_of(delivery.next_at)),
        *(seconds_of(delivery.claimed_at), delivery.sid, delivery.error, int(delivery.exempt)),
        *(delivery.language, delivery.status, delivery.again),
    )
