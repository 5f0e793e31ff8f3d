"""A storm of messages over both lines while everything fails: webhooks twice and out of order, a carrier that refuses a
tenth, and each process killed once. Then every message must have been answered exactly once, in order.

`python -m tests.channels.storm --messages 10000` runs it in full; tests/channels/test_storm.py a small one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiohttp

from sandbox.carrier.journal import read_journal
from sandbox.carrier.network import Line, Message
from sandbox.carrier.signing import Post, meta_message, meta_post, sms_fields, twilio_post
from tests.bot.doors import PUBLIC_URL, until
from tests.channels.lines import ACCOUNT, env_for

MANNERS = {"fail": 0.1, "retry_after_s": 0, "status_s": 0.05, "duplicate": 0.05}
DUPLICATES = REORDERED = 0.05


@dataclass
class Report:
    messages: int
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    posts: int = 0
    kills: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.disordered)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def line_of(number: str) -> Line:
    return "sms" if int(number[-4:]) % 2 else "whatsapp"


def inbound(number: str, text: str) -> Post:
    """The webhook of a driver's message; its id is the second word of the text, so the same text is the same message."""
    line, now = line_of(number), datetime.now(UTC)
    name = f"{'SM' if line == 'sms' else 'wamid.'}{text.split()[1].replace('-', 'w')}"
    message = Message(name, line, number, False, text, now)
    if line == "sms":
        return twilio_post(ACCOUNT, PUBLIC_URL, "/webhooks/twilio/sms", sms_fields(ACCOUNT, message, None))
    content = {"type": "text", "text": {"body": text}}
    return meta_post(ACCOUNT, "/webhooks/whatsapp", meta_message(message, f"CA.{number[1:]}", content))


