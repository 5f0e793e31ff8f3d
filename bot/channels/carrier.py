"""What the outbox asks of a carrier, and how one can fail. The carriers are `twilio_api` and `whatsapp_api`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import aiohttp
import orjson

from bot.channels.carrier_errors import PASSING, CarrierName, Then, rule_of
from bot.store.model import Conversation, Entry

TIMEOUT = aiohttp.ClientTimeout(total=15.0, sock_connect=5.0, sock_read=10.0)
PARALLEL = 100  # connections to one carrier; what Twilio allows an account at one time, and more than Meta needs
_SIGN_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
MOST_ASKED_S = 300.0  # of what a carrier asks us to wait; a wrong header must not silence a channel for days
MAX_MEDIA = 5 * 2**20  # bytes; Meta's limit for a picture, and far above what a phone sends by MMS


class SendError(Exception):
    """A message could not be handed to the carrier."""


class TryLater(SendError):
    """It was not taken (429, 5xx with an answer, not connected); `after_s`: what the carrier asks for.

    `everybody`: it is not about this number, so other messages should wait too.
    """

    def __init__(self, why: str, after_s: float | None = None, *, everybody: bool = False) -> None:
        super().__init__(why)
        self.after_s = after_s
        self.everybody = everybody


class Refused(SendError):
    """It will never be taken; `code` is the carrier's error code or the HTTP status."""

    def __init__(self, code: str) -> None:
        super().__init__(f"refused with {code}")
        self.code = code


class OutcomeUnknown(SendError):
    """The connection ended before the answer: it may have been taken."""


class NotFetched(Exception):
    """A picture could not be had: too large, not a picture, gone, or the carrier does not answer."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One row of a carrier's list of messages."""

    sid: str
    body: str
    created_at: datetime | None


class Carrier(Protocol):
    """`lists`: it can say which messages it has taken; where not, its status callbacks must tell."""

    lists: bool

    async def send(self, to: Conversation, entry: Entry, template: str | None) -> str:
        """The carrier's id of the message. Raises TryLater, Refused or OutcomeUnknown.

        `template`: the approved template to wrap the text in, where free words are not allowed.
        """
        ...

    async def sent_to(self, to: Conversation) -> list[Sent]:
        """The last messages to this driver. Raises SendError where the list cannot be had."""
        ...

    async def fetch(self, ref: str) -> bytes:
        """What a driver sent along. Raises NotFetched."""
        ...

    async def show_typing(self, to: Conversation, message: str) -> None:
        """Shows the driver that their `message` (the carrier's id) was read and is being answered. Raises SendError."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a carrier answered; `body` is empty where it was no JSON object. `after_s`: how long it asks to wait."""

    status: int
    body: dict[str, Any]
    after_s: float | None


def session() -> aiohttp.ClientSession:
    """With room for its messages, and some for pictures and signs of typing beside them."""
    return aiohttp.ClientSession(timeout=TIMEOUT, connector=aiohttp.TCPConnector(limit=PARALLEL + 20))


async def post(http: aiohttp.ClientSession, url: str, **request: Any) -> Answer:
    """Raises TryLater where nothing was sent, OutcomeUnknown where it may have been and the answer never came."""
    try:
        async with http.post(url, **request) as response:
            content = await response.read()
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise TryLater(repr(error)) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise OutcomeUnknown(repr(error)) from error
    return Answer(response.status, json_object(content), retry_after_s(response.headers.get("retry-after", "")))


async def post_sign(http: aiohttp.ClientSession, url: str, login: dict[str, str], **request: Any) -> None:
    """Something that is no message and is not tried again. Raises SendError."""
    answer = await post(http, url, headers=login, timeout=_SIGN_TIMEOUT, **request)
    if answer.status not in {200, 201}:
        raise SendError(f"HTTP {answer.status}")


def problem_of(carrier: CarrierName, answer: Answer, code: object) -> SendError:
    """What an answer that is no success means for the message; `code`: the carrier's own error code, where it names one."""
    if answer.status >= 500 and code is None:
        # Not the carrier's own words but those of something before it, which need not know what became of the message.
        return OutcomeUnknown(f"HTTP {answer.status} without an error of the carrier's")
    known = str(answer.status if code is None else code)
    rule = rule_of(carrier, known)
    if answer.status == 429 or answer.status >= 500 or rule.then in PASSING:
        slow = answer.status == 429 or rule.then is Then.SLOW_DOWN
        return TryLater(f"HTTP {answer.status}, code {known}: {rule.means}", answer.after_s, everybody=slow)
    return Refused(known)


def json_object(content: bytes) -> dict[str, Any]:
    """The answer's object; empty where it is none, since the status alone decides then."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def retry_after_s(raw: str) -> float | None:
    """`Retry-After` in its seconds form, which is the one that carriers send; never more than a driver may wait."""
    return min(float(raw), MOST_ASKED_S) if raw.isascii() and raw.isdecimal() and len(raw) < 20 else None


async def read_media(response: aiohttp.ClientResponse) -> bytes:
    """The body, where it is there and not too large. Raises NotFetched."""
    if response.status != 200:
        raise NotFetched(f"HTTP {response.status}")
    content = await response.content.read(MAX_MEDIA + 1)
    while len(content) <= MAX_MEDIA and (more := await response.content.read(MAX_MEDIA + 1 - len(content))):
        content += more
    if len(content) > MAX_MEDIA:
        raise NotFetched("too large")
    return content
