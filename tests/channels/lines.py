"""The carrier of the sandbox beside a real front door: what the tests of this folder text with."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx

from bot.asking import Limits
from bot.front_door import Tuning, front_door
from bot.outbox import SendLimits
from chargeline.clock import Clock, SystemClock
from chargeline.settings import Settings
from sandbox.carrier import api
from sandbox.carrier.network import Line, Message
from sandbox.carrier.postman import Postman
from sandbox.carrier.signing import Account
from sandbox.carrier.world import World
from tests.bot.doors import EARS, FAST, Door, settings_env, until
from tests.bot.fake_rasa import FakeRasa

ADA, BOB = "+16135550101", "+16135550102"
ACCOUNT = Account(
    sid="AC0",
    token="twilio-token",
    number="+15550000000",
    phone_number_id="106540352242922",
    access_token="meta-token",
    app_secret="app-secret",
)
WHATSAPP = {
    "WHATSAPP_PHONE_NUMBER_ID": ACCOUNT.phone_number_id,
    "WHATSAPP_ACCESS_TOKEN": ACCOUNT.access_token,
    "WHATSAPP_APP_SECRET": ACCOUNT.app_secret,
    "WHATSAPP_VERIFY_TOKEN": "our-word",
    "WHATSAPP_TEMPLATES": "en=news/en_US,es=noticias/es_MX",
}
TUNING = Tuning(
    turns=FAST.turns,
    hazards=FAST.hazards,
    forwards=FAST.forwards,
    sends=SendLimits(
        retry_first_s=0.02, retry_most_s=0.1, looks_s=(0.05, 0.1), look_attempts=3, status_s=0.4, again_s=0.1
    ),
)

STORM_TUNING = Tuning(
    turns=Limits(retry_first_s=0.05, retry_most_s=0.5, failures=50, silence_s=5.0),
    sends=SendLimits(retry_first_s=0.05, retry_most_s=0.5, looks_s=(0.5, 1.0), look_attempts=50, status_s=12.0),
)


@dataclass
class Lines:
    """Both phones of everybody, the door that they reach, and the Rasa behind it."""

    world: World
    door: Door
    rasa: FakeRasa
    url: str

    def sms(self, text: str, number: str = ADA) -> Message:
        return self.world.text("sms", number, text)

    def whatsapp(self, text: str, number: str = ADA) -> Message:
        return self.world.text("whatsapp", number, text)

    def heard(self, line: Line, number: str = ADA) -> list[str]:
        """What the phone has received, in order."""
        return [message.text for message in self.messages(line, number)]

    def messages(self, line: Line, number: str = ADA) -> list[Message]:
        every = self.world.network.messages
        return [each for each in every if each.outbound and (each.line, each.number) == (line, number)]

    async def hears(self, line: Line, count: int, number: str = ADA) -> list[str]:
        await until(lambda: len(self.heard(line, number)) >= count, f"{count} messages on {line}")
        return self.heard(line, number)

    async def metric(self, text: str) -> None:
        async def there() -> bool:
            return text in (await self.door.http.get("/metrics")).text

        await until(there, f"the metric {text}")


@asynccontextmanager
async def carrier_at(clock: Clock | None = None, seed: int = 1) -> AsyncIterator[tuple[World, str]]:
    """A carrier on a port of its own; `world.postman.url` is to be set."""
    random = Random(seed)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        postman = Postman("", random)
        postman.manners = postman.manners.changed({"status_s": 0.02, "held_s": 0.05})
        world = World(ACCOUNT, "https://help.example.org", url, postman, clock or SystemClock(), random)
        app = api.build(world, random, f"carrier-{id(world)}")
        server: Any = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
        await server.startup()
        try:
            yield world, url
        finally:
            await postman.close()
            server.close()
            await server.wait_closed()


def env_for(folder: Path, rasa_url: str, carrier_url: str, **more: str) -> dict[str, str]:
    return {
        **settings_env(folder, rasa_url, carrier_url),
        **WHATSAPP,
        "WHATSAPP_API_URL": f"{carrier_url}/v23.0",
        **more,
    }


@asynccontextmanager
async def open_lines(
    folder: Path,
    rasa: FakeRasa,
    *,
    clock: Clock | None = None,
    tuning: Tuning = TUNING,
    env: dict[str, str] | None = None,
    **more: str,
) -> AsyncIterator[Lines]:
    async with carrier_at(clock) as (world, url):
        settings = Settings.load(env_for(folder, rasa.url, url, **(env or {}), **more))
        async with front_door(settings, tuning, port=0, ears=EARS) as port, Door.at(port) as door:
            world.postman.url = f"http://127.0.0.1:{port}"
            yield Lines(world, door, rasa, url)
            await asyncio.sleep(0)


async def get(url: str, path: str) -> Any:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        return (await http.get(path)).json()
