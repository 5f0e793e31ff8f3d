"""ActionStore in one SQLite file. A case is one JSON document beside the columns that it is found by."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actions.cases import Case, as_json, from_json
from actions.store.base import Change, Delivery, Filter, Wait
from chargeline.sqlite import Sqlite

_MIGRATIONS = [
    """
    CREATE TABLE cases (
        id TEXT PRIMARY KEY, conversation TEXT NOT NULL, driver TEXT NOT NULL, problem TEXT NOT NULL, charger TEXT,
        outcome TEXT, handed_over INTEGER NOT NULL, opened_at REAL NOT NULL, updated_at REAL NOT NULL, body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX cases_opened ON cases (opened_at);
    CREATE INDEX cases_conversation ON cases (conversation, opened_at);
    CREATE INDEX cases_driver ON cases (driver, opened_at);
    CREATE INDEX cases_charger ON cases (charger, opened_at);
    CREATE INDEX cases_open ON cases (updated_at) WHERE outcome IS NULL;
    CREATE TABLE waits (
        event TEXT PRIMARY KEY, case_id TEXT NOT NULL, conversation TEXT NOT NULL, purpose TEXT NOT NULL,
        charger TEXT NOT NULL, connector INTEGER, over INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX waits_case ON waits (case_id) WHERE over = 0;
    CREATE TABLE deliveries (
        id TEXT PRIMARY KEY, case_id TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, created_at REAL NOT NULL,
        next_at REAL NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'waiting';
    CREATE TABLE answers (key TEXT PRIMARY KEY, body TEXT NOT NULL, at REAL NOT NULL) STRICT;
    """
]


class SqliteStore:
    def __init__(self, path: Path | str) -> None:
        self._db = Sqlite(path, _MIGRATIONS)

    async def open(self) -> None:
        await self._db.open()

    async def close(self) -> None:
        await self._db.close()

    async def add_case(self, case: Case) -> None:
        await self._db.write(lambda db: _put(db, case, replacing=False))

    async def case(self, case_id: str) -> Case | None:
        return await self._db.read(lambda db: _case(db, case_id))

    async def change_case(self, case_id: str, change: Change) -> Case | None:
        def work(db: sqlite3.Connection) -> Case | None:
            found = _case(db, case_id)
            if found is None:
                return None
            changed = change(found)
            _put(db, changed, replacing=True)
            return changed

        return await self._db.write(work)

    async def cases(self, wanted: Filter) -> list[Case]:
        terms, values = ["1 = 1"], []
        for column, value in (
            ("problem", wanted.problem),
            ("charger", wanted.charger),
            ("driver", wanted.driver),
            ("conversation", wanted.conversation),
        ):
            if value is not None:
                terms.append(f"{column} = ?")
                values.append(value)
        if wanted.outcome == "open":
            terms.append("outcome IS NULL")
        elif wanted.outcome is not None:
            terms.append("outcome = ?")
            values.append(wanted.outcome)
        numbers: list[float] = []
        if wanted.since is not None:
            terms.append("opened_at >= ?")
            numbers.append(wanted.since.timestamp())
        # Only the literal terms above are put together; values are bound.
        query = f"SELECT body FROM cases WHERE {' AND '.join(terms)} ORDER BY opened_at DESC, id DESC LIMIT ?"  # noqa: S608
        rows = await self._db.read(lambda db: db.execute(query, [*values, *numbers, wanted.limit]).fetchall())
        return [from_json(json.loads(row["body"])) for row in rows]

    async def idle_cases(self, before: datetime) -> list[Case]:
        query = "SELECT body FROM cases WHERE outcome IS NULL AND handed_over = 0 AND updated_at < ? LIMIT 200"
        rows = await self._db.read(lambda db: db.execute(query, (before.timestamp(),)).fetchall())
        return [from_json(json.loads(row["body"])) for row in rows]

    async def add_wait(self, wait: Wait) -> None:
        row = (wait.event, wait.case, wait.conversation, wait.purpose, wait.charger, wait.connector, wait.over)
        await self._db.write(lambda db: db.execute("INSERT OR IGNORE INTO waits VALUES (?, ?, ?, ?, ?, ?, ?)", row))

    async def wait(self, event: str) -> Wait | None:
        row = await self._db.read(lambda db: db.execute("SELECT * FROM waits WHERE event = ?", (event,)).fetchone())
        if row is None:
            return None
        place = (row["charger"], row["connector"], bool(row["over"]))
        return Wait(row["event"], row["case_id"], row["conversation"], row["purpose"], *place)

    async def end_wait(self, event: str) -> None:
        await self._db.write(lambda db: db.execute("UPDATE waits SET over = 1 WHERE event = ?", (event,)))

    async def end_waits(self, case_id: str, but: Sequence[str] = ()) -> None:
        def work(db: sqlite3.Connection) -> None:
            rows = db.execute("SELECT event FROM waits WHERE case_id = ? AND over = 0", (case_id,)).fetchall()
            for row in rows:
                if row["event"] not in but:
                    db.execute("UPDATE waits SET over = 1 WHERE event = ?", (row["event"],))

        await self._db.write(work)

    async def add_delivery(self, delivery: Delivery) -> None:
        await self._db.write(lambda db: _put_delivery(db, delivery, "INSERT OR IGNORE"))

    async def due_deliveries(self, now: datetime) -> list[Delivery]:
        query = "SELECT * FROM deliveries WHERE state = 'waiting' AND next_at <= ? ORDER BY next_at LIMIT 20"
        rows = await self._db.read(lambda db: db.execute(query, (now.timestamp(),)).fetchall())
        return [
            Delivery(
                row["id"],
                row["case_id"],
                row["kind"],
                json.loads(row["body"]),
                datetime.fromtimestamp(row["created_at"], UTC),
                datetime.fromtimestamp(row["next_at"], UTC),
                row["attempts"],
                row["state"],
            )
            for row in rows
        ]

    async def save_delivery(self, delivery: Delivery) -> None:
        await self._db.write(lambda db: _put_delivery(db, delivery, "REPLACE"))

    async def remember(self, key: str, answer: Mapping[str, Any], now: datetime) -> None:
        row = (key, json.dumps(answer), now.timestamp())
        await self._db.write(lambda db: db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", row))

    async def recall(self, key: str) -> dict[str, Any] | None:
        row = await self._db.read(lambda db: db.execute("SELECT body FROM answers WHERE key = ?", (key,)).fetchone())
        found: dict[str, Any] | None = None if row is None else json.loads(row["body"])
        return found


def _case(db: sqlite3.Connection, case_id: str) -> Case | None:
    row = db.execute("SELECT body FROM cases WHERE id = ?", (case_id,)).fetchone()
    return None if row is None else from_json(json.loads(row["body"]))


def _put(db: sqlite3.Connection, case: Case, *, replacing: bool) -> None:
    row = (
        *(case.id, case.conversation, case.driver, case.problem, case.charger),
        *(case.outcome.value if case.outcome else None, case.handed_over_at is not None),
        *(case.opened_at.timestamp(), case.updated_at.timestamp(), json.dumps(as_json(case))),
    )
    verb = "REPLACE" if replacing else "INSERT OR IGNORE"
    db.execute(f"{verb} INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _put_delivery(db: sqlite3.Connection, delivery: Delivery, verb: str) -> None:
    row = (
        *(delivery.id, delivery.case, delivery.kind, json.dumps(delivery.body), delivery.created_at.timestamp()),
        *(delivery.next_at.timestamp(), delivery.attempts, delivery.state),
    )
    db.execute(f"{verb} INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
