"""Stripe's documented test cards and test payment methods (docs.stripe.com/testing), and what an authorization of each gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_GENERIC = "Your card was declined."
_MESSAGES = {
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "insufficient_funds": "Your card has insufficient funds.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}
# Declines that are error codes of their own; all others are `card_declined` with a decline code.
_OWN_CODES = frozenset(
    {"expired_card", "incorrect_cvc", "incorrect_number", "processing_error", "authentication_required"}
)


@dataclass(frozen=True, slots=True)
class Decline:
    """`advice`: do_not_try_again, try_again_later or confirm_card_data, where the network gave one."""

    code: str
    advice: str | None = None
    network: str | None = None

    def as_error(self) -> dict[str, str | None]:
        own = self.code in _OWN_CODES
        return {
            "type": "card_error",
            "code": self.code if own else "card_declined",
            "decline_code": None if own and self.code.startswith("incorrect") else self.code,
            "message": _MESSAGES.get(self.code, _GENERIC),
            "advice_code": self.advice,
            "network_decline_code": self.network,
        }


@dataclass(frozen=True, slots=True)
class Card:
    """`check`: when the bank wants the cardholder to confirm: always, off_session (unless set up), or never."""

    number: str
    brand: str = "visa"
    decline: Decline | None = None
    check: str = "never"
    attaches: bool = True


def _declines(code: str, **more: str) -> Decline:
    return Decline(code, **more)


CARDS: Mapping[str, Card] = {
    card.number: card
    for card in (
        Card("4242424242424242"),
        Card("4000056655665556"),
        Card("5555555555554444", "mastercard"),
        Card("378282246310005", "amex"),
        Card("6011111111111117", "discover"),
        Card("4000000000000002", decline=_declines("generic_decline"), attaches=False),
        Card("4000000000009995", decline=_declines("insufficient_funds"), attaches=False),
        Card("4000000000009987", decline=_declines("lost_card"), attaches=False),
        Card("4000000000009979", decline=_declines("stolen_card"), attaches=False),
        Card("4000000000000069", decline=_declines("expired_card"), attaches=False),
        Card("4000000000000127", decline=_declines("incorrect_cvc"), attaches=False),
        Card("4000000000000119", decline=_declines("processing_error"), attaches=False),
        Card("4000000000006975", decline=_declines("card_velocity_exceeded"), attaches=False),
        Card("4100000000000019", decline=_declines("fraudulent"), attaches=False),
        Card("4242424242424241", decline=_declines("incorrect_number"), attaches=False),
        Card("4000000000000341", decline=_declines("generic_decline")),
        Card("4000002500003155", check="off_session"),
        Card("4000002760003184", check="always"),
        Card("4000008260003178", check="always", decline=_declines("insufficient_funds")),
    )
}

# Test payment methods by the number that they stand for; these attach, as Stripe's do.
METHODS: Mapping[str, str] = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_visa_chargeDeclinedLostCard": "4000000000009987",
    "pm_card_visa_chargeDeclinedStolenCard": "4000000000009979",
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_chargeDeclinedIncorrectCvc": "4000000000000127",
    "pm_card_chargeDeclinedProcessingError": "4000000000000119",
    "pm_card_radarBlock": "4100000000000019",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
}


def card_of(typed: str) -> Card:
    """A number as somebody types it; one that is no test card is declined as a test system declines real ones."""
    number = "".join(character for character in typed if character.isdecimal())
    return CARDS.get(number) or Card(number[-4:].rjust(16, "0"), "unknown", Decline("test_mode_live_card"))
