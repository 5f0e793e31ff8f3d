"""Speed of the front door: the real process on one core; the load, a Rasa that answers at once and a carrier on another.
`make bench-front-door` prints the table; `ARGS="whole"` measures first words of the whole product instead.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx
import psutil
import uvloop
from aiohttp import web

from chargeline.ports import free_port
from tests.bench.bench_bridge import Row, listening, print_table, process
from tests.bot.doors import Door, settings_env
from tests.bot.fake_actions import FakeActions
from tests.bot.fake_carrier import FakeCarrier
from tests.bot.fake_rasa import FakeRasa

RATE = 50.0  # messages a second
DRIVERS = 300


class TimingCarrier(FakeCarrier):
    """Notes when each text came, by number and body."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[tuple[str, str], float] = {}
        self._first: defaultdict[str, asyncio.Future[float]] = defaultdict(asyncio.Future)

    async def first_to(self, number: str) -> float:
        """When the first text to this number came; waits for it."""
        return await self._first[number]

    async def _send(self, request: web.Request) -> web.Response:
        form = await request.post()
        number, now = str(form["To"]), time.perf_counter()
        self.at[number, str(form["Body"])] = now
        if not self._first[number].done():
            self._first[number].set_result(now)
        return await super()._send(request)


def spread(seconds: list[float]) -> str:
    """p50, p99 and the slowest, in milliseconds."""
    ordered = sorted(seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"p50 {p50 * 1000:.1f}  p99 {p99 * 1000:.1f}  most {ordered[-1] * 1000:.1f} ms"


def percentile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))]


async def at_rate(count: int, rate: float, send: object) -> list[float]:
    """Starts `send(n)` at fixed moments, whether or not earlier ones are answered; how long each took."""
    assert callable(send)
    began = time.perf_counter()
    took: list[float] = []

    async def one(number: int) -> None:
        sent = time.perf_counter()
        await send(number)
        took.append(time.perf_counter() - sent)

    tasks = []
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    return took


async def until_there(carrier: TimingCarrier, wanted: list[tuple[str, str]]) -> None:
    deadline = time.perf_counter() + 60
    while not all(key in carrier.at for key in wanted):
        if time.perf_counter() > deadline:
            raise SystemExit(f"{sum(key not in carrier.at for key in wanted)} answers never came")
        await asyncio.sleep(0.05)


async def front_door(seconds: float) -> list[Row]:
    rasa, carrier, actions = FakeRasa(), TimingCarrier(), FakeActions()
    for part in (rasa, carrier, actions):
        await part.start()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-front-door-") as folder:
        port = free_port()
        env = {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
            **settings_env(Path(folder), rasa.url, carrier.url, actions.url),
            "BOT_PORT": str(port),
            "LOG_LEVEL": "warning",
        }
        with process(["-m", "bot"], env) as bot:
            await listening(port)
            async with Door.at(port) as door:
                door.http.timeout = httpx.Timeout(30.0)
                rows += await texts(bot, door, carrier, seconds)
                rows += await pages(door, seconds)
                rows += await hazards(door, carrier, seconds)
            rows.append(Row("memory of the front door", "", f"{bot.memory_info().rss / 2**20:.0f} MiB"))
    for part in (rasa, carrier, actions):
        await part.stop()
    return rows


def number_of(driver: int) -> str:
    return f"+1613{5550000 + driver}"


async def texts(bot: psutil.Process, door: Door, carrier: TimingCarrier, seconds: float) -> list[Row]:
    count = int(RATE * seconds)
    sent: dict[tuple[str, str], float] = {}

    async def send(n: int) -> None:
        sender, text = number_of(n % DRIVERS), f"message {n} the charger shows a red light"
        sent[sender, f"You said: {text}"] = time.perf_counter()
        assert (await door.sms(text, sender=sender)).status_code == 200

    await asyncio.gather(*(send(-1 - n) for n in range(20)))  # warm
    sent.clear()
    used = sum(bot.cpu_times()[:2])
    took = await at_rate(count, RATE, send)
    await until_there(carrier, list(sent))
    used = sum(bot.cpu_times()[:2]) - used
    whole = [carrier.at[key] - at for key, at in sent.items()]
    ack = percentile(took, 0.99)
    return [
        Row(f"SMS at {RATE:.0f}/s, webhook to its acknowledgement", "p99 < 200 ms", spread(took), ack < 0.2),
        Row("  webhook to the answer at the carrier", "p99 < 1 s", spread(whole), percentile(whole, 0.99) < 1),
        Row("  processor time a message, all of it", "", f"{used / count * 1000:.1f} ms"),
    ]


async def pages(door: Door, seconds: float) -> list[Row]:
    async def send(n: int) -> None:
        answer = await door.terminal(f"driver-{n % DRIVERS}", f"c{n}", text=f"message {n}")
        assert answer.status_code == 202, answer.text

    took = await at_rate(int(RATE * seconds), RATE, send)
    return [Row(f"posted messages at {RATE:.0f}/s", "p99 < 200 ms", spread(took), percentile(took, 0.99) < 0.2)]


async def hazards(door: Door, carrier: TimingCarrier, seconds: float) -> list[Row]:
    """Advice at the carrier while others write at the same rate as before."""
    advised: list[float] = []

    async def send(n: int) -> None:
        if n % 25:
            await door.sms(f"again {n} a red light", sender=number_of(n % DRIVERS))
            return
        sender = f"+1514{5550000 + n}"
        began = time.perf_counter()
        await door.sms("there is smoke coming out of the charger", sender=sender)
        advised.append(await carrier.first_to(sender) - began)

    await at_rate(int(RATE * seconds), RATE, send)
    return [
        Row("words of danger to the advice at the carrier", "p99 < 1 s", spread(advised), percentile(advised, 0.99) < 1)
    ]


def whole_product(count: int) -> list[Row]:
    """First words of the real product: webhook to the first reply of the dialogue at the carrier, one driver at a time."""
    from tests.e2e.stack import running

    first, intro = [], []
    with tempfile.TemporaryDirectory(prefix="bench-product-") as folder, running(Path(folder) / "var") as stack:
        for n in range(count + 1):
            number = f"+1438{5550000 + random.randrange(100) * 1000 + n}"
            began = time.time()
            assert stack.text(number, "plugged in and nothing happens").status_code == 200
            while len(mine := [m for m in list(stack.carrier.sent) if m["to"] == number]) < 2:
                if time.time() - began > 60:
                    raise SystemExit("no answer within a minute")
                time.sleep(0.01)
            if n:  # the first one warms
                intro.append(float(mine[0]["at"]) - began)
                first.append(float(mine[1]["at"]) - began)
    return [
        Row("whole product, webhook to the introduction at the carrier", "", spread(intro)),
        Row("  webhook to the dialogue's first words", "p95 < 1 s", spread(first), percentile(first, 0.95) < 1),
    ]


def main(parts: list[str], seconds: float) -> int:
    rows: list[Row] = []
    if "door" in parts:
        rows += asyncio.run(front_door(seconds))
    if "whole" in parts:
        rows += whole_product(40)
    print_table(rows)
    return 1 if any(row.holds is False for row in rows) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_front_door", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each round")
    parser.add_argument("parts", nargs="*", default=["door"], help="door, whole")
    given = parser.parse_args()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    sys.exit(main(given.parts, given.seconds))
