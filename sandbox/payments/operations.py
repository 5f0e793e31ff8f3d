"""The operations of Stripe's API that Chargeline uses: what each takes, what it does, what it answers. No HTTP here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.payments.checkout import Checkout
from sandbox.payments.errors import StripeError, invalid, missing
from sandbox.payments.forms import known, metadata, whole, yes
from sandbox.payments.intents import Intents
from sandbox.payments.shelf import Object, Shelf

Params = dict[str, Any]
_CUSTOMER = frozenset({"email", "name", "phone", "description", "metadata", "invoice_settings", "preferred_locales"})
_LIST = frozenset({"limit", "starting_after", "ending_before", "created"})
_CONFIRM = frozenset({"payment_method", "off_session", "return_url", "payment_method_types"})
_INTENT = frozenset(
    {"amount", "currency", "customer", "capture_method", "metadata", "description", "confirm", "setup_future_usage"}
) | frozenset({"automatic_payment_methods", "receipt_email"})
_CHECKOUT = frozenset(
    {"mode", "line_items", "payment_intent_data", "setup_intent_data", "success_url", "cancel_url", "expires_at"}
) | frozenset(
    {"metadata", "customer", "client_reference_id", "locale", "payment_method_types", "currency", "customer_creation"}
)
_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
_CANCEL_REASONS = _REASONS | {"abandoned"}
_SEARCH = re.compile(r"metadata\[(['\"])([\w.-]{1,40})\1\]\s*:\s*(['\"])([^'\"]{1,500})\3")


class Operations:
    def __init__(self, shelf: Shelf, intents: Intents, checkout: Checkout) -> None:
        self._shelf = shelf
        self._intents = intents
        self._checkout = checkout
        one = r"([\w-]+)"
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Object]]] = [
            (method, re.compile(f"/v1/{path}"), do)
            for method, path, do in (
                ("POST", "customers", self.create_customer),
                ("GET", "customers/search", self.search_customers),
                ("GET", f"customers/{one}", self.get_customer),
                ("POST", f"customers/{one}", self.update_customer),
                ("GET", f"customers/{one}/payment_methods", self.customer_methods),
                ("GET", f"payment_methods/{one}", self.get_method),
                ("POST", f"payment_methods/{one}/attach", self.attach),
                ("POST", "payment_intents", self.create_intent),
                ("GET", "payment_intents", self.list_intents),
                ("GET", f"payment_intents/{one}", self.get_intent),
                ("POST", f"payment_intents/{one}/confirm", self.confirm),
                ("POST", f"payment_intents/{one}/capture", self.capture),
                ("POST", f"payment_intents/{one}/cancel", self.cancel),
                ("GET", f"setup_intents/{one}", self.get_setup),
                ("POST", "refunds", self.refund),
                ("GET", "refunds", self.list_refunds),
                ("GET", f"charges/{one}", self.get_charge),
                ("POST", "checkout/sessions", self.create_session),
                ("GET", f"checkout/sessions/{one}", self.get_session),
                ("POST", f"checkout/sessions/{one}/expire", self.expire_session),
                ("GET", "events", self.list_events),
                ("GET", f"events/{one}", self.get_event),
            )
        ]

    def route(self, method: str, path: str) -> Callable[[Params], Object]:
        """What answers a request. Raises StripeError (404) for what is not here."""
        for wanted, pattern, do in self._routes:
            found = pattern.fullmatch(path)
            if found is not None and wanted == method:
                return lambda params: do(params, *found.groups())
        raise StripeError(
            404, {"type": "invalid_request_error", "message": f"Unrecognized request URL ({method}: {path})."}
        )

    # ---- customers and their cards

    def create_customer(self, params: Params) -> Object:
        known(params, _CUSTOMER)
        settings = {"default_payment_method": None}
        fields = {name: params.get(name) for name in ("email", "name", "phone", "description")}
        made = self._shelf.new("customer", self._intents.now(), **fields, invoice_settings=settings)
        made["metadata"] = metadata(params)
        return made

    def get_customer(self, params: Params, customer_id: str) -> Object:
        return self._shelf.get("customer", customer_id)

    def update_customer(self, params: Params, customer_id: str) -> Object:
        known(params, _CUSTOMER)
        customer = self._shelf.get("customer", customer_id)
        method = (params.get("invoice_settings") or {}).get("default_payment_method")
        if method is not None:
            if self._shelf.get("payment_method", method)["customer"] != customer_id:
                raise invalid("The customer does not have a payment method with this ID.", param="invoice_settings")
            customer["invoice_settings"]["default_payment_method"] = method
        customer["metadata"].update(metadata(params))
        return self._shelf.put(customer)

    def search_customers(self, params: Params) -> Object:
        """Only by one piece of metadata; Stripe's query language has more."""
        known(params, frozenset({"query", "limit", "page"}))
        found = _SEARCH.fullmatch(str(params.get("query", "")).strip())
        if found is None:
            raise invalid("This query is not understood here: metadata['key']:'value' is.", param="query")
        rows = [one for one in self._shelf.all("customer") if one["metadata"].get(found[2]) == found[4]]
        return {
            "object": "search_result",
            "url": "/v1/customers/search",
            "has_more": False,
            "data": rows,
            "next_page": None,
        }

    def customer_methods(self, params: Params, customer_id: str) -> Object:
        known(params, _LIST | {"type"})
        self._shelf.get("customer", customer_id)
        rows = [one for one in self._shelf.all("payment_method") if one["customer"] == customer_id]
        return _page(rows, params, f"/v1/customers/{customer_id}/payment_methods")

    def get_method(self, params: Params, method_id: str) -> Object:
        return self._intents.method(method_id)

    def attach(self, params: Params, method_id: str) -> Object:
        known(params, frozenset({"customer"}))
        customer = self._shelf.get("customer", str(params.get("customer", "")))
        method = self._intents.method(method_id)
        method["customer"] = customer["id"]
        return self._shelf.put(method)

    # ---- payment intents

    def create_intent(self, params: Params) -> Object:
        known(params, _INTENT | _CONFIRM)
        amount = whole(params.get("amount"), "amount", least=1)
        currency = _currency(params.get("currency"))
        how = params.get("capture_method", "automatic")
        if how not in ("automatic", "manual", "automatic_async"):
            raise invalid(
                "Invalid capture_method: must be one of automatic, automatic_async, or manual", param="capture_method"
            )
        customer = params.get("customer")
        if customer is not None:
            self._shelf.get("customer", customer)
        method = self._intents.method(params["payment_method"]) if params.get("payment_method") else None
        if yes(params.get("confirm")) and method is None:
            raise invalid(
                "You cannot confirm this PaymentIntent because it's missing a payment method.", param="payment_method"
            )
        intent = self._intents.create(
            amount,
            currency,
            capture_method=how,
            customer=customer,
            description=params.get("description"),
            metadata=metadata(params),
        )
        if not yes(params.get("confirm")) or method is None:
            return intent
        return self._confirm(intent, method, params)

    def _confirm(self, intent: Object, method: Object, params: Params) -> Object:
        off_session = yes(params.get("off_session"))
        return self._intents.confirm(intent, method, off_session=off_session, return_url=params.get("return_url"))

    def confirm(self, params: Params, intent_id: str) -> Object:
        known(params, _CONFIRM)
        intent = self._shelf.get("payment_intent", intent_id)
        if not params.get("payment_method"):
            raise invalid(
                "You cannot confirm this PaymentIntent because it's missing a payment method.", param="payment_method"
            )
        return self._confirm(intent, self._intents.method(params["payment_method"]), params)

    def get_intent(self, params: Params, intent_id: str) -> Object:
        return self._shelf.get("payment_intent", intent_id)

    def list_intents(self, params: Params) -> Object:
        known(params, _LIST | {"customer"})
        rows = self._shelf.all("payment_intent")
        wanted = params.get("customer")
        found = [one for one in rows if wanted is None or one["customer"] == wanted]
        return _page(found, params, "/v1/payment_intents")

    def capture(self, params: Params, intent_id: str) -> Object:
        known(params, frozenset({"amount_to_capture", "final_capture", "metadata"}))
        amount = params.get("amount_to_capture")
        wanted = None if amount is None else whole(amount, "amount_to_capture")
        return self._intents.capture(self._shelf.get("payment_intent", intent_id), wanted)

    def cancel(self, params: Params, intent_id: str) -> Object:
        known(params, frozenset({"cancellation_reason"}))
        reason = params.get("cancellation_reason")
        if reason is not None and reason not in _CANCEL_REASONS:
            raise invalid("Invalid cancellation_reason", param="cancellation_reason")
        return self._intents.cancel(self._shelf.get("payment_intent", intent_id), reason)

    def get_setup(self, params: Params, setup_id: str) -> Object:
        return self._shelf.get("setup_intent", setup_id)

    def get_charge(self, params: Params, charge_id: str) -> Object:
        return self._shelf.get("charge", charge_id)

    def refund(self, params: Params) -> Object:
        known(params, frozenset({"payment_intent", "amount", "reason", "metadata"}))
        if params.get("reason") is not None and params["reason"] not in _REASONS:
            raise invalid("Invalid reason", param="reason")
        intent = self._shelf.get("payment_intent", str(params.get("payment_intent", "")))
        amount = None if params.get("amount") is None else whole(params["amount"], "amount", least=1)
        return self._intents.refund(intent, amount, params.get("reason"), metadata(params))

    def list_refunds(self, params: Params) -> Object:
        known(params, _LIST | {"payment_intent", "charge"})
        rows = [
            one for one in self._shelf.all("refund") if params.get("payment_intent") in (None, one["payment_intent"])
        ]
        return _page(rows, params, "/v1/refunds")

    # ---- Checkout

    def create_session(self, params: Params) -> Object:
        known(params, _CHECKOUT)
        mode = params.get("mode")
        if mode not in ("payment", "setup"):
            raise invalid("Invalid mode: must be one of payment or setup", param="mode")
        if not params.get("success_url"):
            raise invalid("Missing required param: success_url.", param="success_url", code="parameter_missing")
        if params.get("customer") is not None:
            self._shelf.get("customer", params["customer"])
        amount, currency = (None, params.get("currency")) if mode == "setup" else _total(params.get("line_items"))
        expires = params.get("expires_at")
        return self._checkout.create(
            mode,
            amount,
            currency,
            None if expires is None else whole(expires, "expires_at", most=9_999_999_999),
            success_url=params["success_url"],
            cancel_url=params.get("cancel_url"),
            customer=params.get("customer"),
            client_reference_id=params.get("client_reference_id"),
            metadata=metadata(params),
            _payment_intent_data=params.get("payment_intent_data") or {},
            _setup_intent_data=params.get("setup_intent_data") or {},
        )

    def get_session(self, params: Params, session_id: str) -> Object:
        return self._shelf.get("checkout.session", session_id)

    def expire_session(self, params: Params, session_id: str) -> Object:
        known(params, frozenset())
        return self._checkout.expire(self._shelf.get("checkout.session", session_id))

    # ---- events

    def list_events(self, params: Params) -> Object:
        known(params, _LIST | {"type", "types", "delivery_success"})
        rows: Iterable[Object] = self._shelf.all("event")
        types = params.get("types") or ([params["type"]] if params.get("type") else None)
        if types is not None:
            rows = [one for one in rows if one["type"] in types]
        if (delivered := params.get("delivery_success")) is not None:
            rows = [one for one in rows if (one["pending_webhooks"] == 0) == yes(delivered)]
        return _page(list(rows), params, "/v1/events")

    def get_event(self, params: Params, event_id: str) -> Object:
        return self._shelf.get("event", event_id)


