"""The carrier in motion: takes what phones and the bot send, and lets webhooks and statuses follow."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable
from random import Random
from typing import Any
from urllib.parse import urlsplit

from chargeline.clock import Clock
from sandbox.carrier import signing
from sandbox.carrier.network import Line, Message, Network
from sandbox.carrier.postman import Postman
from sandbox.carrier.signing import Account

SMS_PATH = "/webhooks/twilio/sms"
META_PATH = "/webhooks/whatsapp"
_TOLD_AGAIN = 500  # messages whose statuses may have been under way when a carrier was killed


class World:
    def __init__(
        self, account: Account, public_url: str, own_url: str, postman: Postman, clock: Clock, random: Random
    ) -> None:
        """`public_url`: what Twilio signs; `own_url`: where pictures are fetched from."""
        self.account = account
        self.network = Network(clock.now)
        self.postman = postman
        self._public_url = public_url
        self._own_url = own_url
        self._clock = clock
        self._random = random
        self._users: dict[str, str] = {}
        self._numbers = itertools.count(1)

    # --- from the phones
    def text(self, line: Line, number: str, text: str, media: tuple[bytes, str] | None = None) -> Message:
        message = self._message(line, number, text, outbound=False)
        if media is not None:
            name = secrets.token_hex(16)
            self.network.media[name] = media
            message.media = (name, media[1])
        self.network.from_phone(message)
        if line == "sms":
            self._post_sms(message)
        elif message.media is not None:
            kind = message.media[1].partition("/")[0]
            about = {"id": message.media[0], "mime_type": message.media[1], "sha256": ""}
            self._post_whatsapp(message, {"type": kind, kind: {**about, **({"caption": text} if text else {})}})
        else:
            self._post_whatsapp(message, {"type": "text", "text": {"body": text}})
        return message

    def tap(self, number: str, token: str, title: str, *, row: bool = False) -> Message:
        """A tapped button, or a row of a list."""
        message = self._message("whatsapp", number, title, outbound=False)
        self.network.from_phone(message)
        kind = "list_reply" if row else "button_reply"
        reply = {"type": kind, kind: {"id": token, "title": title}}
        self._post_whatsapp(message, {"type": "interactive", "interactive": reply})
        return message

    def share_place(self, number: str, latitude: float, longitude: float, name: str = "") -> Message:
        message = self._message("whatsapp", number, f"{latitude}, {longitude} {name}".strip(), outbound=False)
        place: dict[str, Any] = {"latitude": latitude, "longitude": longitude, **({"name": name} if name else {})}
        message.place = place
        self.network.from_phone(message)
        self._post_whatsapp(message, {"type": "location", "location": place})
        return message

    # --- from the bot
    def take(self, message: Message) -> None:
        """Raises NotTaken. What becomes of it is told by statuses."""
        lost = self._random.random() < self.postman.manners.undelivered
        if message.line == "sms":
            steps = ["queued", "sent", "undelivered" if lost else "delivered"]
        else:
            steps = ["sent", "failed"] if lost else ["sent", "delivered", "read"]
        message.status = steps[-1]
        self.network.to_phone(message)
        code = (30003 if message.line == "sms" else 131026) if lost else None
        if self._random.random() < 0.3:  # callbacks come in any order
            self._random.shuffle(steps)
        for step in steps:
            self._post_status(message, step, code if step in {"undelivered", "failed"} else None)

    def remember(self, messages: Iterable[Message]) -> None:
        """After a restart: what was taken before stands, and the last status of the newest is told again."""
        for message in messages:
            self.network.recall(message)
        for message in self.network.sent()[-_TOLD_AGAIN:]:
            self._post_status(message, message.status, None)

    def new_message(self, line: Line, number: str, text: str) -> Message:
        return self._message(line, number, text, outbound=True)

    def user_of(self, number: str) -> str:
        """The business-scoped id of the person with this number."""
        return self._users.setdefault(number, f"CA.{self._random.randrange(10**15, 10**16)}")

    def number_of(self, user: str) -> str | None:
        return next((number for number, known in self._users.items() if known == user), None)

    def _message(self, line: Line, number: str, text: str, *, outbound: bool) -> Message:
        name = f"SM{secrets.token_hex(16)}" if line == "sms" else f"wamid.{secrets.token_hex(20)}"
        return Message(name, line, number, outbound, text, self._clock.now())

    def _post_sms(self, message: Message) -> None:
        url = None
        if message.media is not None:
            url = f"{self._own_url}/2010-04-01/Accounts/{self.account.sid}/Media/{message.media[0]}"
        fields = signing.sms_fields(self.account, message, url)
        self.postman.from_phone(signing.twilio_post(self.account, self._public_url, SMS_PATH, fields))

    def _post_whatsapp(self, message: Message, content: dict[str, Any]) -> None:
        value = signing.meta_message(message, self.user_of(message.number), content)
        self.postman.from_phone(signing.meta_post(self.account, META_PATH, value))

    def _post_status(self, message: Message, status: str, code: int | None) -> None:
        manners = self.postman.manners
        after = manners.status_s * (0.5 + self._random.random())
        twice = self._random.random() < manners.duplicate
        if message.line == "whatsapp" and message.shape is not None:  # sent by Meta's API
            value = signing.meta_status(message, status, code, self._clock.now().timestamp())
            self.postman.deliver(signing.meta_post(self.account, META_PATH, value), after_s=after, twice=twice)
        elif message.callback is not None:
            parts = urlsplit(message.callback)
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            fields = signing.twilio_status(self.account, message, status, code)
            post = signing.twilio_post(self.account, f"{parts.scheme}://{parts.netloc}", path, fields)
            self.postman.deliver(post, after_s=after, twice=twice)
