"""Asks Rasa for the replies of one turn and passes them on as they come, once, however often it has to be asked.

Exactly once over crashes: replies have the ids `<item>:<n>`, so one that is stored is never stored again; a message that
Rasa may know already is looked up in the tracker before it is sent once more. See docs/contracts.md, "Exactly once".
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog

from bot.backoff import delay_s
from bot.choices import meant_by_text, open_choices
from bot.drivers import Driver
from bot.metrics import Metrics
from bot.pan import is_mostly_card, mask_cards
from bot.rasa_client import RasaClient, RasaDown, RasaError, RasaLost, RasaRefused, Reply
from bot.replies import RECENT, Replies
from bot.sayings import Sayings
from bot.store.base import BotStore
from bot.store.model import Conversation, Item, Kind
from bot.understood import understood_of
from chargeline.clock import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of real time, because Rasa computes in real time; tests shorten them."""

    turn_s: float = 120.0  # a turn that has not ended by then is given up
    silence_s: float = 20.0  # without a line for so long, the tracker is asked whether the turn is over
    # How long a turn holds Rasa's lock at least (TICKET_LOCK_LIFETIME, 60 s by default). Later a "not in the tracker"
    # may come from beside a turn that is still running, until that turn must have ended.
    lock_s: float = 55.0
    settled_s: float = 150.0
    failures: int = 5  # observed failures of one message after which the driver is told
    retry_first_s: float = 0.5
    retry_most_s: float = 10.0
    parallel: int = 16  # turns at Rasa at one time
    typing_s: float = 0.7  # where the channel can, a driver who has heard nothing for so long sees that we write
    patience_s: float = 8.0  # a driver who has heard nothing for so long is told that it takes longer


class TurnBroken(RasaError):
    """Rasa gave the turn up without a word: the stream stays open, the lock is free, the tracker knows nothing."""

    kind = "broken"


@dataclass(slots=True)
class _Heard:
    """What came back in one turn so far."""

    lines: int = 0
    shown: int = 0
    silent: bool = False
    used: set[str] | None = None  # ids of replies that this run has had, where an earlier run may have said some