def _currency(given: Any) -> str:
    if not isinstance(given, str) or not re.fullmatch(r"[a-z]{3}", given):
        raise invalid("Missing or invalid required param: currency.", param="currency")
    return given


def _total(items: Any) -> tuple[int, str]:
    if not isinstance(items, list) or not items:
        raise invalid("Missing required param: line_items.", param="line_items", code="parameter_missing")
    total, currency = 0, ""
    for item in items:
        price = item.get("price_data") if isinstance(item, dict) else None
        if not isinstance(price, dict):
            raise invalid("line_items must have price_data here.", param="line_items")
        currency = _currency(price.get("currency"))
        unit = whole(price.get("unit_amount"), "line_items[price_data][unit_amount]", least=1)
        total += unit * whole(item.get("quantity", 1), "line_items[quantity]", least=1)
    return total, currency


def _page(rows: list[Object], params: Params, url: str) -> Object:
    """A list as Stripe pages it, the newest first."""
    limit = whole(params.get("limit", 10), "limit", least=1, most=100)
    created = params.get("created") or {}
    if isinstance(created, dict):
        least, below = whole(created.get("gte", 0), "created", most=9_999_999_999), created.get("lte")
        rows = [one for one in rows if one["created"] >= least and (below is None or one["created"] <= int(below))]
    ids = [one["id"] for one in rows]
    if (after := params.get("starting_after")) is not None:
        if after not in ids:
            raise missing("object", after)
        rows = rows[ids.index(after) + 1 :]
    if (before := params.get("ending_before")) is not None:
        if before not in ids:
            raise missing("object", before)
        rows = rows[max(0, ids.index(before) - limit) : ids.index(before)]
    return {"object": "list", "url": url, "has_more": len(rows) > limit, "data": rows[:limit]}
