"""A reply as one text message: choices become numbered lines, and no line invites a carrier keyword."""

from __future__ import annotations

from collections.abc import Sequence

from bot.consent import KEYWORDS, keyword
from bot.store.model import Option
from bot.texts import other_words

MAX_BODY = 1600  # characters; Twilio refuses more (21617)


def title(option: Option, language: str) -> str:
    """The option's title, in other words where it is nothing but a carrier keyword."""
    word = keyword(option.title)
    return other_words(language).get(word, option.title) if word in KEYWORDS else option.title


def body(text: str, options: Sequence[Option], first_number: int = 1, language: str = "en") -> str:
    """The text of the message; `first_number`: where earlier replies of the same turn stopped counting."""
    lines = [f"{number} {title(option, language)}" for number, option in enumerate(options, first_number)]
    choices = "\n".join(lines)
    room = MAX_BODY - (len(choices) + 1 if choices else 0)
    said = text if len(text) <= room else text[: room - 1].rstrip() + "…"
    return "\n".join(part for part in (said, choices) if part)
