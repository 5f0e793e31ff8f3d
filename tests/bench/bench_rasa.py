"""Speed of understanding and deciding: real Rasa processes with the trained model, the real action server and bridge, no chargers.
`make bench-rasa` prints the table. Messages are those of the development set.

A turn "without outside calls" is small talk in three languages: heard over HTTP, understood, decided by the rules, answered by one
call to the action server, worded, streamed back and stored; no charger, payment service or carrier is asked. The action server and
this load generator run on the same cores; what they take of them is part of every figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import aiohttp
import httpx
import psutil

from chargeline.ports import free_port
from chargeline.processes import ROOT, Process, all_processes, environment_of
from chargeline.settings import Settings
from tests.bench.bench_bridge import Row, print_table
from tests.nlu.examples import LANGUAGES, development

READY_S, WORKER_MIB = 35.0, 900.0
PARSE_MS, TURN_MS = 30.0, 120.0
TURNS_PER_S, GROWTH = 60.0, 1.5
SENDERS, TURNS_EACH = 32, 8
SMALL_TALK = (
    "hello",
    "thanks a lot",
    "hola buenas",
    "merci beaucoup",
    "what is the capital of peru",
    "gracias",
    "bonjour",
    "thx",
)
_ids = count(1)


class Worker:
    """One Rasa process, and the connection that turns are sent over."""

    def __init__(self, started: subprocess.Popen[bytes], settings: Settings, ready_s: float) -> None:
        self.started = started
        self.ready_s = ready_s
        self.url = settings.url_of("rasa")
        # The load runs on the same cores; the front door calls Rasa by this client too.
        self._http = aiohttp.ClientSession(self.url, timeout=aiohttp.ClientTimeout(total=60))
        self._token = settings.rasa_token

    async def parse(self, text: str) -> float:
        began = time.perf_counter()
        async with self._http.post("/model/parse", params={"token": self._token}, json={"text": text}) as answer:
            answer.raise_for_status()
            await answer.read()
        return time.perf_counter() - began

    async def turn(self, sender: str, text: str) -> float:
        metadata = {
            "message_id": f"in_bench{next(_ids)}",
            "channel": "web",
            "language": "en",
            "driver": f"guest:{sender}",
            "tier": 0,
        }
        body = {"sender": sender, "message": text, "metadata": metadata}
        began = time.perf_counter()
        async with self._http.post("/webhooks/rest/webhook?stream=true", json=body) as answer:
            said = await answer.text()
        took = time.perf_counter() - began
        replies = [json.loads(line) for line in said.splitlines()]
        if not replies:
            raise SystemExit(f"a turn without a reply: {text!r}")
        return took

    async def model(self) -> str:
        """The file's name of the model that it serves."""
        async with self._http.get("/status", params={"token": self._token}) as answer:
            answer.raise_for_status()
            return str((await answer.json())["model_file"])

    def cpu_s(self) -> float:
        used = psutil.Process(self.started.pid).cpu_times()
        return float(used.user + used.system)

    def mib(self) -> float:
        return float(psutil.Process(self.started.pid).memory_info().rss / 2**20)

    async def close(self) -> None:
        await self._http.close()


def start(process: Process, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            process.command, cwd=ROOT, env=environment_of(process), stdout=output, stderr=subprocess.STDOUT
        )


