"""Events and their webhooks: signed as Stripe signs, sent until they are acknowledged, and, when asked to, twice, late or never."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
from dataclasses import dataclass

import httpx
import structlog

from chargeline.clock import Clock
from sandbox.payments.shelf import Object, Shelf, public

log = structlog.get_logger(__name__)

API_VERSION = "2026-05-27.dahlia"
_FIRST_WAIT_S, _LONGEST_WAIT_S, _MOST_TRIES = 1.0, 60.0, 12


def signature(secret: str, at: int, body: str) -> str:
    """The `Stripe-Signature` header of a body that is sent at `at` (Unix seconds)."""
    digest = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


@dataclass(slots=True)
class Trouble:
    """What happens to the next webhooks: so many twice, so many never; all that wait in any order."""

    twice: int = 0
    never: int = 0
    shuffle: bool = False


class Events:
    """`url` empty: events are only listed. `order`: what shuffled webhooks are shuffled by."""

    def __init__(self, shelf: Shelf, clock: Clock, url: str, secret: str, order: random.Random | None = None) -> None:
        self._shelf = shelf
        self._clock = clock
        self._url = url
        self._secret = secret
        self._order = order or random.Random(1)
        self._waiting: list[tuple[str, int]] = []  # event, tries before
        self._news = asyncio.Event()
        self.trouble = Trouble()
        self.request: tuple[str | None, str | None] = (
            None,
            None,
        )  # id and idempotency key of the call that is answered
        self._http = httpx.AsyncClient(timeout=10, trust_env=False)
        self._later: set[asyncio.Task[None]] = set()

    def happened(self, kind: str, thing: Object) -> Object:
        """Records an event with the object as it is now; its webhook goes out after the call has been answered."""
        request_id, key = self.request
        event = self._shelf.new(
            "event",
            int(self._clock.now().timestamp()),
            api_version=API_VERSION,
            type=kind,
            data={"object": public(thing)},
            pending_webhooks=1 if self._url else 0,
            request={"id": request_id, "idempotency_key": key},
        )
        del event["metadata"]
        if not self._url:
            return event
        if self.trouble.never > 0:
            self.trouble.never -= 1
            return event
        self._waiting.append((event["id"], 0))
        if self.trouble.twice > 0:
            self.trouble.twice -= 1
            self._waiting.append((event["id"], 0))
        self._news.set()
        return event

    async def run(self) -> None:
        """Sends what waits, for ever."""
        while True:
            await self._news.wait()
            await self.send_waiting()

    async def send_waiting(self) -> int:
        """Sends all that waits now, once; how many were acknowledged. What was not comes again later."""
        self._news.clear()
        batch, self._waiting = self._waiting, []
        if self.trouble.shuffle:
            self._order.shuffle(batch)
        taken = 0
        for event_id, tries in batch:
            if await self._send(event_id):
                taken += 1
            elif tries + 1 < _MOST_TRIES:
                wait = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**tries)
                task = asyncio.create_task(self._again(event_id, tries + 1, wait))
                self._later.add(task)
                task.add_done_callback(self._later.discard)
        return taken

    async def _again(self, event_id: str, tries: int, wait_s: float) -> None:
        await self._clock.sleep(wait_s)
        self._waiting.append((event_id, tries))
        self._news.set()

    async def _send(self, event_id: str) -> bool:
        event = self._shelf.get("event", event_id)
        body = json.dumps(event)
        header = signature(self._secret, int(self._clock.now().timestamp()), body)
        try:
            answer = await self._http.post(
                self._url, content=body, headers={"Stripe-Signature": header, "Content-Type": "application/json"}
            )
        except httpx.HTTPError as error:
            log.warning("webhook_not_delivered", event_id=event_id, type=event["type"], why=type(error).__name__)
            return False
        if not answer.is_success:
            log.warning("webhook_not_taken", event_id=event_id, type=event["type"], status=answer.status_code)
            return False
        event["pending_webhooks"] = 0
        self._shelf.put(event)
        return True

    def send_again(self, event_id: str) -> None:
        """A webhook that went out before goes out once more."""
        self._shelf.get("event", event_id)
        self._waiting.append((event_id, 0))
        self._news.set()

    async def close(self) -> None:
        for task in list(self._later):
            task.cancel()
        await self._http.aclose()
