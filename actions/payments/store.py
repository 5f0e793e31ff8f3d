"""Where purchases are kept: the contract, and its two implementations. `tests/payments/test_ledger_store.py` holds both to it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from actions.payments.ledger import OPEN, Purchase, as_json, from_json
from chargeline import mongo
from chargeline.mongo import DESCENDING, Database, Document, DuplicateKeyError
from chargeline.sqlite import Sqlite

Change = Callable[[Purchase], Purchase]

_MIGRATIONS = [
    """
    CREATE TABLE purchases (
        id TEXT PRIMARY KEY, conversation TEXT NOT NULL, driver TEXT NOT NULL, session TEXT, state TEXT NOT NULL,
        created_at REAL NOT NULL, body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX purchases_conversation ON purchases (conversation, created_at);
    CREATE INDEX purchases_driver ON purchases (driver, created_at);
    CREATE INDEX purchases_session ON purchases (session) WHERE session IS NOT NULL;
    CREATE INDEX purchases_state ON purchases (state, created_at);
    CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    """
]


class LedgerStore(Protocol):
    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def add(self, purchase: Purchase) -> Purchase:
        """Keeps it; where the id is there already that one stays, and is returned."""
        ...

    async def get(self, purchase_id: str) -> Purchase | None: ...

    async def change(self, purchase_id: str, change: Change) -> Purchase:
        """Applies `change` to what is stored, nothing in between; raises KeyError for an unknown id. It may run twice."""
        ...

    async def find(
        self,
        *,
        conversation: str | None = None,
        driver: str | None = None,
        session: str | None = None,
        states: Collection[str] | None = None,
        limit: int = 50,
    ) -> list[Purchase]:
        """The newest first."""
        ...

    async def open_ones(self) -> list[Purchase]:
        """All whose money is not settled, the oldest first."""
        ...

    async def mark(self, name: str, value: str) -> None:
        """Keeps a place in something that is read on, such as the provider's events."""
        ...

    async def marked(self, name: str) -> str | None: ...


class SqliteLedger:
    def __init__(self, path: Path | str) -> None:
        self._db = Sqlite(path, _MIGRATIONS)

    async def open(self) -> None:
        await self._db.open()

    async def close(self) -> None:
        await self._db.close()

    async def add(self, purchase: Purchase) -> Purchase:
        def work(db: sqlite3.Connection) -> Purchase:
            found = _get(db, purchase.id)
            if found is None:
                _put(db, purchase)
            return found or purchase

        return await self._db.write(work)

    async def get(self, purchase_id: str) -> Purchase | None:
        return await self._db.read(lambda db: _get(db, purchase_id))

    async def change(self, purchase_id: str, change: Change) -> Purchase:
        def work(db: sqlite3.Connection) -> Purchase:
            found = _get(db, purchase_id)
            if found is None:
                raise KeyError(purchase_id)
            changed = change(found)
            if changed != found:
                _put(db, changed)
            return changed

        return await self._db.write(work)

    async def find(
        self,
        *,
        conversation: str | None = None,
        driver: str | None = None,
        session: str | None = None,
        states: Collection[str] | None = None,
        limit: int = 50,
    ) -> list[Purchase]:
        terms, values = ["1 = 1"], []
        for column, value in (("conversation", conversation), ("driver", driver), ("session", session)):
            if value is not None:
                terms.append(f"{column} = ?")
                values.append(value)
        if states is not None:
            terms.append(f"state IN ({', '.join('?' * len(states))})")
            values += sorted(states)
        # Only the literal terms above are put together; values are bound.
        query = f"SELECT body FROM purchases WHERE {' AND '.join(terms)} ORDER BY created_at DESC, id DESC LIMIT ?"  # noqa: S608
        rows = await self._db.read(lambda db: db.execute(query, [*values, limit]).fetchall())
        return [from_json(json.loads(row["body"])) for row in rows]

    async def open_ones(self) -> list[Purchase]:
        found = await self.find(states=OPEN, limit=500)
        return found[::-1]

    async def mark(self, name: str, value: str) -> None:
        await self._db.write(lambda db: db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, value)))

    async def marked(self, name: str) -> str | None:
        row = await self._db.read(lambda db: db.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone())
        return None if row is None else str(row["value"])


def _get(db: sqlite3.Connection, purchase_id: str) -> Purchase | None:
    row = db.execute("SELECT body FROM purchases WHERE id = ?", (purchase_id,)).fetchone()
    return None if row is None else from_json(json.loads(row["body"]))


def _put(db: sqlite3.Connection, purchase: Purchase) -> None:
    row = (
        *(purchase.id, purchase.conversation, purchase.driver, purchase.session, purchase.state.value),
        *(purchase.created_at.timestamp(), json.dumps(as_json(purchase))),
    )
    db.execute("INSERT OR REPLACE INTO purchases VALUES (?, ?, ?, ?, ?, ?, ?)", row)


class MongoLedger:
    """One document a purchase; changes are checked by a revision."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: mongo.Collection = database["payment_purchases"]
        self._marks: mongo.Collection = database["payment_marks"]

    async def open(self) -> None:
        for name in ("conversation", "driver", "session", "state"):
            await self._rows.create_index([(name, mongo.ASCENDING), ("created", DESCENDING)])

    async def close(self) -> None:
        await self._database.close()

    async def add(self, purchase: Purchase) -> Purchase:
        try:
            await self._rows.insert_one({"_id": purchase.id, "revision": 0, **_fields(purchase)})
        except DuplicateKeyError:
            found = await self.get(purchase.id)
            assert found is not None
            return found
        return purchase

    async def get(self, purchase_id: str) -> Purchase | None:
        row = await self._rows.find_one({"_id": purchase_id})
        return None if row is None else from_json(row["body"])

    async def change(self, purchase_id: str, change: Change) -> Purchase:
        while True:
            row = await self._rows.find_one({"_id": purchase_id})
            if row is None:
                raise KeyError(purchase_id)
            found = from_json(row["body"])
            changed = change(found)
            if changed == found:
                return found
            same = {"_id": purchase_id, "revision": row["revision"]}
            update = {"$set": {"revision": row["revision"] + 1, **_fields(changed)}}
            if (await self._rows.update_one(same, update)).matched_count:
                return changed

    async def find(
        self,
        *,
        conversation: str | None = None,
        driver: str | None = None,
        session: str | None = None,
        states: Collection[str] | None = None,
        limit: int = 50,
    ) -> list[Purchase]:
        wanted = {"conversation": conversation, "driver": driver, "session": session}
        query: Document = {name: value for name, value in wanted.items() if value is not None}
        if states is not None:
            query["state"] = {"$in": sorted(states)}
        rows = self._rows.find(query).sort([("created", DESCENDING), ("_id", DESCENDING)]).limit(limit)
        return [from_json(row["body"]) async for row in rows]

    async def open_ones(self) -> list[Purchase]:
        return (await self.find(states=OPEN, limit=500))[::-1]

    async def mark(self, name: str, value: str) -> None:
        await self._marks.update_one({"_id": name}, {"$set": {"value": value}}, upsert=True)

    async def marked(self, name: str) -> str | None:
        row = await self._marks.find_one({"_id": name})
        return None if row is None else str(row["value"])


def _fields(purchase: Purchase) -> Document:
    return {
        "conversation": purchase.conversation,
        "driver": purchase.driver,
        "session": purchase.session,
        "state": purchase.state.value,
        "created": purchase.created_at,
        "body": as_json(purchase),
    }
