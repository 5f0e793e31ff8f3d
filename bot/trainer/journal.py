"""Who decided what and when at the desk, in one file: labels, skips, edits, each with what undoing it needs.

Drivers' words are kept here only where they became training data; a message that was skipped or marked is kept by its id.
The desk is one process beside the folder that it edits, so its records are a local file whichever store the product uses.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chargeline.sqlite import Sqlite

_MIGRATIONS = [
    """
    CREATE TABLE decisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, trainer TEXT NOT NULL, what TEXT NOT NULL,
        summary TEXT NOT NULL, changes TEXT NOT NULL, undone_at REAL, undone_by TEXT
    ) STRICT;
    CREATE TABLE decided (
        message TEXT NOT NULL, decision INTEGER NOT NULL REFERENCES decisions, PRIMARY KEY (message, decision)
    ) STRICT;
    CREATE TABLE marked (message TEXT PRIMARY KEY, at REAL NOT NULL, trainer TEXT NOT NULL) STRICT;
    """,
]


@dataclass(frozen=True, slots=True)
class Decision:
    """`what`: labelled, skipped, marked wrong, added, removed, moved, reworded, response; `changes`: see the part that made it."""

    id: int
    at: datetime
    trainer: str
    what: str
    summary: str
    changes: list[dict[str, Any]]
    messages: tuple[str, ...]
    undone_at: datetime | None = None
    undone_by: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "at": _iso(self.at),
            "trainer": self.trainer,
            "what": self.what,
            "summary": self.summary,
            "messages": len(self.messages),
            "undone_at": None if self.undone_at is None else _iso(self.undone_at),
            "undone_by": self.undone_by,
        }


class Journal:
    def __init__(self, path: Path) -> None:
        self._db = Sqlite(path, _MIGRATIONS)

    async def open(self) -> None:
        await self._db.open()

    async def close(self) -> None:
        await self._db.close()

    async def record(
        self,
        trainer: str,
        what: str,
        summary: str,
        now: datetime,
        changes: Sequence[dict[str, Any]] = (),
        messages: Collection[str] = (),
    ) -> int:
        """The decision's number."""

        def work(db: sqlite3.Connection) -> int:
            number = db.execute(
                "INSERT INTO decisions (at, trainer, what, summary, changes) VALUES (?, ?, ?, ?, ?)",
                (now.timestamp(), trainer, what, summary, json.dumps(list(changes), ensure_ascii=False)),
            ).lastrowid
            assert number is not None
            db.executemany(
                "INSERT INTO decided VALUES (?, ?)", [(message, number) for message in sorted(set(messages))]
            )
            return number

        return await self._db.write(work)

    async def decision(self, number: int) -> Decision | None:
        def work(db: sqlite3.Connection) -> Decision | None:
            row = db.execute("SELECT * FROM decisions WHERE id = ?", (number,)).fetchone()
            return None if row is None else _decision(db, row)

        return await self._db.read(work)

    async def latest(self, limit: int) -> list[Decision]:
        return await self._db.read(
            lambda db: [
                _decision(db, row)
                for row in db.execute("SELECT * FROM decisions ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
            ]
        )

    async def undone(self, number: int, trainer: str, now: datetime) -> bool:
        """Notes that it was taken back; False where it was before."""
        changed = await self._db.write(
            lambda db: (
                db.execute(
                    "UPDATE decisions SET undone_at = ?, undone_by = ? WHERE id = ? AND undone_at IS NULL",
                    (now.timestamp(), trainer, number),
                ).rowcount
            )
        )
        return changed == 1

    async def decided(self) -> set[str]:
        """Messages on which a decision stands."""
        rows = await self._db.read(
            lambda db: db.execute(
                "SELECT message FROM decided JOIN decisions ON id = decision WHERE undone_at IS NULL"
            ).fetchall()
        )
        return {row[0] for row in rows}

    async def mark(self, message: str, trainer: str, now: datetime) -> None:
        await self._db.write(
            lambda db: db.execute("INSERT OR IGNORE INTO marked VALUES (?, ?, ?)", (message, now.timestamp(), trainer))
        )

    async def unmark(self, message: str) -> None:
        await self._db.write(lambda db: db.execute("DELETE FROM marked WHERE message = ?", (message,)))

    async def marked(self) -> set[str]:
        return {row[0] for row in await self._db.read(lambda db: db.execute("SELECT message FROM marked").fetchall())}


def _decision(db: sqlite3.Connection, row: sqlite3.Row) -> Decision:
    messages = db.execute("SELECT message FROM decided WHERE decision = ? ORDER BY message", (row["id"],)).fetchall()
    return Decision(
        id=row["id"],
        at=datetime.fromtimestamp(row["at"], UTC),
        trainer=row["trainer"],
        what=row["what"],
        summary=row["summary"],
        changes=json.loads(row["changes"]),
        messages=tuple(one[0] for one in messages),
        undone_at=None if row["undone_at"] is None else datetime.fromtimestamp(row["undone_at"], UTC),
        undone_by=row["undone_by"],
    )


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
