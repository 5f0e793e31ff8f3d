"""The inbox as trainers see it: messages that are worth a look, near-duplicates together, the most useful first.

Groups are made by the sense of the words, which the trainer process knows; while it starts, or where it is away, only texts that
are one to the model stand together.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.trainer.base import Desk, LanguageModelAway
from bot.trainer.corpus.corpus import Corpus
from bot.trainer.corpus.health import as_heard, vocabulary, words_in
from bot.trainer.corpus.marked import read_marks
from bot.trainer.inbox.signals import Message, read_conversation
from bot.trainer.inbox.traffic import Traffic, TrafficReader
from bot.trainer.journal import Journal

log = structlog.get_logger(__name__)

# Cosine from which two texts are one decision: of such pairs in the training data nine in ten have one label.
ALIKE = 0.85
MOST_GROUPED = 2000


@dataclass(frozen=True, slots=True)
class Group:
    """`messages`: the most useful first; it is the one that is shown."""

    messages: tuple[Message, ...]

    @property
    def usefulness(self) -> float:
        """The best message's, and more where many drivers wrote the same."""
        return self.messages[0].usefulness + math.log2(len(self.messages))


@dataclass(slots=True)
class _Groups:
    """Which text stands for which, as far as the language model was asked."""

    head_of: dict[str, str] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    away: str | None = None


class Inbox:
    def __init__(self, desk: Desk, corpus: Corpus, journal: Journal, reader: TrafficReader) -> None:
        self._desk = desk
        self._corpus = corpus
        self._journal = journal
        self._reader = reader
        self._groups = _Groups()
        self._grouping: asyncio.Task[None] | None = None
        self._learned: tuple[str, dict[str, set[str]], set[str]] = ("", {}, set())

    async def close(self) -> None:
        if self._grouping is not None:
            self._grouping.cancel()
            await asyncio.gather(self._grouping, return_exceptions=True)

    async def traffic(self) -> Traffic:
        """Raises TrafficAway."""
        return await self._reader.recent()

    async def messages(self) -> list[Message]:
        """All of the recent ones on which nobody has decided and that are not learned yet, newest first. Raises TrafficAway."""
        traffic = await self._reader.recent()
        marked, decided = await self._journal.marked(), await self._journal.decided()

        def read() -> list[Message]:
            known, learned = self._what_is_learned()
            found = [
                message
                for conversation, lines in traffic.lines.items()
                for message in read_conversation(lines, traffic.about[conversation], known, words_in, marked)
                if message.id not in decided and (message.id in marked or as_heard(message.text) not in learned)
            ]
            return sorted(found, key=lambda message: message.at, reverse=True)

        return await asyncio.to_thread(read)  # the first time it takes a moment

    async def texts(self, most: int) -> list[str]:
        """What drivers wrote of late, each text once, newest first; nothing where the front door is away is an error of the caller's."""
        traffic = await self._reader.recent()
        lines = [
            line
            for each in traffic.lines.values()
            for line in each
            if line.author == "driver" and line.kind in {"text", "hazard"} and line.text.strip()
        ]
        lines.sort(key=lambda line: line.at, reverse=True)
        return list(dict.fromkeys(line.text for line in lines))[:most]

    async def groups(self, messages: Sequence[Message]) -> tuple[list[Group], str | None]:
        """The most useful first; and why they are not grouped by sense, where they are not."""
        wanted = list(dict.fromkeys(message.text for message in messages))[:MOST_GROUPED]
        self._look_for_groups(wanted)
        together: dict[tuple[str, str], list[Message]] = {}
        for message in messages:
            head = self._groups.head_of.get(message.text, message.text)
            together.setdefault((message.language, as_heard(head)), []).append(message)
        groups = [
            Group(tuple(sorted(each, key=lambda one: (-one.usefulness, -one.at.timestamp()))))
            for each in together.values()
        ]
        groups.sort(key=lambda group: (-group.usefulness, -group.messages[0].at.timestamp()))
        pending = None if set(wanted) <= self._groups.asked else "Messages are being grouped by their sense."
        return groups, self._groups.away or pending

    async def understood_now(self, text: str) -> tuple[list[tuple[str, float]], list[dict[str, Any]]]:
        """What the live model thinks of it, and the entities it finds. Raises LanguageModelAway."""
        if self._desk.language is None:
            raise LanguageModelAway("The language model is not part of this desk.")
        parsed = (await self._desk.language.parse([text]))[0]
        ranking = [
            (str(row["name"]), float(row["confidence"]))
            for row in parsed.get("intent_ranking", ())
            if row.get("name") != "nlu_fallback"
        ]
        return ranking, [dict(one) for one in parsed.get("entities", ()) if isinstance(one, Mapping)]

    def _look_for_groups(self, texts: list[str]) -> None:
        if self._desk.language is None:
            self._groups.away = "Only equal messages stand together: the language model is not part of this desk."
            return
        running = self._grouping is not None and not self._grouping.done()
        if texts and not running and not set(texts) <= self._groups.asked:
            self._grouping = asyncio.create_task(self._group(texts))

    async def _group(self, texts: list[str]) -> None:
        assert self._desk.language is not None
        try:
            places = await self._desk.language.group(texts, ALIKE)
        except LanguageModelAway as error:
            self._groups = _Groups(away=f"Only equal messages stand together: {error}")
            return
        head_of = {texts[place]: texts[group[0]] for group in places for place in group}
        self._groups = _Groups(head_of, frozenset(texts))

    def _what_is_learned(self) -> tuple[dict[str, set[str]], set[str]]:
        """The examples' words by language, and the examples as the model takes them."""
        version = self._corpus.version()
        if self._learned[0] != version:
            rows = self._corpus.rows()
            heard = {as_heard(read_marks(row.line).text) for row in rows}
            self._learned = (version, vocabulary(rows), heard)
        return self._learned[1], self._learned[2]


def reasons_in(groups: Collection[Group]) -> dict[str, int]:
    """How many groups have each reason."""
    counts: dict[str, int] = {}
    for group in groups:
        for reason in {reason for message in group.messages for reason in message.reasons}:
            counts[reason] = counts.get(reason, 0) + 1
    return counts
