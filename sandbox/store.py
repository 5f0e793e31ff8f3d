"""Where chargers keep what survives a power cut: one SQLite file, one row a charger, written at once when something happened there.

The file is not forced to the disk: a killed process loses nothing, only a crash of the whole machine may. All chargers that changed in the
same turn of the event loop share one commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import structlog

log = structlog.get_logger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS charger (id TEXT PRIMARY KEY, kept BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended (orderly INTEGER NOT NULL);
"""


class StoreUnusable(Exception):
    """The file cannot be opened or written; the message says which and why."""


class Store:
    """`orderly`: the run before ended in order and was not cut off."""

    def __init__(self, path: Path) -> None:
        """Raises StoreUnusable. From now on a run counts as cut off until `close`."""
        self._path = path
        self._dirty: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self._soon: asyncio.Handle | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, isolation_level=None)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=OFF")
            self._file.executescript(_SCHEMA)
            self.orderly = self._file.execute("SELECT 1 FROM ended").fetchone() is not None
            self.kept = {name: orjson.loads(kept) for name, kept in self._file.execute("SELECT id, kept FROM charger")}
            self._file.execute("DELETE FROM ended")
        except (OSError, sqlite3.Error, orjson.JSONDecodeError) as error:
            raise StoreUnusable(f"{path} cannot be used: {error}") from error

    def changed(self, charger: str, kept: Callable[[], Mapping[str, Any]]) -> None:
        """Something happened at the charger; `kept()` is asked once for what it then keeps, before the event loop waits again."""
        self._dirty[charger] = kept
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        self._soon = None
        dirty, self._dirty = self._dirty, {}
        rows = [(charger, orjson.dumps(kept())) for charger, kept in dirty.items()]
        try:
            self._file.execute("BEGIN")
            self._file.executemany("INSERT OR REPLACE INTO charger VALUES (?, ?)", rows)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:  # a full disk must not stop the chargers; a power cut would find an older state
            log.error("state_not_kept", file=str(self._path), chargers=len(rows), why=str(error))
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")

    def close(self, *, orderly: bool) -> None:
        self.flush()
        if orderly:
            self._file.execute("INSERT INTO ended VALUES (1)")
        self._file.close()
