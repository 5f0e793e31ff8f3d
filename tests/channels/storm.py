"""A storm of messages over both lines while everything fails: webhooks twice and out of order, a carrier that refuses a tenth or
loses its answer, and each process killed once. Then every message must have been answered exactly once, in order.

`make storm` runs it in full against the whole product: front door, Rasa with its model, actions, bridge, the chargers and the carrier.
`ARGS="--messages 500"` is a smaller one; `ARGS=--scripted` has a Rasa that only repeats what was said, so that what is measured is
the lines themselves. tests/channels/test_storm.py runs small ones.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import aiohttp

from chargeline.ports import free_port
from chargeline.settings import SANDBOX_CARRIER_SID
from sandbox.carrier.journal import append, read_journal
from sandbox.carrier.network import Line, Message
from sandbox.carrier.signing import Account, Post, meta_message, meta_post, sms_fields, twilio_post
from tests.bot.doors import PUBLIC_URL, until
from tests.channels.lines import ACCOUNT, env_for
from tests.e2e.stack import Stack

MANNERS = {"fail": 0.1, "retry_after_s": 0, "status_s": 0.05, "duplicate": 0.05}
DUPLICATES = REORDERED = 0.05
CHARGERS = (
    "1042",
    "1043",
    "1044",
    "1052",
    "1061",
    "2001",
    "2002",
    "2003",
    "2011",
    "2012",
    "2021",
    "3011",
    "3022",
    "4001",
)


@dataclass
class Report:
    messages: int
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)  # answers that are about something else
    failed: int = 0  # told that something failed on our side
    posts: int = 0
    kills: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.disordered or self.beside)


def line_of(number: str) -> Line:
    return "sms" if int(number[-4:]) % 2 else "whatsapp"


def inbound(number: str, text: str, name: str | None = None, account: Account = ACCOUNT, url: str = PUBLIC_URL) -> Post:
    """The webhook of a driver's message; without a name its id is the second word of the text."""
    line, now = line_of(number), datetime.now(UTC)
    name = text.split()[1].replace("-", "w") if name is None else name
    message = Message(f"{'SM' if line == 'sms' else 'wamid.'}{name}", line, number, False, text, now)
    if line == "sms":
        return twilio_post(account, url, "/webhooks/twilio/sms", sms_fields(account, message, None))
    content = {"type": "text", "text": {"body": text}}
    return meta_post(account, "/webhooks/whatsapp", meta_message(message, f"CA.{number[1:]}", content))


