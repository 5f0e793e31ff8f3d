"""What drivers notice of a model that goes live: real Rasa processes in the middle of conversations while the desk promotes another
model and rolls it back. `make bench-swap` prints the table.

The other model is a copy under another id: loading it costs what loading any model of this size costs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import httpx

from bot.trainer.app import desk
from bot.trainer.models.part import part
from bot.trainer.models.shelf import Shelf
from chargeline.ports import free_port
from chargeline.processes import ROOT
from chargeline.settings import Settings
from tests.bench.bench_bridge import Row, print_table
from tests.bench.bench_rasa import SMALL_TALK, Worker, workers

SENDERS = 8
QUIET_S = 15.0  # how long turns are measured without a swap
SWAPS = 4
STALL_MS, TAKEN_S = 300.0, 10.0
_PROBE_S = 0.01
_TRAINER_KEY = "the-benchs-own-key"


class Drivers:
    """Conversations that never pause, over both workers; each keeps what its turns took."""

    def __init__(self, found: list[Worker]) -> None:
        self._found = found
        self.turns: list[tuple[float, float]] = []  # when it ended, how long it took
        self.sent: dict[str, int] = {}
        self.failed = 0
        self._stop = False

    async def talk(self, number: int) -> None:
        name, worker = f"web_swap{number}", self._found[number % len(self._found)]
        self.sent[name] = 0
        while not self._stop:
            try:
                took = await worker.turn(name, SMALL_TALK[self.sent[name] % len(SMALL_TALK)])
            except (aiohttp.ClientError, TimeoutError, SystemExit):
                self.failed += 1
                continue
            self.sent[name] += 1
            self.turns.append((time.perf_counter(), took))

    def stop(self) -> None:
        self._stop = True


async def probe(url: str, stalls: list[tuple[float, float]]) -> None:
    """How long the process's event loop lets a caller wait who wants nothing of the model, over and over."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        while True:
            began = time.perf_counter()
            await http.get("/")
            stalls.append((time.perf_counter(), time.perf_counter() - began))
            await asyncio.sleep(_PROBE_S)


def longest(rows: list[tuple[float, float]], since: float, until: float) -> float:
    """Milliseconds."""
    return max((took for ended, took in rows if since <= ended and ended - took <= until), default=0.0) * 1000


@asynccontextmanager
async def two_models() -> AsyncIterator[tuple[Shelf, list[str]]]:
    """A shelf with the live model of this folder, twice, and the environment of a desk that serves it."""
    model = Shelf(ROOT / "models").live()
    if model is None:
        raise SystemExit("there is no model; run make train")
    with tempfile.TemporaryDirectory(prefix="chargeline-swap-") as folder:
        for name in ("one", "two"):
            shutil.copy2(model.file, Path(folder) / f"{name}.tar.gz")
        shelf = Shelf(Path(folder))
        shelf.promote("one", "bench", "to begin with", datetime.now(UTC))
        os.environ.update(
            MODELS_DIR=folder,
            DESK_PORT=str(free_port()),
            DESK_KEYS=_TRAINER_KEY,
            MODEL_SERVER_KEY="the-benchs-rasa-key",
        )
        yield shelf, ["two", "one"] * SWAPS


def messages_kept(tracker: Path) -> dict[str, int]:
    """How many messages each conversation holds, by its sender."""
    with closing(sqlite3.connect(tracker)) as store:
        return dict(store.execute("SELECT sender_id, count(*) FROM events WHERE type = 'user' GROUP BY sender_id"))


async def taken(found: list[Worker], model: str) -> float:
    """Seconds until every worker serves it."""
    began = time.perf_counter()
    while time.perf_counter() - began < 60:
        serving = [await worker.model() for worker in found]
        if set(serving) == {f"{model}.tar.gz"}:
            return time.perf_counter() - began
        await asyncio.sleep(0.1)
    raise SystemExit(f"{model} was not taken within 60 s: {serving}")


async def main(number: int) -> int:
    async with two_models() as (shelf, order), workers(number) as found:
        settings = Settings.load()
        async with desk(settings, parts=[part]):
            drivers = Drivers(found)
            talking = [asyncio.create_task(drivers.talk(each)) for each in range(SENDERS)]
            stalls: list[list[tuple[float, float]]] = [[] for _ in found]
            probing = [
                asyncio.create_task(probe(str(worker.url), rows)) for worker, rows in zip(found, stalls, strict=True)
            ]
            await asyncio.sleep(3)  # the first turns of a process are slower
            quiet = time.perf_counter(), time.perf_counter() + QUIET_S
            await asyncio.sleep(QUIET_S)
            swaps, waits = [], []
            for model in order[:SWAPS]:
                began = time.perf_counter()
                shelf.promote(model, "bench", "to measure", datetime.now(UTC))
                waits.append(await taken(found, model))
                swaps.append((began, time.perf_counter()))
            drivers.stop()
            await asyncio.gather(*talking)
            for task in probing:
                task.cancel()
            kept = messages_kept(settings.var / "rasa" / "tracker.sqlite3")
    every = [row for rows in stalls for row in rows]
    before, during = longest(every, *quiet), max(longest(every, *swap) for swap in swaps)
    turn_before, turn_during = longest(drivers.turns, *quiet), max(longest(drivers.turns, *swap) for swap in swaps)
    lost = sum(max(0, sent - kept.get(name, 0)) for name, sent in drivers.sent.items())
    rows = [
        Row("turns that failed", "0", f"{drivers.failed} of {len(drivers.turns)}", drivers.failed == 0),
        Row("messages that a conversation lost", "0", str(lost), lost == 0),
        Row("until every worker has it", f"< {TAKEN_S:.0f} s", f"{max(waits):.1f} s", max(waits) < TAKEN_S),
        Row("longest wait for a worker, no swap", "", f"{before:.0f} ms", None),
        Row(
            "longest wait for a worker, at swaps",
            f"< {STALL_MS:.0f} ms more",
            f"{during:.0f} ms",
            during - before < STALL_MS,
        ),
        Row("longest turn, no swap", "", f"{turn_before:.0f} ms", None),
        Row("longest turn, at swaps", "", f"{turn_during:.0f} ms", None),
    ]
    print(f"{os.cpu_count()} cores, {number} workers, {SENDERS} drivers without a pause, {SWAPS} swaps")
    print_table(rows)
    return 1 if any(row.holds is False for row in rows) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_swap", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="Rasa processes (2)")
    sys.exit(asyncio.run(main(parser.parse_args().workers)))
