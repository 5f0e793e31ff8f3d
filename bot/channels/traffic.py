"""For the trainers' desk: what drivers wrote of late and how it was taken, with nothing that says who they are.

Conversations of numbers that have opted out are left out; the desk keeps no copy, so what is gone here is gone there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sanic import Blueprint, HTTPResponse, Request

from bot.drivers import Drivers
from bot.masking import mask_people
from bot.store.base import BotStore
from bot.store.model import BOT, CARRIED, DRIVER, Conversation, Seen
from chargeline.clock import Clock
from chargeline.web import Problem, bearer_key, json_response, same_secret

_PAGE = 500
_MOST_DAYS = 366


def blueprint(key: str, store: BotStore, drivers: Drivers, clock: Clock) -> Blueprint:
    routes = Blueprint("traffic", url_prefix="/v1/traffic")

    def allowed(request: Request) -> None:
        if not key:
            raise Problem(503, "traffic-key-missing", "Set TRAFFIC_KEY, with which the trainers' desk reads.")
        if not same_secret(bearer_key(request), key):
            raise Problem(403, "wrong-key", "This key does not open what drivers wrote.")

    @routes.get("", name="traffic")
    async def traffic(request: Request) -> HTTPResponse:
        allowed(request)
        since = clock.now() - timedelta(days=_days(request))
        page = await store.seen(since, _before(request), _PAGE)
        shown: dict[str, dict[str, Any] | None] = {}
        for seen in page:
            if seen.entry.conversation not in shown:
                shown[seen.entry.conversation] = await _about(store, drivers, seen.entry.conversation)
        lines = [_line(seen) for seen in page if shown[seen.entry.conversation] is not None]
        last = page[-1].entry if len(page) == _PAGE else None
        following = None if last is None else f"{last.created_at.timestamp()!r}~{last.id}"
        return json_response(
            {
                "lines": lines,
                "conversations": {name: about for name, about in shown.items() if about},
                "next": following,
            }
        )

    return routes


def _days(request: Request) -> float:
    try:
        days = float(request.args.get("days", "30"))
    except ValueError:
        days = -1.0
    if not 0 < days <= _MOST_DAYS:
        raise Problem(400, "bad-field", f"days: a number up to {_MOST_DAYS} is expected.")
    return days


def _before(request: Request) -> tuple[datetime, str] | None:
    raw = request.args.get("before")
    if raw is None:
        return None
    seconds, tilde, entry = raw.partition("~")
    try:
        at = datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        tilde = ""
    if not tilde:
        raise Problem(400, "bad-field", "before: what the page before gave as next is expected.")
    return at, entry


async def _about(store: BotStore, drivers: Drivers, conversation_id: str) -> dict[str, Any] | None:
    """None for a conversation that is not shown."""
    conversation = await store.conversation(conversation_id)
    if conversation is None or await _opted_out(store, conversation):
        return None
    language = drivers.of(conversation).language
    return {"channel": conversation.channel.value, "language": language, "with_person": conversation.case is not None}


async def _opted_out(store: BotStore, conversation: Conversation) -> bool:
    return conversation.channel in CARRIED and await store.opted_out(conversation.channel, conversation.address)


def _line(seen: Seen) -> dict[str, Any]:
    entry = seen.entry
    line: dict[str, Any] = {
        "id": entry.id,
        "conversation": entry.conversation,
        "seq": entry.seq,
        "author": entry.author,
        "kind": entry.turn_kind.value,
        "turn": entry.turn,
        "text": mask_people(entry.text),
        "at": entry.created_at.isoformat().replace("+00:00", "Z"),
    }
    if entry.author == BOT:
        line["choices"] = [option.title for option in entry.options]
        line["handed_over"] = isinstance((entry.custom or {}).get("handoff"), dict)
    if entry.author == DRIVER:
        line["understood"] = seen.understood
        # Only a meaning that was chosen: payloads with values, and words, are not needed.
        chosen = seen.asked or ""
        line["chose"] = chosen[1:] if chosen.startswith("/") and chosen[1:].replace("_", "").isalnum() else None
    return line
