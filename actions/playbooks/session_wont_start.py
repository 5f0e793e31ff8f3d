"""The session won't start: read fresh → decide → act once → watch the effect → say what is true → offer the next best thing."""

from __future__ import annotations

from collections.abc import AsyncIterator

from actions.bridge import Connector, Diagnosis, Session
from actions.playbooks import charger_offline, recover, rfid_failed
from actions.playbooks.contact import (
    WAIT_S,
    Contact,
    Ports,
    Wake,
    advice,
    answers_no_more,
    look_at,
    saw,
    watch_plug,
)
from actions.playbooks.next_best import next_best
from actions.playbooks.start_charging import ended, follow, may_charge, running, start
from actions.playbooks.steps import End, Offer, Outcome, Say, Step, Steps, each

PLUG_S = 300.0  # how long a plug that is to be seated is watched for

# What a plug in this state means where nothing can be done about it but to go elsewhere.
_UNPLUG = "say_finishing"
_SEAT = "say_plug_not_seen"
MOST_SEATED = 2  # a driver who has pushed the plug in twice is not asked for it a third time
_NOT_HERE = {"Reserved": "say_reserved", "Charging": "say_busy_other"}
# Answers to the driver's own card that a start would only repeat; rfid_failed says what to do about each.
_CARD_CAUSES = frozenset(
    {"token_blocked", "token_expired", "token_unknown", "payment_no_credit", "token_not_allowed_here"}
)


async def run(ports: Ports, contact: Contact) -> Steps:
    """Raises BridgeError."""
    seen = await look_at(ports, contact)
    yield saw(seen)
    async for step in decide(ports, contact, seen):
        yield step


async def decide(ports: Ports, contact: Contact, seen: Diagnosis) -> AsyncIterator[Step]:
    """What the charger's state means for a start, and the start itself."""
    charger, plug, named = seen.charger, seen.plug, {"charger": seen.charger.label}
    silent = seen.causes[:1] == ("charger_silent",) or answers_no_more(seen)
    if not charger.connected or charger.boot not in (None, "Accepted") or silent:
        steps = charger_offline.decide(ports, contact, seen)
    elif plug is None:
        steps = each(Say("say_connector_unclear", named), End(Outcome.NOT_FIXED, Offer.PERSON))
    elif plug.session is not None and plug.session.state == "active":
        steps = _session_runs(ports, contact, seen, plug, plug.session)
    elif seen.hold == "hazard" or "Unavailable" in (plug.status, charger.status):
        steps = charger_offline.decide(ports, contact, seen)
    elif "Faulted" in (plug.status, charger.status):
        steps = recover.recover(ports, contact, seen)
    elif plug.status == "Preparing" and _card_is_refused(seen):
        steps = rfid_failed.decide(ports, contact, seen)
    elif plug.status == "Preparing":
        steps = _start(ports, contact, seen)
    elif plug.status == "Available" and contact.times_advised(_SEAT) >= MOST_SEATED:
        steps = _go_elsewhere(ports, seen, Say("say_plug_still_not_seen", named))
    elif plug.status == "Available":
        steps = _watch_for_plug(ports, contact, seen, _SEAT)
    elif plug.status == "Finishing" and (contact.advised(_UNPLUG) or "replugged" in contact.reported):
        steps = _go_elsewhere(ports, seen, Say("say_still_finishing", named))
    elif plug.status == "Finishing":
        steps = _watch_for_plug(ports, contact, seen, "say_finishing")
    elif plug.status in _NOT_HERE:
        steps = _go_elsewhere(ports, seen, Say(_NOT_HERE[plug.status], named))
    elif plug.status in ("SuspendedEV", "SuspendedEVSE"):
        name = "say_suspended_car" if plug.status == "SuspendedEV" else "say_suspended_charger"
        steps = each(Say(name, named), End(Outcome.NOT_FIXED, Offer.PERSON))
    else:
        steps = each(Say("say_status_unknown", named), End(offer=Offer.RETRY))
    async for step in steps:
        yield step


async def woken(ports: Ports, contact: Contact, wake: Wake) -> Steps:
    """The plug that was watched for has come, or has not; or a start has ended."""
    if wake.command is not None:
        command = await ports.chargers.command(wake.command)
        if command.finished:
            async for step in ended(ports, contact, command):
                yield step
        return
    seen = await look_at(ports, contact)
    plug, named = seen.plug, {"charger": seen.charger.label}
    if plug is None or not seen.charger.connected or seen.own_sessions_elsewhere:
        return  # who charges elsewhere by now has no car here: the plug is another driver's
    if plug.session is None and plug.status == "Preparing":
        yield saw(seen)
        yield Say("say_plug_seen", named, first=True)
        async for step in start(ports, contact, seen):
            yield step
    elif not wake.met and plug.session is None and plug.status == "Available":
        yield Say("say_plug_still_not_seen", named)
        async for step in next_best(ports, seen):
            yield step


async def _start(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    if not await may_charge(ports, contact.driver):
        async for step in rfid_failed.decide(ports, contact, seen):
            yield step
        return
    yield Say("say_starting", {"charger": seen.charger.label}, first=True)
    async for step in start(ports, contact, seen):
        yield step


async def _watch_for_plug(ports: Ports, contact: Contact, seen: Diagnosis, name: str) -> Steps:
    """Waits for the plug in place of asking "done?", where the bridge can promise that."""
    named = {"charger": seen.charger.label}
    waiting = await watch_plug(ports, contact, seen, "status:Preparing", PLUG_S, "plug_seen")
    yield advice(name)
    if waiting is None:
        yield Say(name, named)
        yield End(offer=Offer.RETRY)
        return
    yield waiting
    yield Say(f"{name}_watched", named)
    yield End(offer=Offer.RETRY)


async def _session_runs(
    ports: Ports, contact: Contact, seen: Diagnosis, plug: Connector, session: Session
) -> AsyncIterator[Step]:
    """An own session without energy began a moment ago, perhaps by a run of this turn that was cut off: its start tells."""
    dry = session.driver == contact.driver and not session.energy_wh and not session.power_w
    if dry and seen.own_start is not None:
        command = await ports.chargers.command(seen.own_start, WAIT_S)
        if command.session in (None, session.id) and (not command.finished or command.state == "verified"):
            async for step in follow(ports, contact, command):
                yield step
            return
    if dry and "no_energy" in seen.causes:  # the meter stands still: the charger's own doing, so somewhere else
        async for step in _go_elsewhere(ports, seen, Say("say_no_energy", {"charger": seen.charger.label})):
            yield step
        return
    async for step in running(seen.charger, plug, session, contact.driver):
        yield step


async def _go_elsewhere(ports: Ports, seen: Diagnosis, say: Say) -> Steps:
    yield say
    async for step in next_best(ports, seen):
        yield step


def _card_is_refused(seen: Diagnosis) -> bool:
    """The driver's own card was refused here for a reason that holds: the start would be refused for the same."""
    own = [one for one in seen.authorizations if one.own]
    return bool(own and own[0].answer not in ("Accepted", "ConcurrentTx") and _CARD_CAUSES & set(seen.causes))
