"""A driver says that money was taken or held wrongly: what the payment system shows, with pending and taken told apart.

Several holds for one charger become one, and what was let go is counted out. Nothing is paid back here: that is a person's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from actions.bridge import BridgeRefused
from actions.payments.cashier import Cashier
from actions.payments.gateway import Intent, PaymentsError
from actions.payments.ledger import Purchase, State
from actions.payments.prices import money
from actions.playbooks import start_and_pay
from actions.playbooks.contact import Contact, Ports
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps, Tried

LOOK_BACK = timedelta(days=7)  # a hold lasts no longer
ONE_SESSION = timedelta(hours=2)  # holds for one charger that are closer than this were meant for one session
_PERSON = End(Outcome.NOT_FIXED, Offer.PERSON)


async def run(ports: Ports, contact: Contact) -> Steps:
    """Raises BridgeError."""
    cashier = ports.payments.cashier
    if cashier is None:
        yield Say("say_billing_dispute_refund")
        yield _PERSON
        return
    try:
        theirs = await cashier.payments_of_driver(contact.driver, LOOK_BACK)
        ours = [
            await cashier.settle(one.id)
            for one in await cashier.store.find(conversation=contact.turn.actor.conversation, limit=5)
        ]
    except PaymentsError:
        yield Tried("payment", None, "away")
        yield Say("say_billing_away")
        yield _PERSON
        return
    here = [one for one in theirs if contact.charger_id in (None, one.metadata["charger"]) or _is_at(one, contact)]
    if here:
        async for step in _theirs(ports, contact, cashier, here):
            yield step
        return
    told = False
    for purchase in ours:
        if contact.charger_id in (None, purchase.charger) and (say := await _of(ports, purchase)) is not None:
            yield say
            told = True
            break
    if not told:
        yield Say("say_billing_unseen")
    yield _PERSON


def _is_at(one: Intent, contact: Contact) -> bool:
    """Terminals write the label where the product writes the id."""
    return contact.charger_id is not None and contact.charger_id.endswith(f"-{one.metadata['charger']}")


async def _theirs(ports: Ports, contact: Contact, cashier: Cashier, found: Sequence[Intent]) -> Steps:
    """Payments of the operator's app or terminal at the charger of the newest one."""
    newest = found[0]
    at = [one for one in found if one.metadata["charger"] == newest.metadata["charger"]]
    named = {"charger": await _label(ports, newest.metadata["charger"])}
    holds = [one for one in at if one.status == "requires_capture" and newest.created - one.created <= ONE_SESSION]
    taken = [one for one in at if one.status == "succeeded" and one.received > one.refunded]
    charging = bool(await ports.chargers.running_sessions(contact.driver))
    if len(holds) > 1 and not charging:  # while a session runs, nobody here knows which of them is its own
        try:
            released = await cashier.keep_one(holds)
        except PaymentsError:
            yield Tried("release_hold", None, "away")
            yield Say("say_billing_away")
            yield _PERSON
            return
        total = money(sum(one.amount for one in released), newest.currency)
        yield Tried("release_hold", None, "verified" if released else "away")
        yield Say("say_pay_holds", {**named, "count": str(len(holds)), "released": str(len(released)), "sum": total})
    if taken:
        total = money(sum(one.received - one.refunded for one in taken), newest.currency)
        yield Say("say_pay_taken", {**named, "cost": total})
    elif holds:
        yield Say("say_pay_pending", {**named, "hold": money(holds[0].amount, holds[0].currency)})
    else:
        yield Say("say_billing_nothing_taken", named)
    yield _PERSON


async def _of(ports: Ports, purchase: Purchase) -> Say | None:
    """What a payment by link has come to; None where nothing was ever held on it."""
    if purchase.state in (State.HELD, State.CHARGING):
        return Say("say_pay_pending", {"charger": purchase.label, "hold": money(purchase.hold, purchase.currency)})
    return None if purchase.state in (State.LINK, State.LAPSED) else await start_and_pay.receipt(ports, purchase)


async def _label(ports: Ports, charger: str) -> str:
    try:
        return (await ports.chargers.charger(charger)).label
    except BridgeRefused:
        return charger
