"""WhatsApp by Meta: `GET /webhooks/whatsapp` proves that the webhook is ours, `POST` brings messages and statuses.

Signed over the raw body, stored, acknowledged at once; Meta brings again for days whatever is not acknowledged.
"""

from __future__ import annotations

import re

import structlog
from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from bot.channels import whatsapp_webhook
from bot.channels.carrier_errors import rule_of
from bot.channels.guard import Guard
from bot.channels.whatsapp_webhook import Message
from bot.inbox import Inbox
from bot.metrics import Metrics
from bot.statuses import Statuses
from bot.store.model import Channel
from chargeline.settings import Settings
from chargeline.web import same_secret

log = structlog.get_logger(__name__)

PATH = "/webhooks/whatsapp"
MAX_BODY = 3 * 2**20  # bytes: Meta's largest batch
_CHALLENGE = re.compile(r"[A-Za-z0-9_\-]{1,200}")


def blueprint(settings: Settings, inbox: Inbox, statuses: Statuses, metrics: Metrics) -> Blueprint:
    routes = Blueprint("whatsapp")

    guard = Guard("whatsapp", metrics)

    def check_configured(request: Request) -> None:
        if not (settings.whatsapp_phone_number_id and settings.whatsapp_app_secret):
            raise guard.refuse(
                request,
                503,
                "whatsapp-not-configured",
                "WhatsApp is off: set WHATSAPP_PHONE_NUMBER_ID, WHATSAPP_ACCESS_TOKEN, WHATSAPP_APP_SECRET and "
                "WHATSAPP_VERIFY_TOKEN.",
            )

    @routes.get(PATH, name="verify")
    async def verify(request: Request) -> HTTPResponse:
        check_configured(request)
        given, challenge = request.args.get("hub.verify_token", ""), request.args.get("hub.challenge", "")
        if request.args.get("hub.mode") != "subscribe" or not same_secret(given, settings.whatsapp_verify_token):
            raise guard.refuse(request, 403, "wrong-verify-token", "hub.verify_token is not WHATSAPP_VERIFY_TOKEN.")
        if not _CHALLENGE.fullmatch(challenge):
            raise guard.refuse(request, 400, "bad-field", "hub.challenge is missing or is not one.")
        return raw(challenge.encode(), content_type="text/plain; charset=utf-8")

    @routes.post(PATH, name="webhook")
    async def webhook(request: Request) -> HTTPResponse:
        check_configured(request)
        if len(request.body) > MAX_BODY:
            raise guard.refuse(request, 413, "too-large", f"The body may have at most {MAX_BODY} bytes.")
        signature = request.headers.get("x-hub-signature-256", "")
        if not whatsapp_webhook.is_signed(signature, settings.whatsapp_app_secret, request.body):
            raise guard.refuse(
                request, 403, "bad-signature", "X-Hub-Signature-256 does not fit. Check WHATSAPP_APP_SECRET."
            )
        batch = guard.json(request, MAX_BODY)
        messages, told, unread = whatsapp_webhook.read(batch, settings.whatsapp_phone_number_id)
        for code in whatsapp_webhook.account_errors(batch):
            log.error("whatsapp_account_error", code=code, means=rule_of("meta", code).means)
        if unread:
            metrics.refused.labels("whatsapp", "unread-part").inc(unread)
            log.warning("webhook_part_not_read", channel="whatsapp", parts=unread)
        for message in messages:
            await _take(message)
        for status in told:
            await statuses.note("meta", status.entry, status.id, status.status, status.code)
        return raw(b"", status=200, content_type="text/plain")

    async def _take(message: Message) -> None:
        conversation = await inbox.person(Channel.WHATSAPP, message.user, message.phone)
        source = f"wa:{message.id}"
        if message.place is not None:
            await inbox.place(conversation, source, message.place)
            return
        if message.token is not None and await inbox.choice(conversation, source, message.token, client_id=None):
            return
        await inbox.text(conversation, source, message.text, media=message.media)

    return routes
