"""A front door with an embed of three signers, a scripted Rasa, and a bridge that shows a session when a test says so."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.front_door import front_door
from chargeline.settings import Settings
from tests.bot.doors import EARS, FAST
from tests.bot.fake_rasa import FakeRasa
from tests.stores.fixtures import mongo_database, mongo_stand_in, mongo_url

__all__ = ["mongo_database", "mongo_stand_in", "mongo_url"]

EMBED = "emb_volt-app"
MEMBERS = "emb_volt-members"
ORIGIN = "https://app.volt.example"
SECRET = "a-secret-of-the-operators-backend-1234"
ED, RSA = Ed25519PrivateKey.generate(), generate_private_key(65537, 2048)


def pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def embeds() -> list[dict[str, Any]]:
    signers = [
        {"kid": "ed-1", "alg": "EdDSA", "public_key": pem(ED)},
        {"kid": "rsa-1", "alg": "RS256", "public_key": pem(RSA)},
        {"kid": "hs-1", "alg": "HS256", "secret": SECRET},
    ]
    return [
        {"key": EMBED, "name": "Volt app", "origins": [ORIGIN], "signers": signers},
        {
            "key": MEMBERS,
            "name": "Members",
            "origins": ["https://members.volt.example"],
            "anonymous": False,
            "signers": signers[:1],
        },
    ]


def token(sub: str = "drv-ada", *, kid: str = "ed-1", alg: str = "EdDSA", key: Any = ED, **claims: Any) -> str:
    """What an operator's backend makes; `claims` overwrite, None leaves one out."""
    now = int(time.time())
    body = {"sub": sub, "aud": EMBED, "iat": now, "exp": now + 600, **claims}
    return jwt.encode({k: v for k, v in body.items() if v is not None}, key, algorithm=alg, headers={"kid": kid})


@dataclass
class FakeBridge:
    sessions: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def session(self, driver: str, **more: Any) -> dict[str, Any]:
        """A running session of the driver's at CL-1042."""
        row = {
            "id": "ses_1",
            "charger": "CL-1042",
            "connector": 1,
            "driver": driver,
            "state": "active",
            "ended_at": None,
        }
        row |= {"started_at": "2026-01-01T12:00:00Z", "energy_wh": 3400, "power_w": 7100, "last_meter_at": None, **more}
        self.sessions = [row]
        return row

    async def _list(self, request: web.Request) -> web.Response:
        self.asked.append(request.query["driver"])
        wanted = (request.query["driver"], request.query["state"])
        return web.json_response({"sessions": [s for s in self.sessions if (s["driver"], s["state"]) == wanted]})

    async def _charger(self, request: web.Request) -> web.Response:
        plug = {"connector": 1, "status": "Charging", "max_kw": 7.2}
        tariff = {"currency": "CAD", "price_per_kwh": 0.25, "price_per_minute": 0, "session_fee": 1}
        row = {
            "id": "CL-1042",
            "label": "1042",
            "site": {"name": "Canal Quarter P2"},
            "tariff": tariff,
            "connectors": [plug],
        }
        return web.json_response(row)

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/v1/sessions", self._list)
        app.router.add_get("/v1/chargers/{id}", self._charger)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


@pytest.fixture
async def rasa() -> AsyncIterator[FakeRasa]:
    fake = FakeRasa()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def bridge() -> AsyncIterator[FakeBridge]:
    fake = FakeBridge()
    runner = await fake.start()
    yield fake
    await runner.cleanup()


@pytest.fixture
def env(tmp_path: Path, rasa: FakeRasa, bridge: FakeBridge) -> dict[str, str]:
    file = tmp_path / "embeds.json"
    file.write_text(json.dumps(embeds()))
    return {
        "VAR_DIR": str(tmp_path / "var"),
        "RASA_URL": rasa.url,
        "RASA_TOKEN": "rasa-token",
        "ACTIONS_URL": "http://127.0.0.1:1",
        "BRIDGE_URL": bridge.url,
        "BRIDGE_READ_KEY": "read-key",
        "WEB_SESSION_KEY": "web-key",
        "OPERATOR_NAME": "Volt",
        "OPERATOR_PHONE": "+1 613 555 0100",
        "EMBEDS_FILE": str(file),
    }


@pytest.fixture
async def url(env: dict[str, str]) -> AsyncIterator[str]:
    async with front_door(Settings.load(env), FAST, port=0, ears=EARS) as port:
        yield f"http://127.0.0.1:{port}"


@dataclass
class Site:
    """A page of the operator's, as far as the front door sees it."""

    http: httpx.AsyncClient

    async def call(
        self,
        method: str,
        path: str,
        bearer: str | None = None,
        *,
        embed: str | None = EMBED,
        origin: str | None = ORIGIN,
        **more: Any,
    ) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if embed is not None:
            headers["Chargeline-Embed"] = embed
        if origin is not None:
            headers["Origin"] = origin
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        return await self.http.request(method, f"/web/{path}", headers=headers, **more)

    async def visitor(self) -> str:
        answer = await self.call("POST", "session")
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["token"]
        return found

    async def say(self, bearer: str, text: str, client_id: str = "c1", **more: Any) -> httpx.Response:
        return await self.call("POST", "messages", bearer, json={"client_id": client_id, "text": text}, **more)

    async def read(
        self, bearer: str, until: Callable[[list[tuple[str, Any]]], bool], path: str = "events?after=0"
    ) -> list[tuple[str, Any]]:
        """Events of the stream, as (name, data), until `until` likes them or the stream ends."""
        events: list[tuple[str, Any]] = []
        headers = {"Chargeline-Embed": EMBED, "Origin": ORIGIN, "Authorization": f"Bearer {bearer}"}
        async with self.http.stream("GET", f"/web/{path}", headers=headers, timeout=10) as answer:
            assert answer.status_code == 200, await answer.aread()
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    events.append((name, json.loads(line[6:])))
                    if until(events):
                        return events
        return events


@pytest.fixture
async def site(url: str) -> AsyncIterator[Site]:
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as http:
        yield Site(http)
