"""While a person has a conversation: what the driver writes goes to that person's case, in order, until it is taken."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.actions_client import ActionsClient, ActionsError, ActionsRefused
from bot.backoff import delay_s
from bot.feed import Feed
from bot.metrics import Metrics
from bot.store.base import BotStore
from bot.store.model import Item, Lane
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

_NO_SUCH_CASE = frozenset({404, 409, 410})


@dataclass(frozen=True, slots=True)
class ForwardLimits:
    """Seconds of real time; tests shorten them."""

    retry_first_s: float = 0.5
    retry_most_s: float = 30.0
    give_up_s: float = 24 * 3600.0


class Forwarding:
    def __init__(
        self,
        *,
        store: BotStore,
        actions: ActionsClient,
        feed: Feed,
        metrics: Metrics,
        clock: Clock,
        wall: Clock,
        limits: ForwardLimits,
        wake: Callable[[Lane], None],
    ) -> None:
        """`clock` dates what is stored; `wall` is real time, for waiting."""
        self._store = store
        self._actions = actions
        self._feed = feed
        self._metrics = metrics
        self._clock = clock
        self._wall = wall
        self._limits = limits
        self._wake = wake

    async def work_through(self, conversation_id: str) -> None:
        attempt = 0
        while (item := await self._store.next_item(conversation_id, Lane.DESK)) is not None:
            conversation = await self._store.conversation(conversation_id)
            assert conversation is not None, conversation_id
            case = conversation.case
            if case is None:  # released before it could be forwarded
                await self._give_back(item)
                continue
            body = {"message_id": item.id, "text": item.shown or item.text, "at": _iso(item)}
            try:
                await self._actions.case_message(case, body)
            except ActionsError as error:
                attempt += 1
                await self._failed(item, case, error, attempt)
            else:
                attempt = 0
                await self._finish(item, "forwarded")

    async def _failed(self, item: Item, case: str, error: ActionsError, attempt: int) -> None:
        log.error("case_message_not_taken", conversation=item.conversation, message=item.id, case=case, why=str(error))
        if isinstance(error, ActionsRefused) and error.status in _NO_SUCH_CASE:
            # Nobody reads along: silence would be a driver left alone.
            await self._store.set_case(item.conversation, None)
            await self._give_back(item)
            return
        if (self._clock.now() - item.received_at).total_seconds() > self._limits.give_up_s:
            await self._finish(item, "not_forwarded")
            return
        pause = delay_s(attempt, self._limits.retry_first_s, self._limits.retry_most_s, random.random())
        await self._wall.sleep(pause)

    async def _give_back(self, item: Item) -> None:
        """To the dialogue, except what had its answer already: a hazard."""
        if item.asked_at is not None:
            await self._finish(item, "reported")
            return
        await self._store.move(item.id, Lane.TALK)
        self._feed.changed(item.conversation)
        self._wake(Lane.TALK)

    async def _finish(self, item: Item, outcome: str) -> None:
        await self._store.finish(item.id, outcome)
        self._metrics.turns.labels(outcome).inc()
        log.info("turn_done", conversation=item.conversation, message=item.id, kind=item.kind, outcome=outcome)


def _iso(item: Item) -> str:
    return item.received_at.isoformat().replace("+00:00", "Z")
