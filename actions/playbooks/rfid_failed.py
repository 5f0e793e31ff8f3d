"""A card that does not work: did it reach us, what did we answer, and what did the charger make of it?

Lists and caches are the operator's; no token is ever made valid here. A known driver is started with an own, accepted token.
"""

from __future__ import annotations

from actions.bridge import Authorization, BridgeRefused, Diagnosis
from actions.playbooks import charger_offline, recover
from actions.playbooks.contact import Contact, Ports, look_at, saw, watch_plug
from actions.playbooks.start_charging import running, start, usable_token
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps, each, energy_words

PLUG_S = 300.0

# What we answered to the driver's own card, as the bridge's authorizations name it, and what that means.
_ANSWERS = {
    "Blocked": "say_card_blocked",
    "Expired": "say_card_expired",
    "NoCredit": "say_card_no_credit",
    "NotAllowedTypeEVSE": "say_card_not_here",
    "NotAtThisLocation": "say_card_not_here",
    "NotAtThisTime": "say_card_not_here",
}


async def run(ports: Ports, contact: Contact) -> Steps:
    """Raises BridgeError."""
    seen = await look_at(ports, contact)
    yield saw(seen)
    async for step in decide(ports, contact, seen):
        yield step


async def decide(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    charger, plug = seen.charger, seen.plug
    read, own = _cards(seen)
    if not charger.connected or charger.boot not in (None, "Accepted") or seen.hold == "hazard":
        steps = charger_offline.decide(ports, contact, seen)
    elif plug is not None and plug.session is not None and plug.session.driver == contact.driver:
        steps = running(charger, plug, plug.session, contact.driver)
    elif seen.own_sessions_elsewhere or (own is not None and own.answer == "ConcurrentTx"):
        steps = _card_busy(ports, contact, seen)
    else:
        steps = _card(ports, contact, seen, own, read)
    async for step in steps:
        yield step


async def _card(
    ports: Ports, contact: Contact, seen: Diagnosis, own: Authorization | None, read: Authorization | None
) -> Steps:
    """Nothing runs anywhere: the card's own state decides, then whether another card of the driver's may do."""
    named = {"charger": seen.charger.label}
    try:
        token = await usable_token(ports, contact.driver)
    except BridgeRefused:
        token = None  # guests do not charge here
    if token is None:
        yield await why_no_card(ports, contact, seen)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    if own is not None and own.answer == "Accepted":
        words = "say_card_charger_refused" if _refused_there(seen) else "say_card_accepted"
        say = Say(words, {**named, "last4": own.last4})
    elif own is None and read is not None and read.answer in ("Invalid", "Unknown") and not token.guest:
        say = Say("say_card_unknown_own", {**named, "last4": token.last4})
    elif own is not None:  # one of the driver's cards is refused, another is fine
        say = Say("say_card_accepted", {**named, "last4": token.last4})
    else:
        say = Say("say_starting" if token.guest else "say_card_not_read", named)
    async for step in _start_with(ports, contact, seen, say):
        yield step


async def _start_with(ports: Ports, contact: Contact, seen: Diagnosis, say: Say) -> Steps:
    """Starts from here where a plug waits for it; where none is seen, it is watched for."""
    plug, named = seen.plug, {"charger": seen.charger.label}
    status = plug.status if plug is not None else None
    if "Faulted" in (status, seen.charger.status):
        steps = recover.recover(ports, contact, seen)
    elif plug is None:
        steps = each(Say("say_connector_unclear", named), End(Outcome.NOT_FIXED, Offer.PERSON))
    elif plug.session is not None:
        steps = running(seen.charger, plug, plug.session, contact.driver)
    elif status == "Preparing":
        steps = _then(Say(say.name, say.values, first=True), start(ports, contact, seen))
    elif status in ("Available", "Finishing"):
        waiting = await watch_plug(ports, contact, seen, "status:Preparing", PLUG_S, "plug_seen")
        told = "say_card_plug_first" if status == "Available" else "say_finishing_watched"
        again = "say_plug_not_seen" if status == "Available" else "say_finishing"
        if waiting is not None:
            steps = each(waiting, Say(told, named), End(offer=Offer.RETRY))
        else:
            steps = each(Say(again, named), End(offer=Offer.RETRY))
    else:
        steps = charger_offline.decide(ports, contact, seen)
    async for step in steps:
        yield step


async def _card_busy(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    """An old session holds the card: it is shown, and ending it is offered (that takes the driver's word)."""
    running_now = seen.own_sessions_elsewhere or tuple(await ports.chargers.running_sessions(contact.driver))
    if not running_now:
        yield Say("say_card_busy_unseen")
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    session = running_now[0]
    other = (await ports.chargers.charger(session.charger)).label
    yield Say("say_card_busy", {"other": other, "energy": energy_words(session.energy_wh or 0)})
    yield End(offer=Offer.FINISH)


def _cards(seen: Diagnosis) -> tuple[Authorization | None, Authorization | None]:
    """The card that was read last, and the driver's own that was."""
    own = next((one for one in seen.authorizations if one.own), None)
    return (seen.authorizations[0] if seen.authorizations else None), own


async def why_no_card(ports: Ports, contact: Contact, seen: Diagnosis) -> Say:
    """No card of the driver's can start: the reason that they can act on. Only their own card's last four are named."""
    read, own = _cards(seen)
    named = {"charger": seen.charger.label}
    if own is not None and own.answer in _ANSWERS:
        return Say(_ANSWERS[own.answer], {**named, "last4": own.last4})
    if not contact.driver.startswith("guest:"):
        for token in await ports.chargers.tokens(contact.driver):
            if token.status in _ANSWERS:
                return Say(_ANSWERS[token.status], {**named, "last4": token.last4})
    if read is not None and not read.own and read.answer in ("Invalid", "Unknown"):
        return Say("say_card_unknown", named)
    return Say("say_card_no_account", named)


def _refused_there(seen: Diagnosis) -> bool:
    """Accepted by us and yet no session: the charger's own list or cache decided otherwise."""
    return bool({"refused_by_charger", "local_list_conflict"} & set(seen.causes))


async def _then(say: Say, steps: Steps) -> Steps:
    yield say
    async for step in steps:
        yield step
