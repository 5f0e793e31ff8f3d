"""What every Sanic app here has in common: problem details (RFC 9457), bearer keys with scopes, JSON that is checked at the edge."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import structlog
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException
from sanic.response import raw

log = structlog.get_logger(__name__)


class Problem(Exception):
    """An error for the caller: HTTP status, a short type slug, a sentence that says what to do about it."""

    def __init__(self, status: int, slug: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.extra = extra


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    return raw(orjson.dumps(body), status=status, headers=dict(headers or {}), content_type="application/json")


def problem_response(status: int, slug: str, detail: str, extra: Mapping[str, Any] | None = None) -> HTTPResponse:
    body = {"type": f"urn:chargeline:{slug}", "title": slug.replace("-", " "), "status": status, "detail": detail}
    response = json_response({**body, **(extra or {})}, status)
    response.content_type = "application/problem+json"
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def install_problem_details(app: Sanic[Any, Any]) -> None:
    """Every error of the app leaves it as application/problem+json; an unexpected one is logged, never shown."""

    async def on_problem(request: Request, error: Problem) -> HTTPResponse:
        return problem_response(error.status, error.slug, error.detail, error.extra)

    async def on_sanic(request: Request, error: SanicException) -> HTTPResponse:
        status = error.status_code or 500
        slug = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 400: "bad-request"}.get(status, "error")
        response = problem_response(status, slug, str(error) or slug)
        for name, value in (getattr(error, "headers", None) or {}).items():
            if name.lower() not in {"content-type", "content-length"}:
                response.headers[name] = value
        return response

    async def on_anything(request: Request, error: Exception) -> HTTPResponse:
        log.exception("request_failed", path=request.path, method=request.method)
        return problem_response(500, "internal-error", "Something went wrong on our side; it has been logged.")

    app.error_handler.add(Problem, on_problem)
    app.error_handler.add(SanicException, on_sanic)
    app.error_handler.add(Exception, on_anything)


def bearer_key(request: Request) -> str:
    """The key of an `Authorization: Bearer` header; raises a 401 Problem where there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Problem(401, "no-key", "Send a key: 'Authorization: Bearer <key>'.")
    return key.strip()


def same_secret(given: str, expected: str) -> bool:
    """Compares in constant time; an empty expected secret matches nothing."""
    return bool(expected) and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def json_object(request: Request, *, limit: int = 65536) -> dict[str, Any]:
    """The request's JSON object; raises a 400 or 413 Problem that says what is wrong with it."""
    if len(request.body) > limit:
        raise Problem(413, "too-large", f"The body may have at most {limit} bytes.")
    try:
        value = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "not-json", f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise Problem(400, "not-an-object", "The body must be a JSON object.")
    return value


def add_health(app: Sanic[Any, Any], ready: Callable[[], Awaitable[str | None]]) -> None:
    """`/healthz`: the process answers. `/readyz`: 200 when `ready()` is None, else 503 with its reason."""

    @app.get("/healthz", name="healthz")
    async def healthz(request: Request) -> HTTPResponse:
        return json_response({"status": "ok"})

    @app.get("/readyz", name="readyz")
    async def readyz(request: Request) -> HTTPResponse:
        reason = await ready()
        return json_response({"status": "ready"}) if reason is None else problem_response(503, "not-ready", reason)