def open_windows(journal: Path, numbers: Iterable[str]) -> None:
    """Opens WhatsApp's 24 hours at a carrier that is not started yet: what is posted to the bot here does not pass it."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        if line_of(number) == "whatsapp":
            append(journal, Message(f"wamid.{number[1:]}", "whatsapp", number, False, "hello", datetime.now(UTC)))


class System(Protocol):
    """What the storm goes over. `victims`: processes to be killed; `journal`: where the carrier keeps what it took."""

    victims: tuple[str, ...]
    journal: Path
    store: Path
    bot_url: str
    carrier_url: str

    async def start(self) -> None: ...
    async def kill(self, name: str) -> None:
        """kill -9, and back again."""
        ...

    async def end(self) -> None: ...
    def post(self, number: str, text: str, name: str) -> Post: ...
    def question(self, n: int, random: random.Random) -> str: ...
    def answers(self, asked: str, said: str) -> bool: ...


class Part:
    """One process that may be killed; it is started again by the same command."""

    def __init__(self, name: str, port: int, path: str, command: list[str], env: dict[str, str], log: Path) -> None:
        self.name, self.url = name, f"http://127.0.0.1:{port}"
        self._path, self._command, self._env, self._log = path, command, env, log
        self._running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(
                sys.executable, *self._command, env={**os.environ, **self._env}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:  # the other one is busy
            while time.monotonic() < deadline:
                try:
                    async with http.get(self.url + self._path) as answer:
                        if answer.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(0.05)
        raise RuntimeError(f"{self.name} did not start: {self._log.read_text()[-2000:]}")

    async def kill(self) -> None:
        if self._running is not None and self._running.returncode is None:
            self._running.kill()
            await self._running.wait()


class Scripted:
    """The real front door and carrier, and a Rasa that repeats what was said."""

    victims: tuple[str, ...] = ("bot", "rasa", "carrier")

    def __init__(self, folder: Path) -> None:
        self.journal, self.store = folder / "carrier.jsonl", folder / "var/bot.sqlite3"
        ports = {name: free_port() for name in self.victims}
        self.bot_url, self.carrier_url = (f"http://127.0.0.1:{ports[name]}" for name in ("bot", "carrier"))
        env = env_for(
            folder, f"http://127.0.0.1:{ports['rasa']}", self.carrier_url, SENDS_PER_S="5000", LOG_LEVEL="error"
        )
        env |= {"BOT_URL": self.bot_url, "CARRIER_PORT": str(ports["carrier"])}
        commands = {
            "bot": ("/healthz", ["-m", "tests.channels.parts", "bot", str(ports["bot"])]),
            "rasa": ("/status", ["-m", "tests.channels.parts", "rasa", str(ports["rasa"])]),
            "carrier": ("/healthz", ["-m", "sandbox.carrier", "--journal", str(self.journal)]),
        }
        self._parts = {
            name: Part(name, ports[name], path, command, env, folder / f"{name}.log")
            for name, (path, command) in commands.items()
        }

    async def start(self) -> None:
        for name in ("rasa", "carrier", "bot"):
            await self._parts[name].start()

    async def kill(self, name: str) -> None:
        await self._parts[name].kill()
        await asyncio.sleep(0.1)
        await self._parts[name].start()

    async def end(self) -> None:
        for part in self._parts.values():
            await part.kill()

    def post(self, number: str, text: str, name: str) -> Post:
        return inbound(number, text, name)

    def question(self, n: int, random: random.Random) -> str:
        return f"message {n} the charger shows a red light"

    def answers(self, asked: str, said: str) -> bool:
        return said == f"You said: {asked}"


class Whole:
    """All of it, as `make run` starts it."""

    victims: tuple[str, ...] = ("bot", "rasa", "actions", "bridge", "carrier")

    def __init__(self, folder: Path) -> None:
        var, port = folder / "var", free_port()
        self.journal, self.store = var / "carrier.jsonl", var / "bot.sqlite3"
        self.carrier_url = f"http://127.0.0.1:{port}"
        settings = {"CARRIER_PORT": str(port), "SETTLE_S": "0", "SENDS_PER_S": "5000", "SENDS_PER_NUMBER_S": "1000"}
        account = {"TWILIO_ACCOUNT_SID": SANDBOX_CARRIER_SID, "WHATSAPP_PHONE_NUMBER_ID": ACCOUNT.phone_number_id}
        more = {"WHATSAPP_VERIFY_TOKEN": "x", "LOG_LEVEL": "warning", "STRIPE_API_KEY": ""}
        self._stack = Stack(var, **settings, **account, **more)
        self.bot_url = self._stack.bot
        self._url = f"http://localhost:{self._stack.ports['BOT_PORT']}"

    async def start(self) -> None:
        await asyncio.to_thread(self._stack.start)
        key = self._stack.key("CARRIER_KEY")
        number = "+15550000000"
        self._account = Account(SANDBOX_CARRIER_SID, key, number, ACCOUNT.phone_number_id, key, key)

    async def kill(self, name: str) -> None:
        stack = self._stack
        stack.kill(name)
        urls = {"bot": stack.bot, "bridge": stack.bridge, "carrier": self.carrier_url}
        urls |= {"actions": f"http://127.0.0.1:{stack.ports['ACTIONS_PORT']}"}
        ready = f"{urls[name]}/readyz" if name in urls else ""
        if name == "rasa":
            ready = f"http://127.0.0.1:{stack.ports['RASA_PORT']}/status?token={stack.key('RASA_TOKEN')}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:

            async def back() -> bool:
                try:
                    async with http.get(ready) as answer:
                        return answer.status == 200
                except (aiohttp.ClientError, TimeoutError):
                    return False

            await asyncio.sleep(0.5)  # the supervisor has seen it
            await until(back, f"{name} is back", 180.0)

    async def end(self) -> None:
        await asyncio.to_thread(self._stack.stop)

    def post(self, number: str, text: str, name: str) -> Post:
        return inbound(number, text, name, self._account, self._url)

    def question(self, n: int, random: random.Random) -> str:
        return f"is {random.choice(CHARGERS)} working"

    def answers(self, asked: str, said: str) -> bool:
        return asked.split()[1] in said


class Storm:
    def __init__(self, system: System, messages: int, conversations: int, seed: int, rate: float = 0.0) -> None:
        """`rate`: messages a second at most over all conversations; 0: as fast as they are acknowledged."""
        self.random = random.Random(seed)
        self.report = Report(messages)
        self.system = system
        self._gap_s = 1 / rate if rate else 0.0
        self._next = 0.0
        self.queues: dict[str, list[tuple[str, str]]] = defaultdict(list)  # what each says: (id, text), as it is posted
        for n in range(messages):
            said = (f"{n:08d}", system.question(n, self.random))
            self.queues[f"+1613556{n % conversations:04d}"].append(said)
        for rows in self.queues.values():
            for n in range(len(rows) - 1):
                if self.random.random() < REORDERED:
                    rows[n], rows[n + 1] = rows[n + 1], rows[n]
        self.acknowledged = 0

    async def run(self) -> Report:
        open_windows(self.system.journal, self.queues)
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100), timeout=timeout) as self.http:
            try:
                await self.system.start()
                await self._misbehave()
                began = time.monotonic()
                killing = asyncio.create_task(self._kill_each_once())
                await asyncio.gather(*(self._say_all(number) for number in self.queues))
                await killing
                await self._until_answered()
                self.report.seconds = time.monotonic() - began
                await asyncio.sleep(4.0)  # what would come twice comes now
            finally:
                await self.system.end()
        self._judge()
        return self.report

    async def _misbehave(self) -> None:
        async with self.http.put(f"{self.system.carrier_url}/v1/manners", json=MANNERS) as answer:
            assert answer.status == 200, await answer.text()

    async def _kill_each_once(self) -> None:
        """One after another over the whole of it, in a random order."""
        victims = list(self.system.victims)
        self.random.shuffle(victims)
        for n, victim in enumerate(victims, 1):
            share = self.report.messages * n // (len(victims) + 1)
            await until(partial(self._has_answered, share), "the next part is answered", 7200.0)
            await self.system.kill(victim)
            if victim == "carrier":
                await self._misbehave()
            self.report.kills.append(victim)

    def _has_answered(self, count: int) -> bool:
        return self._done() >= count

    def _done(self) -> int:
        """Inbox items that are answered and all of whose replies are out."""
        if not self.system.store.is_file():
            return 0
        with sqlite3.connect(self.system.store, timeout=10) as db:
            done: int = db.execute("SELECT count(*) FROM inbox WHERE done = 1").fetchone()[0]
            return done

    async def _say_all(self, number: str) -> None:
        for name, text in self.queues[number]:
            await self._pace()
            post = self.system.post(number, text, name)
            await self._bring(post)
            self.acknowledged += 1
            if self.random.random() < DUPLICATES:
                await self._bring(post)

    async def _pace(self) -> None:
        now = time.monotonic()
        self._next = max(self._next + self._gap_s, now)
        await asyncio.sleep(self._next - now)

    async def _bring(self, post: Post) -> None:
        """Until it is acknowledged, as carriers do."""
        while True:
            self.report.posts += 1
            try:
                url = self.system.bot_url + post.url_path
                async with self.http.post(url, data=post.body, headers=post.headers) as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass  # the bot is being killed; the carrier brings it again
            await asyncio.sleep(0.1)

    async def _until_answered(self) -> None:
        deadline = time.monotonic() + 120 + self.report.messages / 4
        while time.monotonic() < deadline:
            with sqlite3.connect(self.system.store, timeout=10) as db:
                open_items = db.execute("SELECT count(*) FROM inbox WHERE done = 0").fetchone()[0]
                unsent = db.execute("SELECT count(*) FROM entries WHERE delivery IN ('queued', 'sending')").fetchone()[
                    0
                ]
            if not open_items and not unsent:
                return
            await asyncio.sleep(0.5)

    def _judge(self) -> None:
        """By the carrier's journal, what really went out, told apart by our ids that go along; whose they are is in the store."""
        with sqlite3.connect(self.system.store) as db:
            rows = db.execute("SELECT source, id, outcome FROM inbox WHERE kind <> 'event' ORDER BY number").fetchall()
            own = {row[0] for row in db.execute("SELECT id FROM entries WHERE own = 1")}
        item_of = {source.partition(":")[2].removeprefix("SM").removeprefix("wamid."): item for source, item, _ in rows}
        outcomes = {item: outcome for _, item, outcome in rows}
        sent: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)  # number → (our id, text), as they went out
        for message in read_journal(self.system.journal):
            if message.outbound:
                sent[message.number].append((_entry_of(message), message.text))
        for number, said in self.queues.items():
            answers = [(entry, text) for entry, text in sent[number] if entry not in own]
            counted = Counter(entry for entry, _ in sent[number])
            self.report.doubled += [f"{number} {entry}" for entry, times in counted.items() if times > 1]
            by_item: defaultdict[str, list[str]] = defaultdict(list)
            for entry, text in answers:
                by_item[entry.partition(":")[0]].append(text)
            items = [item_of.get(name, "") for name, _ in said]
            for (name, asked), item in zip(said, items, strict=True):
                texts = by_item[item]
                if outcomes.get(item) == "failed":
                    self.report.failed += 1
                elif not texts:
                    self.report.lost.append(f"{number} {name} {asked}")
                elif not any(self.system.answers(asked, text) for text in texts):
                    self.report.beside.append(f"{asked} -> {texts}")
                if len(set(texts)) < len(texts):
                    self.report.doubled.append(f"{number} {name} {texts}")
            order = [
                items.index(item)
                for item in dict.fromkeys(entry.partition(":")[0] for entry, _ in answers)
                if item in items
            ]
            if order != sorted(order):
                self.report.disordered.append(number)


