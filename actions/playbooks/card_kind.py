"""A "card" is three things: a bank card, a member's card, a work card. Asked only where words and the charger leave it open.

Who shows a member's card begins on the own account; who pays by bank card must not be charged there without a word.
"""

from __future__ import annotations

from actions.bridge import Diagnosis
from actions.playbooks.contact import Contact
from actions.playbooks.steps import Choice, Say

BANK, MEMBER = "bank_card", "member_card"  # as actions.reported names them
ASK = Say(
    "say_which_card",
    choices=(Choice("say_choice_bank_card", "/payment_failed"), Choice("say_choice_member_card", "/rfid_failed")),
)


def unknown(contact: Contact, seen: Diagnosis) -> bool:
    """Whether it must be asked: neither said, nor has any card been read at the charger lately."""
    return not {BANK, MEMBER} & contact.reported and not seen.authorizations
