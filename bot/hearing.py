"""What the front door itself hears in a driver's words: danger, and the language; the rest is for Rasa.

The two functions come from `bot.hazard` and `bot.language`, which are pure and work while Rasa is down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.drivers import Drivers
from bot.store.base import BotStore
from bot.store.model import Conversation, Item, Kind
from bot.texts import languages

Detect = Callable[[str, str], str]  # a text and the language until now → the language from now on
IsHazard = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Ears:
    is_hazard: IsHazard
    detect: Detect


class Hearing:
    def __init__(self, store: BotStore, drivers: Drivers, ears: Ears) -> None:
        self._store = store
        self._drivers = drivers
        self._ears = ears

    async def listen(self, item: Item, conversation: Conversation) -> Conversation:
        """The conversation in the language that it has after this item; kept, so that later items go on from it."""
        if item.kind not in {Kind.TEXT, Kind.HAZARD}:
            return conversation
        before = self._drivers.of(conversation).language
        now = self._ears.detect(item.text, before)
        if now == conversation.language or now not in languages():
            return conversation
        if now == before and conversation.language is None:
            return conversation  # the driver's own language needs no note
        await self._store.set_language(conversation.id, now)
        return replace(conversation, language=now)
