"""Payment intents with their charges: confirm, hold, capture a part, cancel, refund. What a card does is in `cards`.

Statuses and fields as docs.stripe.com/api/payment_intents has them; a hold lasts seven days.
"""

from __future__ import annotations

from typing import Any

from chargeline.clock import Clock
from sandbox.payments.cards import CARDS, METHODS, Card, Decline
from sandbox.payments.errors import declined, invalid, unexpected_state
from sandbox.payments.events import Events
from sandbox.payments.shelf import Object, Shelf

HOLD_S = 7 * 24 * 3600
CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation"})
CANCELABLE = frozenset({*CONFIRMABLE, "requires_action", "requires_capture", "processing"})


class Intents:
    """`pages`: where the bank's confirmation pages are. `next_declines`: what the next authorizations answer instead."""

    def __init__(self, shelf: Shelf, events: Events, clock: Clock, pages: str) -> None:
        self._shelf = shelf
        self._events = events
        self._clock = clock
        self._pages = pages
        self.next_declines: list[Decline] = []

    def now(self) -> int:
        return int(self._clock.now().timestamp())

    # ---- payment methods

    def method(self, method_id: str) -> Object:
        """A stored payment method; one of the documented test methods is made on the spot. Raises StripeError."""
        if method_id in METHODS:
            return self.method_of(CARDS[METHODS[method_id]])
        return self._shelf.get("payment_method", method_id)

    def method_of(self, card: Card) -> Object:
        shown = {"brand": card.brand, "last4": card.number[-4:], "exp_month": 12, "exp_year": 2034, "funding": "credit"}
        made = self._shelf.new(
            "payment_method", self.now(), type="card", card=shown, customer=None, billing_details={"email": None}
        )
        made["_number"] = card.number if card.number in CARDS else ""  # a test number; of others only the end is kept
        return self._shelf.put(made)

    def card(self, method: Object) -> Card:
        last4 = str(method["card"]["last4"])
        return CARDS.get(method["_number"]) or Card(last4.rjust(16, "0"), "unknown", Decline("test_mode_live_card"))

    # ---- intents

    def create(self, amount: int, currency: str, **fields: Any) -> Object:
        made = self._shelf.new(
            "payment_intent",
            self.now(),
            amount=amount,
            amount_capturable=0,
            amount_received=0,
            currency=currency,
            capture_method=fields.pop("capture_method", "automatic"),
            confirmation_method="automatic",
            customer=fields.pop("customer", None),
            payment_method=None,
            payment_method_types=["card"],
            status="requires_payment_method",
            last_payment_error=None,
            latest_charge=None,
            next_action=None,
            canceled_at=None,
            cancellation_reason=None,
            **fields,
        )
        made["client_secret"] = f"{made['id']}_secret_sandbox"
        self._events.happened("payment_intent.created", made)
        return made

    def confirm(self, intent: Object, method: Object, *, off_session: bool, return_url: str | None = None) -> Object:
        """Asks the card; raises StripeError (402) where it says no."""
        if intent["status"] not in CONFIRMABLE:
            raise unexpected_state(
                intent,
                f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}.",
            )
        intent["payment_method"] = method["id"]
        card = self.card(method)
        wants_check = card.check == "always" or (card.check == "off_session" and not method.get("_checked"))
        if wants_check and off_session:
            self._decline(intent, method, Decline("authentication_required"))
        if wants_check:
            intent["status"] = "requires_action"
            url = f"{self._pages}/bank/{intent['id']}"
            intent["next_action"] = {
                "type": "redirect_to_url",
                "redirect_to_url": {"url": url, "return_url": return_url},
            }
            self._shelf.put(intent)
            self._events.happened("payment_intent.requires_action", intent)
            return intent
        return self._authorize(intent, method)

    def checked(self, intent: Object, *, confirmed: bool) -> Object:
        """The cardholder has answered the bank's question. Raises StripeError (402) where that or the card says no."""
        if intent["status"] != "requires_action":
            raise unexpected_state(intent, f"This PaymentIntent has a status of {intent['status']}.")
        intent["next_action"] = None
        intent["status"] = "requires_confirmation"
        method = self._shelf.get("payment_method", intent["payment_method"])
        if not confirmed:
            self._decline(intent, method, Decline("authentication_required"))
        method["_checked"] = True
        return self._authorize(intent, method)

    def _authorize(self, intent: Object, method: Object) -> Object:
        decline = self.next_declines.pop(0) if self.next_declines else self.card(method).decline
        if decline is not None:
            self._decline(intent, method, decline)
        manual = intent["capture_method"] == "manual"
        now = self.now()
        charge = self._charge(intent, method, status="succeeded", paid=True, captured=not manual)
        charge["payment_method_details"]["card"]["capture_before"] = now + HOLD_S if manual else None
        intent["latest_charge"] = charge["id"]
        intent["last_payment_error"] = None
        if manual:
            intent["status"], intent["amount_capturable"] = "requires_capture", intent["amount"]
        else:
            intent["status"], intent["amount_received"] = "succeeded", intent["amount"]
            charge["amount_captured"] = intent["amount"]
        self._shelf.put(intent)
        self._events.happened("charge.succeeded", charge)
        kind = "payment_intent.amount_capturable_updated" if manual else "payment_intent.succeeded"
        self._events.happened(kind, intent)
        return intent

    def _decline(self, intent: Object, method: Object, decline: Decline) -> None:
        """Raises StripeError (402), as the API answers a decline."""
        error = decline.as_error()
        charge = self._charge(intent, method, status="failed", paid=False, captured=False)
        charge["failure_code"], charge["failure_message"] = error["code"], error["message"]
        charge["outcome"] = {
            "network_status": "declined_by_network",
            "reason": decline.code,
            "type": "issuer_declined",
            "advice_code": decline.advice,
            "network_decline_code": decline.network,
        }
        public = {name: value for name, value in method.items() if not name.startswith("_")}
        intent["status"], intent["next_action"], intent["latest_charge"] = "requires_payment_method", None, charge["id"]
        intent["payment_method"] = None
        intent["last_payment_error"] = {**error, "charge": charge["id"], "payment_method": public}
        self._shelf.put(intent)
        self._events.happened("charge.failed", charge)
        self._events.happened("payment_intent.payment_failed", intent)
        raise declined(dict(intent), {**error, "charge": charge["id"], "payment_method": public})

    def _charge(self, intent: Object, method: Object, **fields: Any) -> Object:
        return self._shelf.new(
            "charge",
            self.now(),
            amount=intent["amount"],
            amount_captured=0,
            amount_refunded=0,
            refunded=False,
            currency=intent["currency"],
            customer=intent["customer"],
            payment_intent=intent["id"],
            payment_method=method["id"],
            payment_method_details={"type": "card", "card": {**method["card"], "capture_before": None}},
            metadata=dict(intent["metadata"]),
            failure_code=None,
            failure_message=None,
            outcome={"network_status": "approved_by_network", "reason": None, "type": "authorized"},
            **fields,
        )

    def capture(self, intent: Object, amount: int | None) -> Object:
        """Takes `amount` of what is held (None: all) and releases the rest."""
        if intent["status"] != "requires_capture":
            raise unexpected_state(
                intent,
                f"This PaymentIntent could not be captured because it has a status of {intent['status']}. "
                "Only a PaymentIntent with one of the following statuses may be captured: requires_capture.",
            )
        taken = intent["amount_capturable"] if amount is None else amount
        if not 0 < taken <= intent["amount_capturable"]:
            raise invalid(
                f"The amount ({taken}) is greater than the capturable amount ({intent['amount_capturable']}) or zero.",
                param="amount_to_capture",
                code="amount_too_large",
                started=True,
            )
        charge = self._shelf.get("charge", intent["latest_charge"])
        charge.update(captured=True, amount_captured=taken)
        intent.update(status="succeeded", amount_received=taken, amount_capturable=0)
        self._shelf.put(charge)
        self._shelf.put(intent)
        self._events.happened("charge.captured", charge)
        self._events.happened("payment_intent.succeeded", intent)
        return intent

    def cancel(self, intent: Object, reason: str | None) -> Object:
        if intent["status"] not in CANCELABLE:
            raise unexpected_state(
                intent, f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
            )
        held = intent["status"] == "requires_capture"
        intent.update(status="canceled", canceled_at=self.now(), cancellation_reason=reason)
        intent.update(amount_capturable=0, next_action=None)
        self._shelf.put(intent)
        if held:
            charge = self._shelf.get("charge", intent["latest_charge"])
            charge.update(refunded=True, amount_refunded=charge["amount"])
            self._shelf.put(charge)
            self._events.happened("charge.refunded", charge)
        self._events.happened("payment_intent.canceled", intent)
        return intent

    def lapse(self) -> None:
        """Holds whose time is over go, as the card networks let them go."""
        for intent in list(self._shelf.all("payment_intent")):
            if intent["status"] != "requires_capture":
                continue
            charge = self._shelf.get("charge", intent["latest_charge"])
            if self.now() >= charge["payment_method_details"]["card"]["capture_before"]:
                self.cancel(intent, "automatic")

    def refund(self, intent: Object, amount: int | None, reason: str | None, metadata: dict[str, str]) -> Object:
        if intent["status"] != "succeeded":
            raise invalid(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                code="charge_not_captured"
                if intent["status"] == "requires_capture"
                else "payment_intent_unexpected_state",
                started=True,
            )
        charge = self._shelf.get("charge", intent["latest_charge"])
        left = charge["amount_captured"] - charge["amount_refunded"]
        wanted = left if amount is None else amount
        if left == 0:
            raise invalid(
                f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", started=True
            )
        if not 0 < wanted <= left:
            raise invalid(
                f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left}).",
                param="amount",
                started=True,
            )
        charge["amount_refunded"] += wanted
        charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
        refund = self._shelf.new(
            "refund",
            self.now(),
            amount=wanted,
            currency=intent["currency"],
            charge=charge["id"],
            payment_intent=intent["id"],
            reason=reason,
            status="succeeded",
            metadata=metadata,
        )
        self._shelf.put(charge)
        self._events.happened("refund.created", refund)
        self._events.happened("charge.refunded", charge)
        return refund
