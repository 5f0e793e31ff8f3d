"""Charging that is paid for by link, in one thread: price and hold shown, link, paid, started, told. Nothing starts without the money.

A hold whose session does not come is released, and said to be released only when it is.
"""

from __future__ import annotations

from datetime import timedelta

from actions.bridge import Actor, BridgeError, BridgeRefused, Command, Diagnosis, Session, Tariff
from actions.payments.cashier import Cashier, Order
from actions.payments.declines import Ruling, Way, ruling
from actions.payments.gateway import PaymentsError
from actions.payments.ledger import Purchase, State
from actions.payments.prices import is_priced, money, price_words
from actions.playbooks.contact import WAIT_S, Contact, Ports, Wake, look_at, saw, tried, watch_command, watch_plug
from actions.playbooks.next_best import next_best
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps, Tried, energy_words

START, PLUG = "paid_start", "paid_plug"
REASON = "paid"  # of its starts, whichever turn sends one: the same start is the same command
PLUG_S = 900.0  # how long a driver who has paid may take to plug in
MOST_STARTS = 2
MOST_DECLINES_TOLD = 3
RECENT = timedelta(hours=2)
_USABLE = frozenset({"Available", "Preparing"})
# Why a start came to nothing, where the driver can do something about it.
_FAILED = {
    "rejected": "say_rejected",
    "timed_out": "say_timed_out",
    "disconnected": "say_disconnected",
    "accepted_no_effect": "say_accepted_no_effect",
    "call_error": "say_charger_error",
    "invalid_answer": "say_charger_error",
}


def can_take(seen: Diagnosis) -> bool:
    """Whether a session could begin here now, or once the plug is in: else nobody is asked to pay."""
    charger, plug = seen.charger, seen.plug
    fit = charger.connected and charger.boot in (None, "Accepted") and seen.hold is None
    fit = fit and charger.status not in ("Faulted", "Unavailable")
    return fit and plug is not None and plug.session is None and plug.status in _USABLE


def tariff_of(seen: Diagnosis) -> Tariff | None:
    """What counts on this connector now, else on the charger."""
    return (seen.plug.tariff if seen.plug is not None else None) or seen.charger.tariff


def order_of(contact: Contact, seen: Diagnosis) -> Order:
    """Raises ValueError where no price is known."""
    tariff = tariff_of(seen)
    if tariff is None or not is_priced(tariff):
        raise ValueError("no price is known")
    return Order(
        message_id=contact.turn.message_id,
        conversation=contact.turn.actor.conversation,
        driver=contact.driver,
        language=contact.turn.language,
        charger=seen.charger.id,
        label=seen.charger.label,
        connector=seen.connector,
        tariff=tariff,
    )


