"""For the operator's people and their desk: read a conversation, write to its driver, give it back to the bot."""

from __future__ import annotations

import re
from typing import Any

import structlog
from sanic import Blueprint, HTTPResponse, Request

from bot.channels.posted import MAX_BODY, text_of
from bot.drivers import Drivers
from bot.feed import Feed
from bot.render.web import agent_of
from bot.replies import Replies
from bot.store.base import BotStore
from bot.store.model import BOT, PERSON, Conversation, Entry
from bot.words import clean
from chargeline.web import Problem, bearer_key, json_object, json_response, same_secret

log = structlog.get_logger(__name__)

_PAGE = 200
_CLIENT_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,80}")
_AGENT = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,80}")


def blueprint(key: str, store: BotStore, replies: Replies, drivers: Drivers, feed: Feed) -> Blueprint:
    routes = Blueprint("desk", url_prefix="/v1/conversations")

    async def known(request: Request, conversation_id: str) -> Conversation:
        if not key:
            raise Problem(503, "operator-key-missing", "Set OPERATOR_KEY, with which people open conversations.")
        if not same_secret(bearer_key(request), key):
            raise Problem(403, "wrong-key", "This key does not open conversations.")
        conversation = await store.conversation(conversation_id)
        if conversation is None:
            raise Problem(404, "unknown-conversation", "There is no such conversation.")
        return conversation

    @routes.get("/<conversation_id:str>", name="transcript")
    async def transcript(request: Request, conversation_id: str) -> HTTPResponse:
        conversation = await known(request, conversation_id)
        after = _number(request, "after", 0, 10**12)
        limit = _number(request, "limit", _PAGE, _PAGE)
        entries = await store.entries(conversation.id, after, limit + 1)
        driver = drivers.of(conversation)
        return json_response(
            {
                "id": conversation.id,
                "channel": conversation.channel.value,
                "language": driver.language,
                "driver": driver.id,
                "tier": driver.tier,
                "case": conversation.case,
                "created_at": _iso(conversation.created_at.isoformat()),
                "entries": [_line(entry) for entry in entries[:limit]],
                "next_after": entries[limit - 1].seq if len(entries) > limit else None,
            }
        )

    @routes.post("/<conversation_id:str>/messages", name="messages")
    async def messages(request: Request, conversation_id: str) -> HTTPResponse:
        conversation = await known(request, conversation_id)
        body = json_object(request, limit=MAX_BODY)
        client_id, agent = body.get("client_id"), body.get("agent")
        if not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
            raise Problem(400, "bad-field", "client_id: 1 to 80 letters, digits, _ . : or - are expected.")
        if not isinstance(agent, str) or not agent.strip() or not _AGENT.fullmatch(agent):
            raise Problem(400, "bad-field", "agent: the name that the driver sees is expected, at most 80 characters.")
        words = clean(text_of(body.get("text")))
        if not words:
            raise Problem(400, "bad-field", "text: a message is expected.")
        entry, new = await replies.person_says(conversation, client_id, agent.strip(), words)
        if not new and (entry.text, agent_of(entry)) != (words, agent.strip()):
            raise Problem(409, "key-reused", "This client_id came before with other words.")
        if new:
            log.info("person_wrote", conversation=conversation.id, entry=entry.id, case=conversation.case)
        delivery = entry.delivery.state.value if entry.delivery is not None else None
        return json_response({"id": entry.id, "seq": entry.seq, "delivery": delivery}, 202 if new else 200)

    @routes.post("/<conversation_id:str>/release", name="release")
    async def release(request: Request, conversation_id: str) -> HTTPResponse:
        conversation = await known(request, conversation_id)
        case = json_object(request, limit=MAX_BODY).get("case") if request.body else None
        if case is not None and not isinstance(case, str):
            raise Problem(400, "bad-field", "case: the id of a case is expected.")
        released = conversation.case is not None and case in {None, conversation.case}
        if released:
            await store.set_case(conversation.id, None)
            feed.changed(conversation.id)
            log.info("released", conversation=conversation.id, case=conversation.case)
        return json_response({"released": released})

    return routes


def _number(request: Request, name: str, default: int, most: int) -> int:
    raw = request.args.get(name, str(default))
    if not raw.isascii() or not raw.isdecimal() or len(raw) > 12 or int(raw) > most or (name == "limit" and raw == "0"):
        raise Problem(400, "bad-field", f"{name}: a whole number up to {most} is expected.")
    return int(raw)


def _line(entry: Entry) -> dict[str, Any]:
    line: dict[str, Any] = {
        "id": entry.id,
        "seq": entry.seq,
        "author": entry.author,
        "text": entry.text,
        "at": _iso(entry.created_at.isoformat()),
        "delivery": entry.delivery.state.value if entry.delivery is not None else None,
    }
    if entry.author == BOT:
        line["choices"] = [option.title for option in entry.options]
    if entry.custom is not None and "media" in entry.custom:
        line["media"] = entry.custom["media"]
    if entry.author == PERSON:
        line["agent"] = agent_of(entry)
    return line


def _iso(text: str) -> str:
    return text.replace("+00:00", "Z")
