"""The driver orders a restart. It is never taken for a wish to charge: the gate decides on the reset, and a no says why.

What is broken gets what its own playbook does for it, which may be a restart; what is well is left alone.
"""

from __future__ import annotations

from actions.bridge import Command, Diagnosis
from actions.playbooks import charger_offline
from actions.playbooks.contact import Contact, Ports, answers_no_more, look_at, saw, tried, watch_command
from actions.playbooks.recover import PURPOSE, send_soft_reset
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps, each

_BROKEN = frozenset({"Faulted", "Unavailable"})


async def run(ports: Ports, contact: Contact) -> Steps:
    """Raises BridgeError."""
    seen = await look_at(ports, contact)
    yield saw(seen)
    charger, named = seen.charger, {"charger": seen.charger.label}
    sessions = [one.session for one in charger.connectors if one.session is not None]
    if _is_broken(seen):
        steps = charger_offline.decide(ports, contact, seen)
    elif any(session.driver == contact.driver for session in sessions):
        steps = each(Say("say_restart_own", named), End(offer=Offer.FINISH))
    elif sessions:
        steps = each(Say("say_restart_others", named), End(Outcome.NOT_FIXED, Offer.PERSON))
    else:
        steps = _ask_the_gate(ports, contact, seen)
    async for step in steps:
        yield step


def _is_broken(seen: Diagnosis) -> bool:
    """Off, silent, faulted or out of service: playbook 3 knows what to do, and asks for a restart where that can help."""
    charger = seen.charger
    statuses = {charger.status, *(one.status for one in charger.connectors)}
    away = not charger.connected or charger.boot not in (None, "Accepted") or answers_no_more(seen)
    return away or seen.hold is not None or bool(statuses & _BROKEN)


async def _ask_the_gate(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    named = {"charger": seen.charger.label}
    command = await send_soft_reset(ports, contact, seen)
    yield tried(command)
    if command.finished and command.state != "verified":
        for step in _no(command, named):
            yield step
        return
    waiting = await watch_command(ports, contact, command, PURPOSE)
    if waiting is not None:
        yield waiting
    yield Say("say_restart_begun" if waiting else "say_restart_sent", named)
    yield End(offer=None if waiting else Offer.RETRY)


def _no(command: Command, named: dict[str, str]) -> list[Say | End]:
    if command.refused_rule == "neighbour-safe-reset":  # nobody charges there: nothing is wrong that a restart cures
        return [Say("say_restart_not_needed", named), End(offer=Offer.START)]
    name = "say_refused" if command.refused_rule == "tier-too-low" else "say_reset_not_now"
    return [Say(name, named), End(Outcome.NOT_FIXED, Offer.PERSON)]
