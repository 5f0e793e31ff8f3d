"""What the front door asks of its store. Both implementations pass the same suite (tests/bot/test_store.py)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bot.store.model import Channel, Consent, Conversation, Delivery, Entry, Item, Lane, NewEntry, NewItem, Seen


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much is waiting: items for an answer, deliveries for the carrier."""

    items: int
    deliveries: int


class BotStore(Protocol):
    """A method that returned has stored what it was given: a killed process loses nothing of it."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def check(self) -> None:
        """Raises where the store cannot be used now."""
        ...

    # --- conversations
    async def conversation_for(self, channel: Channel, address: str, new_id: str, now: datetime) -> Conversation:
        """The conversation of this address, made with `new_id` where there is none."""
        ...

    async def person(
        self, channel: Channel, user: str | None, phone: str | None, new_id: str, now: datetime
    ) -> Conversation:
        """The conversation of whoever has this business-scoped id or, as long as no other id is known for it, this number.

        An id never moves; a number is theirs who last wrote with it. Either may be missing, not both.
        """
        ...

    async def conversation(self, conversation_id: str) -> Conversation | None: ...

    async def set_hints(self, conversation_id: str, charger: str | None, connector: int | None) -> None: ...

    async def set_language(self, conversation_id: str, language: str) -> None: ...

    async def set_case(self, conversation_id: str, case: str | None) -> None:
        """Hands the conversation to the person of this case, or with None back to the bot."""
        ...

    async def set_hazard_until(self, conversation_id: str, until: datetime | None) -> None: ...

    # --- inbox
    async def accept(self, item: NewItem) -> tuple[Item, bool]:
        """Stores the item and its transcript line; False and the stored one where its source is known already."""
        ...

    async def waiting(self, limit: int, exclude: Collection[str], lane: Lane = Lane.TALK) -> list[str]:
        """Conversations with unanswered items in this lane, the longest waiting first."""
        ...

    async def next_item(self, conversation_id: str, lane: Lane = Lane.TALK) -> Item | None:
        """The oldest item of the conversation in this lane that is not done."""
        ...

    async def open_items(self, conversation_id: str, limit: int) -> list[Item]:
        """The dialogue's items that are not done, oldest first."""
        ...

    async def join(self, item_id: str, followers: Collection[str], text: str) -> None:
        """The followers' words become part of this item's turn: `text` is what will be asked; they are done with it."""
        ...

    async def last_heard(self, conversation_id: str) -> datetime | None:
        """When the driver last wrote."""
        ...

    async def waiting_in(self, conversation_id: str) -> int:
        """How many items the driver awaits an answer to: those on their way to a person do not count."""
        ...

    async def move(self, item_id: str, lane: Lane) -> None:
        """Puts an item that is not done into another lane."""
        ...

    async def rewrite(self, texts: Mapping[str, str]) -> None:
        """Replaces the words of items, here and in the transcript: what they were must not be kept."""
        ...

    async def mark_asked(self, item_id: str, text: str, at: datetime) -> None:
        """From now on Rasa may know the item: `text` is what it is asked, also when it is asked again."""
        ...

    async def add_failure(self, item_id: str) -> int:
        """Counts one failed attempt; returns how many there are now."""
        ...

    async def finish(self, item_id: str, outcome: str) -> None: ...

    async def note_understood(self, item_id: str, understood: dict[str, Any]) -> None:
        """What Rasa made of the item's words."""
        ...

    # --- transcript
    async def add_entry(self, entry: NewEntry) -> Entry:
        """Stores it with the next sequence number; where its id is known, the stored one comes back unchanged."""
        ...

    async def entry(self, entry_id: str) -> Entry | None: ...

    async def entries(self, conversation_id: str, after: int, limit: int) -> list[Entry]: ...

    async def latest_entries(self, conversation_id: str, limit: int) -> list[Entry]:
        """Newest first."""
        ...

    async def seen(self, since: datetime, before: tuple[datetime, str] | None, limit: int) -> list[Seen]:
        """Lines of all conversations from `since` on, newest first; `before`: moment and id of the last one of the page before."""
        ...

    # --- outbox
    async def undelivered(self, limit: int, exclude: Collection[str]) -> list[str]:
        """Conversations with deliveries that are not final, the oldest first."""
        ...

    async def next_delivery(self, conversation_id: str) -> Entry | None:
        """The oldest entry of the conversation whose delivery is not final."""
        ...

    async def claim_delivery(self, entry_id: str, at: datetime) -> bool:
        """queued → sending, one more attempt; False where it was not queued."""
        ...

    async def set_delivery(self, entry_id: str, delivery: Delivery) -> None:
        """Replaces what is not final; a final delivery stays as it is. The status stays where the carrier's id does."""
        ...

    async def note_status(self, entry_id: str | None, sid: str, status: str, error: str | None) -> Entry | None:
        """What the carrier says became of a message, known by our id or by its own. None where that is no news.

        A delivery that was in doubt is sent by this. A message that was replaced by a later attempt is no news.
        """
        ...

    async def send_again(self, entry_id: str, at: datetime) -> bool:
        """Puts a delivery that the carrier could not bring back into the outbox, for `at`; False where it was so before."""
        ...

    async def known_sids(self, sids: Collection[str]) -> set[str]:
        """Those carrier message ids that some delivery here already has."""
        ...

    # --- consent
    async def record_consent(self, row: Consent) -> bool:
        """False where a row with this source is there already."""
        ...

    async def consents(self, channel: Channel, address: str) -> list[Consent]:
        """The ledger of this address, oldest first."""
        ...

    async def opted_out(self, channel: Channel, address: str) -> bool: ...

    async def backlog(self) -> Backlog: ...
