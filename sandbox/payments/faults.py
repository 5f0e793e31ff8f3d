"""What can go wrong between a client and Stripe, on order: lost answers, errors, refusals, nonsense. Pure but for its list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KINDS = {
    "lost_answer": "the request is carried out, and the connection breaks before its answer",
    "lost_request": "the connection breaks before anything is done",
    "error_500": "nothing is done, and 500 is answered (and replayed under the same idempotency key)",
    "error_500_after": "the request is carried out, 500 is answered (and replayed under the same idempotency key)",
    "error_429": "nothing is done: too many requests",
    "nonsense": "the request is carried out, and the answer is no JSON",
}


class BadFault(ValueError):
    """A fault that is none; the message says what is expected."""


@dataclass(slots=True)
class Fault:
    """Meets the next `times` requests of `method` (any: "") whose path begins with `path`."""

    kind: str
    path: str = "/v1/"
    method: str = ""
    times: int = 1


class Faults:
    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, body: dict[str, Any]) -> Fault:
        """Raises BadFault."""
        kind, path, times = body.get("kind"), body.get("path", "/v1/"), body.get("times", 1)
        method = body.get("method", "")
        if kind not in KINDS:
            raise BadFault(f"kind must be one of {', '.join(KINDS)}")
        if not isinstance(path, str) or not path.startswith("/v1/"):
            raise BadFault("path must begin with /v1/")
        if method not in ("", "GET", "POST"):
            raise BadFault("method must be GET, POST or left out")
        if type(times) is not int or not 0 < times <= 1000:
            raise BadFault("times must be a whole number from 1 to 1000")
        fault = Fault(kind, path, method, times)
        self.waiting.append(fault)
        return fault

    def meet(self, method: str, path: str) -> str | None:
        """The kind of the fault that this request meets, which is used up by it."""
        for fault in self.waiting:
            if path.startswith(fault.path) and fault.method in ("", method):
                fault.times -= 1
                if fault.times == 0:
                    self.waiting.remove(fault)
                return fault.kind
        return None
