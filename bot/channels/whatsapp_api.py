"""Meta's WhatsApp Cloud API as the outbox needs it: send a message, get a picture.

It cannot list what it has sent. Every message carries our id (`biz_opaque_callback_data`), which comes back in its status
callbacks: they tell whether a send whose answer never came was taken.
"""

from __future__ import annotations

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
from bot.render import whatsapp
from bot.store.model import Conversation, Entry

_MEDIA_HOSTS = (".fbsbx.com", ".facebook.com", ".fbcdn.net", ".whatsapp.net")


class WhatsAppApi:
    lists = False

    def __init__(self, url: str, phone_number_id: str, access_token: str) -> None:
        """`url`: the Graph API with its version."""
        self._base = url.rstrip("/")
        self._url = f"{self._base}/{phone_number_id}/messages"
        self._login = {"Authorization": f"Bearer {access_token}"}
        self._http = session()

    async def close(self) -> None:
        await self._http.close()

    async def send(self, to: Conversation, entry: Entry, template: str | None) -> str:
        """The wamid of the message. Raises TryLater, Refused or OutcomeUnknown."""
        body = orjson.dumps(_request(to, entry, template))
        headers = {**self._login, "Content-Type": "application/json"}
        answer = await post(self._http, self._url, data=body, headers=headers)
        if answer.status not in {200, 201}:
            problem = answer.body.get("error")
            raise problem_of("meta", answer, problem.get("code") if isinstance(problem, dict) else None)
        messages = answer.body.get("messages")
        first = messages[0] if isinstance(messages, list) and messages else None
        if not isinstance(first, dict) or not isinstance(first.get("id"), str):
            raise OutcomeUnknown("the answer has no message id")
        return str(first["id"])

    async def show_typing(self, to: Conversation, message: str) -> None:
        """Meta takes it away with the next message, or after 25 s."""
        body = {"messaging_product": "whatsapp", "status": "read", "message_id": message}
        await post_sign(self._http, self._url, self._login, json={**body, "typing_indicator": {"type": "text"}})

    async def sent_to(self, to: Conversation) -> list[Sent]:
        raise SendError("Meta has no list of messages")

    async def fetch(self, ref: str) -> bytes:
        """A picture by its media id: Meta names an address that is good for five minutes."""
        try:
            async with self._http.get(f"{self._base}/{ref}", headers=self._login) as response:
                about = json_object(await response.read()) if response.status == 200 else {}
            url = about.get("url")
            if not isinstance(url, str) or not self._is_metas(url):
                raise NotFetched("no address of Meta's for it")
            async with self._http.get(url, headers=self._login, allow_redirects=False) as response:
                return await read_media(response)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NotFetched(repr(error)) from error

    def _is_metas(self, url: str) -> bool:
        given, ours = urlsplit(url), urlsplit(self._base)
        if (given.scheme, given.netloc) == (ours.scheme, ours.netloc):
            return True
        return given.scheme == "https" and (given.hostname or "").endswith(_MEDIA_HOSTS)


def _request(to: Conversation, entry: Entry, template: str | None) -> dict[str, Any]:
    """`to` is a phone number, `recipient` a business-scoped id; with both Meta takes the number."""
    assert entry.delivery is not None
    ends = {"to": to.phone} if to.phone else {"recipient": to.user or to.address}
    if template is not None:
        message = whatsapp.template(template, entry.delivery.body)
    else:
        message = whatsapp.message(
            entry.id, entry.text, entry.options, entry.custom, entry.delivery.body, entry.delivery.language
        )
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **ends,
        **message,
        "biz_opaque_callback_data": entry.id,
    }
