"""Speed of the carriers' lines: webhooks acknowledged at 50 messages a second, SMS and WhatsApp, while the carrier is slow and
the model busy. The front door is the real process. `make bench-channels` prints the table; ARGS="--seconds 60 --rate 80".
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
import uvloop
from aiohttp import web

from chargeline.ports import free_port
from sandbox.carrier.journal import read_journal
from sandbox.carrier.signing import Post
from tests.bench.bench_bridge import Row, listening, print_table, process
from tests.bench.bench_front_door import at_rate, percentile, spread
from tests.bot.fake_rasa import FakeRasa
from tests.channels.lines import env_for
from tests.channels.storm import inbound, open_windows

DRIVERS = 600
CARRIER_S = 1.0  # how long the carrier takes to answer a send
MODEL_S = 0.25  # how long the model takes for a turn


class BusyRasa(FakeRasa):
    """Takes its time over every turn."""

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(MODEL_S)
        return await super()._webhook(request)


def number_of(driver: int) -> str:
    return f"+1613555{driver:04d}"


def text_of(n: int) -> str:
    return f"message {n} the charger shows a red light"


async def lines(seconds: float, rate: float, settle_s: float) -> list[Row]:
    rasa = BusyRasa()
    await rasa.start()
    with tempfile.TemporaryDirectory(prefix="bench-channels-") as folder:
        journal = Path(folder) / "carrier.jsonl"
        open_windows(journal, map(number_of, (*range(DRIVERS), *range(9000, 9020))))
        bot_port, carrier_port = free_port(), free_port()
        env = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        env |= env_for(Path(folder), rasa.url, f"http://127.0.0.1:{carrier_port}", SENDS_PER_S="5000")
        env |= {"BOT_PORT": str(bot_port), "CARRIER_PORT": str(carrier_port), "LOG_LEVEL": "warning"}
        env |= {"BOT_URL": f"http://127.0.0.1:{bot_port}", "SETTLE_S": str(settle_s)}
        with (
            process(["-m", "sandbox.carrier", "--journal", str(journal)], env),
            process(["-m", "bot"], env) as bot,
        ):
            await listening(carrier_port)
            await listening(bot_port)
            async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
                await http.put(f"http://127.0.0.1:{carrier_port}/v1/manners", json={"answer_s": CARRIER_S})
                rows = await measured(http, bot, f"http://127.0.0.1:{bot_port}", journal, seconds, rate)
    await rasa.stop()
    return rows


async def measured(
    http: httpx.AsyncClient, bot: psutil.Process, url: str, journal: Path, seconds: float, rate: float
) -> list[Row]:
    count = int(seconds * rate)

    async def bring(post: Post) -> None:
        answer = await http.post(url + post.url_path, content=post.body, headers=post.headers)
        assert answer.status_code == 200, answer.text

    await asyncio.gather(*(bring(inbound(number_of(9000 + n), text_of(-1 - n))) for n in range(20)))  # warm
    posts = [inbound(number_of(n % DRIVERS), text_of(n)) for n in range(count)]
    used = sum(bot.cpu_times()[:2])
    began = time.perf_counter()
    took = await at_rate(count, rate, lambda n: bring(posts[n]))
    sending = time.perf_counter() - began
    said = await until_answered(journal, count)
    whole = time.perf_counter() - began
    used = sum(bot.cpu_times()[:2]) - used
    ack = percentile(took, 0.99)
    lost = sum(said[f"You said: {text_of(n)}"] == 0 for n in range(count))
    doubled = sum(said[f"You said: {text_of(n)}"] > 1 for n in range(count))
    name = f"{rate:.0f}/s for {seconds:.0f} s, carrier {CARRIER_S:.0f} s slow, model {MODEL_S * 1000:.0f} ms a turn"
    return [
        Row(name, "", f"{count / sending:.0f} a second taken"),
        Row("  webhook to its acknowledgement", "p99 < 200 ms", spread(took), ack < 0.2),
        Row(
            "  answered and handed to the carrier",
            "all, once",
            f"{count - lost} of {count}, {doubled} twice",
            not lost + doubled,
        ),
        Row("  sustained, to the last answer", "", f"{count / whole:.0f} a second"),
        Row("  processor time a message, all of it", "", f"{used / count * 1000:.1f} ms"),
        Row("  memory of the front door", "", f"{bot.memory_info().rss / 2**20:.0f} MiB"),
    ]


async def until_answered(journal: Path, count: int) -> Counter[str]:
    deadline = time.perf_counter() + 60 + count / 10
    while True:
        said = Counter(message.text for message in read_journal(journal) if message.outbound)
        done = sum(said[f"You said: {text_of(n)}"] > 0 for n in range(count))
        if done == count or time.perf_counter() > deadline:
            return said
        await asyncio.sleep(1.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_channels", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second")
    parser.add_argument("--settle", type=float, default=0.0, help="SETTLE_S; above 0 quick texts are joined")
    given = parser.parse_args()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    table = asyncio.run(lines(given.seconds, given.rate, given.settle))
    print_table(table)
    sys.exit(1 if any(row.holds is False for row in table) else 0)
