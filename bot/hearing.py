"""What the front door itself hears in a driver's words: danger, and the language; the rest is for Rasa.

The two functions come from `bot.hazard` and `bot.language`, which are pure and work while Rasa is down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.drivers import Drivers
from bot.hazard import match
from bot.language import detect
from bot.store.base import BotStore
from bot.store.model import Conversation, Item, Kind
from bot.texts import DEFAULT_LANGUAGE, languages

Detect = Callable[[str, str], str]  # a text and the language until now ("": unknown) → the language from now on
Danger = Callable[[str], str | None]  # the language of the words that mean danger, or None


@dataclass(frozen=True, slots=True)
class Ears:
    danger: Danger
    detect: Detect


def real_ears() -> Ears:
    """Those of `bot.hazard` and `bot.language`, with their words read and compiled now, not while a driver waits."""

    def danger(text: str) -> str | None:
        found = match(text)
        return None if found is None else found.language

    danger("")
    detect("", DEFAULT_LANGUAGE)
    return Ears(danger, detect)


class Hearing:
    def __init__(self, store: BotStore, drivers: Drivers, ears: Ears) -> None:
        self._store = store
        self._drivers = drivers
        self._ears = ears

    async def listen(self, item: Item, conversation: Conversation) -> Conversation:
        """The conversation in the language that it has after this item; kept, so that later items go on from it."""
        if item.kind not in {Kind.TEXT, Kind.HAZARD}:
            return conversation
        before = self._drivers.language_of(conversation)
        likely = before
        if likely is None and item.kind is Kind.HAZARD:
            likely = self._ears.danger(item.text)  # one word must do to give a stranger advice that is understood
        now = self._ears.detect(item.text, likely or "") or DEFAULT_LANGUAGE
        if now == (before or DEFAULT_LANGUAGE) or now not in languages():
            return conversation
        await self._store.set_language(conversation.id, now)
        return replace(conversation, language=now)
