"""A desk beside a real front door with a scripted Rasa: drivers write there, trainers decide here, on a small folder of data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sanic import Blueprint

from bot.front_door import front_door
from bot.trainer.app import desk
from bot.trainer.base import Desk, LanguageModelAway
from bot.trainer.working import part as working
from chargeline.settings import Settings
from tests.bot.doors import EARS, FAST, Door, settings_env, until
from tests.bot.fake_rasa import FakeRasa, Turn

KEYS = {"ada": "ada-has-this-key", "ben": "ben-has-this-key"}
DOMAIN = """\
version: "3.1"
intents: [greet, deny, payment_failed, rfid_failed, session_not_starting, talk_to_human, out_of_scope, nlu_fallback]
entities: [charger_id]
"""
DATA = {
    "en/talk.yml": """\
version: "3.1"
# What people say around the matter.
nlu:
  - intent: greet
    examples: |
      - hi
      - hello
      - good morning to you
  - intent: deny
    examples: |
      - no
      - nope
  - intent: talk_to_human
    examples: |
      - let me talk to a person
  - intent: out_of_scope
    examples: |
      - who won the game
""",
    "en/payment.yml": """\
version: "3.1"
nlu:
  - intent: payment_failed
    examples: |
      - card declined
      - the reader wont take my debit card at [1042](charger_id)
  - intent: rfid_failed
    examples: |
      - my fob does nothing
  - intent: session_not_starting
    examples: |
      - plugged in and nothing happens
""",
    "es/talk.yml": 'version: "3.1"\nnlu:\n  - intent: greet\n    examples: |\n      - hola\n',
}


class ScriptedModel:
    """The language model of these tests: texts mean the same where their first three words are equal."""

    def __init__(self) -> None:
        self.away = ""
        self.meanings: list[tuple[str, float]] = [("payment_failed", 0.8), ("rfid_failed", 0.1)]
        self.alike: list[tuple[int, int, float]] = []

    def _there(self) -> None:
        if self.away:
            raise LanguageModelAway(self.away)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self._there()
        return [[1.0] for _ in texts]

    async def group(self, texts: Sequence[str], alike: float = 0.8) -> list[list[int]]:
        self._there()
        groups: dict[tuple[str, ...], list[int]] = {}
        for place, text in enumerate(texts):
            groups.setdefault(tuple(text.lower().split()[:3]), []).append(place)
        return list(groups.values())

    async def twins(self, texts: Sequence[str], alike: float) -> list[tuple[int, int, float]]:
        self._there()
        return self.alike

    async def parse(self, texts: Sequence[str], model: str = "live") -> list[dict[str, Any]]:
        self._there()
        ranking = [{"name": name, "confidence": share} for name, share in self.meanings]
        return [{"intent": ranking[0], "intent_ranking": ranking, "entities": []} for _ in texts]


def make_folder(folder: Path) -> Path:
    (folder / "domain" / "responses").mkdir(parents=True)
    (folder / "domain" / "core.yml").write_text(DOMAIN)
    for name, content in DATA.items():
        path = folder / "data" / "nlu" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@dataclass
class World:
    """`http` is ada's, `ben` is ben's."""

    door: Door
    rasa: FakeRasa
    model: ScriptedModel
    folder: Path
    url: str
    http: httpx.AsyncClient
    ben: httpx.AsyncClient

    async def driver_writes(
        self, text: str, intent: str, confidence: float, *said: str, sender: str = "+16135550111", **reply: Any
    ) -> None:
        """A text by SMS that Rasa takes as `intent`; waits until the front door has noted that."""
        ranking = [[intent, confidence], ["session_not_starting", round(confidence / 2, 2)]]
        told = {"intent": intent, "confidence": confidence, "ranking": ranking, "said": [*said], "model": "m"}
        self.rasa.plans.append(Turn(lines=[{"text": "Which one is it?", **reply}, {"understood": told}]))
        asked = len(self.rasa.asked)
        await self.door.sms(text, sender=sender)
        await until(lambda: len(self.rasa.asked) > asked, "Rasa is asked")

        async def noted() -> bool:
            answer = await self.door.http.get("/v1/traffic", headers={"Authorization": "Bearer traffic-key"})
            return any((line.get("understood") or {}).get("intent") == intent for line in answer.json()["lines"][:4])

        await until(noted, "how it was taken is stored")

    async def inbox(self, **asked: str) -> dict[str, Any]:
        answer = await self.http.get("inbox", params=asked)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def data(self, name: str = "en/payment.yml") -> str:
        return (self.folder / "data" / "nlu" / name).read_text()


@asynccontextmanager
async def world(tmp_path: Path, monkeypatch: Any) -> AsyncIterator[World]:
    from bot.trainer.inbox import traffic

    monkeypatch.setattr(traffic, "FRESH_S", 0.0)
    async with AsyncExitStack() as stack:
        rasa = FakeRasa()
        await rasa.start()
        stack.push_async_callback(rasa.stop)
        environ = settings_env(tmp_path, rasa.url, "http://127.0.0.1:1")
        port = await stack.enter_async_context(front_door(Settings.load(environ), FAST, port=0, ears=EARS))
        door = await stack.enter_async_context(Door.at(port))
        folder = make_folder(tmp_path / "folder")
        model = ScriptedModel()

        @asynccontextmanager
        async def models(room: Desk) -> AsyncIterator[Blueprint]:
            room.language = model
            yield Blueprint("scripted-models")

        keys = ",".join(f"{name}:{key}" for name, key in KEYS.items())
        environ |= {"BOT_URL": f"http://127.0.0.1:{port}", "DESK_KEYS": keys, "DESK_FOLDER": str(folder)}
        desk_port = await stack.enter_async_context(desk(Settings.load(environ), port=0, parts=[models, working]))
        url = f"http://127.0.0.1:{desk_port}"
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=f"{url}/api/", headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30
                )
            )
            for key in KEYS.values()
        ]
        yield World(door, rasa, model, folder, url, *clients)
