"""The phones' side: who has which number, what was sent to whom, who has blocked the sender, since when a driver is silent.

Pure state with time passed in. Which HTTP answer follows from a refusal is the API's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from bot.render.gsm7 import cost

Line = Literal["sms", "whatsapp"]

WINDOW_S = 24 * 3600.0
TYPING_S = 25.0
_STOP = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "arret"})
_START = frozenset({"start", "yes", "unstop"})


class NotTaken(Exception):
    """The carrier refuses a message; `code` is the one that Twilio (SMS) or Meta (WhatsApp) gives for it."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(slots=True)
class Message:
    """One message of a line, either way. `shape` is what Meta was sent: its buttons, list or request."""

    id: str
    line: Line
    number: str
    outbound: bool
    text: str
    at: datetime
    status: str = "queued"
    segments: int = 1
    encoding: str = ""
    shape: dict[str, Any] | None = None
    template: bool = False
    callback: str | None = None
    entry: str | None = None
    media: tuple[str, str] | None = None  # id and type
    place: dict[str, Any] | None = None  # latitude, longitude and perhaps name of a pin


@dataclass(slots=True)
class Network:
    """`now` is the product's clock, which may run fast: the 24 hours are hours of it."""

    now: Callable[[], datetime]
    messages: list[Message] = field(default_factory=list)
    blocked: set[str] = field(default_factory=set)
    owed: set[str] = field(default_factory=set)  # numbers that may still get the one confirmation of their STOP
    heard: dict[str, datetime] = field(default_factory=dict)
    typing: dict[str, datetime] = field(default_factory=dict)  # until when WhatsApp shows that we write
    media: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    by_id: dict[str, Message] = field(default_factory=dict)
    journal: Callable[[Message], None] = lambda _: None  # told of every message before anybody hears that it was taken

    def from_phone(self, message: Message) -> None:
        """A driver writes. On SMS the carrier acts on its keywords by itself, before anybody else reads them."""
        self._add(message)
        if message.line == "whatsapp":
            self.heard[message.number] = message.at
            return
        word = message.text.strip().strip(".!").lower()
        if word in _STOP:
            if message.number not in self.blocked:
                self.owed.add(message.number)
            self.blocked.add(message.number)
        elif word in _START:
            self.blocked.discard(message.number)

    def to_phone(self, message: Message) -> None:
        """We write. Raises NotTaken. After a STOP one confirmation is let through, as where the account sends its own."""
        if message.line == "sms":
            if message.number in self.owed:
                self.owed.discard(message.number)
            elif message.number in self.blocked:
                raise NotTaken(21610, "Attempt to send to unsubscribed recipient")
            spent = cost(message.text)
            message.segments, message.encoding = spent.segments, spent.encoding
        elif not message.template and not self.window_open(message.number):
            raise NotTaken(63016, "Outside the 24 hours since the user last wrote")
        else:
            self.typing.pop(message.number, None)
        self._add(message)

    def show_typing(self, message_id: str) -> bool:
        """Marks a driver's message as read and shows that an answer is being written; False where there is no such message."""
        message = self.by_id.get(message_id)
        if message is None or message.outbound or message.line != "whatsapp":
            return False
        message.status = "read"
        self.typing[message.number] = self.now() + timedelta(seconds=TYPING_S)
        return True

    def is_typing(self, number: str) -> bool:
        until = self.typing.get(number)
        return until is not None and self.now() < until

    def window_open(self, number: str) -> bool:
        heard = self.heard.get(number)
        return heard is not None and (self.now() - heard).total_seconds() < WINDOW_S

    def of(self, number: str, after: int = 0) -> list[tuple[int, Message]]:
        """Both lines of one phone, numbered from 1 over all phones."""
        rows = enumerate(self.messages[after:], after + 1)
        return [(seq, message) for seq, message in rows if message.number == number]

    def sent(self) -> list[Message]:
        return [message for message in self.messages if message.outbound]

    def recall(self, message: Message) -> None:
        """A message of an earlier life, from the journal."""
        if not message.outbound and message.line == "whatsapp":
            self.heard[message.number] = message.at
        self.messages.append(message)
        self.by_id[message.id] = message

    def _add(self, message: Message) -> None:
        self.journal(message)
        self.messages.append(message)
        self.by_id[message.id] = message
