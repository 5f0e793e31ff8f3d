"""Puts the desk together: who is signed in, the page, and its parts, each with its routes; one process on a private address."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from sanic import HTTPResponse, Request, Sanic
from sanic.response import BaseHTTPResponse, raw

from bot.trainer import signin as signing
from bot.trainer.base import Desk, Part
from bot.trainer.parts import PARTS
from bot.trainer.signin import SignIn, read_keys, trainer_of
from chargeline.clock import Clock, SystemClock
from chargeline.processes import ROOT
from chargeline.serving import listener, serving
from chargeline.settings import Settings
from chargeline.web import Problem, install_problem_details, json_response

log = structlog.get_logger(__name__)

PAGE = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@asynccontextmanager
async def desk(
    settings: Settings, *, port: int | None = None, parts: Sequence[Part] = PARTS, clock: Clock | None = None
) -> AsyncIterator[int]:
    """The running desk; yields its port. Raises CannotListen, KeysError, SchemaTooNew."""
    clock = clock or SystemClock()
    signin = SignIn(read_keys(settings.desk_keys), clock)
    room = Desk(settings, Path(settings.desk_folder or ROOT), clock)
    room.var.mkdir(parents=True, exist_ok=True)
    app = _app(signin)
    async with AsyncExitStack() as stack:
        for part in parts:
            app.blueprint(await stack.enter_async_context(part(room)))
        bound = listener(settings.private_host, settings.desk_port if port is None else port, "DESK_PORT")
        await stack.enter_async_context(serving(app, bound))
        listening: int = bound.getsockname()[1]
        log.info("desk_open", host=settings.private_host, port=listening)
        yield listening


def _app(signin: SignIn) -> Sanic[Any, Any]:
    # A name of its own each time: Sanic keeps a registry, and tests open several desks in one process.
    app: Sanic[Any, Any] = Sanic(f"desk-{secrets.token_hex(4)}", configure_logging=False)
    app.config.REQUEST_MAX_SIZE = 1 << 20
    app.config.RESPONSE_TIMEOUT = 600
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.MOTD = False
    app.config.TOUCHUP = False
    install_problem_details(app)

    @app.on_request
    async def only_trainers(request: Request) -> None:
        if request.path.startswith("/api/"):
            request.ctx.trainer = trainer_of(request, signin)

    async def guarded(request: Any, response: BaseHTTPResponse) -> None:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Cache-Control", "no-store")

    app.register_middleware(guarded, "response")

    @app.get("/api/me", name="me")
    async def me(request: Request) -> HTTPResponse:
        return json_response({"trainer": request.ctx.trainer})

    @app.get("/healthz", name="healthz")
    async def healthz(request: Request) -> HTTPResponse:
        return json_response({"status": "ok"})

    @app.get("/readyz", name="readyz")
    async def readyz(request: Request) -> HTTPResponse:
        return json_response({"status": "ready"})

    @app.get("/", name="page")
    async def page(request: Request) -> HTTPResponse:
        return _file("index.html")

    @app.get("/page/<name:str>", name="page_file")
    async def page_file(request: Request, name: str) -> HTTPResponse:
        return _file(name)

    app.blueprint(signing.blueprint(signin))
    return app


def _file(name: str) -> HTTPResponse:
    """One file of the page. Only names that are there: no path can be made of them."""
    if name not in {path.name for path in PAGE.iterdir()}:
        raise Problem(404, "not-found", "There is no such file.")
    kind = {".js": "text/javascript"}.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "text/plain"
    return raw((PAGE / name).read_bytes(), content_type=kind if kind.startswith("image/") else f"{kind}; charset=utf-8")
