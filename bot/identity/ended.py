"""Sessions that were ended before their time: remembered until they would have ended by themselves, over restarts too."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from chargeline.clock import Clock
from chargeline.mongo import Database
from chargeline.sqlite import Sqlite

_MIGRATIONS = ["CREATE TABLE ended (session TEXT PRIMARY KEY, until REAL NOT NULL) STRICT"]


class EndedSessions(Protocol):
    """`session` is a fingerprint of what was shown; `until` is in Unix seconds."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def add(self, session: str, until: float) -> None: ...

    async def has(self, session: str) -> bool: ...


class SqliteEnded:
    def __init__(self, path: Path, clock: Clock) -> None:
        """`clock`: real time; what has ended by itself is forgotten."""
        self._db = Sqlite(path, _MIGRATIONS, inline_reads=True)
        self._clock = clock

    async def open(self) -> None:
        await self._db.open()

    async def close(self) -> None:
        await self._db.close()

    async def add(self, session: str, until: float) -> None:
        now = self._clock.now().timestamp()

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM ended WHERE until < ?", (now,))
            db.execute("INSERT INTO ended VALUES (?, ?) ON CONFLICT (session) DO NOTHING", (session, until))

        await self._db.write(work)

    async def has(self, session: str) -> bool:
        row = await self._db.read(lambda db: db.execute("SELECT 1 FROM ended WHERE session = ?", (session,)).fetchone())
        return row is not None


class MongoEnded:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._ended = database["web_ended_sessions"]

    async def open(self) -> None:
        await self._ended.create_index("until", expireAfterSeconds=0)

    async def close(self) -> None:
        await self._database.close()

    async def add(self, session: str, until: float) -> None:
        moment = datetime.fromtimestamp(until, UTC)
        await self._ended.update_one({"_id": session}, {"$setOnInsert": {"until": moment}}, upsert=True)

    async def has(self, session: str) -> bool:
        return await self._ended.find_one({"_id": session}) is not None
