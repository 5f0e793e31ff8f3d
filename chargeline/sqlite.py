"""The embedded store's engine: one SQLite file, one writer thread, one reader thread.

Owners' stores (`bot/store`, `ocpp_bridge/store`, ...) put their statements into plain functions of a connection and hand
them to `write` (all or nothing) or `read`. WAL: a killed process loses nothing that `write` returned for. Writes that wait
at the same moment share one commit: the disk is asked once for all of them. Where one fails they are run again, each in a
savepoint of its own; so what is handed to `write` must be fit to run twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")


_BATCH = 128  # writes that share a commit at most
_Write = tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]
_End = tuple[asyncio.Future[Any], Any, BaseException | None]


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
        inline_reads: bool = False,
    ) -> None:
        """`inline_reads`: reads run in the caller's thread. For stores that look up single rows by an index, where the
        way to another thread and back costs ten times the read; a long scan would hold up the event loop."""
        self._path = str(path)
        self._migrations = migrations
        self._synchronous = synchronous
        self._inline_reads = inline_reads
        self._waiting: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="sqlite-read")
        self._write_connection: sqlite3.Connection | None = None
        self._read_connection: sqlite3.Connection | None = None
        self._look_connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Opens the file, making it and its folder where needed, and migrates it. Raises SchemaTooNew."""
        Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        self._write_connection = await asyncio.to_thread(self._connect)
        await asyncio.to_thread(self._migrate)
        self._read_connection = await asyncio.get_running_loop().run_in_executor(self._reader, self._connect)
        self._look_connection = await asyncio.to_thread(self._connect)
        self._writer = threading.Thread(target=self._write_what_waits, name="sqlite-write", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Writes what waits, then closes the file."""
        if self._writer is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._writer.join)
            self._writer = None
        if self._read_connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._reader, self._read_connection.close)
        for connection in (self._write_connection, self._look_connection):
            if connection is not None:
                connection.close()
        self._reader.shutdown(wait=False)
        self._read_connection = self._write_connection = self._look_connection = None

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work`, all of it or nothing; returns when it is committed, raises what it raised when it was undone."""
        if self._writer is None:
            raise RuntimeError("the store is not open")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put((work, done))
        return await done

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` on a connection of its own; it sees all that was committed before the call."""
        if self._inline_reads:
            return self._reading(work)
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._reading, work)

    def look(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `read`, at once and in the caller's thread: for single rows by an index, also where other reads are longer."""
        if self._look_connection is None:
            raise RuntimeError("the store is not open")
        return work(self._look_connection)

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

    def _write_what_waits(self) -> None:
        """The writer thread: takes what waits, runs it in one transaction, tells each caller how it went."""
        while True:
            first = self._waiting.get()
            if first is None:
                return
            batch = [first]
            ending = False
            while len(batch) < _BATCH:
                try:
                    item = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    ending = True
                    break
                batch.append(item)
            self._commit_together(batch)
            if ending:
                return

    def _commit_together(self, batch: list[_Write]) -> None:
        connection = self._write_connection
        assert connection is not None
        batch = [item for item in batch if not item[1].cancelled()]  # whose caller has gone
        if not batch:
            return
        try:
            ends = self._at_a_go(connection, batch)
            if ends is None:
                ends = self._each_for_itself(connection, batch)
        except sqlite3.Error as error:  # the disk is full, the file is gone: nobody's write took place
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            ends = [(done, None, error) for _, done in batch]
        _tell(ends)

    def _at_a_go(self, connection: sqlite3.Connection, batch: list[_Write]) -> list[_End] | None:
        """Without a savepoint for each, which takes as long as the write; None where one failed and all was undone."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            ends: list[_End] = [(done, work(connection), None) for work, done in batch]
        except Exception:
            connection.execute("ROLLBACK")
            return None
        connection.execute("COMMIT")
        return ends

    def _each_for_itself(self, connection: sqlite3.Connection, batch: list[_Write]) -> list[_End]:
        ends: list[_End] = []
        connection.execute("BEGIN IMMEDIATE")
        for work, done in batch:
            connection.execute("SAVEPOINT one")
            try:
                result = work(connection)
            except Exception as error:
                connection.execute("ROLLBACK TO one")
                ends.append((done, None, error))
            else:
                ends.append((done, result, None))
            connection.execute("RELEASE one")
        connection.execute("COMMIT")
        return ends

    def _reading(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._read_connection is None:
            raise RuntimeError("the store is not open")
        return work(self._read_connection)


def _tell(ends: list[_End]) -> None:
    """Each caller how its write went; those of one loop together, since waking a loop is what costs."""
    loops = {done.get_loop() for done, _, _ in ends}
    for loop in loops:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            loop.call_soon_threadsafe(_settle, [end for end in ends if end[0].get_loop() is loop])


def _settle(ends: list[_End]) -> None:
    for done, result, failure in ends:
        if done.done():
            continue
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(result)
