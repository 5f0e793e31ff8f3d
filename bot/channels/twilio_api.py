"""Twilio's REST API as the outbox needs it: send an SMS or a WhatsApp message, look whether one was sent, get a picture.

Sending has no idempotency key, so a send whose answer never came is looked up, never repeated blindly.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from bot.channels.carrier import (
    NotFetched,
    OutcomeUnknown,
    SendError,
    Sent,
    json_object,
    post,
    post_sign,
    problem_of,
    read_media,
    session,
)
from bot.render.capabilities import WHATSAPP_TWILIO
from bot.render.whatsapp import asks_for_place, in_template
from bot.store.model import Channel, Conversation, Delivery, Entry
from bot.texts import text

__all__ = ["TwilioApi"]

_PAGE = "50"


class TwilioApi:
    lists = True

    def __init__(
        self,
        url: str,
        account_sid: str,
        auth_token: str,
        from_number: str,
        whatsapp_number: str = "",
        status_url: str | None = None,
    ) -> None:
        """`status_url`: where Twilio may say what became of a message; None where it cannot reach us."""
        self._base = url.rstrip("/")
        self._url = f"{self._base}/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._messaging = self._base.replace("//api.", "//messaging.")  # a carrier on this machine has one host
        self._from = from_number
        self._whatsapp = whatsapp_number
        self._status_url = status_url
        login = b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._login = {"Authorization": f"Basic {login}"}
        self._http = session()

    async def close(self) -> None:
        await self._http.close()

    def _ends(self, to: Conversation) -> dict[str, str]:
        if to.channel is Channel.WHATSAPP:
            return {"To": f"whatsapp:{to.phone or to.user or to.address}", "From": f"whatsapp:{self._whatsapp}"}
        return {"To": to.address, "MessagingServiceSid" if self._from.startswith("MG") else "From": self._from}

    async def send(self, to: Conversation, entry: Entry, template: str | None) -> str:
        """Twilio's id of the message. Raises TryLater, Refused or OutcomeUnknown."""
        assert entry.delivery is not None
        fields = self._ends(to)
        if template is not None:
            variables = orjson.dumps({"1": in_template(entry.delivery.body)}).decode()
            fields |= {"ContentSid": template, "ContentVariables": variables}
        else:
            fields["Body"] = _body(to, entry, entry.delivery)
        if self._status_url is not None:
            fields["StatusCallback"] = f"{self._status_url}?entry={entry.id}"
        answer = await post(self._http, self._url, data=fields, headers=self._login)
        if answer.status not in {200, 201}:
            raise problem_of("twilio", answer, answer.body.get("code"))
        sid = answer.body.get("sid")
        if not isinstance(sid, str):
            raise OutcomeUnknown("the answer has no sid")
        return sid

    async def show_typing(self, to: Conversation, message: str) -> None:
        """Only WhatsApp shows it. Source: https://www.twilio.com/docs/whatsapp/api/typing-indicators-resource"""
        if to.channel is Channel.WHATSAPP:
            fields = {"messageId": message, "channel": "whatsapp"}
            await post_sign(self._http, f"{self._messaging}/v2/Indicators/Typing.json", self._login, data=fields)

    async def sent_to(self, to: Conversation) -> list[Sent]:
        """The last messages to this driver. Raises SendError where the list cannot be had."""
        # A messaging service chooses among its numbers, so there the list is not narrowed by one.
        ends = {name: value for name, value in self._ends(to).items() if name != "MessagingServiceSid"}
        params = {**ends, "PageSize": _PAGE}
        try:
            async with self._http.get(self._url, params=params, headers=self._login) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SendError(repr(error)) from error
        messages: Any = json_object(content).get("messages") if response.status == 200 else None
        if not isinstance(messages, list):
            raise SendError(f"no list of messages (HTTP {response.status})")
        return [
            Sent(str(message["sid"]), str(message.get("body") or ""), _date(message.get("date_created")))
            for message in messages
            if isinstance(message, dict) and message.get("sid")
        ]

    async def fetch(self, ref: str) -> bytes:
        """A picture by the URL in the webhook: only from Twilio itself, whose storage it may then lead to."""
        if not _is_twilios(ref, self._base):
            raise NotFetched("not an address of Twilio's")
        try:
            async with self._http.get(ref, headers=self._login, allow_redirects=False) as response:
                if response.status not in {301, 302, 307}:
                    return await read_media(response)
                target = response.headers.get("location", "")
            if urlsplit(target).scheme != "https":
                raise NotFetched("leads to an address that is not https")
            async with self._http.get(target, allow_redirects=False) as response:  # without our login
                return await read_media(response)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NotFetched(repr(error)) from error


def _body(to: Conversation, entry: Entry, delivery: Delivery) -> str:
    """Twilio has no message that asks for the place with a button, so on WhatsApp it is asked for in words."""
    if to.channel is Channel.WHATSAPP and asks_for_place(entry.custom):
        return f"{delivery.body}\n{text(delivery.language, 'share_place')}"[: WHATSAPP_TWILIO.text]
    return delivery.body


def _is_twilios(ref: str, base: str) -> bool:
    try:
        given, ours = urlsplit(ref), urlsplit(base)
        if (given.scheme, given.netloc) == (ours.scheme, ours.netloc):
            return True
        return given.scheme == "https" and (given.hostname or "").endswith(".twilio.com")
    except ValueError:
        return False


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
