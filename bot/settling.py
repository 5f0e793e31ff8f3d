"""Several quick texts of one thought are one turn: how long to wait for a next one, and which belong together.

People at a charger write in pieces ("hi", "im at 1042", "it wont start"). Each piece alone would be answered wrongly.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from datetime import datetime

from bot.choices import meant_by_text, open_choices
from bot.pan import mask_spread_card
from bot.replies import RECENT
from bot.store.base import BotStore
from bot.store.model import CARRIED, Conversation, Item, Kind
from chargeline.clock import Clock

MOST_JOINED = 8
_MOST_LETTERS = 1600  # of all together; what one message may have
_GAP_S = 5.0  # between two texts of one thought that both wait already
_PATIENT = 5  # a text that looks unfinished waits so many times longer

# A text that ends so, or is no more than a greeting, wants to be gone on with: conjunctions, articles, a comma.
_UNFINISHED = re.compile(
    r"(?:[,;:\-–…]|\.\.|\b(?:and|but|so|the|a|my|at|on|it|its|because|cuz|also|y|pero|el|la|mi|en|porque|con|et|mais|le|les|mon|ma|"
    r"parce que|pis|sur|à|avec))$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"(?:hi|hey|hello|yo|hiya|good (?:morning|afternoon|evening)|hola|buenas?(?: (?:tardes|noches|dias|días))?|buenos d[ií]as|"
    r"bonjour|bonsoir|salut|allo|allô)(?: there)?\W*",
    re.IGNORECASE,
)


def looks_unfinished(text: str) -> bool:
    stripped = text.strip()
    return _GREETING.fullmatch(stripped) is not None or _UNFINISHED.search(stripped) is not None


def wait_s(texts: Sequence[str], since_last_s: float, settle_s: float) -> float:
    """How much longer to wait before these texts are answered; `since_last_s`: how long ago the last one came."""
    patience = settle_s * (_PATIENT if looks_unfinished(texts[-1]) else 1)
    return max(0.0, patience - since_last_s)


def belonging(items: Sequence[Item], own_meaning: Sequence[bool], gap_s: float = _GAP_S) -> int:
    """How many of the first items are one thought: words only, soon after one another, none an answer by itself."""
    letters = len(items[0].text)
    for count, (before, item) in enumerate(itertools.pairwise(items), 1):
        letters += 1 + len(item.text)
        apart = (item.received_at - before.received_at).total_seconds()
        alone = item.kind is not Kind.TEXT or own_meaning[count] or own_meaning[count - 1]
        if alone or apart > gap_s or letters > _MOST_LETTERS or count >= MOST_JOINED:
            return count
    return len(items)


class Settling:
    def __init__(self, store: BotStore, clock: Clock, settle_s: float) -> None:
        """`settle_s`: seconds of the driver's time, on `clock`; 0 joins nothing."""
        self._store = store
        self._clock = clock
        self._settle_s = settle_s

    async def join(self, item: Item, conversation: Conversation) -> Item:
        """The item with what belongs to it, once that has come; as it is where nothing can follow, or Rasa was asked."""
        if not self._may_join(item, conversation):
            return item
        while True:
            items = await self._store.open_items(item.conversation, MOST_JOINED + 1)
            count = belonging(items, await self._own_meanings(items))
            if count < len(items):
                break  # what comes next is something else: the thought is complete
            wait = wait_s([one.text for one in items], self._since(items[-1].received_at), self._settle_s)
            if wait <= 0:
                break
            await self._clock.sleep(wait)
        if count == 1:
            return item
        texts = await self._without_card([(one.id, one.text) for one in items[:count]])
        await self._store.join(item.id, [one.id for one in items[1:count]], "\n".join(texts))
        joined = await self._store.open_items(item.conversation, 1)
        return joined[0]

    async def _without_card(self, items: Sequence[tuple[str, str]]) -> list[str]:
        """Their texts without a card number that only together they are: pieces that came at the same moment, or out of order."""
        texts = [text for _, text in items]
        for end in range(2, len(texts) + 1):
            texts[:end] = mask_spread_card(texts[:end]) or texts[:end]
        changed = {item: text for (item, before), text in zip(items, texts, strict=True) if before != text}
        if changed:
            await self._store.rewrite(changed)
        return texts

    def _may_join(self, item: Item, conversation: Conversation) -> bool:
        return (
            self._settle_s > 0
            and item.kind is Kind.TEXT
            and item.asked_at is None
            and item.asked_text is None
            and not item.media
            and conversation.channel in CARRIED
            and conversation.case is None
        )

    async def _own_meanings(self, items: Sequence[Item]) -> list[bool]:
        """Which texts answer what was asked, and stand for themselves."""
        choices = open_choices(await self._store.latest_entries(items[0].conversation, RECENT))
        return [item.kind is Kind.TEXT and meant_by_text(item.text, choices) is not None for item in items]

    def _since(self, at: datetime) -> float:
        return (self._clock.now() - at).total_seconds()
