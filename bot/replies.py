"""Puts what is said to a driver into the transcript, and where the channel is a carrier into the outbox, in one write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.choices import open_choices
from bot.consent import by_words
from bot.feed import Feed
from bot.metrics import Metrics
from bot.rasa_client import Reply
from bot.render import sms
from bot.render.links import shortened
from bot.store.base import BotStore
from bot.store.model import (
    BOT,
    CARRIED,
    PERSON,
    Channel,
    Consent,
    Conversation,
    Delivery,
    Entry,
    Item,
    Kind,
    NewEntry,
    Option,
    Sending,
)
from bot.texts import DEFAULT_LANGUAGE

log = structlog.get_logger(__name__)

RECENT = 30  # entries looked through for open choices; a turn has far fewer


_HAZARD_QUESTION_S = 15 * 60.0  # how long a question about a hazard stays open
_CASE = re.compile(r"[A-Za-z0-9_\-]{1,80}")


class Replies:
    def __init__(
        self,
        store: BotStore,
        feed: Feed,
        metrics: Metrics,
        now: Callable[[], datetime],
        new_delivery: Callable[[str], None],
        link_base: str = "",
    ) -> None:
        """`link_base`: the operator's address, under which links in text messages are short."""
        self._store = store
        self._feed = feed
        self._metrics = metrics
        self._now = now
        self._new_delivery = new_delivery
        self._link_base = link_base

    async def say(
        self,
        item: Item,
        conversation: Conversation,
        suffix: str,
        text: str,
        language: str = DEFAULT_LANGUAGE,
        *,
        exempt: bool = False,
    ) -> None:
        """A sentence of the front door's own. `exempt`: it goes out although the driver opted out."""
        entry = self._of_turn(item, suffix, text)
        await self._put(conversation, replace(entry, own=True), language=language, exempt=exempt)

    async def pass_on(
        self,
        item: Item,
        conversation: Conversation,
        number: int,
        reply: Reply,
        language: str,
        used: set[str] | None = None,
    ) -> bool:
        """Reply `number` of a turn of Rasa's or of the action server's. False where there was nothing in it to show.

        `used`: one set for all replies of a run, where the turn may have been run before.
        """
        text = "\n".join(str(reply[key]).strip() for key in ("text", "image", "attachment") if reply.get(key))
        if conversation.channel in CARRIED:
            text = shortened(text, self._link_base)
        options = _options(reply.get("buttons"))
        custom = reply["custom"] if isinstance(reply.get("custom"), dict) else None
        if not text and not options and (custom is None or custom.get("silent") is True):
            return False
        suffix = await self._suffix(item, number, text, used)
        entry = replace(self._of_turn(item, suffix, text), options=options, custom=custom)
        if custom is not None:
            await self._obey(entry, custom, item, conversation)
        first_number = 1
        if conversation.channel in CARRIED and options:
            options = tuple(Option(sms.title(option, language), option.payload) for option in options)
            entry = replace(entry, options=options)
            first_number += await self._offered_before(item)
        await self._put(conversation, entry, first_number=first_number, language=language)
        return True

    async def _suffix(self, item: Item, number: int, text: str, used: set[str] | None) -> str:
        """The reply's number; what an earlier run of the turn said in the same words is that reply, whatever its number was.

        A second run may begin later than the first did ("is already charging") or with a word before ("one moment"): what is new
        gets a number of its own and takes nobody else's. `used`: suffixes that this run has had, None where there was no run before.
        """
        if used is None:
            return str(number)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        for other in (number, *range(number + 6)):
            for suffix in (str(other), f"{other}-{digest}"):
                said = None if suffix in used else await self._store.entry(f"{item.id}:{suffix}")
                if said is not None and said.text == text:
                    used.add(suffix)
                    return suffix
        taken = str(number) in used or await self._store.entry(f"{item.id}:{number}") is not None
        new = f"{number}-{digest}" if taken else str(number)
        used.add(new)
        return new

    async def person_says(
        self, conversation: Conversation, client_id: str, agent: str, text: str
    ) -> tuple[Entry, bool]:
        """Words of a person of the operator's; False and the stored ones where the client id came before."""
        entry_id = f"{conversation.id}:person:{client_id}"
        known = await self._store.entry(entry_id)
        if known is not None:
            return known, False
        entry = NewEntry(
            id=entry_id,
            conversation=conversation.id,
            author=PERSON,
            turn=entry_id,
            turn_kind=Kind.PERSON,
            text=text,
            created_at=self._now(),
            custom={"agent": agent},
            client_id=client_id,
        )
        return await self._put(conversation, entry), True

    def _of_turn(self, item: Item, suffix: str, text: str) -> NewEntry:
        return NewEntry(
            id=f"{item.id}:{suffix}",
            conversation=item.conversation,
            author=BOT,
            turn=item.id,
            turn_kind=item.kind,
            text=text,
            created_at=self._now(),
        )

    async def _put(
        self,
        conversation: Conversation,
        entry: NewEntry,
        *,
        first_number: int = 1,
        language: str = DEFAULT_LANGUAGE,
        exempt: bool = False,
    ) -> Entry:
        if conversation.channel in CARRIED and (entry.text or entry.options):
            # Decided now and again when it is sent: what was said while opted out must not go out after a START.
            silent = not exempt and await self._store.opted_out(conversation.channel, conversation.address)
            if silent and _answers(entry, conversation):
                silent, exempt = False, True
            cheap = conversation.channel is Channel.SMS
            delivery = Delivery(
                body=sms.body(entry.text, entry.options, first_number, language, cheap=cheap),
                state=Sending.SUPPRESSED if silent else Sending.QUEUED,
                exempt=exempt,
                language=language,
            )
            entry = replace(entry, delivery=delivery)
            if silent:
                self._metrics.deliveries.labels(Sending.SUPPRESSED.value).inc()
        stored = await self._store.add_entry(entry)
        self._feed.changed(conversation.id)
        if stored.delivery is not None:
            self._new_delivery(conversation.id)
        return stored

    async def _obey(self, entry: NewEntry, custom: dict[str, Any], item: Item, conversation: Conversation) -> None:
        """What a reply asks of the front door itself, once: a stored one was obeyed, and a person may have released since."""
        if custom.get("opt_out") is True and item.kind is not Kind.EVENT:
            row = Consent(
                source=by_words(item.id),
                channel=conversation.channel,
                address=conversation.address,
                opted_out=True,
                words=(item.shown or "")[:200],
                at=self._now(),
            )
            if await self._store.record_consent(row):
                log.info("consent_recorded", conversation=conversation.id, opted_out=True, message=item.id)
        handoff, hazard = custom.get("handoff"), custom.get("hazard")
        if not (isinstance(handoff, dict) or isinstance(hazard, dict)) or await self._store.entry(entry.id) is not None:
            return
        if isinstance(handoff, dict):
            case = handoff.get("case")
            if isinstance(case, str) and _CASE.fullmatch(case):
                await self._store.set_case(entry.conversation, case)
                self._metrics.handovers.inc()
                log.info("handed_over", conversation=entry.conversation, message=entry.turn, case=case)
            else:
                log.error("handoff_without_case", conversation=entry.conversation, message=entry.turn)
        if isinstance(hazard, dict) and hazard.get("awaiting"):
            until = self._now() + timedelta(seconds=_HAZARD_QUESTION_S)
            await self._store.set_hazard_until(entry.conversation, until)

    async def _offered_before(self, item: Item) -> int:
        """How many choices earlier replies of this turn offered; numbers go on from there."""
        recent = await self._store.latest_entries(item.conversation, RECENT)
        return len(open_choices([entry for entry in recent if entry.turn == item.id]))


def _answers(entry: NewEntry, conversation: Conversation) -> bool:
    """Whether it answers words that a driver wrote after having opted out, on a channel that leaves that to us.

    Carriers of SMS block such a number; WhatsApp has no block of its own.
    """
    return conversation.channel is not Channel.SMS and entry.turn_kind not in {Kind.EVENT, Kind.PERSON}


def _options(buttons: object) -> tuple[Option, ...]:
    if not isinstance(buttons, list):
        return ()
    return tuple(
        Option(title=str(button["title"]), payload=str(button["payload"]))
        for button in buttons
        if isinstance(button, dict) and button.get("title") and button.get("payload")
    )
