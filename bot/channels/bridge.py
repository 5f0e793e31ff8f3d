"""What the bridge tells us: `POST /webhooks/bridge`, signed over the raw body, stored once by event id, then a turn of its conversation."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

import orjson
import structlog
from sanic import Blueprint, HTTPResponse, Request

from bot.channels.guard import Guard
from bot.inbox import Inbox
from bot.metrics import Metrics
from chargeline.clock import Clock
from chargeline.web import json_response

log = structlog.get_logger(__name__)

TOLERANCE_S = 300
_MAX_BODY = 65536
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-fA-F]{64})")
_ID = re.compile(r"[A-Za-z0-9_\-]{1,80}")
_PURPOSE = re.compile(r"[A-Za-z0-9_.:\-]{1,80}")
_WATCH_ENDS = {"watch.met": True, "watch.expired": False}


def sign(secret: str, at: int, body: bytes) -> str:
    """The header value for a body sent at `at` (Unix seconds)."""
    digest = hmac.new(secret.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def is_signed(header: str, secret: str, body: bytes, now: float) -> bool:
    """Whether the header is the bridge's for this body, and no older (or newer) than the tolerance."""
    found = _SIGNATURE.fullmatch(header.strip())
    if found is None or not secret or abs(now - int(found.group(1))) > TOLERANCE_S:
        return False
    return hmac.compare_digest(sign(secret, int(found.group(1)), body).encode(), header.strip().lower().encode())


def message_of(event: dict[str, Any]) -> str | None:
    """What Rasa is told of an event; None where it is none that the dialogue knows. Raises ValueError saying what is wrong."""
    kind = str(event.get("type"))
    if kind == "command.finished":
        command = event.get("command")
        command_id = command.get("id") if isinstance(command, dict) else None
        if not isinstance(command_id, str) or not _ID.fullmatch(command_id):
            raise ValueError("The event has no command with an id.")
        return _intent("command_finished", {"command_id": command_id})
    if kind in _WATCH_ENDS:
        watch, data = event.get("watch"), event.get("data")
        if not isinstance(watch, str) or not _ID.fullmatch(watch):
            raise ValueError("The event names no watch.")
        purpose = data.get("purpose") if isinstance(data, dict) else None
        if purpose is not None and (not isinstance(purpose, str) or not _PURPOSE.fullmatch(purpose)):
            raise ValueError("data.purpose: 1 to 80 letters, digits, _ . : or - are expected.")
        return _intent("watch_ended", {"watch_id": watch, "met": _WATCH_ENDS[kind], "purpose": purpose})
    return None


def _intent(name: str, facts: dict[str, Any]) -> str:
    return f"/EXTERNAL_{name}{orjson.dumps(facts).decode()}"


def blueprint(secret: str, inbox: Inbox, metrics: Metrics, clock: Clock) -> Blueprint:
    routes = Blueprint("bridge")
    guard = Guard("bridge", metrics)

    @routes.post("/webhooks/bridge", name="events")
    async def events(request: Request) -> HTTPResponse:
        if not secret:
            why = "Set BRIDGE_WEBHOOK_SECRET, the same as the bridge's."
            raise guard.refuse(request, 503, "bridge-not-configured", why)
        header = request.headers.get("chargeline-signature", "")
        event = guard.event(
            request,
            _MAX_BODY,
            lambda body: is_signed(header, secret, body, clock.now().timestamp()),
            f"Chargeline-Signature does not fit, or is over {TOLERANCE_S} s old.",
        )
        event_id = str(event["id"])
        try:
            message = message_of(event)
        except ValueError as error:
            raise guard.refuse(request, 400, "bad-event", str(error)) from None
        if message is None:
            log.warning("bridge_event_ignored", event_id=event_id, type=str(event.get("type"))[:40])
            return json_response({"status": "ignored"}, 202)
        data = event.get("data")
        conversation = data.get("conversation") if isinstance(data, dict) else None
        new = await inbox.news(event_id, conversation if isinstance(conversation, str) else "", message)
        if new is None:
            log.warning("bridge_event_without_conversation", event_id=event_id)
            return json_response({"status": "unknown-conversation"}, 202)
        return json_response({"status": "accepted" if new else "duplicate"}, 202 if new else 200)

    return routes