def _entry_of(message: Message) -> str:
    """Our id of a message: Meta carries it along, to Twilio it is in the address of the callback."""
    if message.entry is not None:
        return message.entry
    found = re.search(r"[?&]entry=([^&]+)", message.callback or "")
    return found.group(1) if found else ""


@asynccontextmanager
async def folder_for(keep: bool) -> AsyncIterator[Path]:
    if keep:
        yield Path(tempfile.mkdtemp(prefix="storm-"))
    else:
        with tempfile.TemporaryDirectory(prefix="storm-") as folder:
            yield Path(folder)


async def main(messages: int, conversations: int, seed: int, rate: float, keep: bool, scripted: bool) -> int:
    async with folder_for(keep) as folder:
        system = Scripted(folder) if scripted else Whole(folder)
        report = await Storm(system, messages, conversations, seed, rate).run()
        where = f" (stores and logs: {folder})" if keep else ""
    speed = report.messages / report.seconds
    print(
        f"{report.messages} messages, {report.posts} posts, {report.seconds:.0f} s, {speed:.1f}/s, killed {report.kills}"
    )
    print(
        f"lost {len(report.lost)}, doubled {len(report.doubled)}, conversations out of order {len(report.disordered)}, "
        f"about something else {len(report.beside)}, told that it failed {report.failed}{where}"
    )
    for text in (report.lost + report.doubled + report.disordered + report.beside)[:10]:
        print("  ", text)
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.channels.storm", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument(
        "--rate", type=float, default=0.0, help="messages a second at most; 0: as fast as they are taken"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder with stores and logs")
    parser.add_argument("--scripted", action="store_true", help="a Rasa that repeats what was said")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.messages, given.conversations, given.seed, given.rate, given.keep, given.scripted)))
