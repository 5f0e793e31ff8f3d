"""Danger first: a driver's words that may mean it are answered with advice at once, then given to the hazard playbook.

It waits for nothing that the dialogue is doing, works with Rasa down, and survives a killed process: what is said has ids
of its own, and the message's id keeps the playbook from acting twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.actions_client import ActionsClient, ActionsError
from bot.backoff import delay_s
from bot.drivers import Driver, Drivers
from bot.feed import Feed
from bot.hearing import Hearing
from bot.metrics import Metrics
from bot.rasa_client import Reply
from bot.replies import Replies
from bot.sayings import Sayings
from bot.store.base import BotStore
from bot.store.model import Conversation, Item, Kind, Lane
from chargeline.clock import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HazardLimits:
    """Seconds of real time; tests shorten them."""

    tell_s: float = 120.0  # without an answer for so long, the driver is told that nobody was reached
    give_up_s: float = 600.0  # later the connector may be somebody else's, in good order
    retry_first_s: float = 0.5
    retry_most_s: float = 10.0


class Hazards:
    def __init__(
        self,
        *,
        store: BotStore,
        actions: ActionsClient,
        hearing: Hearing,
        replies: Replies,
        drivers: Drivers,
        sayings: Sayings,
        feed: Feed,
        metrics: Metrics,
        clock: Clock,
        wall: Clock,
        limits: HazardLimits,
        wake: Callable[[Lane], None],
    ) -> None:
        """`clock` dates what is stored; `wall` is real time, for waiting."""
        self._store = store
        self._actions = actions
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

    async def work_through(self, conversation_id: str) -> None:
        """All hazards of the conversation, and answers to what was asked about them, in their order."""
        while (item := await self._store.next_item(conversation_id, Lane.HAZARD)) is not None:
            conversation = await self._store.conversation(conversation_id)
            assert conversation is not None, conversation_id
            self._feed.changed(conversation_id)
            conversation = await self._hearing.listen(item, conversation)
            driver = self._drivers.of(conversation)
            if item.kind is Kind.HAZARD:
                await self._advise(item, conversation, driver)
            outcome = await self._report(item, conversation, driver)
            if conversation.case is not None:
                # The person who has the conversation reads it too; that it was asked says that it had its answer.
                await self._store.mark_asked(item.id, item.text, self._wall.now())
                await self._store.move(item.id, Lane.DESK)
                self._wake(Lane.DESK)
            else:
                await self._store.finish(item.id, outcome)
            self._feed.changed(conversation_id)
            self._metrics.hazards.labels(outcome).inc()
            log.info("hazard_done", conversation=conversation_id, message=item.id, outcome=outcome)

    async def _advise(self, item: Item, conversation: Conversation, driver: Driver) -> None:
        say = self._sayings
        await self._replies.say(item, conversation, "advice", say.hazard_advice(driver.language))
        seconds = max(0.0, (self._clock.now() - item.received_at).total_seconds())
        self._metrics.hazard_advice_seconds.observe(seconds)
        log.warning("hazard_advice_said", conversation=conversation.id, message=item.id, seconds=round(seconds, 3))
        if item.first:
            await self._replies.say(item, conversation, "intro", say.intro(conversation.channel, driver.language))

    async def _report(self, item: Item, conversation: Conversation, driver: Driver) -> str:
        """Gives it to the playbook until that answers, and says what it says: "reported", or "unreached" in the end."""
        started = self._wall.monotonic()
        told = False
        attempt = 0
        while True:
            attempt += 1
            try:
                replies = await self._actions.hazard(self._body(item, conversation, driver))
            except ActionsError as error:
                waited = self._wall.monotonic() - started
                log.error("hazard_not_reported", conversation=conversation.id, message=item.id, why=str(error))
            else:
                await self._pass_on(item, conversation, driver, replies)
                return "reported"
            if waited >= self._limits.tell_s and not told:
                told = True
                sentence = self._sayings.hazard_unreached(driver.language)
                await self._replies.say(item, conversation, "unreached", sentence)
            if waited >= self._limits.give_up_s:
                return "unreached"
            pause = delay_s(attempt, self._limits.retry_first_s, self._limits.retry_most_s, random.random())
            await self._wall.sleep(pause)

    async def _pass_on(self, item: Item, conversation: Conversation, driver: Driver, replies: list[Reply]) -> None:
        # Whatever was asked before has its answer; a reply that asks anew says so itself.
        await self._store.set_hazard_until(conversation.id, None)
        used: set[str] = set()  # a killed process may have said some of it
        for number, reply in enumerate(replies):
            await self._replies.pass_on(item, conversation, number, reply, driver.language, used)

    def _body(self, item: Item, conversation: Conversation, driver: Driver) -> dict[str, object]:
        return {
            "conversation": conversation.id,
            "message_id": item.id,
            "driver": driver.id,
            "tier": driver.tier,
            "channel": conversation.channel.value,
            "language": driver.language,
            "charger_hint": conversation.charger_hint,
            "connector_hint": conversation.connector_hint,
            "text": item.text,
            "followup": item.kind is not Kind.HAZARD,
        }
