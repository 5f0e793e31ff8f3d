"""Server-sent events of one conversation, for the web page and the terminal: transcript lines by sequence number, and its state.

A line is an event with `id: <seq>`; a reader that lost the connection resumes after the last id that it saw. `state` events
have no id, since only the present one counts.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from sanic import Request

from bot.feed import Feed
from bot.inbox import Inbox
from bot.render.web import entry_json
from bot.store.base import BotStore
from chargeline.web import Problem

HEARTBEAT_S = 15.0
_PAGE = 200
MAX_STREAMS = 8  # open streams of one conversation: several tabs, not a flood


def resume_after(request: Request) -> int:
    """The sequence number to go on after: Last-Event-ID (a reconnecting browser), else ?after=, else 0."""
    raw = request.headers.get("last-event-id") or request.args.get("after") or "0"
    if not raw.isascii() or not raw.isdecimal() or len(raw) > 12:
        raise Problem(400, "bad-field", "after and Last-Event-ID must be sequence numbers.")
    return int(raw)


def event(name: str, data: dict[str, Any], seq: int | None = None) -> bytes:
    lines = b"" if seq is None else b"id: %d\n" % seq
    return lines + b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


async def send_events(request: Request, conversation_id: str, store: BotStore, feed: Feed, inbox: Inbox) -> None:
    """Sends what there is and what comes, until the reader or the front door goes."""
    after = resume_after(request)
    if feed.listeners(conversation_id) >= MAX_STREAMS:
        raise Problem(429, "too-many-streams", "This conversation is open in too many places.")
    with feed.listen(conversation_id) as changed:
        response = await request.respond(
            content_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        assert response is not None
        await response.send(b"retry: 2000\n\n")
        told: dict[str, Any] | None = None
        while not feed.closed:
            changed.clear()
            # Read before the lines, so that it never names a choice whose line has not been sent; if it is behind
            # them, what put them there has set `changed` and the next round tells.
            state: dict[str, Any] = {
                "working": await store.waiting_in(conversation_id) > 0,
                "choices": await inbox.offers(conversation_id),
            }
            while page := await store.entries(conversation_id, after, _PAGE):
                for entry in page:
                    await response.send(event("entry", entry_json(entry), entry.seq))
                    after = entry.seq
            state["seq"] = after
            if state != told:
                await response.send(event("state", state))
                told = state
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await changed.wait()
            except TimeoutError:
                await response.send(b": alive\n\n")
        await response.eof()
