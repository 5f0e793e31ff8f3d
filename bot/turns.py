"""Brings one inbox item of the dialogue to its end: what the front door answers itself, what a person gets, what Rasa answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import structlog

from bot.asking import Asking, Limits
from bot.channels.carrier import Carrier, SendError
from bot.drivers import Driver, Drivers
from bot.feed import Feed
from bot.hearing import Hearing
from bot.media import Pictures
from bot.metrics import Metrics
from bot.pan import had_card
from bot.replies import RECENT, Replies
from bot.sayings import Sayings
from bot.settling import Settling
from bot.store.base import BotStore
from bot.store.model import BOT, Channel, Conversation, Item, Kind, Lane
from chargeline.clock import Clock

log = structlog.get_logger(__name__)


class Turns:
    def __init__(
        self,
        *,
        store: BotStore,
        asking: Asking,
        hearing: Hearing,
        replies: Replies,
        drivers: Drivers,
        sayings: Sayings,
        feed: Feed,
        metrics: Metrics,
        clock: Clock,
        wall: Clock,
        limits: Limits,
        wake: Callable[[Lane], None],
        settling: Settling,
        pictures: Pictures,
        carriers: Mapping[Channel, Carrier],
    ) -> None:
        """`clock` dates what is stored; `wall` is real time, in which a driver waits."""
        self._store = store
        self._asking = asking
        self._hearing = hearing
        self._replies = replies
        self._drivers = drivers
        self._sayings = sayings
        self._feed = feed
        self._metrics = metrics
        self._clock = clock
        self._wall = wall
        self._limits = limits
        self._wake = wake
        self._settling = settling
        self._pictures = pictures
        self._carriers = carriers

    async def work_through(self, conversation_id: str) -> None:
        """All waiting items of the conversation's dialogue, in their order."""
        while (item := await self._store.next_item(conversation_id)) is not None:
            # Hints, language and case belong to the conversation and may have changed since the last item: read anew.
            conversation = await self._store.conversation(conversation_id)
            assert conversation is not None, conversation_id
            self._feed.changed(conversation_id)
            outcome = await self._answer(item, await self._hearing.listen(item, conversation))
            if outcome is None:
                continue  # in another lane now
            for follower in item.joined:  # of a turn that a killed process left; else they are done already
                await self._store.finish(follower, "joined")
            await self._store.finish(item.id, outcome)
            self._feed.changed(conversation_id)
            self._metrics.turns.labels(outcome).inc()
            seconds = max(0.0, (self._clock.now() - item.received_at).total_seconds())
            self._metrics.turn_seconds.observe(seconds)
            log.info("turn_done", conversation=conversation_id, message=item.id, kind=item.kind, outcome=outcome)

    async def _answer(self, item: Item, conversation: Conversation) -> str | None:
        say, driver = self._sayings, self._drivers.of(conversation)
        language = driver.language
        match item.kind:
            case Kind.STOP:
                await self._replies.say(item, conversation, "stop", say.opted_out(language), language, exempt=True)
                return "opted_out"
            case Kind.RESUME:
                await self._replies.say(item, conversation, "resume", say.opted_in(language), language)
                return "opted_in"
        if await self._may_not_answer(item, conversation):
            return "suppressed"  # nothing may go out, so nothing may be done in the driver's name either
        if item.kind is Kind.HELP:
            await self._replies.say(item, conversation, "help", say.help(language), language)
            return "helped"
        # What Rasa was asked already it must finish: that very turn may be the one that hands over.
        kept = await self._pictures.keep(item, conversation.channel) if item.kind is Kind.MEDIA else 0
        if conversation.case is not None and item.kind is not Kind.EVENT and item.asked_at is None:
            await self._store.move(item.id, Lane.DESK)
            self._wake(Lane.DESK)
            return None
        if item.first:
            await self._replies.say(item, conversation, "intro", say.intro(conversation.channel, language), language)
        if item.kind in {Kind.MEDIA, Kind.EMPTY}:
            sentence = say.unreadable(item.kind, language, kept > 0)
            await self._replies.say(item, conversation, item.kind.value, sentence, language)
            return item.kind.value
        item = await self._settling.join(item, conversation)
        said = item.asked_text or item.text
        if item.joined:
            conversation = await self._hearing.listen(replace(item, text=said), conversation)
            driver = self._drivers.of(conversation)
        if await self._may_not_answer(item, conversation):
            return "suppressed"
        keeping = asyncio.create_task(self._pictures.keep(item, conversation.channel))
        try:
            if item.kind is Kind.TEXT and had_card(said):
                await self._replies.say(item, conversation, "card", say.card_removed(language))
            async with self._patience(item, conversation, driver):
                return await self._asking.ask(item, conversation, driver)
        finally:
            await keeping

    async def _may_not_answer(self, item: Item, conversation: Conversation) -> bool:
        """Whether the carrier lets nothing through: an SMS number that has opted out. Elsewhere a driver's words are answered."""
        if item.kind is Kind.EVENT or conversation.channel is not Channel.SMS:
            return False
        return await self._store.opted_out(conversation.channel, conversation.address)

    @asynccontextmanager
    async def _patience(self, item: Item, conversation: Conversation, driver: Driver) -> AsyncIterator[None]:
        """While the turn goes on: a driver who has heard nothing of it for a while is told so, once."""
        if item.kind is Kind.EVENT:  # nobody is waiting for it
            yield
            return
        waiting = asyncio.create_task(self._say_wait(item, conversation, driver))
        try:
            yield
        finally:
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting

    async def _say_wait(self, item: Item, conversation: Conversation, driver: Driver) -> None:
        if conversation.channel is Channel.WHATSAPP:
            await self._wall.sleep(self._limits.typing_s)
            if not await self._has_heard(item):
                await self._show_typing(item, conversation)
        await self._wall.sleep(self._limits.patience_s)
        if not await self._has_heard(item):
            await self._replies.say(item, conversation, "wait", self._sayings.wait(driver.language), driver.language)

    async def _has_heard(self, item: Item) -> bool:
        """Whether something of this turn was said, other than what the front door says by itself."""
        recent = await self._store.latest_entries(item.conversation, RECENT)
        return any(entry.turn == item.id and entry.author == BOT and not entry.own for entry in recent)

    async def _show_typing(self, item: Item, conversation: Conversation) -> None:
        """A courtesy: tried once, and nothing depends on it."""
        carrier = self._carriers.get(conversation.channel)
        if carrier is None:
            return
        try:
            await carrier.show_typing(conversation, item.source.partition(":")[2])
        except SendError as error:
            log.info("typing_not_shown", conversation=conversation.id, message=item.id, why=str(error))