class Part:
    """One process that may be killed; it is started again by the same command."""

    def __init__(self, name: str, port: int, command: list[str], env: dict[str, str], log: Path) -> None:
        self.name, self.url = name, f"http://127.0.0.1:{port}"
        self._command, self._env, self._log = command, env, log
        self._running: asyncio.subprocess.Process | None = None

    async def start(self, path: str) -> None:
        with self._log.open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(
                sys.executable, *self._command, env={**os.environ, **self._env}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:  # the other one is busy
            while time.monotonic() < deadline:
                try:
                    async with http.get(self.url + path) as answer:
                        if answer.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(0.05)
        raise RuntimeError(f"{self.name} did not start: {self._log.read_text()[-2000:]}")

    async def kill(self) -> None:
        if self._running is not None and self._running.returncode is None:
            self._running.kill()
            await self._running.wait()


class Storm:
    def __init__(self, folder: Path, messages: int, conversations: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.report = Report(messages)
        self.journal = folder / "carrier.jsonl"
        ports = {name: free_port() for name in ("bot", "rasa", "carrier")}
        carrier_url = f"http://127.0.0.1:{ports['carrier']}"
        env = env_for(folder, f"http://127.0.0.1:{ports['rasa']}", carrier_url, SENDS_PER_S="5000", LOG_LEVEL="error")
        env |= {"BOT_URL": f"http://127.0.0.1:{ports['bot']}", "CARRIER_PORT": str(ports["carrier"])}
        module = ["-m", "tests.channels.parts"]
        self.bot = Part("bot", ports["bot"], [*module, "bot", str(ports["bot"])], env, folder / "bot.log")
        self.rasa = Part("rasa", ports["rasa"], [*module, "rasa", str(ports["rasa"])], env, folder / "rasa.log")
        command = ["-m", "sandbox.carrier", "--journal", str(self.journal)]
        self.carrier = Part("carrier", ports["carrier"], command, env, folder / "carrier.log")
        self._ready = {"bot": "/healthz", "rasa": "/status", "carrier": "/healthz"}
        self.queues: dict[str, list[str]] = defaultdict(list)  # what each conversation says, in the order of posting
        for n in range(messages):
            self.queues[f"+1613555{n % conversations:04d}"].append(f"message {n} the charger shows a red light")
        for said in self.queues.values():
            for n in range(len(said) - 1):
                if self.random.random() < REORDERED:
                    said[n], said[n + 1] = said[n + 1], said[n]
        self.acknowledged = 0

    async def run(self) -> Report:
        began = time.monotonic()
        limit = aiohttp.TCPConnector(limit=100)
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(connector=limit, timeout=timeout) as self.http:
            try:
                for part in (self.rasa, self.carrier, self.bot):
                    await part.start(self._ready[part.name])
                await self._misbehave()
                killing = asyncio.create_task(self._kill_each_once())
                await asyncio.gather(*(self._say_all(number) for number in self.queues))
                await killing
                await self._until_answered()
            finally:
                for part in (self.bot, self.carrier, self.rasa):
                    await part.kill()
        self._judge()
        self.report.seconds = time.monotonic() - began
        return self.report

    async def _misbehave(self) -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.put(f"{self.carrier.url}/v1/manners", json=MANNERS) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def _kill_each_once(self) -> None:
        """At a quarter, a half and three quarters of the way, in a random order."""
        victims = [self.bot, self.rasa, self.carrier]
        self.random.shuffle(victims)
        for n, victim in enumerate(victims, 1):
            share = self.report.messages * n // 4
            await until(partial(self._has_acknowledged, share), "the next part is acknowledged", 3600.0)
            await victim.kill()
            await asyncio.sleep(0.1)
            await victim.start(self._ready[victim.name])
            if victim is self.carrier:
                await self._misbehave()
            self.report.kills.append(victim.name)

    def _has_acknowledged(self, count: int) -> bool:
        return self.acknowledged >= count

    async def _say_all(self, number: str) -> None:
        for text in self.queues[number]:
            post = inbound(number, text)
            await self._bring(post)
            self.acknowledged += 1
            if self.random.random() < DUPLICATES:
                await self._bring(post)

    async def _bring(self, post: Post) -> None:
        """Until it is acknowledged, as carriers do."""
        while True:
            self.report.posts += 1
            try:
                async with self.http.post(self.bot.url + post.url_path, data=post.body, headers=post.headers) as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass  # the bot is being killed; the carrier brings it again
            await asyncio.sleep(0.1)

    def _answers(self) -> dict[str, list[str]]:
        said: dict[str, list[str]] = defaultdict(list)
        for message in read_journal(self.journal):
            if message.outbound and message.text.startswith("You said: "):
                said[message.number].append(message.text.removeprefix("You said: "))
        return said

    async def _until_answered(self) -> None:
        deadline = time.monotonic() + 60 + self.report.messages / 10
        while time.monotonic() < deadline:
            if sum(len(set(texts)) for texts in self._answers().values()) >= self.report.messages:
                break
            await asyncio.sleep(0.5)
        await asyncio.sleep(4.0)  # what would come twice comes now

    def _judge(self) -> None:
        answers = self._answers()
        for number, said in self.queues.items():
            heard = answers[number]
            self.report.lost += [text for text in said if text not in heard]
            self.report.doubled += [text for text in set(heard) if heard.count(text) > 1]
            if [text for text in dict.fromkeys(heard) if text in said] != [text for text in said if text in heard]:
                self.report.disordered.append(number)


@asynccontextmanager
async def folder_for(keep: bool) -> AsyncIterator[Path]:
    if keep:
        yield Path(tempfile.mkdtemp(prefix="storm-"))
    else:
        with tempfile.TemporaryDirectory(prefix="storm-") as folder:
            yield Path(folder)


async def main(messages: int, conversations: int, seed: int, keep: bool) -> int:
    async with folder_for(keep) as folder:
        report = await Storm(folder, messages, conversations, seed).run()
        where = f" (logs: {folder})" if keep else ""
    rate = report.messages / report.seconds
    print(
        f"{report.messages} messages, {report.posts} posts, {report.seconds:.1f} s, {rate:.0f}/s, killed {report.kills}"
    )
    print(f"lost {len(report.lost)}, doubled {len(report.doubled)}, out of order {len(report.disordered)}{where}")
    for text in (report.lost + report.doubled + report.disordered)[:10]:
        print("  ", text)
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.channels.storm", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder with stores and logs")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.messages, given.conversations, given.seed, given.keep)))
