"""The web channel's API: messages in, events out, for our own pages (a cookie) and for embedded widgets (a bearer token).

Who calls is settled by `bot.identity.callers`; the pages and the script are `bot.channels.web_pages`' part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import empty

from bot.channels import posted
from bot.channels.stream import language_of, send_events
from bot.channels.visitors import COOKIE
from bot.channels.web_live import IDLE_POLL_S, RUNNING_POLL_S, LiveSessions
from bot.drivers import Drivers
from bot.feed import Feed
from bot.identity.callers import EMBED_HEADER, Caller, Callers
from bot.identity.embeds import Embeds
from bot.identity.rates import Rate
from bot.inbox import Inbox
from bot.metrics import Metrics
from bot.render.web import entry_json
from bot.store.base import BotStore
from bot.store.model import DRIVER, Channel, Conversation, Kind, NewEntry
from bot.texts import DEFAULT_LANGUAGE, languages
from chargeline.clock import Clock
from chargeline.settings import Settings
from chargeline.web import Problem, json_object, json_response

_CORS = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": f"Authorization, Content-Type, {EMBED_HEADER}, Last-Event-ID",
    "Access-Control-Max-Age": "7200",
}
_PATHS = ("about", "session", "messages", "events", "entries", "language", "rating")
_HISTORY = 50
_MOST_SMALL = 1024  # bytes of a body that is no message


@dataclass(frozen=True, slots=True)
class Rates:
    """How often, by whom: new sessions by network address, the rest by conversation. Drivers behind one carrier share an address."""

    sessions: Rate
    messages: Rate
    streams: Rate


def usual_rates() -> Rates:
    return Rates(sessions=Rate(120, 2.0), messages=Rate(40, 1.0), streams=Rate(60, 1.0))


def blueprint(
    settings: Settings,
    callers: Callers,
    embeds: Embeds,
    store: BotStore,
    inbox: Inbox,
    feed: Feed,
    drivers: Drivers,
    live: LiveSessions,
    metrics: Metrics,
    clock: Clock,
    wall: Clock,
    rates: Rates | None = None,
) -> Blueprint:
    """`clock` dates what is stored; `wall` is real time, in which rates are counted."""
    routes = Blueprint("web", url_prefix="/web")
    rates = rates or usual_rates()

    def within(rate: Rate, who: str, name: str) -> None:
        if not rate.take(who, wall.monotonic()):
            metrics.refused.labels("web", f"rate-{name}").inc()
            raise Problem(429, "too-often", "That is too often: wait a moment.", retry_after_s=2)

    async def known(request: Request) -> tuple[Caller, Conversation]:
        caller = await callers.caller(request)
        return caller, await inbox.conversation(Channel.WEB, caller.address)

    def body_of(request: Request, limit: int) -> dict[str, Any]:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem(415, "not-json", "Send application/json.")
        return json_object(request, limit=limit)

    async def preflight(request: Request) -> HTTPResponse:
        return empty(204, headers=_CORS)

    for path in _PATHS:
        routes.add_route(preflight, f"/{path}", methods=["OPTIONS"], name=f"preflight-{path}")

    @routes.get("/about", name="about")
    async def about(request: Request) -> HTTPResponse:
        callers.embed(request)
        return json_response(
            {"operator": settings.operator_name, "phone": settings.operator_phone, "languages": languages()}
        )

    @routes.post("/session", name="session")
    async def session(request: Request) -> HTTPResponse:
        """An anonymous visitor's session for an embedded widget."""
        embed = callers.embed(request)
        if embed is None:
            raise Problem(400, "no-embed", f"Name your embed key in the header {EMBED_HEADER}.")
        within(rates.sessions, request.remote_addr or request.ip, "sessions")
        token, ends_at = callers.new_visitor(embed)
        return json_response({"token": token, "expires_at": int(ends_at)}, 201)

    @routes.delete("/session", name="end")
    async def end(request: Request) -> HTTPResponse:
        """What was shown opens nothing from now on; streams that it opened end."""
        caller, conversation = await known(request)
        await callers.end(caller)
        feed.changed(conversation.id)
        response = empty(204)
        if request.headers.get(EMBED_HEADER) is None:
            response.delete_cookie(COOKIE, path="/")
        return response

    @routes.post("/messages", name="messages")
    async def messages(request: Request) -> HTTPResponse:
        caller = await callers.caller(request)
        body_of(request, posted.MAX_BODY)
        within(rates.messages, caller.address, "messages")
        return await posted.take(request, await inbox.conversation(Channel.WEB, caller.address), store, inbox)

    @routes.get("/events", name="events")
    async def events(request: Request) -> None:
        caller, conversation = await known(request)
        within(rates.streams, caller.address, "streams")
        driver = drivers.of(conversation).id

        async def sessions() -> list[dict[str, Any]] | None:
            return await live.of(driver, clock.now())

        await send_events(
            request,
            conversation.id,
            store,
            feed,
            inbox,
            live=sessions,
            polls_s=(RUNNING_POLL_S, IDLE_POLL_S),
            ends_at=caller.ends_at,
            over=lambda: callers.is_over(caller),
            tell_language=True,
        )

    @routes.get("/entries", name="entries")
    async def entries(request: Request) -> HTTPResponse:
        """What was said before ?before=<seq>, at most 50 lines, the oldest first."""
        _, conversation = await known(request)
        raw = request.args.get("before", "")
        if not raw.isascii() or not raw.isdecimal() or len(raw) > 12 or int(raw) < 1:
            raise Problem(400, "bad-field", "before: a sequence number from 1 is expected.")
        after = max(0, int(raw) - 1 - _HISTORY)
        found = await store.entries(conversation.id, after, int(raw) - 1 - after) if int(raw) > 1 else []
        return json_response({"entries": [entry_json(one, language_of(one.text, DEFAULT_LANGUAGE)) for one in found]})

    @routes.post("/language", name="language")
    async def language(request: Request) -> HTTPResponse:
        """The language to answer in, until the driver writes in another."""
        wanted = body_of(request, _MOST_SMALL).get("language")
        if wanted not in languages():
            raise Problem(400, "bad-field", f"language: one of {', '.join(languages())} is expected.")
        caller, conversation = await known(request)
        within(rates.messages, caller.address, "messages")
        await store.set_language(conversation.id, wanted)
        return json_response({"language": wanted})

    @routes.post("/rating", name="rating")
    async def rating(request: Request) -> HTTPResponse:
        """What the driver thinks of the help, 1 to 5; a line of the transcript, stored once by its `client_id`."""
        body = body_of(request, _MOST_SMALL)
        stars, client_id = body.get("stars"), posted.client_id_of(body)
        if isinstance(stars, bool) or not isinstance(stars, int) or not 1 <= stars <= 5:
            raise Problem(400, "bad-field", "stars: a whole number from 1 to 5 is expected.")
        caller, conversation = await known(request)
        within(rates.messages, caller.address, "messages")
        line = NewEntry(
            id=f"{conversation.id}:rating:{client_id}",
            conversation=conversation.id,
            author=DRIVER,
            turn=f"{conversation.id}:rating:{client_id}",
            turn_kind=Kind.EMPTY,
            text="★" * stars + "☆" * (5 - stars),
            created_at=clock.now(),
            custom={"kind": "rating", "stars": stars},
            client_id=client_id,
        )
        stored = await store.add_entry(line)
        feed.changed(conversation.id)
        return json_response({"id": stored.id, "client_id": client_id}, 201)

    async def name_the_origin(request: Request, response: HTTPResponse) -> None:
        """Lets a page of an allowed origin read the answer, errors too, so that a widget can tell them apart."""
        origin = request.headers.get("origin")
        if origin is not None and embeds.any_has(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"

    routes.middleware(name_the_origin, "response")
    return routes
