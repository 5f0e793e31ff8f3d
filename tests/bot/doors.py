"""What a test does at the front door: text as Twilio does, chat as the page and the terminal do, read what came back."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from twilio.request_validator import RequestValidator

from bot.asking import Limits
from bot.channels.bridge import sign
from bot.forwarding import ForwardLimits
from bot.front_door import Tuning
from bot.hazards import HazardLimits
from bot.hearing import Ears
from bot.outbox import SendLimits

TWILIO_TOKEN = "twilio-token"
BRIDGE_SECRET = "bridge-secret"
PUBLIC_URL = "https://help.example.org"
ADA = "+16135550101"


def _scripted_language(text: str, before: str) -> str:
    return "es" if "humo" in text or "hola" in text else before


# What these tests take for danger and for Spanish; the real ears have tests of their own.
EARS = Ears(danger=lambda text: "en" if "smoke" in text or "humo" in text else None, detect=_scripted_language)

FAST = Tuning(
    turns=Limits(turn_s=3.0, silence_s=0.3, typing_s=0.05, retry_first_s=0.02, retry_most_s=0.1, failures=3),
    sends=SendLimits(retry_first_s=0.02, retry_most_s=0.1, looks_s=(0.05, 0.1), look_attempts=3),
    hazards=HazardLimits(tell_s=0.3, give_up_s=3.0, retry_first_s=0.02, retry_most_s=0.1),
    forwards=ForwardLimits(retry_first_s=0.02, retry_most_s=0.1),
)

_numbers = itertools.count(1)


def settings_env(
    folder: Path, rasa_url: str, carrier_url: str, actions_url: str = "http://127.0.0.1:1"
) -> dict[str, str]:
    drivers = folder / "drivers.json"
    drivers.write_bytes(orjson.dumps([{"driver_id": "drv-ada", "phone": ADA, "name": "Ada", "language": "en"}]))
    return {
        "VAR_DIR": str(folder / "var"),
        "RASA_URL": rasa_url,
        "RASA_TOKEN": "rasa-token",
        "ACTIONS_URL": actions_url,
        "ACTIONS_KEY": "actions-key",
        "OPERATOR_KEY": "operator-key",
        "TRAFFIC_KEY": "traffic-key",
        "PUBLIC_URL": PUBLIC_URL,
        "TWILIO_ACCOUNT_SID": "AC0",
        "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
        "TWILIO_FROM_NUMBER": "+15550000000",
        "TWILIO_API_URL": carrier_url,
        "BRIDGE_WEBHOOK_SECRET": BRIDGE_SECRET,
        "TERMINAL_KEY": "terminal-key",
        "WEB_SESSION_KEY": "web-key",
        "OPERATOR_NAME": "Volt",
        "OPERATOR_PHONE": "+1 555 0100",
        "SETTLE_S": "0",
        "SENDS_PER_NUMBER_S": "1000",
        "DRIVERS_FILE": str(drivers),
    }


def new_sid() -> str:
    return f"SM{next(_numbers):032d}"


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = 15.0) -> None:
    """Waits for something that another process or task does; fails with `what` where it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if (result if isinstance(result, bool) else await result) is True:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"did not happen within {seconds} s: {what}")


@dataclass
class Door:
    http: httpx.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def at(cls, port: int) -> AsyncIterator[Door]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10.0, trust_env=False) as http:
            yield cls(http)

    async def sms(self, text: str | None, *, sender: str = ADA, sid: str | None = None, **more: str) -> httpx.Response:
        """A text message as Twilio posts it, with the empty fields that it really sends."""
        fields = {"MessageSid": sid or new_sid(), "From": sender, "To": "+15550000000", "FromCity": "", "NumMedia": "0"}
        if text is not None:
            fields["Body"] = text
        return await self.signed({**fields, **more})

    async def signed(self, fields: dict[str, str], url: str = f"{PUBLIC_URL}/webhooks/twilio/sms") -> httpx.Response:
        signature = RequestValidator(TWILIO_TOKEN).compute_signature(url, fields)
        return await self.form(urlencode(fields), {"X-Twilio-Signature": signature})

    async def form(self, body: str | bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        content = body.encode() if isinstance(body, str) else body
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return await self.http.post("/webhooks/twilio/sms", content=content, headers={**kind, **(headers or {})})

    async def bridge(
        self, event: dict[str, Any], *, at: float | None = None, secret: str = BRIDGE_SECRET
    ) -> httpx.Response:
        body = orjson.dumps(event)
        header = sign(secret, int(time.time() if at is None else at), body)
        return await self.http.post("/webhooks/bridge", content=body, headers={"Chargeline-Signature": header})

    async def desk(self, method: str, path: str, body: Any = None, key: str = "operator-key") -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return await self.http.request(method, f"/v1/conversations/{path}", json=body, headers=headers)

    async def terminal(self, name: str, client_id: str, **message: Any) -> httpx.Response:
        return await self.http.post(
            f"/terminal/{name}/messages", json={"client_id": client_id, **message}, headers=self.key
        )

    @property
    def key(self) -> dict[str, str]:
        return {"Authorization": "Bearer terminal-key"}

    async def transcript(
        self, path: str, until_true: Callable[[list[dict[str, Any]]], bool], after: int = 0
    ) -> list[dict[str, Any]]:
        """Reads an event stream until `until_true(entries)`; entries as the client gets them."""
        return (await self.stream(path, lambda entries, _: until_true(entries), after))[0]

    async def stream(
        self,
        path: str,
        until_true: Callable[[list[dict[str, Any]], list[dict[str, Any]]], bool],
        after: int = 0,
        headers: dict[str, str] | None = None,
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        entries: list[dict[str, Any]] = []
        states: list[dict[str, Any]] = []
        async with asyncio.timeout(15):
            async with self.http.stream(
                "GET", path, params={"after": str(after)}, headers={**self.key, **(headers or {})}
            ) as answer:
                assert answer.status_code == 200, await answer.aread()
                name = ""
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    if line.startswith("data: "):
                        data = orjson.loads(line.removeprefix("data: "))
                        (entries if name == "entry" else states).append(data)
                        if until_true(entries, states):
                            return entries, states
        raise AssertionError("the stream ended")
