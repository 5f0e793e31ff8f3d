"""Errors as Stripe words them: `{"error": {"type", "code", "message", …}}` with their HTTP status."""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """`started`: the request began to be executed, so an idempotency key keeps this answer."""

    def __init__(self, status: int, error: dict[str, Any], *, started: bool = False) -> None:
        super().__init__(str(error.get("message")))
        self.status = status
        self.error = {name: value for name, value in error.items() if value is not None}
        self.started = started


def invalid(message: str, *, param: str | None = None, code: str | None = None, started: bool = False) -> StripeError:
    error = {"type": "invalid_request_error", "message": message, "param": param, "code": code}
    return StripeError(400, error, started=started)


def missing(kind: str, object_id: str) -> StripeError:
    error = {
        "type": "invalid_request_error",
        "code": "resource_missing",
        "message": f"No such {kind}: '{object_id}'",
        "param": "id",
    }
    return StripeError(404, error)


def unexpected_state(intent: dict[str, Any], message: str) -> StripeError:
    error = {
        "type": "invalid_request_error",
        "code": f"{intent['object']}_unexpected_state",
        "message": message,
        intent["object"]: intent,
    }
    return StripeError(400, error, started=True)


def declined(intent: dict[str, Any], error: dict[str, Any]) -> StripeError:
    return StripeError(402, {**error, intent["object"]: intent}, started=True)
