"""How a driver reaches the front door: the terminal channel, or SMS through a stand-in for the carrier."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import orjson
import structlog
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json
from twilio.request_validator import RequestValidator

log = structlog.get_logger(__name__)

_NUMBERED = re.compile(r"^(\d{1,2})[ .)]\s*(.+)$", re.M)
_OWN = re.compile(r"automated assistant|asistente automatizado|assistant automatis[eé]", re.I)
SMS_QUIET_S, SMS_FIRST_S = 1.5, 8.0  # real seconds; SMS has no sign that an answer is complete
RETRY_S = 0.5


class NotTaken(Exception):
    """The front door did not take a message; the text says what it answered."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of the bot's. `choices` are titles, in order."""

    text: str
    choices: tuple[str, ...] = ()
    turn: str | None = None
    own: bool = False


class Line(Protocol):
    """One driver's connection. `hear` is called for each message of the bot's, as it comes."""

    async def say(self, text: str, hint: str | None = None) -> str | None:
        """Sends a text; the id of its turn where the channel tells. Raises NotTaken, httpx.HTTPError."""
        ...

    async def choose(self, title: str) -> str | None:
        """Takes one of the choices offered last."""
        ...

    def quiet(self) -> bool:
        """Whether the bot has answered, as far as this channel shows."""
        ...

    async def close(self) -> None: ...


class TerminalLine:
    def __init__(self, url: str, key: str, name: str, http: httpx.AsyncClient, hear: Callable[[Heard], None]) -> None:
        self._path = f"{url}/terminal/{name}"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._http = http
        self._hear = hear
        self._seq = 0
        self._working = False
        self._turns_open: set[str] = set()
        self._tokens: dict[str, str] = {}
        self._reader = asyncio.create_task(self._follow())

    async def say(self, text: str, hint: str | None = None) -> str | None:
        return await self._post({"text": text, **({"charger": hint} if hint else {})})

    async def choose(self, title: str) -> str | None:
        return await self._post({"choice": self._tokens[title]})

    def quiet(self) -> bool:
        return not self._working

    async def close(self) -> None:
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader

    async def _post(self, body: dict[str, Any]) -> str | None:
        self._working = True
        answer = await self._http.post(
            f"{self._path}/messages", json={"client_id": secrets.token_hex(12), **body}, headers=self._headers
        )
        if answer.status_code >= 400:
            self._working = False
            raise NotTaken(f"HTTP {answer.status_code}: {answer.text[:200]}")
        return str(answer.json()["id"])

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
            except httpx.HTTPError as error:
                log.info("terminal_line_lost", why=type(error).__name__)
            await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        async with self._http.stream(
            "GET",
            f"{self._path}/events",
            params={"after": str(self._seq)},
            headers=self._headers,
            timeout=httpx.Timeout(45.0, connect=5.0),
        ) as answer:
            answer.raise_for_status()
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self._event(name, orjson.loads(line.removeprefix("data: ")))

    def _event(self, name: str, data: dict[str, Any]) -> None:
        if name == "state":
            self._working = bool(data["working"])
            return
        self._seq = max(self._seq, int(data["seq"]))
        if data["author"] == "driver":
            return
        offered = data.get("choices") or []
        if offered:
            self._tokens = {choice["title"]: choice["token"] for choice in offered}
        if data["text"] or offered:
            titles = tuple(choice["title"] for choice in offered)
            turn = str(data["id"]).partition(":")[0]
            self._hear(Heard(data["text"], titles, turn, bool(data.get("own"))))


class Carrier:
    """Takes what the front door posts to Twilio's Messages resource, and hands it to the phone that it is for."""

    def __init__(self, account: str, token: str, our_number: str) -> None:
        self.account = account
        self.token = token
        self.our_number = our_number
        self.url = ""
        self._phones: dict[str, Callable[[str], None]] = {}
        self._sent: dict[str, list[dict[str, str]]] = {}
        self._server: Any = None

    async def start(self, port: int = 0) -> None:
        app: Sanic[Any, Any] = Sanic(f"carrier-{secrets.token_hex(4)}", configure_logging=False)
        app.config.TOUCHUP = False  # it rewrites Sanic, which works for one app a process only
        path = "/2010-04-01/Accounts/<account:str>/Messages.json"
        app.add_route(self._create, path, methods=["POST"], name="create")
        app.add_route(self._list, path, methods=["GET"], name="list")
        listening = socket.create_server(("127.0.0.1", port))
        self._server = await app.create_server(sock=listening, return_asyncio_server=True, access_log=False)
        await self._server.startup()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        await self._server.wait_closed()

    def phone(self, number: str, ring: Callable[[str], None]) -> None:
        self._phones[number] = ring

    async def _create(self, request: Request, account: str) -> HTTPResponse:
        form: Any = request.form or {}
        message = {
            "sid": f"SM{secrets.token_hex(16)}",
            "to": str(form.get("To", "")),
            "from": str(form.get("From", "")),
            "body": str(form.get("Body", "")),
            "status": "queued",
            "date_created": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
        }
        self._sent.setdefault(message["to"], []).append(message)
        ring = self._phones.get(message["to"])
        if ring is not None:
            ring(message["body"])
        return json(message, status=201)

    async def _list(self, request: Request, account: str) -> HTTPResponse:
        to = request.args.get("To", "")
        return json({"messages": list(reversed(self._sent.get(to, [])))})


class SmsLine:
    def __init__(
        self,
        url: str,
        public_url: str,
        number: str,
        carrier: Carrier,
        http: httpx.AsyncClient,
        hear: Callable[[Heard], None],
    ) -> None:
        self._url = url
        self._signed_url = f"{public_url}/webhooks/twilio/sms"
        self._number = number
        self._carrier = carrier
        self._http = http
        self._hear = hear
        self._said_at = 0.0
        self._heard_at: float | None = None
        self._numbers: dict[str, str] = {}
        carrier.phone(number, self._ring)

    async def say(self, text: str, hint: str | None = None) -> str | None:
        form = {
            "MessageSid": f"SM{secrets.token_hex(16)}",
            "AccountSid": self._carrier.account,
            "From": self._number,
            "To": self._carrier.our_number,
            "Body": text,
            "NumMedia": "0",
            "NumSegments": "1",
        }
        signature = RequestValidator(self._carrier.token).compute_signature(self._signed_url, form)
        self._said_at, self._heard_at = time.monotonic(), None
        answer = await self._http.post(
            f"{self._url}/webhooks/twilio/sms", data=form, headers={"X-Twilio-Signature": signature}
        )
        if answer.status_code >= 300:
            raise NotTaken(f"HTTP {answer.status_code}: {answer.text[:200]}")
        return None

    async def choose(self, title: str) -> str | None:
        return await self.say(self._numbers.get(title, title))

    def quiet(self) -> bool:
        now = time.monotonic()
        if self._heard_at is None:
            return now - self._said_at > SMS_FIRST_S
        return now - self._heard_at > SMS_QUIET_S

    async def close(self) -> None:
        self._carrier.phone(self._number, lambda _: None)

    def _ring(self, body: str) -> None:
        own = bool(_OWN.search(body))
        if not own:
            self._heard_at = time.monotonic()
        numbered = _NUMBERED.findall(body)
        if numbered:
            self._numbers = {title: number for number, title in numbered}
        self._hear(Heard(body, tuple(title for _, title in numbered), None, own))
