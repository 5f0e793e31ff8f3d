"""What the outbox asks of a carrier, and how one can fail. The carriers are `twilio_api` and `whatsapp_api`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import aiohttp
import orjson

from bot.store.model import Conversation, Entry

TIMEOUT = aiohttp.ClientTimeout(total=15.0, sock_connect=5.0, sock_read=10.0)
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

    async def close(self) -> None: ...


def json_object(content: bytes) -> dict[str, Any]:
    """The answer's object; empty where it is none, since the status alone decides then."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def retry_after_s(raw: str) -> float | None:
    """`Retry-After` in its seconds form, which is the one that carriers send."""
    return float(raw) if raw.isascii() and raw.isdecimal() and len(raw) < 7 else None


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
