"""What a driver's text becomes before it is stored: cards masked, control characters and leading slashes gone, bounded."""

from __future__ import annotations

import re

from bot.pan import mask_cards

MAX_TEXT = 1600  # characters; Twilio's own limit for one message

# C0 and C1 control characters except line feed and tab; they mean nothing to a reader and break logs and terminals.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# Invisible characters that could hide a leading slash from us and not from Rasa.
_LEADING = re.compile(r"^[\s/\u00ad\u200b-\u200f\u2060\ufeff]+")


def clean(text: str) -> str:
    """The text as it may be stored. Empty where nothing readable is left.

    Leading slashes go because Rasa takes a text that begins with one for an intent; only the front door may send those.
    """
    # Masked before it is cut, or a cut through a card number would leave its first digits unrecognised. The first cut
    # bounds the work; ten times the limit, because masking shortens a text to a quarter at most.
    bounded = text.replace("\r\n", "\n")[: 10 * MAX_TEXT]
    masked = mask_cards(_CONTROL.sub(" ", bounded))
    return _LEADING.sub("", masked).rstrip()[:MAX_TEXT].rstrip()
