"""The embedded engine: all or nothing, visible to readers at once, refuses a file from the future, survives kill -9."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from chargeline.sqlite import SchemaTooNew, Sqlite

SCHEMA = ["CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE)"]


async def opened(path: Path, migrations: list[str] = SCHEMA) -> Sqlite:
    db = Sqlite(path, migrations)
    await db.open()
    return db


def insert(text: str):  # type: ignore[no-untyped-def]  # a closure for write()
    return lambda connection: connection.execute("INSERT INTO notes (text) VALUES (?)", (text,)).rowcount


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM notes").fetchone()[0])


async def test_a_failing_write_leaves_nothing_behind(tmp_path: Path) -> None:
    db = await opened(tmp_path / "deep" / "a.sqlite3")

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes (text) VALUES ('one')")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await db.write(half)
    assert await db.read(count) == 0
    await db.write(insert("one"))
    assert await db.read(count) == 1
    await db.close()


async def test_parallel_writes_do_not_lose_one_another(tmp_path: Path) -> None:
    db = await opened(tmp_path / "a.sqlite3")
    await asyncio.gather(*(db.write(insert(f"note {number}")) for number in range(200)))
    assert await db.read(count) == 200
    await db.close()


async def test_writes_that_share_a_commit_fail_each_for_itself(tmp_path: Path) -> None:
    db = await opened(tmp_path / "a.sqlite3")
    ends = await asyncio.gather(
        *(db.write(insert(f"note {number % 50}")) for number in range(100)), return_exceptions=True
    )
    refused = [end for end in ends if isinstance(end, sqlite3.IntegrityError)]
    assert len(refused) == 50
    assert await db.read(count) == 50
    await db.close()
    with pytest.raises(RuntimeError, match="not open"):
        await db.write(insert("late"))


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    db = await opened(path)
    tasks = [asyncio.create_task(db.write(insert(f"note {number}"))) for number in range(300)]
    await asyncio.sleep(0)
    await db.close()
    await asyncio.gather(*tasks)
    db = await opened(path)
    assert await db.read(count) == 300
    await db.close()


async def test_migrations_run_once_and_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    db = await opened(path)
    await db.write(insert("kept"))
    await db.close()
    db = await opened(path, [*SCHEMA, "ALTER TABLE notes ADD COLUMN colour TEXT"])
    assert await db.read(lambda c: c.execute("SELECT text, colour FROM notes").fetchone()["text"]) == "kept"
    await db.close()
    with pytest.raises(SchemaTooNew):
        await opened(path)


def test_what_write_returned_for_outlives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    program = f"""
import asyncio, sys
from chargeline.sqlite import Sqlite
async def main():
    db = Sqlite({str(path)!r}, {SCHEMA!r})
    await db.open()
    for number in range(100000):
        await db.write(lambda c: c.execute("INSERT INTO notes (text) VALUES (?)", (str(number),)))
        print(number, flush=True)
asyncio.run(main())
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    seen = -1
    while seen < 50:
        seen = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().split()
    child.wait()
    if rest:
        seen = max(seen, int(rest[-2] if len(rest) > 1 else rest[-1]))
    with sqlite3.connect(path) as connection:
        assert count(connection) >= seen + 1


async def test_a_row_is_looked_up_at_once_and_what_is_committed_is_seen(tmp_path: Path) -> None:
    db = await opened(tmp_path / "a.sqlite3")
    await db.write(insert("one"))
    assert db.look(count) == 1
    await db.close()
    with pytest.raises(RuntimeError, match="not open"):
        db.look(count)


async def test_a_caller_that_has_gone_costs_the_others_nothing(tmp_path: Path) -> None:
    db = await opened(tmp_path / "a.sqlite3")
    tasks = [asyncio.create_task(db.write(insert(f"note {number}"))) for number in range(50)]
    await asyncio.sleep(0)
    tasks[7].cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(end, asyncio.CancelledError) for end in ends].count(True) == 1
    assert [end for end in ends if isinstance(end, int)] == [1] * 49
    await db.close()
