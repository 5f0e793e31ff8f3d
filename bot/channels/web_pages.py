"""Our own pages (`/`, `/c/{charger}`, `/widget`) and the widget's script: files that are read once, under a strict policy.

A page gives its visitor a signed cookie. The script is built in bot/widget and may be loaded by any site: it holds no secret.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from bot.channels.visitors import COOKIE, MAX_AGE_S, visitor_of
from bot.identity.callers import Callers
from bot.identity.rates import Rate
from chargeline.clock import Clock
from chargeline.settings import Settings
from chargeline.web import Problem

_FOLDER = Path(__file__).parent.parent
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "Permissions-Policy": "geolocation=(self)",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_CHARGER = re.compile(r"[A-Za-z0-9*](?:[A-Za-z0-9 ._*\-]{0,46}[A-Za-z0-9*])?")


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    packed: bytes
    kind: str
    tag: str


def _file(path: Path) -> _File:
    body = path.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    return _File(body, gzip.compress(body, 9, mtime=0), _TYPES.get(path.suffix, "text/html; charset=utf-8"), tag)


def blueprint(settings: Settings, key: bytes, callers: Callers, wall: Clock) -> Blueprint:
    """`key` signs the visitors' cookies; `wall` is real time."""
    routes = Blueprint("pages")
    new_visitors = Rate(120, 2.0)  # by network address, which drivers behind one carrier share
    secure = settings.public_base_url.startswith("https://")
    files = {path.name: _file(path) for path in (_FOLDER / "page").iterdir() if path.suffix in _TYPES}
    script = _file(_FOLDER / "widget" / "dist" / "chargeline-chat.js")
    pages = {name: _file(_FOLDER / "page" / f"{name}.html") for name in ("index", "widget")}

    def sent(request: Request, file: _File, headers: dict[str, str]) -> HTTPResponse:
        headers = {**headers, "ETag": file.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == file.tag:
            return raw(b"", status=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return raw(file.packed, headers={**headers, "Content-Encoding": "gzip"}, content_type=file.kind)
        return raw(file.body, headers=headers, content_type=file.kind)

    def page(request: Request, name: str) -> HTTPResponse:
        response = raw(
            pages[name].body, content_type=pages[name].kind, headers={**_PAGE_HEADERS, "Cache-Control": "no-store"}
        )
        if visitor_of(key, request.cookies.get(COOKIE), wall.now().timestamp()) is None:
            if not new_visitors.take(request.remote_addr or request.ip, wall.monotonic()):
                raise Problem(429, "too-often", "Too many new visitors from one address: wait a moment.")
            response.add_cookie(
                COOKIE,
                callers.new_cookie(),
                httponly=True,
                samesite="Lax",
                secure=secure,
                max_age=MAX_AGE_S,
                path="/",
            )
        return response

    @routes.get("/", name="page")
    async def index(request: Request) -> HTTPResponse:
        return page(request, "index")

    @routes.get("/c/<charger:str>", name="charger", unquote=True)
    async def of_charger(request: Request, charger: str) -> HTTPResponse:
        """Where the sticker on a charger leads; the script reads charger and connector from the address."""
        if not _CHARGER.fullmatch(charger):
            raise Problem(404, "not-found", "That is not a charger's number.")
        return page(request, "index")

    @routes.get("/c/<charger:str>/<connector:int>", name="connector", unquote=True)
    async def of_connector(request: Request, charger: str, connector: int) -> HTTPResponse:
        if not _CHARGER.fullmatch(charger) or not 0 < connector < 100:
            raise Problem(404, "not-found", "That is not a charger's number.")
        return page(request, "index")

    @routes.get("/widget", name="widget")
    async def widget(request: Request) -> HTTPResponse:
        return page(request, "widget")

    @routes.get("/widget/chargeline-chat.js", name="script")
    async def bundle(request: Request) -> HTTPResponse:
        open_to_all = {
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cache-Control": "public, max-age=300",
            "X-Content-Type-Options": "nosniff",
        }
        return sent(request, script, open_to_all)

    @routes.get("/page/<name:str>", name="asset")
    async def asset(request: Request, name: str) -> HTTPResponse:
        if name not in files:
            raise Problem(404, "not-found", "There is no such file.")
        return sent(request, files[name], {**_PAGE_HEADERS, "Cache-Control": "no-cache"})

    return routes
