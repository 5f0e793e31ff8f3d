"""Checkout sessions: a page on which a driver pays or saves a card, leaves, or comes too late."""

from __future__ import annotations

from typing import Any

from sandbox.payments import cards
from sandbox.payments.errors import StripeError, invalid
from sandbox.payments.events import Events
from sandbox.payments.intents import Intents
from sandbox.payments.shelf import Object, Shelf

LEAST_S, MOST_S = 30 * 60, 24 * 3600  # Stripe's bounds of expires_at


class Checkout:
    def __init__(self, shelf: Shelf, events: Events, intents: Intents, pages: str) -> None:
        self._shelf = shelf
        self._events = events
        self._intents = intents
        self._pages = pages

    def create(
        self, mode: str, amount: int | None, currency: str | None, expires_at: int | None, **fields: Any
    ) -> Object:
        now = self._intents.now()
        until = now + MOST_S if expires_at is None else expires_at
        if not now + LEAST_S - 60 <= until <= now + MOST_S + 60:
            raise invalid(
                "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at"
            )
        made = self._shelf.new(
            "checkout.session",
            now,
            mode=mode,
            status="open",
            payment_status="no_payment_required" if mode == "setup" else "unpaid",
            amount_total=amount,
            currency=currency,
            expires_at=until,
            payment_intent=None,
            setup_intent=None,
            **fields,
        )
        made["url"] = f"{self._pages}/c/pay/{made['id']}"
        return self._shelf.put(made)

    def expire(self, session: Object) -> Object:
        if session["status"] != "open":
            raise invalid(
                f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.',
                started=True,
            )
        session["status"], session["url"] = "expired", None
        self._shelf.put(session)
        self._events.happened("checkout.session.expired", session)
        return session

    def lapse(self) -> None:
        """Sessions whose time is over close."""
        for session in list(self._shelf.all("checkout.session")):
            if session["status"] == "open" and self._intents.now() >= session["expires_at"]:
                self.expire(session)

    def submit(self, session: Object, number: str) -> Object:
        """The driver has typed a card. Returns the intent, which may want the bank's check; raises StripeError on a decline."""
        if session["status"] != "open":
            raise invalid("This page is closed.")
        method = self._intents.method_of(cards.card_of(number))
        if session["mode"] == "setup":
            return self._save_card(session, method)
        intent = self._intent_of(session)
        if intent["status"] == "requires_action":  # the driver came back with another card
            intent["status"], intent["next_action"] = "requires_payment_method", None
        intent = self._intents.confirm(
            intent, method, off_session=False, return_url=f"{self._pages}/c/pay/{session['id']}"
        )
        self._complete(session, intent)
        return intent

    def checked(self, session: Object, *, confirmed: bool) -> Object:
        """The driver has answered the bank. Raises StripeError on a decline."""
        intent = self._intents.checked(self._intent_of(session), confirmed=confirmed)
        self._complete(session, intent)
        return intent

    def _intent_of(self, session: Object) -> Object:
        """One intent a session, made at the first try and shown in the session once it is paid."""
        known = session.get("_intent")
        if known is not None:
            return self._shelf.get("payment_intent", known)
        data = session["_payment_intent_data"]
        intent = self._intents.create(
            session["amount_total"],
            session["currency"],
            capture_method=data.get("capture_method", "automatic"),
            customer=session.get("customer"),
            description=data.get("description"),
            metadata=dict(data.get("metadata") or {}),
        )
        session["_intent"] = intent["id"]
        self._shelf.put(session)
        return intent

    def _complete(self, session: Object, intent: Object) -> None:
        if intent["status"] not in ("requires_capture", "succeeded"):
            return
        session.update(status="complete", url=None, payment_intent=intent["id"])
        session["payment_status"] = "paid" if intent["status"] == "succeeded" else "unpaid"
        self._shelf.put(session)
        self._events.happened("checkout.session.completed", session)

    def _save_card(self, session: Object, method: Object) -> Object:
        card = self._intents.card(method)
        data = session.get("_setup_intent_data") or {}
        setup = self._shelf.new(
            "setup_intent",
            self._intents.now(),
            customer=session.get("customer"),
            payment_method=method["id"],
            status="requires_payment_method",
            usage="off_session",
            metadata=dict(data.get("metadata") or {}),
        )
        if card.decline is not None and not card.attaches:
            error = card.decline.as_error()
            setup["last_setup_error"] = error
            self._events.happened("setup_intent.setup_failed", setup)
            raise StripeError(402, {**error, "setup_intent": setup}, started=True)
        method["customer"], method["_checked"] = session.get("customer"), True
        setup["status"] = "succeeded"
        self._shelf.put(method)
        self._shelf.put(setup)
        session.update(status="complete", url=None, setup_intent=setup["id"])
        self._shelf.put(session)
        self._events.happened("payment_method.attached", method)
        self._events.happened("setup_intent.succeeded", setup)
        self._events.happened("checkout.session.completed", session)
        return setup
