"""Server-sent events of one conversation, for the web page and the terminal: transcript lines by sequence number, and its state.

A line is an event with `id: <seq>`; a reader that lost the connection resumes after the last id that it saw. `state` events
have no id, since only the present one counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import orjson
from sanic import Request

from bot.feed import Feed
from bot.inbox import Inbox
from bot.language import detect
from bot.render.web import entry_json
from bot.store.base import BotStore
from bot.texts import DEFAULT_LANGUAGE
from chargeline.web import Problem

HEARTBEAT_S = 15.0
_PAGE = 200
_MOST_LAST = 500
Live = Callable[[], Awaitable[list[dict[str, Any]] | None]]  # the driver's sessions now; None where they cannot be read
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


@lru_cache(4096)  # what the bot says it says often, and working it out takes a quarter of a millisecond
def language_of(text: str, before: str) -> str:
    return detect(text, before) if text else before


async def first_wanted(request: Request, conversation_id: str, store: BotStore) -> int:
    """The sequence number to begin after: as `resume_after`, or with ?last=<n> so that only the newest n lines come."""
    after = resume_after(request)
    raw = request.args.get("last")
    if raw is None or after > 0:
        return after
    if not raw.isascii() or not raw.isdecimal() or not 0 < int(raw[:9]) <= _MOST_LAST:
        raise Problem(400, "bad-field", f"last: a number from 1 to {_MOST_LAST} is expected.")
    newest = await store.latest_entries(conversation_id, 1)
    return max(0, newest[0].seq - int(raw)) if newest else 0


async def send_events(
    request: Request,
    conversation_id: str,
    store: BotStore,
    feed: Feed,
    inbox: Inbox,
    *,
    live: Live | None = None,
    polls_s: tuple[float, float] = (HEARTBEAT_S, HEARTBEAT_S),
    ends_at: float | None = None,
    over: Callable[[], Awaitable[bool]] | None = None,
    tell_language: bool = False,
) -> None:
    """Sends what there is and what comes, until the reader or the front door goes.

    `live` is asked at every change and every `polls_s` seconds (while a session runs, while none does). At `ends_at` (Unix
    seconds), or once `over` says that the session was ended, the stream ends with `event: over`. `tell_language`: each line says
    which language it is in, for screen readers.
    """
    after = await first_wanted(request, conversation_id, store)
    if feed.listeners(conversation_id) >= MAX_STREAMS:
        raise Problem(429, "too-many-streams", "This conversation is open in too many places.")
    with feed.listen(conversation_id) as changed:
        response = await request.respond(
            content_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        assert response is not None
        await response.send(b"retry: 2000\n\n")
        told: dict[str, Any] | None = None
        shown: list[dict[str, Any]] = []
        language = DEFAULT_LANGUAGE
        poll_at = beat_at = time.monotonic()
        while not feed.closed:
            if (ends_at is not None and time.time() >= ends_at) or (over is not None and await over()):
                await response.send(event("over", {}))
                break
            news = changed.is_set()
            changed.clear()
            # Read before the lines, so that it never names a choice whose line has not been sent; if it is behind
            # them, what put them there has set `changed` and the next round tells.
            state: dict[str, Any] = {
                "working": await store.waiting_in(conversation_id) > 0,
                "choices": await inbox.offers(conversation_id),
            }
            while page := await store.entries(conversation_id, after, _PAGE):
                for entry in page:
                    language = language_of(entry.text, language) if tell_language else language
                    line = entry_json(entry, language if tell_language else None)
                    await response.send(event("entry", line, entry.seq))
                    after = entry.seq
            state["seq"] = after
            if state != told:
                await response.send(event("state", state))
                told = state
            if live is not None and (news or time.monotonic() >= poll_at):
                cards = await live()
                if cards is not None and cards != shown:
                    shown = cards
                    await response.send(event("sessions", {"sessions": cards}))
                running = any(card["state"] != "ended" for card in shown)
                poll_at = time.monotonic() + polls_s[0 if running else 1]
            now = time.monotonic()
            wait = max(0.0, beat_at + HEARTBEAT_S - now)
            if live is not None:
                wait = min(wait, max(0.0, poll_at - now))
            if ends_at is not None:
                wait = min(wait, max(0.0, ends_at - time.time()))
            try:
                async with asyncio.timeout(wait):
                    await changed.wait()
            except TimeoutError:
                if time.monotonic() >= beat_at + HEARTBEAT_S:
                    beat_at = time.monotonic()
                    await response.send(b": alive\n\n")
        await response.eof()
