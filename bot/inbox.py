"""Takes in what drivers and the bridge send: stored, in order, once, before anyone is told that it was received.

Channels check what is theirs to check (signatures, cookies, keys) and come here; answering is `bot.turns`' work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from bot.choices import open_choices
from bot.consent import OPT_OUT, keyword, kind_of
from bot.feed import Feed
from bot.hearing import Danger
from bot.metrics import Metrics
from bot.pan import mask_spread_card, may_go_on
from bot.replies import RECENT
from bot.store.base import BotStore
from bot.store.model import DRIVER, Channel, Consent, Conversation, Item, Kind, Lane, Media, NewEntry, NewItem, Place
from bot.words import clean
from chargeline.clock import Clock
from chargeline.ids import new_id

log = structlog.get_logger(__name__)

_PREFIX = {Channel.SMS: "sms", Channel.WHATSAPP: "wa", Channel.WEB: "web", Channel.TERMINAL: "term"}
_NO_WORDS = {Kind.MEDIA: "(picture or recording)", Kind.EMPTY: "(no words)"}
_MOST_PROOF = 200  # letters of a driver's words that the consent ledger keeps
TELL_PLACE = "/provide_location"  # what Rasa is asked; the place itself is in the metadata
_SPREAD, _SPREAD_S = 8, 600.0  # a card number is looked for over so many texts, so many seconds
MAX_MEDIA = 10  # pictures of one message; Twilio sends at most ten


@dataclass(frozen=True, slots=True)
class Hint:
    """Where the driver says to be, by a link or a QR code; never proof of anything."""

    charger: str | None = None
    connector: int | None = None


class Inbox:
    def __init__(
        self,
        *,
        store: BotStore,
        feed: Feed,
        metrics: Metrics,
        clock: Clock,
        danger: Danger,
        new_item: Callable[[Lane, str], None],
    ) -> None:
        self._store = store
        self._feed = feed
        self._metrics = metrics
        self._clock = clock
        self._danger = danger
        self._new_item = new_item

    async def conversation(self, channel: Channel, address: str) -> Conversation:
        now = self._clock.now()
        return await self._store.conversation_for(channel, address, new_id(_PREFIX[channel], now), now)

    async def person(self, channel: Channel, user: str | None, phone: str | None) -> Conversation:
        """The conversation of somebody who has a business-scoped id, a phone number or both."""
        now = self._clock.now()
        return await self._store.person(channel, user, phone, new_id(_PREFIX[channel], now), now)

    async def text(
        self,
        conversation: Conversation,
        source: str,
        raw: str,
        *,
        media: Sequence[tuple[str, str]] = (),
        client_id: str | None = None,
        hint: Hint | None = None,
    ) -> tuple[Item, bool]:
        """A driver's words. Returns the stored item, and False where it had come before. `media`: (type, where it is).

        Words that opt out or in go into the consent ledger here, at once, so that nothing that waits in the outbox
        goes out after a STOP.
        """
        words = await self._without_spread_card(conversation, clean(raw))
        if words:
            kind = await self._kind(conversation, source, words)
        else:
            kind = Kind.MEDIA if media else Kind.EMPTY
        return await self._accept(
            conversation,
            source,
            kind,
            words,
            words or _NO_WORDS[kind],
            client_id,
            hint,
            self._lane(conversation, kind),
            media=media,
        )

    async def carrier_answered(self, conversation: Conversation, source: str, raw: str, opted_out: bool | None) -> None:
        """Words that the carrier has acted upon and answered by itself, in its own texts: kept, and answered by nobody else.

        `opted_out`: what they were; None for a word that asks for help.
        """
        words = clean(raw)
        now = self._clock.now()
        if opted_out is not None:
            row = Consent(source, conversation.channel, conversation.address, opted_out, words[:_MOST_PROOF], now)
            if await self._store.record_consent(row):
                log.info("consent_recorded", conversation=conversation.id, opted_out=opted_out)
        entry_id = f"{conversation.id}:{source}"
        said = NewEntry(
            id=entry_id,
            conversation=conversation.id,
            author=DRIVER,
            turn=entry_id,
            turn_kind=Kind.HELP if opted_out is None else Kind.STOP if opted_out else Kind.RESUME,
            text=words,
            created_at=now,
        )
        await self._store.add_entry(said)
        self._feed.changed(conversation.id)

    async def place(
        self,
        conversation: Conversation,
        source: str,
        place: Place,
        *,
        client_id: str | None = None,
        hint: Hint | None = None,
    ) -> tuple[Item, bool]:
        """A shared place. What it is called comes from the driver's phone, so it is cleaned as words are."""
        place = replace(
            place, name=clean(place.name or "")[:100] or None, address=clean(place.address or "")[:200] or None
        )
        called = ", ".join(part for part in (place.name, place.address) if part)
        shown = f"(place: {place.latitude:.5f}, {place.longitude:.5f}{'; ' if called else ''}{called})"
        return await self._accept(
            conversation, source, Kind.LOCATION, TELL_PLACE, shown, client_id, hint, Lane.TALK, place=place
        )

    async def choice(
        self, conversation: Conversation, source: str, token: str, *, client_id: str | None, hint: Hint | None = None
    ) -> tuple[Item, bool] | None:
        """A tapped choice; None where this conversation was never offered it."""
        entry_id, _, index = token.rpartition(".")
        entry = await self._store.entry(entry_id)
        if (
            entry is None
            or entry.conversation != conversation.id
            or not index.isdecimal()
            or int(index) >= len(entry.options)
        ):
            return None
        title = entry.options[int(index)].title
        return await self._accept(conversation, source, Kind.CHOICE, token, title, client_id, hint)

    async def news(self, event_id: str, conversation_id: str, message: str, *, origin: str = "bridge") -> bool | None:
        """An event of another process, as the message for Rasa: False where it had come before, None where there is no such conversation."""
        conversation = await self._store.conversation(conversation_id)
        if conversation is None:
            return None
        _, new = await self._accept(conversation, f"{origin}:{event_id}", Kind.EVENT, message, None, None, None)
        return new

    async def offers(self, conversation_id: str) -> list[str]:
        """Tokens of the choices that stand now."""
        return [token for token, _ in open_choices(await self._store.latest_entries(conversation_id, RECENT))]

    async def _without_spread_card(self, conversation: Conversation, words: str) -> str:
        """The words, where they complete a card number that texts before them began: without it, and those without theirs."""
        if not may_go_on(words):
            return words
        now = self._clock.now()
        recent = await self._store.latest_entries(conversation.id, RECENT)
        before = [one for one in recent if one.author == DRIVER and (now - one.created_at).total_seconds() < _SPREAD_S]
        before = before[: _SPREAD - 1][::-1]
        masked = mask_spread_card([*(one.text for one in before), words])
        if masked is None:
            return words
        changed = {one.id: text for one, text in zip(before, masked, strict=False) if one.text != text}
        await self._store.rewrite(changed)
        log.info("card_number_removed", conversation=conversation.id, messages=len(changed) + 1)
        return masked[-1]

    def _lane(self, conversation: Conversation, kind: Kind) -> Lane:
        if kind is Kind.HAZARD:
            return Lane.HAZARD
        until = conversation.hazard_until
        asked = until is not None and self._clock.now() < until
        return Lane.HAZARD if asked and kind is Kind.TEXT else Lane.TALK

    async def _kind(self, conversation: Conversation, source: str, words: str) -> Kind:
        out = await self._store.opted_out(conversation.channel, conversation.address)
        kind = kind_of(conversation.channel, words, out)
        if self._danger(words) is not None and (kind is Kind.TEXT or keyword(words) not in OPT_OUT):
            return Kind.HAZARD  # "stop texting me, it is on fire": the fire first
        # A second STOP gets no second confirmation: it is stored as words.
        if kind is Kind.STOP and out:
            return Kind.TEXT
        if kind in {Kind.STOP, Kind.RESUME}:
            row = Consent(
                source=source,
                channel=conversation.channel,
                address=conversation.address,
                opted_out=kind is Kind.STOP,
                words=words[:_MOST_PROOF],
                at=self._clock.now(),
            )
            if await self._store.record_consent(row):
                log.info("consent_recorded", conversation=conversation.id, opted_out=row.opted_out)
        return kind

    async def _accept(
        self,
        conversation: Conversation,
        source: str,
        kind: Kind,
        text: str,
        shown: str | None,
        client_id: str | None,
        hint: Hint | None,
        lane: Lane = Lane.TALK,
        *,
        media: Sequence[tuple[str, str]] = (),
        place: Place | None = None,
    ) -> tuple[Item, bool]:
        if hint is not None and (hint.charger, hint.connector) != (
            conversation.charger_hint,
            conversation.connector_hint,
        ):
            await self._store.set_hints(conversation.id, hint.charger, hint.connector)
        now = self._clock.now()
        item_id = new_id("in", now)
        kept = tuple(Media(f"{item_id}-{n}", kind_, ref) for n, (kind_, ref) in enumerate(media[:MAX_MEDIA]))
        new = NewItem(
            id=item_id,
            conversation=conversation.id,
            source=source,
            kind=kind,
            text=text,
            received_at=now,
            shown=shown,
            client_id=client_id,
            lane=lane,
            media=kept,
            place=place,
        )
        item, created = await self._store.accept(new)
        if created:
            self._metrics.received.labels(conversation.channel.value, kind.value).inc()
            log.info("accepted", conversation=conversation.id, message=item.id, kind=kind.value)
            self._feed.changed(conversation.id)
            self._new_item(lane, conversation.id)
        else:
            self._metrics.duplicates.labels(conversation.channel.value).inc()
            log.info("duplicate_dropped", conversation=conversation.id, message=item.id)
        return item, created
