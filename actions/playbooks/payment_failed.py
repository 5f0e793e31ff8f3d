"""A payment did not go through: what may be told of it, one new attempt where that makes sense, and another way to pay.

Nothing is ever started around a failed payment. An own account is another way to pay, not a way around: it is only used on the
driver's word.
"""

from __future__ import annotations

from collections.abc import Sequence

from actions.bridge import Diagnosis
from actions.payments.cashier import Cashier
from actions.payments.declines import Again, Way, ruling
from actions.payments.gateway import Declined, Intent, PaymentsError, PaymentsRefused
from actions.payments.ledger import Purchase, State
from actions.payments.prices import money
from actions.playbooks import card_kind, charger_offline, rfid_failed, session_wont_start, start_and_pay
from actions.playbooks.contact import Contact, Ports, look_at, saw
from actions.playbooks.start_charging import running
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps, Tried


async def run(ports: Ports, contact: Contact) -> Steps:
    """Raises BridgeError."""
    seen = await look_at(ports, contact)
    yield saw(seen)
    async for step in decide(ports, contact, seen):
        yield step


async def decide(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    charger, plug = seen.charger, seen.plug
    if plug is not None and plug.session is not None and plug.session.driver == contact.driver:
        steps = running(charger, plug, plug.session, contact.driver)
    elif not charger.connected or seen.hold == "hazard":
        steps = charger_offline.decide(ports, contact, seen)
    elif ports.payments.cashier is not None:
        steps = _known(ports, contact, seen, ports.payments.cashier)
    else:
        steps = _own_account(ports, contact, seen)
    async for step in steps:
        yield step


async def _known(ports: Ports, contact: Contact, seen: Diagnosis, cashier: Cashier) -> Steps:
    """What the payment system knows of this driver, this charger and the last two hours."""
    label = seen.charger.label
    try:
        begun = await cashier.current(contact.turn.actor.conversation, seen.charger.id)
        found = await cashier.payments_of(contact.driver, seen.charger.id, label, start_and_pay.RECENT)
    except PaymentsError:
        async for step in start_and_pay.away(label):
            yield step
        return
    if begun is not None and begun.state is State.HELD:
        async for step in start_and_pay.begin(ports, contact, begun):
            yield step
        return
    if begun is not None and begun.decline is not None:
        async for step in start_and_pay.declined(cashier, begun, ruling(begun.decline, begun.advice)):
            yield step
        return
    theirs = [one for one in found if "payment" not in one.metadata]  # not made here: by the app or the terminal
    if theirs:
        async for step in _theirs(ports, contact, seen, cashier, theirs):
            yield step
        return
    async for step in _own_account(ports, contact, seen):
        yield step


async def _theirs(
    ports: Ports, contact: Contact, seen: Diagnosis, cashier: Cashier, payments: Sequence[Intent]
) -> Steps:
    """Payments of the operator's app or terminal for this charger, the newest first."""
    named = {"charger": seen.charger.label}
    tariff = start_and_pay.tariff_of(seen)
    currency = tariff.currency if tariff is not None else ""
    holds = [one for one in payments if one.status == "requires_capture"]
    if len(holds) > 1:
        try:
            released = await cashier.keep_one(holds)
        except PaymentsError:
            async for step in start_and_pay.away(seen.charger.label):
                yield step
            return
        total = money(sum(one.amount for one in released), currency)
        yield Tried("release_hold", None, "verified" if released else "away")
        yield Say("say_pay_holds", {**named, "count": str(len(holds)), "released": str(len(released)), "sum": total})
    newest = payments[0]
    if newest.status == "requires_capture":
        yield Say("say_pay_pending", {**named, "hold": money(newest.amount, currency)})
        async for step in session_wont_start.decide(ports, contact, seen):
            yield step
    elif newest.status == "succeeded":
        left = money(newest.received - newest.refunded, currency)
        yield Say("say_pay_taken", {**named, "cost": left})
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
    elif newest.status == "processing":
        yield Say("say_pay_processing", named)
        yield End(offer=Offer.RETRY)
    elif newest.status == "requires_action" and newest.next_url is not None:
        yield Say("say_decline_check", named)
        yield Say("say_pay_confirm", {**named, "url": newest.next_url})
        yield End(offer=Offer.RETRY)
    elif newest.decline is not None:
        async for step in _declined(ports, contact, seen, cashier, newest):
            yield step
    else:
        async for step in _own_account(ports, contact, seen):
            yield step


async def _declined(ports: Ports, contact: Contact, seen: Diagnosis, cashier: Cashier, failed: Intent) -> Steps:
    """The decline table: told as far as it may be, tried once more where it says so, else another way."""
    rule = ruling(failed.decline, failed.advice)
    if rule.again is Again.ONCE and start_and_pay.can_take(seen):
        yield Say("say_pay_trying_again", {"charger": seen.charger.label}, first=True)
        try:
            purchase = await cashier.retry(start_and_pay.order_of(contact, seen), failed)
        except Declined as declined:
            rule = ruling(declined.code, declined.advice)
            yield Tried("payment", None, "declined")
        except (PaymentsRefused, ValueError):
            yield Tried("payment", None, "not_possible")
        except PaymentsError:
            async for step in start_and_pay.away(seen.charger.label):
                yield step
            return
        else:
            async for step in _retried(ports, contact, seen, purchase):
                yield step
            return
    yield Say(rule.say, {"charger": seen.charger.label})
    async for step in _other_way(ports, contact, seen, rule.way):
        yield step


async def _retried(ports: Ports, contact: Contact, seen: Diagnosis, purchase: Purchase) -> Steps:
    if purchase.state is not State.HELD:  # it was tried again before, or wants the bank's check
        yield Say("say_decline_busy", {"charger": seen.charger.label})
        async for step in _other_way(ports, contact, seen, Way.LINK):
            yield step
        return
    yield Tried("payment", None, "verified")
    async for step in start_and_pay.begin(ports, contact, purchase):
        yield step


async def _other_way(ports: Ports, contact: Contact, seen: Diagnosis, way: Way) -> Steps:
    """A link to pay on, and, where the card itself is out of date, one to replace it."""
    cashier = ports.payments.cashier
    assert cashier is not None
    if way is Way.CARD and not contact.driver.startswith("guest:"):
        try:
            url = await cashier.card_page(start_and_pay.order_of(contact, seen))
        except (PaymentsError, ValueError):
            url = None
        if url is not None:
            yield Say("say_pay_new_card", {"url": url})
            yield End(offer=Offer.RETRY)
            return
    if not start_and_pay.can_take(seen):
        async for step in session_wont_start.decide(ports, contact, seen):
            yield step
        return
    async for step in start_and_pay.offer(ports, contact, seen):
        yield step


async def _own_account(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    """Nothing is known of a payment: the driver's account here, else a link, else other ways."""
    named = {"charger": seen.charger.label}
    guest = contact.driver.startswith("guest:")
    tokens = [] if guest else await ports.chargers.tokens(contact.driver)
    # Without a posted price no link can be made, and saying so would be the only answer.
    link = (
        ports.payments.cashier is not None
        and start_and_pay.can_take(seen)
        and start_and_pay.tariff_of(seen) is not None
    )
    accepted = any(token.status == "Accepted" for token in tokens)
    if accepted and card_kind.unknown(contact, seen):
        yield card_kind.ASK
        yield End()
    elif accepted:
        yield Say("say_payment_own_account", named)
        yield End(offer=Offer.START)
    elif tokens and (card_kind.unknown(contact, seen) or not link):
        # The account itself is what was refused: its own words are the ones that can be acted on.
        async for step in rfid_failed.decide(ports, contact, seen):
            yield step
    elif link:
        if tokens:
            yield await rfid_failed.why_no_card(ports, contact, seen)
        async for step in start_and_pay.offer(ports, contact, seen):
            yield step
    else:
        yield Say("say_payment_other_way", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
