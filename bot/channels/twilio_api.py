"""Twilio's REST API as the outbox needs it: send a message, and look whether one was sent.

Sending has no idempotency key, so a send whose answer never came is looked up, never repeated blindly.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson

_TIMEOUT = aiohttp.ClientTimeout(total=15.0, sock_connect=5.0, sock_read=10.0)
_PAGE = "50"


class SendError(Exception):
    """A message could not be handed to the carrier."""


class TryLater(SendError):
    """It was not taken (429, 5xx with an answer, not connected); `after_s`: what the carrier asks for."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class Refused(SendError):
    """It will never be taken; `code` is Twilio's error code or the HTTP status."""

    def __init__(self, code: str) -> None:
        super().__init__(f"refused with {code}")
        self.code = code


class OutcomeUnknown(SendError):
    """The connection ended before the answer: it may have been taken."""


@dataclass(frozen=True, slots=True)
class Sent:
    sid: str
    body: str
    created_at: datetime | None


class TwilioApi:
    def __init__(self, url: str, account_sid: str, auth_token: str, from_number: str) -> None:
        self._url = f"{url.rstrip('/')}/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._from = from_number
        login = b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Basic {login}"}, timeout=_TIMEOUT)

    async def close(self) -> None:
        await self._http.close()

    async def send(self, to: str, body: str) -> str:
        """Twilio's id of the message. Raises TryLater, Refused or OutcomeUnknown."""
        try:
            async with self._http.post(self._url, data={"To": to, "From": self._from, "Body": body}) as response:
                content = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TryLater(repr(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OutcomeUnknown(repr(error)) from error
        if response.status in {200, 201}:
            sid = _object(content).get("sid")
            if not isinstance(sid, str):
                raise OutcomeUnknown("the answer has no sid")
            return sid
        if response.status == 429 or response.status >= 500:
            raise TryLater(f"HTTP {response.status}", _retry_after_s(response.headers.get("retry-after", "")))
        raise Refused(str(_object(content).get("code") or response.status))

    async def sent_to(self, to: str) -> list[Sent]:
        """The last messages to this number. Raises SendError where the list cannot be had."""
        params = {"To": to, "From": self._from, "PageSize": _PAGE}
        try:
            async with self._http.get(self._url, params=params) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SendError(repr(error)) from error
        messages = _object(content).get("messages") if response.status == 200 else None
        if not isinstance(messages, list):
            raise SendError(f"no list of messages (HTTP {response.status})")
        return [
            Sent(str(message["sid"]), str(message.get("body") or ""), _date(message.get("date_created")))
            for message in messages
            if isinstance(message, dict) and message.get("sid")
        ]


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}  # the status alone decides then
    return value if isinstance(value, dict) else {}


def _retry_after_s(raw: str) -> float | None:
    """`Retry-After` in its seconds form, which is the one that Twilio sends."""
    return float(raw) if raw.isdecimal() else None


def _date(raw: object) -> datetime | None:
    """Twilio writes RFC 2822 dates; ISO 8601 is understood too."""
    if not isinstance(raw, str) or not raw:
        return None
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = parse(raw)
        except ValueError:
            continue
        return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return None
