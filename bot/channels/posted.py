"""A message posted as JSON, as the web page and the terminal do it: checked field by field, then handed to the inbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sanic import HTTPResponse, Request

from bot.inbox import Hint, Inbox
from bot.store.base import BotStore
from bot.store.model import Conversation, Place
from bot.words import MAX_TEXT
from chargeline.web import Problem, json_object, json_response

MAX_BODY = 16384
MAX_WAITING = 20  # unanswered messages of one conversation; people do not write ahead so far, floods do
_CLIENT_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,80}")
_TOKEN = re.compile(r"[a-z0-9_]{1,60}:[a-z0-9]{1,20}\.[0-9]{1,3}")
_CHARGER = re.compile(r"[A-Za-z0-9*](?:[A-Za-z0-9 ._*\-]{0,46}[A-Za-z0-9*])?")


@dataclass(frozen=True, slots=True)
class Posted:
    client_id: str
    text: str | None
    choice: str | None
    hint: Hint | None
    place: Place | None = None


def read(body: dict[str, Any]) -> Posted:
    """Raises a 400 or 413 Problem naming the field that is wrong."""
    client_id, text, choice = client_id_of(body), body.get("text"), body.get("choice")
    place = place_of(body.get("location"))
    if [text, choice, place].count(None) != 2:
        raise Problem(400, "bad-field", "One of text, choice and location is expected.")
    if choice is not None and (not isinstance(choice, str) or not _TOKEN.fullmatch(choice)):
        raise Problem(400, "bad-field", "choice: a token of an offered choice is expected.")
    if text is not None:
        text = text_of(text)
    return Posted(client_id, text, choice, hint_from(body.get("charger"), body.get("connector")), place)


def client_id_of(body: dict[str, Any]) -> str:
    """The client's own id of what it posts, by which a repeat is known. Raises a 400 Problem."""
    client_id = body.get("client_id")
    if not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
        raise Problem(400, "bad-field", "client_id: 1 to 80 letters, digits, _ . : or - are expected.")
    return client_id


def text_of(text: object) -> str:
    """A posted message's words. Raises a 400 or 413 Problem."""
    if not isinstance(text, str) or not text.strip():
        raise Problem(400, "bad-field", "text: a message is expected.")
    if len(text) > MAX_TEXT:
        raise Problem(413, "too-large", f"text: at most {MAX_TEXT} characters.")
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Problem(400, "bad-field", "text: not valid Unicode.")
    return text


def place_of(given: object) -> Place | None:
    """Where the driver's device says to be, in degrees (WGS 84). Raises a 400 Problem."""
    if given is None:
        return None
    latitude, longitude = (
        _degrees(given.get(name) if isinstance(given, dict) else None, most)
        for name, most in (("latitude", 90), ("longitude", 180))
    )
    return Place(latitude, longitude)


def _degrees(value: object, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        raise Problem(400, "bad-field", "location: latitude and longitude in degrees are expected.")
    return float(value)


def hint_from(charger: object, connector: object) -> Hint | None:
    if charger is None:
        return None
    if not isinstance(charger, str) or not _CHARGER.fullmatch(charger):
        raise Problem(400, "bad-field", "charger: the number on a charger is expected.")
    if connector is not None and (
        not isinstance(connector, int) or isinstance(connector, bool) or not 0 < connector < 100
    ):
        raise Problem(400, "bad-field", "connector: a number from 1 is expected.")
    return Hint(charger, connector)


async def take(request: Request, conversation: Conversation, store: BotStore, inbox: Inbox) -> HTTPResponse:
    """Accepts the request's message into the conversation: 202, or 200 where it had come before."""
    posted = read(json_object(request, limit=MAX_BODY))
    if await store.waiting_in(conversation.id) >= MAX_WAITING:
        raise Problem(429, "too-many-messages", "Please wait for an answer before you write more.")
    source = f"{conversation.id}:{posted.client_id}"
    if posted.choice is not None:
        taken = await inbox.choice(conversation, source, posted.choice, client_id=posted.client_id, hint=posted.hint)
        if taken is None:
            raise Problem(404, "unknown-choice", "This choice was never offered here.")
    elif posted.place is not None:
        taken = await inbox.place(conversation, source, posted.place, client_id=posted.client_id, hint=posted.hint)
    else:
        assert posted.text is not None
        taken = await inbox.text(conversation, source, posted.text, client_id=posted.client_id, hint=posted.hint)
    item, new = taken
    return json_response({"id": item.id, "client_id": posted.client_id, "duplicate": not new}, 202 if new else 200)
