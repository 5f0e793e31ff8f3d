"""Which carrier serves which channel, how fast, and with which templates: from the settings."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bot.channels import twilio
from bot.channels.carrier import Carrier
from bot.channels.twilio_api import TwilioApi
from bot.channels.whatsapp_api import WhatsAppApi
from bot.pace import Pace
from bot.store.model import Channel
from chargeline.settings import Settings, SettingsError

_TEMPLATE = re.compile(r"([a-z]{2})=([A-Za-z0-9_]{1,512}(?:/[a-z]{2}(?:_[A-Z]{2})?)?)")


def carriers_from(settings: Settings) -> dict[Channel, Carrier]:
    """Those whose accounts are set. WhatsApp goes by Meta where both are."""
    carriers: dict[Channel, Carrier] = {}
    if settings.twilio_account_sid:
        by_twilio = TwilioApi(
            settings.twilio_api_url,
            settings.twilio_account_sid,
            settings.twilio_auth_token,
            settings.twilio_from_number,
            settings.twilio_whatsapp_number,
            _status_url(settings),
        )
        carriers[Channel.SMS] = by_twilio
        if settings.twilio_whatsapp_number:
            carriers[Channel.WHATSAPP] = by_twilio
    if settings.whatsapp_phone_number_id:
        carriers[Channel.WHATSAPP] = WhatsAppApi(
            settings.whatsapp_api_url, settings.whatsapp_phone_number_id, settings.whatsapp_access_token
        )
    return carriers


def _status_url(settings: Settings) -> str | None:
    """Twilio refuses a callback to a machine that it cannot reach; a carrier on this machine can."""
    here = urlsplit(settings.twilio_api_url).hostname in {"127.0.0.1", "localhost", "::1"}
    return f"{settings.public_base_url}{twilio.STATUS_PATH}" if settings.public_url or here else None


def paces_from(settings: Settings) -> dict[Channel, Pace]:
    return {
        channel: Pace(settings.sends_per_s, settings.sends_per_number_s) for channel in (Channel.SMS, Channel.WHATSAPP)
    }


def templates_from(settings: Settings) -> dict[str, str]:
    """Language → template, as the carrier of WhatsApp names it. Raises SettingsError."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in settings.whatsapp_templates.split(","))):
        row = _TEMPLATE.fullmatch(part)
        if row is None:
            raise SettingsError(
                f"WHATSAPP_TEMPLATES={part!r}: en=name/en_US or en=HX... is expected, separated by commas"
            )
        found[row.group(1)] = row.group(2)
    return found
