"""The embedded store's engine: one SQLite file, one writer thread, one reader thread.

Owners' stores (`bot/store`, `ocpp_bridge/store`, ...) put their statements into plain functions of a connection and hand
them to `write` (one transaction, all or nothing) or `read`. WAL: a killed process loses nothing that `write` returned for.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")


class SchemaTooNew(RuntimeError):
    """The file was written by a later release; opening it here could lose data."""


class Sqlite:
    """`migrations[i]` is the SQL script that brings the schema from version i to i+1; never edit one, append."""

    def __init__(
        self,
        path: Path | str,
        migrations: Sequence[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
    ) -> None:
        self._path = str(path)
        self._migrations = migrations
        self._synchronous = synchronous
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="sqlite-read")
        self._write_connection: sqlite3.Connection | None = None
        self._read_connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Opens the file, making it and its folder where needed, and migrates it. Raises SchemaTooNew."""
        Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        self._write_connection = await loop.run_in_executor(self._writer, self._connect)
        await loop.run_in_executor(self._writer, self._migrate)
        self._read_connection = await loop.run_in_executor(self._reader, self._connect)

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        for executor, connection in ((self._reader, self._read_connection), (self._writer, self._write_connection)):
            if connection is not None:
                await loop.run_in_executor(executor, connection.close)
            executor.shutdown(wait=False)
        self._read_connection = self._write_connection = None

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in one transaction; commits when it returns, rolls back when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._in_transaction, work)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` on a connection of its own; it sees all that was committed before the call."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._reading, work)

    def _connect(self) -> sqlite3.Connection:
        # Transactions are opened by hand (BEGIN IMMEDIATE): a deferred one can fail at its first write.
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _migrate(self) -> None:
        connection = self._write_connection
        assert connection is not None
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(self._migrations):
            raise SchemaTooNew(f"{self._path} has schema {version}; this release knows {len(self._migrations)}")
        for number in range(version, len(self._migrations)):
            connection.executescript(
                f"BEGIN IMMEDIATE; {self._migrations[number]}; PRAGMA user_version={number + 1}; COMMIT;"
            )

    def _in_transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._write_connection
        assert connection is not None, "open() first"
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return result

    def _reading(self, work: Callable[[sqlite3.Connection], T]) -> T:
        assert self._read_connection is not None, "open() first"
        return work(self._read_connection)
