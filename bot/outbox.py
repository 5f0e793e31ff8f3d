"""Hands text messages to the carrier: in order per conversation, claimed before they are sent, never sent twice on a doubt.

A delivery found in `sending` at start, or whose answer never came, is looked up at the carrier by its text; only where two
looks in a row do not find it is it sent again.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from bot.backoff import delay_s
from bot.channels.twilio_api import OutcomeUnknown, Refused, SendError, TryLater, TwilioApi
from bot.metrics import Metrics
from bot.store.base import BotStore
from bot.store.model import Consent, Conversation, Delivery, Entry, Sending
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

OPTED_OUT = "21610"  # Twilio: the number has opted out from this sender


@dataclass(frozen=True, slots=True)
class SendLimits:
    """Seconds of real time; tests shorten them."""

    retry_first_s: float = 1.0
    retry_most_s: float = 120.0
    give_up_s: float = 6 * 3600.0  # an answer to a driver at a charger is worth nothing after that
    looks_s: tuple[float, ...] = (3.0, 12.0)  # when to look for a message whose sending is in doubt
    look_attempts: int = 5  # failed look-ups in a row after which it is left as unknown
    clock_skew_s: float = 120.0
    parallel: int = 8


class Outbox:
    def __init__(
        self, *, store: BotStore, carrier: TwilioApi, metrics: Metrics, wall: Clock, limits: SendLimits
    ) -> None:
        """`wall`: real time, as the carrier's dates are."""
        self._store = store
        self._carrier = carrier
        self._metrics = metrics
        self._wall = wall
        self._limits = limits
        self._at_carrier = asyncio.Semaphore(limits.parallel)

    async def work_through(self, conversation_id: str) -> None:
        """Every delivery of the conversation up to its final state, in order."""
        conversation = await self._store.conversation(conversation_id)
        assert conversation is not None, conversation_id
        while (entry := await self._store.next_delivery(conversation_id)) is not None:
            assert entry.delivery is not None
            if entry.delivery.state is Sending.SENDING:
                await self._look_up(entry, entry.delivery, conversation)
            else:
                await self._send(entry, entry.delivery, conversation)

    async def _send(self, entry: Entry, delivery: Delivery, conversation: Conversation) -> None:
        now = self._wall.now()
        if delivery.next_at is not None and delivery.next_at > now:
            # Looked at again after the wait: the driver may have opted out meanwhile.
            await self._wall.sleep((delivery.next_at - now).total_seconds())
            return
        if not delivery.exempt and await self._store.opted_out(conversation.channel, conversation.address):
            await self._end(entry, delivery, Sending.SUPPRESSED)
            return
        if not await self._store.claim_delivery(entry.id, now):
            return  # another front door has it
        claimed = replace(delivery, state=Sending.SENDING, attempts=delivery.attempts + 1, claimed_at=now)
        try:
            async with self._at_carrier:
                sid = await self._carrier.send(conversation.address, delivery.body)
        except TryLater as error:
            await self._put_off(entry, claimed, error)
        except Refused as error:
            if error.code == OPTED_OUT:
                await self._note_opt_out(entry, conversation)
            await self._end(entry, claimed, Sending.FAILED, error=error.code)
        except OutcomeUnknown as error:
            log.warning("delivery_in_doubt", entry=entry.id, conversation=conversation.id, why=str(error))
            self._metrics.delivery_retries.labels("doubt").inc()  # it stays `sending`: looked up in the next round
        else:
            await self._end(entry, claimed, Sending.SENT, sid=sid)

    async def _put_off(self, entry: Entry, delivery: Delivery, error: TryLater) -> None:
        now = self._wall.now()
        if (now - entry.created_at).total_seconds() > self._limits.give_up_s and delivery.attempts > 1:
            await self._end(entry, delivery, Sending.FAILED, error="gave-up")
            return
        pause = delay_s(delivery.attempts, self._limits.retry_first_s, self._limits.retry_most_s, random.random())
        pause = max(pause, error.after_s or 0.0)
        log.warning("delivery_put_off", entry=entry.id, conversation=entry.conversation, why=str(error), pause_s=pause)
        self._metrics.delivery_retries.labels("carrier").inc()
        await self._store.set_delivery(
            entry.id, replace(delivery, state=Sending.QUEUED, next_at=now + timedelta(seconds=pause))
        )

    async def _look_up(self, entry: Entry, delivery: Delivery, conversation: Conversation) -> None:
        """Settles a delivery that may have been sent: found → sent, not found → again, cannot look → unknown."""
        failed = 0
        looks = list(self._limits.looks_s)
        while looks:
            await self._wall.sleep(looks[0])
            try:
                sid = await self._find(delivery, conversation)
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

    async def _find(self, delivery: Delivery, conversation: Conversation) -> str | None:
        """Id of a message with this text, made since the claim, that no other delivery here has."""
        async with self._at_carrier:
            sent = await self._carrier.sent_to(conversation.address)
        assert delivery.claimed_at is not None
        since = delivery.claimed_at - timedelta(seconds=self._limits.clock_skew_s)
        same = [
            message.sid
            for message in sent
            if message.body.strip() == delivery.body.strip()
            and (message.created_at is None or message.created_at >= since)
        ]
        known = await self._store.known_sids(same)
        return next((sid for sid in same if sid not in known), None)

    async def _note_opt_out(self, entry: Entry, conversation: Conversation) -> None:
        row = Consent(
            source=f"carrier:{entry.id}",
            channel=conversation.channel,
            address=conversation.address,
            opted_out=True,
            words=f"carrier error {OPTED_OUT}",
            at=self._wall.now(),
        )
        if not await self._store.opted_out(conversation.channel, conversation.address):
            await self._store.record_consent(row)

    async def _end(
        self, entry: Entry, delivery: Delivery, state: Sending, *, sid: str | None = None, error: str | None = None
    ) -> None:
        await self._store.set_delivery(entry.id, replace(delivery, state=state, sid=sid, error=error))
        self._metrics.deliveries.labels(state.value).inc()
        tell = log.info if state in {Sending.SENT, Sending.SUPPRESSED} else log.error
        tell("delivery_done", entry=entry.id, conversation=entry.conversation, state=state.value, error=error)
