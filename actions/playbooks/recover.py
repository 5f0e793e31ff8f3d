"""A charger that reports a fault: restarted softly, once, where nobody charges on it; watched until it is well; else elsewhere.

The gate has the last word (neighbour-safe-reset, one in 15 minutes, three a day); here is only what is not worth asking it.
"""

from __future__ import annotations

from actions.bridge import Command, Diagnosis
from actions.playbooks.contact import Contact, Ports, look_at, saw, tried, watch_command
from actions.playbooks.next_best import next_best
from actions.playbooks.start_charging import error_words, start
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps

PURPOSE = "reset"
# A restart cures software; these are the cable's, the building's or the car's, and some of them are dangerous.
_NOT_CURED_BY_RESET = frozenset(
    {"GroundFailure", "HighTemperature", "OverCurrentFailure", "PowerSwitchFailure", "ConnectorLockFailure"}
)


async def recover(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    plug, charger = seen.plug, seen.charger
    error = (plug.error_code if plug is not None else None) or charger.error_code
    named = {"charger": charger.label, "error": error_words(error)}
    neighbour = any(one.session is not None for one in charger.connectors)
    again = contact.failures("reset") > 0
    # Without a danger's name the driver may still know of one; resets are for drivers whom the gate knows (tier 1).
    if neighbour or again or error in _NOT_CURED_BY_RESET or contact.turn.actor.tier < 1:
        yield Say("say_reset_neighbour" if neighbour else "say_faulted", named)
        async for step in next_best(ports.chargers, seen):
            yield step
        return
    yield Say("say_resetting", named, first=True)
    command = await ports.chargers.send(
        "reset",
        charger.id,
        {"kind": "soft"},
        actor=contact.turn.actor,
        reason=contact.problem,
        key=contact.key("reset"),
        wait_s=3,
    )
    if command.finished:
        async for step in reset_ended(ports, contact, command):
            yield step
        return
    yield tried(command)
    waiting = await watch_command(ports, contact, command, PURPOSE)
    if waiting is None:
        yield Say("say_bridge_away", named)
        yield End(offer=Offer.RETRY)
        return
    yield waiting
    yield End()


async def reset_ended(ports: Ports, contact: Contact, command: Command) -> Steps:
    """The charger is back and well: begin what the driver wanted. Else somewhere else."""
    yield tried(command)
    seen = await look_at(ports, contact.at(command.charger, contact.connector), max_age_s=5)
    yield saw(seen)
    plug, named = seen.plug, {"charger": seen.charger.label}
    if command.state == "verified":
        yield Say("say_reset_back", named, first=True)
        if plug is not None and plug.status == "Preparing" and plug.session is None:
            async for step in start(ports, contact, seen):
                yield step
            return
        yield Say("say_plug_not_seen" if plug is None or plug.status == "Available" else "say_finishing", named)
        yield End(offer=Offer.RETRY)
        return
    if command.state in ("refused", "rejected"):
        yield Say("say_reset_not_now", {**named, "error": error_words(plug.error_code if plug else None)})
    else:
        yield Say("say_reset_not_back", named)
    ended = False
    async for step in next_best(ports.chargers, seen):
        ended = ended or isinstance(step, End)
        yield step
    if not ended:
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
