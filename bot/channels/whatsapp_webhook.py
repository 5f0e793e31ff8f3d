"""What Meta posts: batches of messages and statuses, read field by field. Pure; `whatsapp` takes what comes out.

Sources: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components and its page on business-scoped user ids.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.channels.twilio_form import place_from
from bot.store.model import Place

_WAMID = re.compile(r"[A-Za-z0-9._=+/\-]{1,300}")
_PHONE = re.compile(r"\+?[0-9]{5,15}")
_USER = re.compile(r"[A-Za-z]{2}\.[A-Za-z0-9.]{1,140}")
_STATUS = re.compile(r"[a-z_]{1,20}")
_MEDIA = ("image", "video", "audio", "voice", "document", "sticker")
_MEDIA_ID = re.compile(r"[A-Za-z0-9._\-]{1,200}")
_WITHOUT_ANSWER = frozenset({"reaction", "system", "request_welcome"})  # nobody waits for an answer to these


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a driver. `token`: what a tapped choice carries; `text` is then its title."""

    id: str
    at: int
    user: str | None
    phone: str | None
    text: str = ""
    token: str | None = None
    place: Place | None = None
    media: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """`entry`: the id that we sent along."""

    id: str
    status: str
    entry: str | None
    code: str | None


def is_signed(header: str, secret: str, body: bytes) -> bool:
    """Whether `X-Hub-Signature-256` is Meta's for this body."""
    digest = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return bool(secret) and header.isascii() and hmac.compare_digest(digest, header.strip().lower())


def read(batch: dict[str, Any], phone_number_id: str) -> tuple[list[Message], list[Status], int]:
    """Messages in the order in which they were written, statuses, and how many parts could not be read.

    What is meant for another number of the same app is left out. One bad part does not spoil the batch: Meta would
    bring it again for days, and the others with it.
    """
    messages: list[Message] = []
    statuses: list[Status] = []
    unread = 0
    for value in _values(batch):
        meant = value.get("metadata")
        if not isinstance(meant, dict) or meant.get("phone_number_id") != phone_number_id:
            unread += 1
            continue
        contacts = [contact for contact in _list(value, "contacts") if isinstance(contact, dict)]
        for raw in _list(value, "messages"):
            if isinstance(raw, dict) and _text(raw, "type") in _WITHOUT_ANSWER:
                continue
            message = _message(raw, contacts) if isinstance(raw, dict) else None
            unread += message is None
            if message is not None:
                messages.append(message)
        for raw in _list(value, "statuses"):
            status = _status(raw) if isinstance(raw, dict) else None
            unread += status is None
            if status is not None:
                statuses.append(status)
    messages.sort(key=lambda message: message.at)  # stable: of the same second as they came
    return messages, statuses, unread


def account_errors(batch: dict[str, Any]) -> list[str]:
    """Codes of errors that are about the account and no message: Meta puts them beside the messages of a value."""
    found = [
        error.get("code") for value in _values(batch) for error in _list(value, "errors") if isinstance(error, dict)
    ]
    return [str(code)[:20] for code in found]


def _values(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in _list(batch, "entry"):
        for change in _list(entry, "changes"):
            if isinstance(change, dict) and change.get("field") == "messages" and isinstance(change.get("value"), dict):
                yield change["value"]


def _list(holder: object, name: str) -> list[Any]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []


def _text(holder: object, *names: str) -> str:
    for name in names:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return holder if isinstance(holder, str) else ""


def _message(raw: dict[str, Any], contacts: list[dict[str, Any]]) -> Message | None:
    wamid, at = _text(raw, "id"), _text(raw, "timestamp")
    phone, user = _text(raw, "from"), _text(raw, "from_user_id")
    if not user:
        named = [contact for contact in contacts if not phone or _text(contact, "wa_id") == phone]
        user = _text(named[0], "user_id") if len(named) == 1 else ""
    known_phone = f"+{phone.lstrip('+')}" if _PHONE.fullmatch(phone) else None
    known_user = user if _USER.fullmatch(user) else None
    if not _WAMID.fullmatch(wamid) or (known_phone is None and known_user is None):
        return None
    text, token, place, media = _content(raw)
    seconds = int(at) if at.isascii() and at.isdecimal() and len(at) < 13 else 0
    return Message(wamid, seconds, known_user, known_phone, text, token, place, media)


def _content(raw: dict[str, Any]) -> tuple[str, str | None, Place | None, tuple[tuple[str, str], ...]]:
    kind = _text(raw, "type")
    if kind == "text":
        return _text(raw, "text", "body"), None, None, ()
    if kind == "button":  # a reply button of a template
        return _text(raw, "button", "text"), _text(raw, "button", "payload") or None, None, ()
    if kind == "interactive":
        form = _text(raw, "interactive", "type")
        return _text(raw, "interactive", form, "title"), _text(raw, "interactive", form, "id") or None, None, ()
    if kind == "location" and isinstance(raw.get("location"), dict):
        there = raw["location"]
        place = place_from(there.get("latitude"), there.get("longitude"), there.get("name"), there.get("address"))
        return "", None, place, ()
    if kind in _MEDIA:
        ref = _text(raw, kind, "id")
        media = ((_text(raw, kind, "mime_type")[:80] or kind, ref),) if _MEDIA_ID.fullmatch(ref) else ()
        return _text(raw, kind, "caption"), None, None, media
    return "", None, None, ()  # contacts, orders, types to come: the driver hears that there were no words


def _status(raw: dict[str, Any]) -> Status | None:
    wamid, said = _text(raw, "id"), _text(raw, "status")
    if not _WAMID.fullmatch(wamid) or not _STATUS.fullmatch(said):
        return None
    errors = _list(raw, "errors")
    code = errors[0].get("code") if errors and isinstance(errors[0], dict) else None
    known = str(code) if isinstance(code, int) and not isinstance(code, bool) else None
    return Status(wamid, said, _text(raw, "biz_opaque_callback_data")[:200] or None, known)
