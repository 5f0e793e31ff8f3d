"""What the front door keeps: conversations, the inbox, the transcript with its deliveries, and consent.

Plain data; the rules that move it are in `bot.turns` and `bot.outbox`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Channel(StrEnum):
    SMS = "sms"
    WHATSAPP = "whatsapp"
    WEB = "web"
    TERMINAL = "terminal"


CARRIED = frozenset({Channel.SMS, Channel.WHATSAPP})  # replies go out through a carrier


class Kind(StrEnum):
    """What an inbox item is, which decides who answers it."""

    TEXT = "text"  # a driver's words: Rasa answers
    CHOICE = "choice"  # a tapped choice, its token in `text`: Rasa answers
    LOCATION = "location"  # a shared place: Rasa is told of it
    MEDIA = "media"  # a picture or voice note without words: the front door answers
    EMPTY = "empty"  # nothing readable: the front door answers
    STOP = "stop"  # carrier keyword: opted out
    RESUME = "resume"  # carrier keyword from a number that had opted out
    HELP = "help"  # carrier keyword
    EVENT = "event"  # not from the driver; `text` is the message for Rasa
    HAZARD = "hazard"  # a driver's words that may mean danger: advice at once, then the action server
    PERSON = "person"  # transcript only: a person of the operator's writes to the driver


class Lane(StrEnum):
    """Who works an item off. Within a conversation and a lane in order; one lane never waits for another."""

    TALK = "talk"  # the dialogue
    HAZARD = "hazard"  # danger: waits for nothing that is going on in the dialogue
    DESK = "desk"  # to be forwarded to the person who has the conversation


class Sending(StrEnum):
    """State of a delivery; the last four are final."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    UNKNOWN = "unknown"


FINAL = frozenset({Sending.SENT, Sending.FAILED, Sending.SUPPRESSED, Sending.UNKNOWN})


STATUS_RANK = {"accepted": 1, "queued": 1, "scheduled": 1, "sending": 2, "sent": 3}
STATUS_RANK |= {"undelivered": 4, "failed": 4, "canceled": 4, "delivered": 5, "read": 6}
FAILED_STATUS = frozenset({"undelivered", "failed", "canceled"})


def is_news(before: str | None, status: str) -> bool:
    """Whether a carrier's status moves a delivery on: callbacks come late, twice and in any order."""
    return STATUS_RANK.get(status, 0) > STATUS_RANK.get(before or "", 0)


@dataclass(frozen=True, slots=True)
class Media:
    """What came with a message: `ref` is where the carrier keeps it (a URL or an id), `type` its media type."""

    id: str
    type: str
    ref: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the driver says to be, in degrees (WGS 84)."""

    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """`address` is the phone number, the visitor id or the terminal's name; only the front door knows it. On WhatsApp it is
    what the driver was first known by; `user` is the business-scoped id and `phone` the number, as far as Meta tells them.

    `language`: what the driver last wrote in, None before a first word told. `case`: the case of the person who has the
    conversation, None while it is the bot's. `hazard_until`: a question about a hazard is open till then.
    """

    id: str
    channel: Channel
    address: str
    created_at: datetime
    charger_hint: str | None = None
    connector_hint: int | None = None
    language: str | None = None
    case: str | None = None
    hazard_until: datetime | None = None
    user: str | None = None
    phone: str | None = None

    @property
    def number(self) -> str | None:
        """The phone number that the carrier vouches for, where there is one."""
        return self.address if self.channel is Channel.SMS else self.phone


@dataclass(frozen=True, slots=True)
class NewItem:
    """`source` names the item at its origin (`twilio:SM…`); a second one with the same source is a duplicate.

    `shown` is what the transcript says the driver said; None where the driver said nothing.
    """

    id: str
    conversation: str
    source: str
    kind: Kind
    text: str
    received_at: datetime
    shown: str | None = None
    client_id: str | None = None
    lane: Lane = Lane.TALK
    media: tuple[Media, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """`number` counts from 1 within the conversation. `asked_*`: what was handed to Rasa, and when it last was.

    `joined`: later items whose words are part of this turn, in `asked_text` with its own; they end with it.
    """

    id: str
    conversation: str
    number: int
    source: str
    kind: Kind
    text: str
    received_at: datetime
    shown: str | None = None
    client_id: str | None = None
    lane: Lane = Lane.TALK
    done: bool = False
    outcome: str | None = None
    asked_at: datetime | None = None
    asked_text: str | None = None
    failures: int = 0
    media: tuple[Media, ...] = ()
    place: Place | None = None
    joined: tuple[str, ...] = ()

    @property
    def first(self) -> bool:
        """Whether nothing came before it in its conversation."""
        return self.number == 1


@dataclass(frozen=True, slots=True)
class Option:
    """One choice offered to the driver; the payload is for Rasa and is never shown."""

    title: str
    payload: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for the carrier. `exempt`: goes out although the driver opted out (the one confirmation).

    `status`: how far the carrier says it came (`STATUS_RANK`); `again`: how often it was sent anew because it did not arrive.
    """

    body: str
    state: Sending = Sending.QUEUED
    attempts: int = 0
    next_at: datetime | None = None
    claimed_at: datetime | None = None
    sid: str | None = None
    error: str | None = None
    exempt: bool = False
    language: str = "en"
    status: str | None = None
    again: int = 0


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A line of the transcript. `turn`: the item it belongs to; `own`: written by the front door, not by Rasa."""

    id: str
    conversation: str
    author: str
    turn: str
    turn_kind: Kind
    text: str
    created_at: datetime
    options: tuple[Option, ...] = ()
    custom: dict[str, Any] | None = None
    own: bool = False
    client_id: str | None = None
    delivery: Delivery | None = None


@dataclass(frozen=True, slots=True)
class Entry(NewEntry):
    """`seq` counts from 1 within the conversation, without gaps: what a reader resumes by."""

    seq: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A transcript line as the trainers' desk needs it: with what Rasa made of a driver's words, and what it was asked.

    `understood`: as `bot.understood` keeps it; None where Rasa was not asked. `asked`: the message or the payload that it got.
    """

    entry: Entry
    understood: dict[str, Any] | None = None
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """One row of the ledger: who said what, where, when. The newest row of an address decides."""

    source: str
    channel: Channel
    address: str
    opted_out: bool
    words: str
    at: datetime


DRIVER = "driver"
BOT = "bot"
PERSON = "person"


def driver_entry(item: NewItem | Item) -> NewEntry | None:
    """The transcript line of what the driver said, or None where it was an event."""
    if item.shown is None:
        return None
    return NewEntry(
        id=item.id,
        conversation=item.conversation,
        author=DRIVER,
        turn=item.id,
        turn_kind=item.kind,
        text=item.shown,
        created_at=item.received_at,
        client_id=item.client_id,
        custom={"media": [{"id": one.id, "type": one.type} for one in item.media]} if item.media else None,
    )
