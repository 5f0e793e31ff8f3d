"""The whole stand-in without HTTP: one request in, one answer out, with idempotency keys as Stripe keeps them.

A key keeps the first answer, also a decline or a 500, for whoever sends the same request again; another request under it is
an error; what failed before it began is not kept. See docs.stripe.com/api/idempotent_requests.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chargeline.clock import Clock
from sandbox.payments.checkout import Checkout
from sandbox.payments.errors import StripeError
from sandbox.payments.events import Events
from sandbox.payments.faults import Faults
from sandbox.payments.intents import Intents
from sandbox.payments.operations import Operations
from sandbox.payments.shelf import Shelf, public

Check = Callable[[str, str, dict[str, Any]], str | None]  # method, path, parameters → what is wrong with them


@dataclass(frozen=True, slots=True)
class Answer:
    """`lost`: nobody gets it, the connection breaks."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False


class World:
    """`check` judges each request's parameters before it is answered; the tests pass Stripe's own OpenAPI document."""

    def __init__(
        self,
        shelf: Shelf,
        clock: Clock,
        *,
        pages: str,
        webhook_url: str,
        webhook_secret: str,
        check: Check | None = None,
    ) -> None:
        self.shelf = shelf
        self.clock = clock
        self.events = Events(shelf, clock, webhook_url, webhook_secret)
        self.intents = Intents(shelf, self.events, clock, pages)
        self.checkout = Checkout(shelf, self.events, self.intents, pages)
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        self._operations = Operations(shelf, self.intents, self.checkout)
        self._check = check

    def lapse(self) -> None:
        """What ends by itself: pages and holds whose time is over."""
        self.checkout.lapse()
        self.intents.lapse()
        self.shelf.save()

    def answer(self, method: str, path: str, params: dict[str, Any], key: str | None) -> Answer:
        self.requests.append((method, path))
        request_id = f"req_{secrets.token_hex(8)}"
        self.events.request = (request_id, key)
        try:
            answer = self._answer(method, path, params, key if method == "POST" else None)
        finally:
            self.events.request = (None, None)
            self.shelf.save()
        return Answer(answer.status, answer.body, {**answer.headers, "Request-Id": request_id}, answer.lost)

    def _answer(self, method: str, path: str, params: dict[str, Any], key: str | None) -> Answer:
        fault = self.faults.meet(method, path)
        if fault == "lost_request":
            return Answer(0, b"", lost=True)
        if fault == "error_429":
            return _error(
                StripeError(
                    429, {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"}
                )
            )
        kept = self._kept(method, path, params, key)
        if kept is None:
            kept, keep = self._do(method, path, params, fault)
            if keep and key is not None:
                self._keep(method, path, params, key, kept)
        if fault == "lost_answer":
            return Answer(0, b"", lost=True)
        if fault == "nonsense":
            return Answer(200, b"<html>upstream says hello</html>", {"Content-Type": "text/html"})
        return kept

    def _do(self, method: str, path: str, params: dict[str, Any], fault: str | None) -> tuple[Answer, bool]:
        """The answer, and whether an idempotency key keeps it."""
        broken = StripeError(500, {"type": "api_error", "message": "An error occurred on our side."})
        if fault == "error_500":
            return _error(broken), True
        try:
            do = self._operations.route(method, path)
            wrong = self._check(method, path, params) if self._check is not None else None
            if wrong is not None:
                raise StripeError(400, {"type": "invalid_request_error", "message": wrong, "code": "contract"})
            done: dict[str, Any] = do(params)
            answer = Answer(200, json.dumps(public(self._expanded(done, params))).encode())
        except StripeError as error:
            answer = _error(error)
            if not error.started:
                return answer, False
        return (_error(broken) if fault == "error_500_after" else answer), True

    def _expanded(self, thing: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """With `expand[]` fields, also of the rows of a list, as whole objects."""
        names = [str(name) for name in params.get("expand") or []]
        if thing.get("object") in ("list", "search_result"):
            inner = {"expand": [name.removeprefix("data.") for name in names if name.startswith("data.")]}
            return {**thing, "data": [self._expanded(one, inner) for one in thing["data"]]}
        found = {name: self.shelf.find(thing[name]) for name in names if isinstance(thing.get(name), str)}
        return {**thing, **{name: value for name, value in found.items() if value is not None}}

    def _kept(self, method: str, path: str, params: dict[str, Any], key: str | None) -> Answer | None:
        row = self.shelf.find(_key_id(key)) if key is not None else None
        if row is None:
            return None
        if row["request"] != _hash(method, path, params):
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
            )
            return _error(StripeError(400, {"type": "idempotency_error", "message": message}))
        return Answer(row["status"], row["body"].encode(), {"Idempotent-Replayed": "true"})

    def _keep(self, method: str, path: str, params: dict[str, Any], key: str, answer: Answer) -> None:
        row = {"id": _key_id(key), "object": "answer", "request": _hash(method, path, params)}
        self.shelf.put({**row, "status": answer.status, "body": answer.body.decode()})


def _error(error: StripeError) -> Answer:
    return Answer(error.status, json.dumps({"error": public(error.error)}).encode())


def _key_id(key: str) -> str:
    return f"idem_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _hash(method: str, path: str, params: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([method, path, params], sort_keys=True).encode()).hexdigest()
