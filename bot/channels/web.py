"""The web page and its API: a visitor is a signed cookie, the conversation follows from it and is never named by the client."""

from __future__ import annotations

from pathlib import Path

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from bot.channels import posted
from bot.channels.stream import send_events
from bot.channels.visitors import COOKIE, MAX_AGE_S, cookie_value, is_own_origin, visitor_of
from bot.feed import Feed
from bot.inbox import Inbox
from bot.metrics import Metrics
from bot.store.base import BotStore
from bot.store.model import Channel, Conversation
from chargeline.clock import Clock
from chargeline.ids import new_id
from chargeline.settings import Settings
from chargeline.web import Problem, json_response

_PAGE = Path(__file__).parent.parent / "page"
_TYPES = {"chat.js": "text/javascript", "chat.css": "text/css", "icon.svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def blueprint(
    settings: Settings, key: bytes, store: BotStore, inbox: Inbox, feed: Feed, metrics: Metrics, clock: Clock
) -> Blueprint:
    """`key` signs the visitors' cookies."""
    routes = Blueprint("web")
    secure = settings.public_base_url.startswith("https://")
    files = {name: (_PAGE / name).read_bytes() for name in (*_TYPES, "index.html")}

    def visitor(request: Request) -> str | None:
        return visitor_of(key, request.cookies.get(COOKIE), clock.now().timestamp())

    async def conversation(request: Request) -> Conversation:
        known = visitor(request)
        if known is None:
            raise Problem(403, "no-session", "Open the page first: it gives you a session.")
        return await inbox.conversation(Channel.WEB, known)

    @routes.get("/", name="page")
    async def page(request: Request) -> HTTPResponse:
        response = raw(
            files["index.html"],
            content_type="text/html; charset=utf-8",
            headers={**_HEADERS, "Cache-Control": "no-store"},
        )
        if visitor(request) is None:
            now = clock.now()
            response.add_cookie(
                COOKIE,
                cookie_value(key, new_id("vis", now), int(now.timestamp())),
                httponly=True,
                samesite="Lax",
                secure=secure,
                max_age=MAX_AGE_S,
                path="/",
            )
        return response

    @routes.get("/page/<name:str>", name="asset")
    async def asset(request: Request, name: str) -> HTTPResponse:
        if name not in _TYPES:
            raise Problem(404, "not-found", "There is no such file.")
        return raw(files[name], content_type=_TYPES[name], headers={**_HEADERS, "Cache-Control": "no-cache"})

    @routes.get("/web/about", name="about")
    async def about(request: Request) -> HTTPResponse:
        return json_response({"operator": settings.operator_name, "phone": settings.operator_phone})

    @routes.post("/web/messages", name="messages")
    async def messages(request: Request) -> HTTPResponse:
        origin = request.headers.get("origin")
        if not is_own_origin(origin, request.headers.get("host", ""), settings.public_base_url):
            metrics.refused.labels("web", "foreign-origin").inc()
            raise Problem(403, "foreign-origin", "Messages are taken from this site's own page only.")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem(415, "not-json", "Send application/json.")
        return await posted.take(request, await conversation(request), store, inbox)

    @routes.get("/web/events", name="events")
    async def events(request: Request) -> None:
        await send_events(request, (await conversation(request)).id, store, feed, inbox)

    return routes
