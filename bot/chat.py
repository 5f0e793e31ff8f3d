"""`python -m bot.chat` (`make chat`): the terminal channel's client. Talks to the front door like any channel, over HTTP.

At a terminal it prints replies as they come while you type. With piped input it sends a line, waits until the bot has
answered, sends the next, and ends when nothing has come for a while.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import re
import secrets
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import orjson

from bot.render.terminal import lines
from chargeline.settings import Settings, SettingsError

_RETRY_S = 1.0


class Unreachable(Exception):
    """The front door cannot be talked to; the message says what to do."""


class Chat:
    """One terminal conversation. `quiet_s`: how long nothing may come before piped input counts as answered."""

    def __init__(
        self, http: httpx.AsyncClient, name: str, hint: dict[str, Any], *, interactive: bool, quiet_s: float
    ) -> None:
        self._http = http
        self._path = f"/terminal/{name}"
        self._hint = hint
        self._interactive = interactive
        self._quiet_s = quiet_s
        self._seq = 0
        self._choices: dict[str, str] = {}  # offered: token → title
        self._open: list[str] = []
        self._sent: set[str] = set()
        self._working = False
        self._news = asyncio.Event()
        self.history_read = asyncio.Event()

    async def follow(self) -> None:
        """Prints what comes, for ever; a lost connection is taken up again where it broke off."""
        lost = False
        while True:
            try:
                async for name, data in self._events():
                    lost = False
                    self._show(data) if name == "entry" else self._note_state(data)
            except httpx.HTTPError:
                if not lost:
                    self._print(["     (connection lost, trying again)"])
                lost = True
            await asyncio.sleep(_RETRY_S)

    async def _events(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        timeout = httpx.Timeout(45.0, connect=5.0)
        async with self._http.stream(
            "GET", f"{self._path}/events", params={"after": str(self._seq)}, timeout=timeout
        ) as answer:
            answer.raise_for_status()
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, orjson.loads(line.removeprefix("data: "))

    def _show(self, entry: dict[str, Any]) -> None:
        self._seq = max(self._seq, entry["seq"])
        self._news.set()
        offered = entry.get("choices", [])
        first = len(self._choices_of_turn(entry["id"])) + 1
        self._choices.update({choice["token"]: choice["title"] for choice in offered})
        # What was typed here stands on the screen already, except where a card number in it was hidden.
        if entry["author"] == "driver" and entry.get("client_id") in self._sent and self._interactive:
            return
        if entry["text"] or offered:
            self._print(lines(entry["author"], entry["text"], [choice["title"] for choice in offered], first))

    def _choices_of_turn(self, entry_id: str) -> list[str]:
        turn = entry_id.partition(":")[0]
        return [token for token in self._choices if token.partition(":")[0] == turn]

    def _note_state(self, state: dict[str, Any]) -> None:
        self._open = state["choices"]
        self._working = state["working"]
        self.history_read.set()
        self._news.set()

    def _print(self, shown: list[str]) -> None:
        print("\r" + "\n".join(shown), flush=True)
        if self._interactive:
            print("you> ", end="", flush=True)

    async def say(self, text: str) -> None:
        """Sends a line; a number or title of an open choice is the front door's to understand."""
        client_id = secrets.token_hex(16)
        self._sent.add(client_id)
        self._working = True
        while True:
            try:
                answer = await self._http.post(
                    f"{self._path}/messages", json={"client_id": client_id, "text": text, **self._hint}
                )
            except httpx.TransportError:
                await asyncio.sleep(_RETRY_S)  # the same id again: it will be one message
                continue
            if answer.status_code >= 400:
                self._working = False
                self._print([f"     (not sent: {_why(answer)})"])
            return

    async def until_quiet(self) -> None:
        """Returns when the bot is not working on anything and nothing has come for `quiet_s` seconds."""
        while True:
            self._news.clear()
            try:
                async with asyncio.timeout(self._quiet_s):
                    await self._news.wait()
            except TimeoutError:
                if not self._working:
                    return


def _why(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail"))
    except ValueError:
        return f"HTTP {answer.status_code}"


async def _stdin_lines() -> AsyncIterator[str]:
    """Lines of standard input, whatever it is: a thread reads, since a file cannot be waited for by the loop."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(queue.put_nowait, line.strip())
        loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, daemon=True, name="stdin").start()
    while (line := await queue.get()) is not None:
        yield line


async def _check(http: httpx.AsyncClient, url: str) -> None:
    try:
        answer = await http.get("/readyz")
    except httpx.HTTPError:
        raise Unreachable(f"no front door at {url}. Start it with `make run`.") from None
    if answer.status_code != 200:
        raise Unreachable(f"the front door at {url} is not ready: {_why(answer)}")
    if answer.json().get("rasa") == "down":
        print("     (Rasa is not up; messages wait until it is)")


async def run(url: str, key: str, name: str, hint: dict[str, Any], *, interactive: bool, quiet_s: float) -> None:
    """The whole chat, until the input ends. Raises Unreachable."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10.0, trust_env=False) as http:
        await _check(http, url)
        probe = await http.get(f"/terminal/{name}/events", params={"after": "x"})  # 400 is what a good key gets
        if probe.status_code in {401, 403, 503}:
            raise Unreachable(f"{_why(probe)} TERMINAL_KEY must be the one that the front door was started with.")
        if interactive:
            print(f"Talking to {url} as “{name}”. Ctrl-D ends.", flush=True)
        chat = Chat(http, name, hint, interactive=interactive, quiet_s=quiet_s)
        following = asyncio.create_task(chat.follow())
        try:
            async with asyncio.timeout(15):
                await chat.history_read.wait()
            if interactive:
                print("you> ", end="", flush=True)
            async for line in _stdin_lines():
                if line:
                    await chat.say(line)
                    if not interactive:
                        await chat.until_quiet()
                elif interactive:
                    print("you> ", end="", flush=True)
        except TimeoutError:
            raise Unreachable(f"the front door at {url} does not answer.") from None
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
        if interactive:
            print()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bot.chat", description="Talk to the bot in the terminal.")
    own = re.sub(r"[^A-Za-z0-9_.\-]", "", getpass.getuser())[:20] or "driver"
    parser.add_argument(
        "--name",
        default=f"{own}-{secrets.token_hex(3)}",
        help="who you are; the same name goes on with its conversation",
    )
    parser.add_argument("--charger", help="number of the charger you stand at, as if its QR code had been scanned")
    parser.add_argument("--connector", type=int, help="with --charger: its connector")
    parser.add_argument("--quiet", type=float, default=3.0, help="piped input: seconds without news that end an answer")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9_.\-]{1,40}", arguments.name):
        parser.error("--name: 1 to 40 letters, digits, _ . or - are expected")
    return arguments


def main() -> int:
    arguments = _arguments()
    hint = {"charger": arguments.charger, "connector": arguments.connector}
    try:
        settings = Settings.load()
        asyncio.run(
            run(
                settings.url_of("bot"),
                settings.terminal_key,
                arguments.name,
                {key: value for key, value in hint.items() if value is not None},
                interactive=sys.stdin.isatty(),
                quiet_s=arguments.quiet,
            )
        )
    except (SettingsError, Unreachable) as error:
        print(f"chat: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