class Asking:
    def __init__(
        self,
        *,
        store: BotStore,
        rasa: RasaClient,
        replies: Replies,
        sayings: Sayings,
        metrics: Metrics,
        wall: Clock,
        limits: Limits,
    ) -> None:
        """`wall` is real time, because Rasa computes in real time."""
        self._store = store
        self._rasa = rasa
        self._replies = replies
        self._sayings = sayings
        self._metrics = metrics
        self._wall = wall
        self._limits = limits
        self._at_rasa = asyncio.Semaphore(limits.parallel)

    async def ask(self, item: Item, conversation: Conversation, driver: Driver) -> str:
        """Brings the turn to its end, whatever Rasa does; returns how it ended: "answered" or "failed"."""
        attempt = 0
        failures = item.failures
        doubtful = item.asked_at is not None
        asked_at = item.asked_at.timestamp() if item.asked_at is not None else 0.0
        seen_gone = False  # Rasa was seen not running since it was asked: no turn of ours can still be running in it
        message = item.asked_text if item.asked_at is not None else None
        if message is None:  # not asked yet; what several texts were joined to is in `asked_text`
            message = await self._message(replace(item, text=item.asked_text or item.text))
        while True:
            attempt += 1
            try:
                if doubtful:
                    said = await self._rasa.replies_in_tracker(conversation.id, item.id, self._unix())
                    if said is not None:
                        return await self._take(item, conversation, driver, said)
                    age = self._unix() - asked_at
                    if not seen_gone and self._limits.lock_s <= age < self._limits.settled_s:
                        await self._wall.sleep(self._limits.retry_most_s)
                        continue
                    log.info("turn_not_in_tracker", conversation=conversation.id, message=item.id)
                    doubtful = False
                asked_at = self._unix()
                await self._store.mark_asked(item.id, message, self._wall.now())
                again = attempt > 1 or item.asked_at is not None
                return await self._converse(item, conversation, driver, message, again)
            except TimeoutError:
                log.error("turn_timed_out", conversation=conversation.id, message=item.id, after_s=self._limits.turn_s)
                self._metrics.rasa_errors.labels("timeout").inc()
                return await self._fail(item, conversation, driver)
            except RasaDown as error:
                self._note(item, error)
                seen_gone = True
            except (RasaLost, RasaRefused, TurnBroken) as error:
                self._note(item, error)
                failures = await self._store.add_failure(item.id)
                doubtful = doubtful or not isinstance(error, TurnBroken)
                if failures >= self._limits.failures:
                    log.error("turn_given_up", conversation=conversation.id, message=item.id, failures=failures)
                    return await self._fail(item, conversation, driver)
            pause = delay_s(attempt, self._limits.retry_first_s, self._limits.retry_most_s, random.random())
            await self._wall.sleep(pause)

    def _note(self, item: Item, error: RasaError) -> None:
        self._metrics.rasa_errors.labels(error.kind).inc()
        log.warning(
            "rasa_call_failed", kind=error.kind, message=item.id, conversation=item.conversation, why=str(error)
        )

    def _unix(self) -> float:
        return self._wall.now().timestamp()

    async def _message(self, item: Item) -> str:
        """What Rasa is sent: an event's message as it is, a choice's payload, else the driver's words."""
        if item.kind in {Kind.EVENT, Kind.LOCATION}:
            return item.text
        choices = open_choices(await self._store.latest_entries(item.conversation, RECENT))
        if item.kind is Kind.CHOICE:
            for token, option in choices:
                if token == item.text:
                    return option.payload
            # The question has passed; its payload could now confirm something else, so the choice becomes words.
            return item.shown or ""
        meant = meant_by_text(item.text, choices)
        if meant is None and is_mostly_card(item.text):
            return "/payment_failed"  # nothing but card details: somebody wants to pay
        return meant.payload if meant is not None else mask_cards(item.text)

    async def _converse(self, item: Item, conversation: Conversation, driver: Driver, message: str, again: bool) -> str:
        """One attempt. Raises RasaError, and TimeoutError where the turn did not end in time."""
        metadata = self._metadata(item, conversation, driver)
        heard = _Heard(used=set() if again else None)
        async with self._at_rasa, asyncio.timeout(self._limits.turn_s):
            listening = asyncio.create_task(self._listen(item, conversation, driver, message, metadata, heard))
            try:
                found = await self._until_over(listening, item, heard)
            finally:
                listening.cancel()
                with suppress(asyncio.CancelledError, RasaError):
                    await listening
        if found is not None:
            return await self._take(item, conversation, driver, found)
        if heard.shown or heard.silent:
            return "answered"
        # An empty stream is also what a Rasa answers that was not ready for the message.
        said = await self._rasa.replies_in_tracker(conversation.id, item.id, self._unix())
        if said is None:
            raise TurnBroken("an empty stream, and the tracker does not know the message")
        return await self._take(item, conversation, driver, said)

    async def _until_over(self, listening: asyncio.Task[None], item: Item, heard: _Heard) -> list[Reply] | None:
        """Waits for the stream's end; where it falls silent, asks the tracker and returns the turn's replies from there."""
        started = self._wall.monotonic()
        checking: asyncio.Task[list[Reply] | None] | None = None
        lines = -1
        try:
            while True:
                waiting: set[asyncio.Task[Any]] = {listening} if checking is None else {listening, checking}
                done, _ = await asyncio.wait(
                    waiting, timeout=self._limits.silence_s, return_when=asyncio.FIRST_COMPLETED
                )
                if listening in done:
                    listening.result()
                    return None
                if checking is not None and checking in done:
                    found = checking.result()
                    if found is not None:
                        return found
                    if self._wall.monotonic() - started < self._limits.lock_s:
                        raise TurnBroken("the stream is silent, and the tracker does not know the message")
                    checking = None
                elif checking is None and heard.lines == lines:
                    checking = asyncio.create_task(
                        self._rasa.replies_in_tracker(item.conversation, item.id, self._unix())
                    )
                lines = heard.lines
        finally:
            if checking is not None:
                checking.cancel()
                with suppress(asyncio.CancelledError, RasaError):
                    await checking

    async def _listen(
        self,
        item: Item,
        conversation: Conversation,
        driver: Driver,
        message: str,
        metadata: dict[str, Any],
        heard: _Heard,
    ) -> None:
        async for reply in self._rasa.replies(conversation.id, message, metadata):
            if "understood" in reply:
                understood = understood_of(reply["understood"])
                if understood is not None and item.kind is not Kind.EVENT:
                    await self._store.note_understood(item.id, understood)
                continue
            await self._take_one(item, conversation, driver, reply, heard)

    async def _take_one(
        self, item: Item, conversation: Conversation, driver: Driver, reply: Reply, heard: _Heard
    ) -> None:
        number, heard.lines = heard.lines, heard.lines + 1
        custom = reply.get("custom")
        marks = custom if isinstance(custom, dict) else {}
        if item.kind is Kind.EVENT and conversation.case is not None and marks.get("urgent") is not True:
            # A person has the conversation; the bot's news of the charger would talk across them.
            log.info("reply_held_back", conversation=conversation.id, message=item.id, case=conversation.case)
            heard.silent = True
        elif await self._replies.pass_on(item, conversation, number, reply, driver.language, heard.used):
            heard.shown += 1
        if marks.get("silent") is True:
            heard.silent = True

    async def _take(self, item: Item, conversation: Conversation, driver: Driver, said: list[Reply]) -> str:
        """The replies of a turn that is known to have ended; those stored already stay as they are."""
        heard = _Heard(used=set())
        for reply in said:
            await self._take_one(item, conversation, driver, reply, heard)
        if heard.shown or heard.silent:
            return "answered"
        log.error("turn_without_reply", conversation=conversation.id, message=item.id)
        return await self._fail(item, conversation, driver)

    async def _fail(self, item: Item, conversation: Conversation, driver: Driver) -> str:
        await self._replies.say(item, conversation, "failed", self._sayings.failed(driver.language), driver.language)
        return "failed"

    def _metadata(self, item: Item, conversation: Conversation, driver: Driver) -> dict[str, Any]:
        return {
            "message_id": item.id,
            "channel": conversation.channel.value,
            "language": driver.language,
            "driver": driver.id,
            "tier": driver.tier,
            "charger_hint": conversation.charger_hint,
            "connector_hint": conversation.connector_hint,
            "location": None if item.place is None else asdict(item.place),
            "first_contact": item.first,
        }
