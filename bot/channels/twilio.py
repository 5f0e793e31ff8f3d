"""SMS and WhatsApp through Twilio: messages and statuses come in signed, are stored, and answered with empty TwiML at once.

Twilio gives up after 15 seconds, so nothing here waits for an answer to the driver; replies go out by `bot.outbox`.
"""

from __future__ import annotations

import re

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from bot.channels.guard import Guard
from bot.channels.twilio_form import Params, Signatures, parse_form, place_of
from bot.inbox import MAX_MEDIA, Inbox
from bot.metrics import Metrics
from bot.statuses import Statuses
from bot.store.model import Channel
from chargeline.settings import Settings
from chargeline.web import Problem

PATH = "/webhooks/twilio/sms"
WHATSAPP_PATH = "/webhooks/twilio/whatsapp"
STATUS_PATH = "/webhooks/twilio/status"
_MAX_BODY = 65536
_SID = re.compile(r"[A-Za-z0-9]{1,64}")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_USER = re.compile(r"[A-Za-z]{2}\.[A-Za-z0-9.]{1,140}")  # a business-scoped id
_ENTRY = re.compile(r"[a-z0-9_]{1,60}:[A-Za-z0-9_.:\-]{1,120}")
_STATUS = re.compile(r"[a-z_]{1,20}")
_CODE = re.compile(r"[0-9]{1,6}")
_OPT_OUT_TYPES = {"STOP": True, "START": False, "HELP": None}
_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


def blueprint(settings: Settings, inbox: Inbox, statuses: Statuses, metrics: Metrics) -> Blueprint:
    routes = Blueprint("twilio")
    signatures = Signatures(settings)

    guard = Guard("sms", metrics)

    def checked(request: Request, channel: str, ready: bool) -> Params:
        """The form, where it is Twilio's. Raises a Problem that says what is wrong with it."""

        def refuse(status: int, slug: str, why: str) -> Problem:
            return guard.refuse(request, status, slug, why, channel=channel)

        if not (settings.twilio_account_sid and settings.twilio_auth_token and ready):
            raise refuse(
                503,
                f"{channel}-not-configured",
                f"{channel} is off: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and the number of this channel.",
            )
        if len(request.body) > _MAX_BODY:
            raise refuse(413, "too-large", f"The form may have at most {_MAX_BODY} bytes.")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise refuse(415, "not-a-form", "Send application/x-www-form-urlencoded.")
        try:
            params = parse_form(request.body)
        except ValueError:
            raise refuse(400, "bad-form", "The form is not valid UTF-8, or has too many fields.") from None
        if not signatures.are_right(request, params):
            raise refuse(
                403,
                "bad-signature",
                "X-Twilio-Signature does not fit. Check TWILIO_AUTH_TOKEN, and that PUBLIC_URL is what Twilio calls.",
            )
        return params

    def bad_field(request: Request, channel: str, why: str) -> Problem:
        return guard.refuse(request, 400, "bad-field", why, channel=channel)

    @routes.post(PATH, name="sms")
    async def sms(request: Request) -> HTTPResponse:
        params = checked(request, "sms", bool(settings.twilio_from_number))
        if params.one("From").startswith("whatsapp:"):  # one webhook for both senders is how Twilio is often set up
            await _take_whatsapp(request, params)
        else:
            await _take_sms(request, params)
        return raw(_TWIML, content_type="text/xml")

    @routes.post(WHATSAPP_PATH, name="whatsapp")
    async def whatsapp(request: Request) -> HTTPResponse:
        await _take_whatsapp(request, checked(request, "whatsapp", bool(settings.twilio_whatsapp_number)))
        return raw(_TWIML, content_type="text/xml")

    @routes.post(STATUS_PATH, name="status")
    async def status(request: Request) -> HTTPResponse:
        params = checked(request, "sms", bool(settings.twilio_from_number or settings.twilio_whatsapp_number))
        sid, said, code = params.one("MessageSid"), params.one("MessageStatus"), params.one("ErrorCode")
        entry = request.args.get("entry", "")
        if not _SID.fullmatch(sid) or not _STATUS.fullmatch(said) or (entry and not _ENTRY.fullmatch(entry)):
            raise bad_field(request, "sms", "MessageSid and MessageStatus are expected.")
        await statuses.note("twilio", entry or None, sid, said, code if _CODE.fullmatch(code) and code != "0" else None)
        return raw(b"", status=204)

    async def _take_sms(request: Request, params: Params) -> None:
        sid, sender = params.one("MessageSid"), params.one("From")
        if not _SID.fullmatch(sid):
            raise bad_field(request, "sms", "MessageSid is missing or is not one.")
        if not _NUMBER.fullmatch(sender):
            raise bad_field(request, "sms", "From is missing or is not a phone number.")
        media = _media(params)
        if "Body" not in params and not media:
            raise bad_field(request, "sms", "Body is missing.")
        conversation = await inbox.conversation(Channel.SMS, sender)
        handled = params.one("OptOutType").upper()
        if handled in _OPT_OUT_TYPES:  # Advanced Opt-Out has sent its own answer
            await inbox.carrier_answered(conversation, f"twilio:{sid}", params.one("Body"), _OPT_OUT_TYPES[handled])
            return
        await inbox.text(conversation, f"twilio:{sid}", params.one("Body"), media=media)

    async def _take_whatsapp(request: Request, params: Params) -> None:
        sid, sender = params.one("MessageSid"), params.one("From").removeprefix("whatsapp:")
        if not _SID.fullmatch(sid):
            raise bad_field(request, "whatsapp", "MessageSid is missing or is not one.")
        phone = sender if _NUMBER.fullmatch(sender) else None
        user = next((name for name in (params.one("ExternalUserId"), sender) if _USER.fullmatch(name)), None)
        if phone is None and user is None:
            raise bad_field(request, "whatsapp", "From is missing, or is neither a phone number nor a user's id.")
        conversation = await inbox.person(Channel.WHATSAPP, user, phone)
        source = f"twilio:{sid}"
        place = place_of(params)
        token = params.one("ButtonPayload") or params.one("ListId")
        if place is not None:
            await inbox.place(conversation, source, place)
        elif not token or await inbox.choice(conversation, source, token, client_id=None) is None:
            said = params.one("Body") or params.one("ButtonText") or params.one("ListTitle")
            await inbox.text(conversation, source, said, media=_media(params))

    return routes


def _media(params: Params) -> list[tuple[str, str]]:
    """(type, URL) of what came along."""
    count = params.one("NumMedia")
    many = min(int(count), MAX_MEDIA) if count.isascii() and count.isdecimal() and len(count) < 4 else 0
    return [(params.one(f"MediaContentType{n}")[:80], params.one(f"MediaUrl{n}")[:2000]) for n in range(many)]