async def ready(process: Process, running: subprocess.Popen[bytes], log: Path) -> float:
    """Seconds until it is."""
    began = time.perf_counter()
    async with httpx.AsyncClient() as http:
        while time.perf_counter() - began < 240:
            if running.poll() is not None:
                raise SystemExit(f"{process.name} ended; its log: {log}")
            with suppress(httpx.TransportError):
                if (await http.get(process.ready_url)).status_code == 200:
                    return time.perf_counter() - began
            await asyncio.sleep(0.2)
    raise SystemExit(f"{process.name} was not ready within 240 s")


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@asynccontextmanager
async def workers(number: int) -> AsyncIterator[list[Worker]]:
    """That many Rasa processes over one store of conversations, and one action server."""
    running: list[subprocess.Popen[bytes]] = []
    found: list[Worker] = []
    with tempfile.TemporaryDirectory(prefix="chargeline-bench-", ignore_cleanup_errors=True) as folder:
        common = {
            **os.environ,
            "VAR_DIR": folder,
            "SANDBOX": "off",
            "MONGODB_URL": "",
            "RASA_TOKEN": "bench",
            "ACTIONS_KEY": "bench",
            "BRIDGE_DRIVER_KEY": "bench",
            "ACTIONS_PORT": str(free_port()),
            "BRIDGE_PORT": str(free_port()),
            "OCPP_PORT": str(free_port()),
            "LOG_LEVEL": "warning",
        }
        os.environ.update(common)  # the action server reads the same settings
        try:
            for worker in range(number):
                os.environ["RASA_PORT"] = str(free_port())
                settings = Settings.load()
                wanted = {process.name: process for process in all_processes(settings)}
                for name in ("rasa",) if running else ("bridge", "actions", "rasa"):
                    log = Path(folder) / f"{name}{worker}.log"
                    running.append(start(wanted[name], log))
                    ready_s = await ready(wanted[name], running[-1], log)
                found.append(Worker(running[-1], settings, ready_s))
            yield found
        finally:
            for each in found:
                await each.close()
            for process in reversed(running):
                end(process)


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)] * 1000


def spread(seconds: list[float]) -> str:
    return f"p50 {statistics.median(seconds) * 1000:.0f}, p95 {p95(seconds):.0f} ms"


async def parsing(worker: Worker) -> Row:
    texts = [one.text for language in LANGUAGES for one in development(language)[::4]]
    await worker.parse("warm up")
    took = [await worker.parse(text) for text in texts]
    return Row("parse one message", f"p95 < {PARSE_MS:.0f} ms", spread(took), p95(took) < PARSE_MS)


async def turns(worker: Worker) -> Row:
    await worker.turn("web_warm", "hello")
    took = [await worker.turn(f"web_one{number // 10}", SMALL_TALK[number % len(SMALL_TALK)]) for number in range(100)]
    return Row("a whole turn, one sender", f"p95 < {TURN_MS:.0f} ms", spread(took), p95(took) < TURN_MS)


async def length(worker: Worker) -> Row:
    took = [await worker.turn("web_long", SMALL_TALK[number % len(SMALL_TALK)]) for number in range(300)]
    early, late = statistics.median(took[4:20]), statistics.median(took[-16:])
    return Row(
        "message 300 against message 10",
        f"<= {GROWTH} x",
        f"{late / early:.2f} x ({early * 1000:.0f} -> {late * 1000:.0f} ms)",
        late <= GROWTH * early,
    )


async def together(found: list[Worker]) -> Row:
    async def one(sender: int) -> None:
        worker = found[sender % len(found)]
        for number in range(TURNS_EACH):
            await worker.turn(f"web_many{sender}", SMALL_TALK[(sender + number) % len(SMALL_TALK)])

    for worker in found:
        await worker.turn(f"web_warm{worker.started.pid}", "hello")
    began, used = time.perf_counter(), sum(worker.cpu_s() for worker in found)
    await asyncio.gather(*(one(sender) for sender in range(SENDERS)))
    number = SENDERS * TURNS_EACH
    rate = number / (time.perf_counter() - began)
    each = (sum(worker.cpu_s() for worker in found) - used) / number * 1000
    return Row(
        f"{SENDERS} senders, {len(found)} workers",
        f">= {TURNS_PER_S:.0f}/s",
        f"{rate:.0f}/s, {each:.0f} ms of Rasa's processor time a turn",
        rate >= TURNS_PER_S,
    )


async def main(number: int) -> int:
    async with workers(number) as found:
        ready_s = min(worker.ready_s for worker in found)
        rows = [
            Row("start until ready", f"< {READY_S:.0f} s", f"{ready_s:.0f} s", ready_s < READY_S),
            await parsing(found[0]),
            await turns(found[0]),
            await length(found[0]),
            await together(found),
        ]
        most = max(worker.mib() for worker in found)
        rows.append(Row("memory of a worker", f"< {WORKER_MIB:.0f} MiB", f"{most:.0f} MiB", most < WORKER_MIB))
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} at the end")
    print_table(rows)
    return 1 if any(row.holds is False for row in rows) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_rasa", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="Rasa processes (2)")
    sys.exit(asyncio.run(main(parser.parse_args().workers)))
