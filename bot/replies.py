"""Puts what is said to a driver into the transcript, and where the channel is a carrier into the outbox, in one write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bot.choices import open_choices
from bot.feed import Feed
from bot.rasa_client import Reply
from bot.render import sms
from bot.store.base import BotStore
from bot.store.model import BOT, Channel, Conversation, Delivery, Item, NewEntry, Option, Sending

RECENT = 30  # entries looked through for open choices; a turn has far fewer


class Replies:
    def __init__(
        self, store: BotStore, feed: Feed, now: Callable[[], datetime], new_delivery: Callable[[], None]
    ) -> None:
        self._store = store
        self._feed = feed
        self._now = now
        self._new_delivery = new_delivery

    async def say(
        self, item: Item, conversation: Conversation, suffix: str, text: str, *, exempt: bool = False
    ) -> None:
        """A sentence of the front door's own. `exempt`: it goes out although the driver opted out."""
        await self._store_entry(item, conversation, suffix, text, (), None, own=True, exempt=exempt, language="en")

    async def pass_on(self, item: Item, conversation: Conversation, number: int, reply: Reply, language: str) -> bool:
        """Reply `number` of Rasa's turn. False where there was nothing in it to show."""
        text = "\n".join(str(reply[key]).strip() for key in ("text", "image", "attachment") if reply.get(key))
        options = _options(reply.get("buttons"))
        custom = reply["custom"] if isinstance(reply.get("custom"), dict) else None
        if not text and not options and (custom is None or custom.get("silent") is True):
            return False
        await self._store_entry(item, conversation, str(number), text, options, custom, language=language)
        return True

    async def _store_entry(
        self,
        item: Item,
        conversation: Conversation,
        suffix: str,
        text: str,
        options: tuple[Option, ...],
        custom: dict[str, Any] | None,
        *,
        language: str,
        own: bool = False,
        exempt: bool = False,
    ) -> None:
        delivery = None
        if conversation.channel is Channel.SMS:
            options = tuple(Option(sms.title(option, language), option.payload) for option in options)
            if text or options:
                offered = await self._offered_before(item) if options else 0
                # Decided now and again when it is sent: what was said while opted out must not go out after a START.
                silent = not exempt and await self._store.opted_out(conversation.channel, conversation.address)
                delivery = Delivery(
                    body=sms.body(text, options, offered + 1, language),
                    state=Sending.SUPPRESSED if silent else Sending.QUEUED,
                    exempt=exempt,
                )
        await self._store.add_entry(
            NewEntry(
                id=f"{item.id}:{suffix}",
                conversation=conversation.id,
                author=BOT,
                turn=item.id,
                turn_kind=item.kind,
                text=text,
                created_at=self._now(),
                options=options,
                custom=custom,
                own=own,
                delivery=delivery,
            )
        )
        self._feed.changed(conversation.id)
        if delivery is not None:
            self._new_delivery()

    async def _offered_before(self, item: Item) -> int:
        """How many choices earlier replies of this turn offered; numbers go on from there."""
        recent = await self._store.latest_entries(item.conversation, RECENT)
        return len(open_choices([entry for entry in recent if entry.turn == item.id]))


def _options(buttons: object) -> tuple[Option, ...]:
    if not isinstance(buttons, list):
        return ()
    return tuple(
        Option(title=str(button["title"]), payload=str(button["payload"]))
        for button in buttons
        if isinstance(button, dict) and button.get("title") and button.get("payload")
    )
