"""Payments at the front door: Stripe's webhook, the short address behind a payment link, the page after paying.

An event is verified over the raw body, stored once by its id, acknowledged, and becomes a turn of the conversation that its
metadata names. It only says where to look: the action server asks Stripe what is true, so order and repeats make no difference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from html import escape
from typing import Any

import orjson
import structlog
from sanic import Blueprint, HTTPResponse, Request
from sanic.response import html, redirect

from bot.actions_client import ActionsClient, ActionsError, ActionsRefused
from bot.channels.guard import Guard
from bot.inbox import Inbox
from bot.metrics import Metrics
from bot.texts import DEFAULT_LANGUAGE, languages, text
from chargeline.clock import Clock
from chargeline.settings import Settings
from chargeline.web import Problem, bearer_key, json_object, json_response, same_secret

log = structlog.get_logger(__name__)

TOLERANCE_S = 300
_MAX_BODY = 262_144
_ID = re.compile(r"[A-Za-z0-9_\-]{1,120}")
# What a driver may have to be told of; everything else is acknowledged and left to the ledger.
TOLD = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.expired",
        "checkout.session.async_payment_failed",
        "payment_intent.amount_capturable_updated",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "payment_intent.canceled",
    }
)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def is_signed(header: str, secret: str, body: bytes, now: float) -> bool:
    """Whether `Stripe-Signature` (`t=…,v1=…`, several v1 while a secret is rolled) is Stripe's for this body, and fresh."""
    parts = [part.partition("=") for part in header.split(",")]
    at = next((value for name, _, value in parts if name.strip() == "t"), "")
    if not secret or not re.fullmatch(r"\d{1,12}", at) or abs(now - int(at)) > TOLERANCE_S:
        return False
    wanted = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    given = [value.strip() for name, _, value in parts if name.strip() == "v1"]
    return any(hmac.compare_digest(wanted.encode(), one.encode(errors="replace")) for one in given)


def message_of(payment: str, intent: str | None, card_page: str | None = None) -> str:
    """What Rasa is told: which payment has news."""
    facts = {"payment": payment, "payment_intent": intent, "card_page": card_page}
    shown = {name: value for name, value in facts.items() if value is not None}
    return f"/EXTERNAL_payment_news{orjson.dumps(shown).decode()}"


def read(event: dict[str, Any]) -> tuple[str, str] | None:
    """The conversation and the message for its turn; None for an event that no driver is told of. Raises ValueError."""
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    if not isinstance(thing, dict):
        raise ValueError("The event is about nothing.")
    metadata = thing.get("metadata")
    about = metadata if isinstance(metadata, dict) else {}
    conversation, payment = about.get("conversation"), about.get("payment")
    if str(event.get("type")) not in TOLD or not isinstance(conversation, str):
        return None
    thing_id = thing.get("id")
    if not isinstance(thing_id, str) or not _ID.fullmatch(thing_id):
        raise ValueError("What the event is about has no id.")
    if "card_of" in about and event["type"] == "checkout.session.completed":
        return conversation, message_of("", None, thing_id)
    if not isinstance(payment, str) or not _ID.fullmatch(payment):
        return None
    return conversation, message_of(payment, thing_id if thing.get("object") == "payment_intent" else None)


def blueprint(settings: Settings, inbox: Inbox, metrics: Metrics, clock: Clock, actions: ActionsClient) -> Blueprint:
    routes = Blueprint("stripe")
    secret = settings.stripe_signing_secret
    guard = Guard("stripe", metrics)

    async def take(event_id: str, conversation: str, message: str) -> HTTPResponse:
        new = await inbox.news(event_id, conversation, message, origin="stripe")
        if new is None:
            log.warning("payment_event_without_conversation", event_id=event_id)
            return json_response({"status": "unknown-conversation"}, 202)
        return json_response({"status": "accepted" if new else "duplicate"}, 202 if new else 200)

    @routes.post("/webhooks/stripe", name="events")
    async def events(request: Request) -> HTTPResponse:
        if not secret:
            why = "Set STRIPE_WEBHOOK_SECRET to the webhook's signing secret."
            raise guard.refuse(request, 503, "stripe-not-configured", why)
        header = request.headers.get("stripe-signature", "")
        event = guard.event(
            request,
            _MAX_BODY,
            lambda body: is_signed(header, secret, body, clock.now().timestamp()),
            f"Stripe-Signature does not fit, or is over {TOLERANCE_S} s old.",
        )
        try:
            found = read(event)
        except ValueError as error:
            raise guard.refuse(request, 400, "bad-event", str(error)) from None
        if found is None:
            return json_response({"status": "ignored"}, 202)
        return await take(str(event["id"]), *found)

    @routes.post("/v1/payments/events", name="ledger_events")
    async def ledger_events(request: Request) -> HTTPResponse:
        """From the action server: what it found in its ledger, or fetched because the webhook never came."""
        if not same_secret(bearer_key(request), settings.actions_key):
            raise Problem(401, "wrong-key", "This takes the action server's key.")
        body = json_object(request)
        fields = [body.get(name) for name in ("id", "conversation", "payment")]
        event_id, conversation, payment = (one if isinstance(one, str) else "" for one in fields)
        if not all(_ID.fullmatch(one) for one in (event_id, conversation, payment)):
            raise Problem(422, "bad-event", "id, conversation and payment are expected.")
        intent = body.get("intent")
        return await take(event_id, conversation, message_of(payment, intent if isinstance(intent, str) else None))

    @routes.get("/pay/return", name="pay_return")
    async def pay_return(request: Request) -> HTTPResponse:
        """Where a payment page sends the driver. It proves nothing, so it claims nothing."""
        asked = request.args.get("lang") or ""
        return _page(asked if asked in languages() else DEFAULT_LANGUAGE, "pay_return")

    @routes.get("/pay/<payment:str>", name="pay")
    async def pay(request: Request, payment: str) -> HTTPResponse:
        """The short address in a message leads to the provider's page, which has a long one."""
        if not _ID.fullmatch(payment):
            raise Problem(404, "not-found", "There is no such page.")
        try:
            page = await actions.payment_page(payment)
            return redirect(page, headers={"Cache-Control": "no-store"}, status=303)
        except ActionsRefused as error:
            if error.status == 404:
                raise Problem(404, "not-found", "There is no such page.") from None
            return _page(DEFAULT_LANGUAGE, "pay_over", status=410)
        except ActionsError:
            return _page(DEFAULT_LANGUAGE, "pay_away", status=503)

    return routes


def _page(language: str, key: str, status: int = 200) -> HTTPResponse:
    words = escape(text(language, key))
    body = (
        f"<!doctype html><html lang='{language}'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        "<title>Chargeline</title><style>:root{color-scheme:light dark}body{font:1.125rem/1.5 system-ui,sans-serif;"
        f"max-width:32rem;margin:3rem auto;padding:0 1rem}}</style></head><body><main><p>{words}</p></main></body></html>"
    )
    return html(body, status=status, headers=_HEADERS)
