"""What the signed webhooks have in common: an attempt that is refused leaves a trace and nothing else.

The trace is a log line and a count; of the body it keeps size and digest, so that a replay can be told from a mistake, never a word.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import structlog
from sanic import Request, Sanic
from sanic.response import BaseHTTPResponse

from bot.metrics import Metrics
from chargeline.web import Problem, json_object

log = structlog.get_logger(__name__)

_EVENT_ID = re.compile(r"[A-Za-z0-9_\-]{1,120}")


class Guard:
    def __init__(self, channel: str, metrics: Metrics) -> None:
        self._channel = channel
        self._metrics = metrics

    def refuse(self, request: Request, status: int, slug: str, why: str, *, channel: str | None = None) -> Problem:
        """The Problem to raise; `channel`: where one webhook serves two."""
        _record(request, self._metrics, channel or self._channel, status, slug)
        return Problem(status, slug, why)

    def event(self, request: Request, limit: int, signed: Callable[[bytes], bool], why: str) -> dict[str, Any]:
        """The JSON object of an event with an id, where it is signed; `why`: what to say of a signature that is wrong."""
        if len(request.body) > limit:
            raise self.refuse(request, 413, "too-large", f"An event may have at most {limit} bytes.")
        if not signed(request.body):
            raise self.refuse(request, 403, "bad-signature", why)
        event = self.json(request, limit)
        if not isinstance(event.get("id"), str) or not _EVENT_ID.fullmatch(event["id"]):
            raise self.refuse(request, 400, "bad-event", "The event has no id.")
        return event

    def json(self, request: Request, limit: int) -> dict[str, Any]:
        try:
            return json_object(request, limit=limit)
        except Problem as error:
            raise self.refuse(request, error.status, error.slug, error.detail) from None


def note_unrouted(app: Sanic[Any, Any], metrics: Metrics) -> None:
    """Attempts at a webhook that the server itself turns away, before any channel sees them: too large, no such path."""

    async def note(request: Request, response: BaseHTTPResponse) -> None:
        at_webhook = request.path.startswith("/webhooks/")
        if at_webhook and response.status in {400, 404, 405, 413, 417} and not hasattr(request.ctx, "refused"):
            _record(request, metrics, "webhooks", response.status, "not-read")

    app.register_middleware(note, "response")


def _record(request: Request, metrics: Metrics, channel: str, status: int, slug: str) -> None:
    request.ctx.refused = slug
    metrics.refused.labels(channel, slug).inc()
    log.warning(
        "webhook_refused",
        channel=channel,
        reason=slug,
        status=status,
        path=request.path[:80],
        bytes=len(request.body or b""),
        sha256=hashlib.sha256(request.body or b"").hexdigest()[:16],
        sender=request.client_ip,
    )
