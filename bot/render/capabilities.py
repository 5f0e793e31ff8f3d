"""What each channel can show, as data: rendering asks here and nowhere else. Lengths are in characters."""

from __future__ import annotations

from dataclasses import dataclass

from bot.store.model import Channel


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`buttons`, `rows`: how many choices as buttons or as a list; 0 where choices are numbered lines of the text."""

    text: int
    buttons: int = 0
    button_title: int = 0
    rows: int = 0
    row_title: int = 0
    row_description: int = 0
    interactive_text: int = 0
    choice_id: int = 0
    location_request: bool = False
    carrier_keywords: bool = False
    segments: int | None = None  # a reply's budget, where the channel counts them


# Sources: https://www.twilio.com/docs/messaging/api/message-resource (1,600 characters);
# https://developers.facebook.com/docs/whatsapp/cloud-api/messages: interactive-reply-buttons-messages (3 of 20, id 256),
# interactive-list-messages (10 rows of 24 and 72), text-messages (4,096), location-request-messages.
SMS = Capabilities(text=1600, carrier_keywords=True, segments=2)
WHATSAPP_META = Capabilities(
    text=4096,
    buttons=3,
    button_title=20,
    rows=10,
    row_title=24,
    row_description=72,
    interactive_text=1024,
    choice_id=200,
    location_request=True,
)
# Buttons through Twilio need contents that were created there beforehand, so choices are numbered as in a text.
WHATSAPP_TWILIO = Capabilities(text=1600, carrier_keywords=True)
PAGE = Capabilities(text=100_000, buttons=100, button_title=200, location_request=True)

TABLE = {Channel.SMS: SMS, Channel.WHATSAPP: WHATSAPP_META, Channel.WEB: PAGE, Channel.TERMINAL: PAGE}
