"""Who makes a request of the web channel: a visitor with our cookie, a visitor of an embed, or a driver whom a backend signed.

The conversation follows from what was verified here; nothing that a client says names it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from sanic import Request

from bot.channels.visitors import COOKIE, MAX_AGE_S, cookie_value, is_own_origin, visitor_of
from bot.drivers import SIGNED
from bot.identity.claims import TokenRefused, verify
from bot.identity.embeds import Embed, Embeds
from bot.identity.ended import EndedSessions
from bot.metrics import Metrics
from chargeline.clock import Clock
from chargeline.ids import new_id
from chargeline.web import Problem, bearer_key

EMBED_HEADER = "chargeline-embed"


@dataclass(frozen=True, slots=True)
class Caller:
    """`address`: what the conversation belongs to. `session`: names what was shown, without being it. `ends_at`: Unix seconds."""

    address: str
    session: str
    ends_at: float


class Callers:
    def __init__(
        self, key: bytes, embeds: Embeds, public_url: str, ended: EndedSessions, metrics: Metrics, wall: Clock
    ) -> None:
        """`key` signs visitors' sessions; `wall` is real time, in which the operators' tokens are dated."""
        self._key = key
        self._embeds = embeds
        self._public_url = public_url
        self._ended = ended
        self._metrics = metrics
        self._wall = wall

    def embed(self, request: Request) -> Embed | None:
        """The embed that the request names, its origin checked; None for our own page. Raises a 403 Problem."""
        name = request.headers.get(EMBED_HEADER)
        origin = request.headers.get("origin")
        own = is_own_origin(origin, request.headers.get("host", ""), self._public_url)
        if name is None:
            if not own:
                self._metrics.refused.labels("web", "foreign-origin").inc()
                raise Problem(403, "foreign-origin", "Messages are taken from this site's own page only.")
            return None
        embed = self._embeds.get(name)
        if embed is None:
            self._metrics.refused.labels("web", "unknown-embed").inc()
            raise Problem(403, "unknown-embed", "There is no such embed key.")
        if not own and origin not in embed.origins:
            self._metrics.refused.labels("web", "foreign-origin").inc()
            raise Problem(403, "foreign-origin", "This embed key may not be used on this origin.")
        return embed

    async def caller(self, request: Request) -> Caller:
        """Raises a 401 Problem where a session is missing or over, a 403 one where it may not be used here."""
        embed = self.embed(request)
        caller = self._visitor(request) if embed is None else self._of_embed(request, embed)
        if await self._ended.has(caller.session):
            raise Problem(401, "session-ended", "This session was ended.")
        return caller

    def _visitor(self, request: Request) -> Caller:
        value = request.cookies.get(COOKIE)
        visitor = visitor_of(self._key, value, self._wall.now().timestamp())
        if visitor is None or value is None:
            raise Problem(403, "no-session", "Open the page first: it gives you a session.")
        return Caller(visitor, _fingerprint(value), _issued(value) + MAX_AGE_S)

    def _of_embed(self, request: Request, embed: Embed) -> Caller:
        token, now = bearer_key(request), self._wall.now().timestamp()
        if token.startswith("vis_"):
            visitor = visitor_of(self._embed_key(embed), token, now)
            if visitor is None:
                raise Problem(401, "no-session", "This session cannot be used: begin a new one.")
            if not embed.anonymous:
                raise Problem(403, "sign-in-needed", "Here only drivers who are signed in may chat.")
            return Caller(visitor, _fingerprint(token), _issued(token) + MAX_AGE_S)
        try:
            claims = verify(token, embed, now)
        except TokenRefused as error:
            self._metrics.refused.labels("web", error.slug).inc()
            raise Problem(401, error.slug, str(error)) from None
        return Caller(f"{SIGNED}{claims.driver}", _fingerprint(token), claims.expires_at)

    def new_cookie(self) -> str:
        now = self._wall.now()
        return cookie_value(self._key, new_id("vis", now), int(now.timestamp()))

    def new_visitor(self, embed: Embed) -> tuple[str, float]:
        """A session for an anonymous visitor of the embed: its token, good nowhere else, and when it ends. Raises a 403 Problem."""
        if not embed.anonymous:
            raise Problem(403, "sign-in-needed", "Here only drivers who are signed in may chat.")
        now = self._wall.now()
        issued = int(now.timestamp())
        return cookie_value(self._embed_key(embed), new_id("vis", now), issued), issued + MAX_AGE_S

    async def is_over(self, caller: Caller) -> bool:
        return await self._ended.has(caller.session)

    async def end(self, caller: Caller) -> None:
        await self._ended.add(caller.session, caller.ends_at)

    def _embed_key(self, embed: Embed) -> bytes:
        return hmac.new(self._key, f"embed:{embed.key}".encode(), hashlib.sha256).digest()


def _issued(value: str) -> int:
    return int(value.split(".")[1])


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
