"""Hands messages to their carrier: in order per conversation, claimed before they are sent, never sent twice on a doubt.

A delivery found in `sending` at start, or whose answer never came, is settled by what the carrier says: a status callback,
or where it has one its list of messages. Only where that says nothing is it sent again (docs/adr/0004, 0008).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot.backoff import delay_s
from bot.channels.carrier import PARALLEL, Carrier, OutcomeUnknown, Refused, SendError, TryLater
from bot.channels.carrier_errors import Then, rule_of
from bot.consent import by_words
from bot.metrics import Metrics
from bot.pace import Pace
from bot.render.whatsapp import in_template
from bot.store.base import BotStore
from bot.store.model import Channel, Consent, Conversation, Delivery, Entry, Sending
from bot.texts import DEFAULT_LANGUAGE
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

WINDOW_S = 24 * 3600.0  # WhatsApp: free words only so long after the driver wrote
_MARGIN_S = 60.0
_ASK_AGAIN_S = 0.5  # how often a delivery in doubt is looked at for what a status callback made of it
_PAUSE_S = 1.0  # where the carrier says too many without saying for how long


@dataclass(frozen=True, slots=True)
class SendLimits:
    """Seconds of real time; tests shorten them."""

    retry_first_s: float = 1.0
    retry_most_s: float = 120.0
    give_up_s: float = 6 * 3600.0  # an answer to a driver at a charger is worth nothing after that
    looks_s: tuple[float, ...] = (3.0, 12.0)  # when to look for a message whose sending is in doubt
    status_s: float = 60.0  # how long a carrier without a list may take to say that it has a message
    look_attempts: int = 5  # failed look-ups in a row after which it is left as unknown
    clock_skew_s: float = 120.0
    again_s: float = 60.0  # when to send once more what did not arrive
    parallel: int = PARALLEL  # calls to one carrier's channel at one time; a slow carrier holds up only its own


class Outbox:
    def __init__(
        self,
        *,
        store: BotStore,
        carriers: Mapping[Channel, Carrier],
        paces: Mapping[Channel, Pace],
        templates: Mapping[str, str],
        metrics: Metrics,
        clock: Clock,
        wall: Clock,
        limits: SendLimits,
    ) -> None:
        """`wall`: real time, as the carrier's dates are; `clock`: what dates the driver's messages. `templates` by language."""
        self._store = store
        self._carriers = carriers
        self._paces = paces
        self._templates = templates
        self._metrics = metrics
        self._clock = clock
        self._wall = wall
        self._limits = limits
        self._at_carrier = {channel: asyncio.Semaphore(limits.parallel) for channel in carriers}

    async def work_through(self, conversation_id: str) -> None:
        """Every delivery of the conversation up to its final state, in order."""
        conversation = await self._store.conversation(conversation_id)
        assert conversation is not None, conversation_id
        carrier = self._carriers.get(conversation.channel)
        while (entry := await self._store.next_delivery(conversation_id)) is not None:
            assert entry.delivery is not None
            if carrier is None:  # its account was taken out of the settings
                await self._end(entry, entry.delivery, Sending.FAILED, error="no-carrier")
            elif entry.delivery.state is Sending.SENDING:
                await self._look_up(entry, entry.delivery, conversation, carrier)
            else:
                await self._send(entry, entry.delivery, conversation, carrier)

    async def _send(self, entry: Entry, delivery: Delivery, conversation: Conversation, carrier: Carrier) -> None:
        now = self._wall.now()
        if delivery.next_at is not None and delivery.next_at > now:
            # Looked at again after the wait: the driver may have opted out meanwhile.
            if await self._until_due(delivery, delivery.next_at, conversation):
                await self._store.set_delivery(entry.id, replace(delivery, next_at=None))
            return
        wait = self._paces[conversation.channel].wait_s(conversation.address, self._wall.monotonic())
        if wait > 0:
            await self._wall.sleep(wait)
        if not delivery.exempt and await self._is_unwanted(entry, conversation):
            await self._end(entry, delivery, Sending.SUPPRESSED)
            return
        template = None
        too_late = (
            delivery.error is not None and _then(carrier, delivery.error) is Then.WINDOW
        )  # said of an earlier try
        if conversation.channel is Channel.WHATSAPP and (too_late or not await self._may_speak_freely(conversation)):
            template = self._template(delivery)
            if template is None:
                await self._end(entry, delivery, Sending.FAILED, error="outside-24-hours")
                return
        now = self._wall.now()
        if not await self._store.claim_delivery(entry.id, now):
            return  # another front door has it
        claimed = replace(delivery, state=Sending.SENDING, attempts=delivery.attempts + 1, claimed_at=now)
        try:
            async with self._at_carrier[conversation.channel]:
                sid = await self._hand_over(entry, conversation, carrier, template)
        except TryLater as error:
            await self._put_off(entry, claimed, error, conversation)
        except Refused as error:
            await self._refused(entry, claimed, conversation, carrier, error.code)
        except OutcomeUnknown as error:
            log.warning("delivery_in_doubt", entry=entry.id, conversation=conversation.id, why=str(error))
            self._metrics.delivery_retries.labels("doubt").inc()  # it stays `sending`: looked up in the next round
        else:
            # `status` None: of the new message nothing is known yet, whatever became of an earlier attempt.
            await self._end(entry, replace(claimed, status=None, error=None), Sending.SENT, sid=sid)

    async def _until_due(self, delivery: Delivery, due: datetime, conversation: Conversation) -> bool:
        """Waits for the moment of the next attempt. What did not reach a phone goes as soon as its driver writes: now it does."""
        unreached = delivery.again > 0 or delivery.error is not None
        while (left := (due - self._wall.now()).total_seconds()) > 0:
            if unreached and await self._has_written_since(delivery, conversation):
                return True
            await self._wall.sleep(min(left, _ASK_AGAIN_S) if unreached else left)
        return False

    async def _has_written_since(self, delivery: Delivery, conversation: Conversation) -> bool:
        """Compares how long ago each was, since the driver's words have a clock of their own."""
        heard = await self._store.last_heard(conversation.id)
        if heard is None or delivery.claimed_at is None:
            return False
        return self._clock.now() - heard < self._wall.now() - delivery.claimed_at

    async def _is_unwanted(self, entry: Entry, conversation: Conversation) -> bool:
        """Whether the driver has opted out; what the dialogue said when it heard that still goes out."""
        if not await self._store.opted_out(conversation.channel, conversation.address):
            return False
        newest = (await self._store.consents(conversation.channel, conversation.address))[-1]
        return newest.source != by_words(entry.turn)

    async def _hand_over(self, entry: Entry, conversation: Conversation, carrier: Carrier, template: str | None) -> str:
        try:
            return await carrier.send(conversation, entry, template)
        except Refused as error:
            # The carrier's clock decides about the 24 hours, not ours.
            assert entry.delivery is not None
            other = self._template(entry.delivery)
            if template is not None or other is None or _then(carrier, error.code) is not Then.WINDOW:
                raise
            return await carrier.send(conversation, entry, other)

    def _template(self, delivery: Delivery) -> str | None:
        return self._templates.get(delivery.language) or self._templates.get(DEFAULT_LANGUAGE)

    async def _may_speak_freely(self, conversation: Conversation) -> bool:
        heard = await self._store.last_heard(conversation.id)
        return heard is not None and (self._clock.now() - heard).total_seconds() < WINDOW_S - _MARGIN_S

    async def _refused(
        self, entry: Entry, delivery: Delivery, conversation: Conversation, carrier: Carrier, code: str
    ) -> None:
        then = _then(carrier, code)
        if then is Then.OPT_OUT:
            await note_opt_out(self._store, entry, conversation, code, self._wall)
        if then is Then.ONCE and delivery.attempts <= 1:
            at = self._wall.now() + timedelta(seconds=self._limits.again_s)
            await self._store.set_delivery(entry.id, replace(delivery, state=Sending.QUEUED, next_at=at, error=code))
            return
        await self._end(entry, delivery, Sending.FAILED, error=code)

    async def _put_off(self, entry: Entry, delivery: Delivery, error: TryLater, conversation: Conversation) -> None:
        now = self._wall.now()
        if (now - entry.created_at).total_seconds() > self._limits.give_up_s and delivery.attempts > 1:
            await self._end(entry, delivery, Sending.FAILED, error="gave-up")
            return
        pause = delay_s(delivery.attempts, self._limits.retry_first_s, self._limits.retry_most_s, random.random())
        pause = max(pause, error.after_s or 0.0)
        if error.everybody:
            after = min(_PAUSE_S, self._limits.retry_most_s) if error.after_s is None else error.after_s
            self._paces[conversation.channel].pause(self._wall.monotonic() + after)
        log.warning("delivery_put_off", entry=entry.id, conversation=entry.conversation, why=str(error), pause_s=pause)
        self._metrics.delivery_retries.labels("carrier").inc()
        await self._store.set_delivery(
            entry.id, replace(delivery, state=Sending.QUEUED, next_at=now + timedelta(seconds=pause))
        )

    async def _look_up(self, entry: Entry, delivery: Delivery, conversation: Conversation, carrier: Carrier) -> None:
        """Settles a delivery that may have been sent: found → sent, not found → again, cannot look → unknown."""
        failed = 0
        looks = list(self._limits.looks_s) if carrier.lists else [self._limits.status_s]
        while looks:
            if await self._settles_within(entry, looks[0]):
                return  # a status callback said that it was sent
            if not carrier.lists:
                break
            try:
                sid = await self._find(delivery, conversation, carrier)
            except SendError as error:
                failed += 1
                log.warning("delivery_look_up_failed", entry=entry.id, conversation=conversation.id, why=str(error))
                if failed >= self._limits.look_attempts:
                    await self._end(entry, delivery, Sending.UNKNOWN, error="look-up-failed")
                    return
                continue
            if sid is not None:
                await self._end(entry, delivery, Sending.SENT, sid=sid)
                return
            looks.pop(0)
        log.info("delivery_was_not_sent", entry=entry.id, conversation=conversation.id)
        await self._store.set_delivery(entry.id, replace(delivery, state=Sending.QUEUED))

    async def _settles_within(self, entry: Entry, seconds: float) -> bool:
        until = self._wall.monotonic() + seconds
        while (left := until - self._wall.monotonic()) > 0:
            await self._wall.sleep(min(left, _ASK_AGAIN_S))
            now = await self._store.entry(entry.id)
            if now is None or now.delivery is None or now.delivery.state is not Sending.SENDING:
                return True
        return False

    async def _find(self, delivery: Delivery, conversation: Conversation, carrier: Carrier) -> str | None:
        """Id of a message with this text, made since the claim, that no other delivery here has."""
        async with self._at_carrier[conversation.channel]:
            sent = await carrier.sent_to(conversation)
        assert delivery.claimed_at is not None
        since = delivery.claimed_at - timedelta(seconds=self._limits.clock_skew_s)
        same = [
            message.sid
            for message in sent
            if _is_body(message.body, delivery.body, conversation.channel)
            and (message.created_at is None or message.created_at >= since)
        ]
        known = await self._store.known_sids(same)
        return next((sid for sid in same if sid not in known), None)

    async def _end(
        self, entry: Entry, delivery: Delivery, state: Sending, *, sid: str | None = None, error: str | None = None
    ) -> None:
        await self._store.set_delivery(entry.id, replace(delivery, state=state, sid=sid, error=error))
        self._metrics.deliveries.labels(state.value).inc()
        tell = log.info if state in {Sending.SENT, Sending.SUPPRESSED} else log.error
        tell("delivery_done", entry=entry.id, conversation=entry.conversation, state=state.value, error=error)


def _is_body(listed: str, ours: str, channel: Channel) -> bool:
    """Whether a listed message says what we said, alone or in a template of WhatsApp, which has words of its own around it."""
    if channel is Channel.WHATSAPP and (said := in_template(ours)):
        return said in in_template(listed)
    return listed.strip() == ours.strip()


def _then(carrier: Carrier, code: str) -> Then:
    return rule_of("twilio" if carrier.lists else "meta", code).then


async def note_opt_out(store: BotStore, entry: Entry, conversation: Conversation, code: str, wall: Clock) -> None:
    """The carrier says that the driver has opted out with it: the ledger must know."""
    if await store.opted_out(conversation.channel, conversation.address):
        return
    await store.record_consent(
        Consent(
            source=f"carrier:{entry.id}",
            channel=conversation.channel,
            address=conversation.address,
            opted_out=True,
            words=f"carrier error {code}",
            at=wall.now(),
        )
    )
