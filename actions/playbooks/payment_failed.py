"""A payment did not go through: what is known of it, and another way to pay. Nothing is ever started around a failed payment.

An own account is another way to pay, not a way around: it is only used on the driver's word.
"""

from __future__ import annotations

from actions.bridge import Diagnosis
from actions.playbooks import charger_offline, rfid_failed
from actions.playbooks.contact import Contact, Ports, look_at, saw
from actions.playbooks.start_charging import running
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps


async def run(ports: Ports, contact: Contact) -> Steps:
    """Raises BridgeError."""
    seen = await look_at(ports, contact)
    yield saw(seen)
    async for step in decide(ports, contact, seen):
        yield step


async def decide(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    charger, plug, named = seen.charger, seen.plug, {"charger": seen.charger.label}
    trouble = await ports.payments.trouble(contact.driver, charger.id)
    if plug is not None and plug.session is not None and plug.session.driver == contact.driver:
        async for step in running(charger, plug, plug.session, contact.driver):
            yield step
        return
    if trouble is not None:
        yield Say(trouble, named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    if not charger.connected or seen.hold == "hazard":
        async for step in charger_offline.decide(ports, contact, seen):
            yield step
        return
    guest = contact.driver.startswith("guest:")
    tokens = [] if guest else await ports.chargers.tokens(contact.driver)
    if any(token.status == "Accepted" for token in tokens):
        yield Say("say_payment_own_account", named)
        yield End(offer=Offer.START)
    elif tokens:
        # The account itself is what was refused: its own words are the ones that can be acted on.
        async for step in rfid_failed.decide(ports, contact, seen):
            yield step
    else:
        yield Say("say_payment_other_way", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
