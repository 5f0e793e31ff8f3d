"""A reply as one text message: choices become numbered lines, no line invites a carrier keyword, letters are the cheap ones."""

from __future__ import annotations

from collections.abc import Sequence

from bot.consent import KEYWORDS, keyword
from bot.render.capabilities import SMS
from bot.render.gsm7 import fold, is_gsm7
from bot.store.model import Option
from bot.texts import other_words

MAX_BODY = SMS.text  # Twilio refuses more (21617)


def title(option: Option, language: str) -> str:
    """The option's title, in other words where it is nothing but a carrier keyword."""
    word = keyword(option.title)
    return other_words(language).get(word, option.title) if word in KEYWORDS else option.title


def body(
    text: str, options: Sequence[Option], first_number: int = 1, language: str = "en", *, cheap: bool = True
) -> str:
    """The text of the message; `first_number`: where earlier replies of the same turn stopped counting.

    `cheap`: in GSM-7 letters, where it can be; not where the channel does not count segments.
    """
    lines = [f"{number} {title(option, language)}" for number, option in enumerate(options, first_number)]
    choices = "\n".join(lines)
    cut = "…"
    if cheap and is_gsm7(fold(text)) and is_gsm7(fold(choices)):  # one letter that costs makes all of them cost
        text, choices, cut = fold(text), fold(choices), "..."
    room = MAX_BODY - (len(choices) + 1 if choices else 0)
    said = text if len(text) <= room else text[: room - len(cut)].rstrip() + cut
    return "\n".join(part for part in (said, choices) if part)