async def offer(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    """Price, hold and link; or, where it is paid already, the start. `can_take` must hold. Raises BridgeError."""
    cashier = ports.payments.cashier
    assert cashier is not None
    named = {"charger": seen.charger.label}
    try:
        order = order_of(contact, seen)
    except ValueError:
        yield Say("say_pay_no_price", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    try:
        purchase = await cashier.open_link(order)
    except PaymentsError:
        async for step in away(seen.charger.label):
            yield step
        return
    if purchase.state is State.HELD:
        async for step in begin(ports, contact, purchase):
            yield step
        return
    if purchase.url is None:
        async for step in away(seen.charger.label):
            yield step
        return
    again = purchase.id != order.id and purchase.decline is None
    values = {"hold": _hold(purchase), "price": price_words(purchase.prices), "url": link_of(cashier, purchase)}
    yield Say("say_pay_again" if again else "say_pay_offer", {**named, **values})
    yield End()


async def away(label: str) -> Steps:
    """The payment system does not answer, or nothing that can be used: the truth, and other ways."""
    yield Tried("payment", None, "away")
    yield Say("say_pay_away", {"charger": label})
    yield End(Outcome.NOT_FIXED, Offer.PERSON)


def link_of(cashier: Cashier, purchase: Purchase) -> str:
    """A short address that leads to the page: the provider's own takes three text messages."""
    return f"{cashier.terms.public_url}/pay/{purchase.id}"


def _hold(purchase: Purchase) -> str:
    return money(purchase.hold, purchase.currency)


def _values(purchase: Purchase) -> dict[str, str]:
    return {"charger": purchase.label, "hold": _hold(purchase)}


# ---- after the payment


async def news(ports: Ports, contact: Contact, purchase_id: str, intent: str | None) -> Steps:
    """Something happened to a payment: what is true now, and what follows from it. Says nothing that was said. Raises BridgeError."""
    cashier = ports.payments.cashier
    if cashier is None:
        return
    try:
        purchase = await cashier.settle(purchase_id, intent)
    except PaymentsError:
        return  # it is settled again later, and then told
    turn = contact.turn.message_id
    if purchase.state is State.HELD:
        if await cashier.tell(purchase.id, "held", turn):
            yield Say("say_pay_received", _values(purchase), first=True)
            async for step in begin(ports, contact, purchase):
                yield step
    elif purchase.state is State.LINK and purchase.decline is not None:
        told = sum(1 for one in purchase.told if one.startswith("decline-"))
        if told < MOST_DECLINES_TOLD and await cashier.tell(purchase.id, f"decline-{purchase.decline}", turn):
            async for step in declined(cashier, purchase, ruling(purchase.decline, purchase.advice)):
                yield step
    elif purchase.state is State.LAPSED:
        if await cashier.tell(purchase.id, "over", turn):
            yield Say("say_pay_lapsed", _values(purchase))
            yield End(offer=Offer.RETRY)
    elif purchase.over and await cashier.tell(purchase.id, "over", turn):
        yield await receipt(ports, purchase)
        yield End(Outcome.FIXED if purchase.captured else Outcome.NOT_FIXED)


async def card_saved(ports: Ports, page: str) -> Steps:
    """A new card was typed on a setup page: it is the one that is used from now on."""
    cashier = ports.payments.cashier
    if cashier is None:
        return
    try:
        last4 = await cashier.gateway.finish_card(page)
    except PaymentsError:
        return  # the card is saved at the payment system; only the word about it is missing
    if last4 is not None:
        yield Say("say_pay_card_saved", {"last4": last4})
        yield End(offer=Offer.RETRY)


async def declined(cashier: Cashier, purchase: Purchase, rule: Ruling) -> Steps:
    """The card said no on the payment page: as much of why as may be told, and the page that still stands."""
    yield Tried("payment", None, "declined")
    yield Say(rule.say, {"charger": purchase.label})
    name = "say_pay_card_details" if rule.way is Way.CARD else "say_pay_other_card"
    yield Say(name, {"url": link_of(cashier, purchase), **_values(purchase)})
    yield End(offer=Offer.PERSON)


async def receipt(ports: Ports, purchase: Purchase) -> Say:
    """What was taken and what was let go, as the payment system says."""
    values = {**_values(purchase), "cost": money(purchase.captured, purchase.currency)}
    if not purchase.captured:
        return Say("say_pay_released" if purchase.session is None else "say_pay_nothing_used", values)
    session = await session_of(ports, purchase)
    return Say("say_pay_receipt", {**values, "energy": energy_words(session.energy_wh or 0 if session else 0)})


async def session_of(ports: Ports, purchase: Purchase) -> Session | None:
    """The session that runs or ran on it; None where the bridge does not know it any more."""
    if purchase.session is None:
        return None
    try:
        found = [
            *await ports.chargers.sessions_at(purchase.charger),
            *await ports.chargers.ended_sessions(purchase.driver),
        ]
        found += await ports.chargers.running_sessions(purchase.driver)
    except BridgeError:
        return None
    return next((one for one in found if one.id == purchase.session), None)


# ---- the start


async def begin(ports: Ports, contact: Contact, purchase: Purchase) -> Steps:
    """The money is held: start, or wait for the plug; where neither can be, release it. Raises BridgeError."""
    contact = contact.at(purchase.charger, purchase.connector)
    seen = await look_at(ports, contact)
    yield saw(seen)
    own = seen.session is not None and seen.session_own and purchase.is_starting
    if not own and not can_take(seen):
        yield Say("say_pay_not_here", _values(purchase))
        async for step in give_up(ports, contact, purchase):
            yield step
        async for step in next_best(ports, seen):
            yield step
        return
    plug = seen.plug
    if plug is not None and plug.status == "Available" and not purchase.is_starting:
        waiting = await watch_plug(ports, contact, seen, "status:Preparing", PLUG_S, PLUG)
        if waiting is not None:
            yield waiting
        yield Say("say_pay_plug_in", _values(purchase))
        yield End(offer=Offer.RETRY)
        return
    async for step in _start(ports, contact, purchase, seen):
        yield step


async def _start(ports: Ports, contact: Contact, purchase: Purchase, seen: Diagnosis) -> Steps:
    cashier = ports.payments.cashier
    assert cashier is not None
    assert seen.connector is not None
    purchase = await cashier.starting(purchase.id)
    if purchase.state is not State.HELD:
        return
    actor = contact.turn.actor
    # Who has paid for this session is known by that payment (safety: identity tiers).
    payer = Actor(purchase.driver, max(1, actor.tier), actor.conversation)
    try:
        token = await ports.chargers.paid_token(purchase.driver, purchase.id)
        command = await ports.chargers.start(
            purchase.charger,
            seen.connector,
            token.id,
            actor=payer,
            reason=REASON,
            key=f"{purchase.id}:start:{purchase.starts}",
            wait_s=WAIT_S,
        )
    except BridgeRefused:
        await cashier.start_failed(purchase.id, purchase.starts)
        yield Say("say_refused", {"charger": purchase.label})
        async for step in give_up(ports, contact, purchase):
            yield step
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    if command.finished:
        async for step in _started(ports, contact, purchase, command):
            yield step
        return
    yield tried(command)
    waiting = await watch_command(ports, contact, command, START)
    if waiting is not None:
        yield waiting
    yield Say("say_still_waiting" if waiting else "say_still_waiting_no_watch", {"charger": purchase.label})
    yield End(offer=None if waiting else Offer.RETRY)


async def _started(ports: Ports, contact: Contact, purchase: Purchase, command: Command) -> Steps:
    """The truth about an ended start: only its effect counts, and money is only kept for a session."""
    cashier = ports.payments.cashier
    assert cashier is not None
    yield tried(command)
    contact = contact.at(command.charger, command.connector)
    values = _values(purchase)
    session = command.session
    if session is None and command.state not in ("verified", "refused"):
        seen = await look_at(ports, contact, max_age_s=5)
        session = seen.session.id if seen.session is not None and seen.session_own else None
    if session is not None:
        await cashier.bind(purchase.id, session)
    if command.state == "verified":
        yield Say("say_pay_charging", {**values, "energy": energy_words(command.energy_wh or 0)})
        yield End(Outcome.FIXED)
        return
    if (
        session is not None
    ):  # it runs, and draws nothing yet: the money is held for what it may draw, and let go at its end
        yield Say("say_car_not_drawing", values)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    purchase = await cashier.start_failed(purchase.id, purchase.starts)
    name = _FAILED.get(command.outcome or command.state)
    if name is not None and purchase.failed_starts < MOST_STARTS:
        yield Say(name, values)
        yield End(offer=Offer.RETRY)
        return
    yield Say("say_refused" if command.state == "refused" else "say_pay_no_start", values)
    async for step in give_up(ports, contact, purchase):
        yield step
    yield End(Outcome.NOT_FIXED, Offer.PERSON)


async def give_up(ports: Ports, contact: Contact, purchase: Purchase) -> Steps:
    """Nothing will come of it: the hold is released, and said to be released when it is."""
    cashier = ports.payments.cashier
    assert cashier is not None
    try:
        purchase = await cashier.release(purchase.id, nothing_runs=True)
    except PaymentsError:
        yield Tried("release_hold", None, "away")
        yield Say("say_pay_release_later", _values(purchase))
        return
    yield Tried("release_hold", None, "verified")
    await cashier.tell(purchase.id, "over", contact.turn.message_id)
    yield Say("say_pay_released", _values(purchase))


async def woken(ports: Ports, contact: Contact, wake: Wake) -> Steps:
    """The plug of somebody who has paid has come, or has not; or a paid start has ended. Raises BridgeError."""
    cashier = ports.payments.cashier
    assert contact.charger_id is not None
    if cashier is None:
        return
    try:
        purchase = await cashier.current(contact.turn.actor.conversation, contact.charger_id)
    except PaymentsError:
        return  # what the ledger waits for comes again with the next event, or is released
    if purchase is None or purchase.state is not State.HELD:
        return
    if wake.command is not None:
        command = await ports.chargers.command(wake.command)
        if command.finished:
            async for step in _started(ports, contact, purchase, command):
                yield step
    elif wake.met:
        yield Say("say_plug_seen", {"charger": purchase.label}, first=True)
        async for step in begin(ports, contact, purchase):
            yield step
    else:
        yield Say("say_pay_no_plug", _values(purchase))
        async for step in give_up(ports, contact, purchase):
            yield step
        yield End(Outcome.NOT_FIXED, Offer.RETRY)
