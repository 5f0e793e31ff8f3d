"""SMS in through Twilio: `POST /webhooks/twilio/sms`, signed, stored, answered with empty TwiML at once.

Twilio gives up after 15 seconds, so nothing here waits for an answer to the driver; replies go out by `bot.outbox`.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import structlog
from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw
from twilio.request_validator import RequestValidator

from bot.inbox import Inbox
from bot.metrics import Metrics
from bot.store.model import Channel
from chargeline.settings import Settings
from chargeline.web import Problem

log = structlog.get_logger(__name__)

PATH = "/webhooks/twilio/sms"
_MAX_BODY = 65536
_MAX_FIELDS = 300
_SID = re.compile(r"[A-Za-z0-9]{1,64}")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


class Params(dict[str, list[str]]):
    """Form fields, each with all its values, in the shape that twilio's validator asks for."""

    def getlist(self, name: str) -> list[str]:
        return self.get(name, [])

    def one(self, name: str) -> str:
        return self.get(name, [""])[0]


def parse_form(body: bytes) -> Params:
    """All fields, empty ones too, since the signature covers them. Raises ValueError where the form is malformed."""
    params = Params()
    text = body.decode("utf-8")  # a form is ASCII; UnicodeDecodeError is a ValueError
    for name, value in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS):
        params.setdefault(name, []).append(value)
    return params


def signed_urls(settings: Settings, request: Request) -> list[str]:
    """The URLs that may have been signed. Behind a proxy only PUBLIC_URL is right, since the request does not know it.

    Where PUBLIC_URL is not set, the front door is called directly, by whichever name of this machine: then the name in the
    request counts too. It proves nothing by itself; the signature still needs the auth token.
    """
    query = f"?{request.query_string}" if request.query_string else ""
    bases = [settings.public_base_url]
    if not settings.public_url and request.host:
        bases.append(f"http://{request.host}")
    return [f"{base}{request.path}{query}" for base in bases]


def blueprint(settings: Settings, inbox: Inbox, metrics: Metrics) -> Blueprint:
    routes = Blueprint("twilio")
    validator = RequestValidator(settings.twilio_auth_token)

    def refuse(status: int, slug: str, why: str) -> Problem:
        metrics.refused.labels("sms", slug).inc()
        log.warning("webhook_refused", channel="sms", reason=slug)
        return Problem(status, slug, why)

    @routes.post(PATH, name="sms")
    async def sms(request: Request) -> HTTPResponse:
        if not (settings.twilio_account_sid and settings.twilio_auth_token and settings.twilio_from_number):
            raise refuse(
                503,
                "sms-not-configured",
                "SMS is off: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM_NUMBER.",
            )
        if len(request.body) > _MAX_BODY:
            raise refuse(413, "too-large", f"The form may have at most {_MAX_BODY} bytes.")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise refuse(415, "not-a-form", "Send application/x-www-form-urlencoded.")
        signature = request.headers.get("x-twilio-signature", "")
        try:
            params = parse_form(request.body)
        except ValueError:
            raise refuse(400, "bad-form", "The form is not valid UTF-8, or has too many fields.") from None
        if not any(validator.validate(url, params, signature) for url in signed_urls(settings, request)):
            raise refuse(
                403,
                "bad-signature",
                "X-Twilio-Signature does not fit. Check TWILIO_AUTH_TOKEN, and that PUBLIC_URL is what Twilio calls.",
            )
        await _take(params)
        return raw(_TWIML, content_type="text/xml")

    async def _take(params: Params) -> None:
        sid, sender = params.one("MessageSid"), params.one("From")
        if not _SID.fullmatch(sid):
            raise refuse(400, "bad-field", "MessageSid is missing or is not one.")
        if not _NUMBER.fullmatch(sender):
            raise refuse(400, "bad-field", "From is missing or is not a phone number.")
        media = params.one("NumMedia") not in {"", "0"}
        if "Body" not in params and not media:
            raise refuse(400, "bad-field", "Body is missing.")
        conversation = await inbox.conversation(Channel.SMS, sender)
        await inbox.text(conversation, f"twilio:{sid}", params.one("Body"), media=media)

    return routes
