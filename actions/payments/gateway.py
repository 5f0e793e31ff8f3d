"""Stripe's API through its own client, as the cashier needs it: typed results, named errors. The only module that imports `stripe`.

What failed is told apart by what it means for the money: refused (nothing was done), away (not known; the same key may be sent
again), key spent (not known either, and this key will never say: look at what is there, then take a new key).
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import stripe
import structlog

log = structlog.get_logger(__name__)

API_VERSION = "2026-05-27.dahlia"
TIMEOUT_S = 12.0


class PaymentsError(RuntimeError):
    """Anything that went wrong between us and the payment system."""


class PaymentsAway(PaymentsError):
    """No answer, or none that can be used: whether the request was carried out is not known."""


class KeySpent(PaymentsAway):
    """The idempotency key answers with an error of the payment system's for ever; whether it was carried out is not known."""


class PaymentsRefused(PaymentsError):
    """The request was understood and not carried out; `code` is Stripe's."""

    def __init__(self, code: str | None, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Declined(PaymentsError):
    """The card was asked and said no."""

    def __init__(self, code: str | None, advice: str | None, intent: str | None) -> None:
        super().__init__(f"declined: {code}")
        self.code = code
        self.advice = advice
        self.intent = intent


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment as Stripe has it now. `status` as docs.stripe.com/api/payment_intents; amounts in cents."""

    id: str
    status: str
    amount: int
    capturable: int
    received: int
    created: datetime
    metadata: dict[str, str]
    decline: str | None = None
    advice: str | None = None
    next_url: str | None = None
    last4: str | None = None
    refunded: int = 0
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A Checkout page: `status` open, complete or expired."""

    id: str
    status: str
    url: str | None
    until: datetime
    intent: str | None


class Gateway(Protocol):
    """Every call may raise PaymentsError; each with a key is safe to repeat under that key."""

    async def open_page(self, order: dict[str, Any], key: str) -> Page: ...

    async def page(self, page_id: str) -> Page: ...

    async def expire_page(self, page_id: str) -> Page: ...

    async def intent(self, intent_id: str) -> Intent: ...

    async def capture(self, intent_id: str, cents: int, key: str) -> Intent: ...

    async def cancel(self, intent_id: str, reason: str, key: str) -> Intent: ...

    async def hold(self, order: dict[str, Any], key: str) -> Intent: ...

    async def refund(self, intent_id: str, cents: int, mark: str, key: str) -> int: ...

    async def refunds(self, intent_id: str) -> dict[str, int]: ...

    async def customer_of(self, driver: str) -> str | None: ...

    async def saved_card(self, customer: str) -> str | None: ...

    async def intents_of(self, customer: str, since: datetime) -> list[Intent]: ...

    async def finish_card(self, page_id: str) -> str | None: ...

    async def missed_events(self, since: datetime) -> list[tuple[str, str, dict[str, str]]]: ...


class StripeGateway:
    """One pooled client; `close` it at the end. `url` "": Stripe itself."""

    def __init__(self, key: str, url: str = "", *, retries: int = 2, timeout_s: float = TIMEOUT_S) -> None:
        self._http = stripe.AIOHTTPClient(timeout=timeout_s)
        self._client = stripe.StripeClient(
            key,
            base_addresses={"api": url} if url else {},
            http_client=self._http,
            stripe_version=API_VERSION,
            max_network_retries=retries,
        )

    async def close(self) -> None:
        close: Any = self._http.close_async
        await close()

    @property
    def _v1(self) -> Any:
        # Parameters are put together as plain dicts; tests hold each request to Stripe's own OpenAPI document.
        return self._client.v1

    async def open_page(self, order: dict[str, Any], key: str) -> Page:
        return _page(await _told(self._v1.checkout.sessions.create_async(order, {"idempotency_key": key})))

    async def page(self, page_id: str) -> Page:
        return _page(await _told(self._v1.checkout.sessions.retrieve_async(page_id)))

    async def expire_page(self, page_id: str) -> Page:
        return _page(await _told(self._v1.checkout.sessions.expire_async(page_id)))

    async def intent(self, intent_id: str) -> Intent:
        found = await _told(self._v1.payment_intents.retrieve_async(intent_id, {"expand": ["latest_charge"]}))
        return _intent(found)

    async def capture(self, intent_id: str, cents: int, key: str) -> Intent:
        """Takes `cents` and releases the rest of the hold."""
        order = {"amount_to_capture": cents}
        return _intent(await _told(self._v1.payment_intents.capture_async(intent_id, order, {"idempotency_key": key})))

    async def cancel(self, intent_id: str, reason: str, key: str) -> Intent:
        order = {"cancellation_reason": reason}
        return _intent(await _told(self._v1.payment_intents.cancel_async(intent_id, order, {"idempotency_key": key})))

    async def hold(self, order: dict[str, Any], key: str) -> Intent:
        """A payment that is confirmed at once; raises Declined."""
        return _intent(await _told(self._v1.payment_intents.create_async(order, {"idempotency_key": key})))

    async def refund(self, intent_id: str, cents: int, mark: str, key: str) -> int:
        """Pays back; `mark` is how `refunds` names it. Returns the cents."""
        order = {
            "payment_intent": intent_id,
            "amount": cents,
            "reason": "requested_by_customer",
            "metadata": {"mark": mark},
        }
        return int((await _told(self._v1.refunds.create_async(order, {"idempotency_key": key})))["amount"])

    async def refunds(self, intent_id: str) -> dict[str, int]:
        """Cents by mark; refunds that somebody else made count under their id."""
        found = await _told(self._v1.refunds.list_async({"payment_intent": intent_id, "limit": 100}))
        rows = [one for one in _rows(found) if one["status"] not in ("failed", "canceled")]
        return {(one.get("metadata") or {}).get("mark") or one["id"]: int(one["amount"]) for one in rows}

    async def customer_of(self, driver: str) -> str | None:
        """The customer whose metadata names the driver."""
        if not driver or any(letter in driver for letter in "'\"\\"):
            return None
        found = await _told(self._v1.customers.search_async({"query": f"metadata['driver']:'{driver}'", "limit": 1}))
        rows = _rows(found)
        return str(rows[0]["id"]) if rows else None

    async def saved_card(self, customer: str) -> str | None:
        """The payment method that the customer pays with unless asked otherwise."""
        found = await _told(self._v1.customers.retrieve_async(customer))
        method = (found.get("invoice_settings") or {}).get("default_payment_method")
        return str(method) if method else None

    async def intents_of(self, customer: str, since: datetime) -> list[Intent]:
        """The customer's payments since then, the newest first."""
        created = {"gte": int(since.timestamp())}
        order = {"customer": customer, "created": created, "limit": 50, "expand": ["data.latest_charge"]}
        return [_intent(one) for one in _rows(await _told(self._v1.payment_intents.list_async(order)))]

    async def finish_card(self, page_id: str) -> str | None:
        """Makes the card that was saved on a setup page the customer's own; its last four digits, None where none was saved."""
        options = {"expand": ["setup_intent"]}
        page = await _told(self._v1.checkout.sessions.retrieve_async(page_id, options))
        setup, customer = page.get("setup_intent"), page.get("customer")
        if not isinstance(setup, dict) or setup.get("status") != "succeeded" or not customer:
            return None
        method = str(setup["payment_method"])
        await _told(self._v1.customers.update_async(customer, {"invoice_settings": {"default_payment_method": method}}))
        card = (await _told(self._v1.payment_methods.retrieve_async(method))).get("card") or {}
        return str(card.get("last4") or "")

    async def missed_events(self, since: datetime) -> list[tuple[str, str, dict[str, str]]]:
        """Events that did not reach the front door: id, type, metadata of what they are about; the oldest first."""
        order = {"delivery_success": False, "created": {"gte": int(since.timestamp())}, "limit": 100}
        found = await _told(self._v1.events.list_async(order))
        rows = [(one["id"], one["type"], _plain(one["data"]["object"].get("metadata"))) for one in _rows(found)]
        return rows[::-1]


async def _told(call: Awaitable[Any]) -> dict[str, Any]:
    """The answer as plain data, or what went wrong in our words. Never logs a body: those name people."""
    try:
        answer: dict[str, Any] = (await call).to_dict()
        return answer
    except stripe.CardError as error:
        told: Any = error.error
        code = getattr(told, "decline_code", None) or error.code
        intent = getattr(told, "payment_intent", None)
        raise Declined(code, getattr(told, "advice_code", None), getattr(intent, "id", None)) from error
    except stripe.IdempotencyError as error:
        raise KeySpent(str(error.code or "idempotency")) from error
    except stripe.InvalidRequestError as error:
        raise PaymentsRefused(error.code, error.user_message or "") from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise PaymentsRefused("key", "the payment system does not take our key") from error
    except stripe.RateLimitError as error:
        raise PaymentsAway("too many requests") from error
    except stripe.APIConnectionError as error:
        raise PaymentsAway("no answer") from error
    except stripe.StripeError as error:
        if (error.http_status or 0) >= 500:
            raise KeySpent(f"HTTP {error.http_status}") from error
        raise PaymentsAway(f"an answer that is none (HTTP {error.http_status})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PaymentsAway(f"an answer that is none: {type(error).__name__}") from error


def _plain(metadata: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in dict(metadata or {}).items()}


_ODD = (AttributeError, KeyError, TypeError, ValueError)


def _page(found: Any) -> Page:
    try:
        return _page_of(found)
    except _ODD as error:
        raise PaymentsAway(f"a page that is none: {error!r}") from error


def _intent(found: Any) -> Intent:
    try:
        return _intent_of(found)
    except _ODD as error:
        raise PaymentsAway(f"a payment that is none: {error!r}") from error


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    rows = found.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise PaymentsAway("a list that is none")
    return rows


def _page_of(found: Any) -> Page:
    intent = found.get("payment_intent")
    until = datetime.fromtimestamp(int(found["expires_at"]), UTC)
    intent_id = intent if isinstance(intent, str) or intent is None else intent["id"]
    return Page(found["id"], found["status"], found.get("url"), until, intent_id)


def _intent_of(found: Any) -> Intent:
    failed = found.get("last_payment_error") or {}
    charge = found.get("latest_charge")
    charge = charge if charge is not None and not isinstance(charge, str) else {}
    card = ((charge.get("payment_method_details") or {}).get("card")) or {}
    redirect = ((found.get("next_action") or {}).get("redirect_to_url")) or {}
    received = int(found.get("amount_received") or 0)
    return Intent(
        id=found["id"],
        status=found["status"],
        amount=int(found["amount"]),
        capturable=int(found.get("amount_capturable") or 0),
        received=received,
        created=datetime.fromtimestamp(int(found["created"]), UTC),
        metadata=_plain(found.get("metadata")),
        decline=(failed.get("decline_code") or failed.get("code")) if failed else None,
        advice=failed.get("advice_code") if failed else None,
        next_url=redirect.get("url"),
        last4=card.get("last4"),
        # A released hold counts as refunded at Stripe; only money that was taken can be paid back.
        refunded=int(charge.get("amount_refunded") or 0) if received else 0,
        currency=str(found.get("currency") or ""),
    )
