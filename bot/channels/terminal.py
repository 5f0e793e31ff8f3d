"""The terminal channel, for people who work on the bot (`make chat`): `POST /terminal/{name}/messages`, `GET /terminal/{name}/events`."""

from __future__ import annotations

import re

from sanic import Blueprint, HTTPResponse, Request

from bot.channels import posted
from bot.channels.stream import send_events
from bot.feed import Feed
from bot.inbox import Inbox
from bot.store.base import BotStore
from bot.store.model import Channel, Conversation
from chargeline.web import Problem, bearer_key, same_secret

_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,40}")


def blueprint(key: str, store: BotStore, inbox: Inbox, feed: Feed) -> Blueprint:
    routes = Blueprint("terminal")

    async def conversation(request: Request, name: str) -> Conversation:
        if not key:
            raise Problem(503, "terminal-not-configured", "The terminal channel is off: set TERMINAL_KEY.")
        if not same_secret(bearer_key(request), key):
            raise Problem(403, "wrong-key", "This key does not open the terminal channel.")
        if not _NAME.fullmatch(name):
            raise Problem(400, "bad-field", "A name has 1 to 40 letters, digits, _ . or -.")
        return await inbox.conversation(Channel.TERMINAL, name)

    @routes.post("/terminal/<name:str>/messages", name="messages")
    async def messages(request: Request, name: str) -> HTTPResponse:
        return await posted.take(request, await conversation(request, name), store, inbox)

    @routes.get("/terminal/<name:str>/events", name="events")
    async def events(request: Request, name: str) -> None:
        await send_events(request, (await conversation(request, name)).id, store, feed, inbox)

    return routes
