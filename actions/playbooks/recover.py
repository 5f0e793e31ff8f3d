"""A charger that is restarted softly: once, where nobody charges on it, watched until it is well; else somewhere else.

The gate has the last word (neighbour-safe-reset, one in 15 minutes, three a day); here is only what is not worth asking it.
What happens after the restart is for charger_offline, which is woken by its end.
"""

from __future__ import annotations

from actions.bridge import Command, Diagnosis
from actions.playbooks.contact import Contact, Ports, answers_no_more, tried, watch_command
from actions.playbooks.next_best import next_best
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps

PURPOSE = "reset"
WAIT_S = 3.0  # a refusal is told at once; a restart takes longer than anybody waits for
# A restart cures software; these are the cable's, the building's or the car's, and some of them are dangerous.
_NOT_CURED_BY_RESET = frozenset(
    {"GroundFailure", "HighTemperature", "OverCurrentFailure", "PowerSwitchFailure", "ConnectorLockFailure"}
)


async def recover(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    """The charger reports a fault."""
    charger = seen.charger
    named = {"charger": charger.label}
    if may_restart(contact, seen) and _error(seen) not in _NOT_CURED_BY_RESET:
        async for step in restart(ports, contact, seen, Say("say_resetting", named, first=True)):
            yield step
        return
    yield Say("say_reset_neighbour" if _neighbour(seen) else "say_faulted", named)
    async for step in next_best(ports, seen):
        yield step


def may_restart(contact: Contact, seen: Diagnosis) -> bool:
    """Whether asking the gate makes sense: nobody charges there, it was not done in this case, and the driver is known."""
    known = contact.turn.actor.tier >= 1
    return known and not _neighbour(seen) and not contact.times("reset") and not answers_no_more(seen)


async def send_soft_reset(ports: Ports, contact: Contact, seen: Diagnosis) -> Command:
    return await ports.chargers.send(
        "reset",
        seen.charger.id,
        {"kind": "soft"},
        actor=contact.turn.actor,
        reason=contact.problem,
        key=contact.key("reset"),
        wait_s=WAIT_S,
    )


async def restart(ports: Ports, contact: Contact, seen: Diagnosis, say: Say) -> Steps:
    yield say
    command = await send_soft_reset(ports, contact, seen)
    yield tried(command)
    if command.finished and command.state != "verified":
        async for step in not_restarted(ports, seen, command):
            yield step
        return
    waiting = await watch_command(ports, contact, command, PURPOSE)
    if waiting is None:
        yield Say("say_bridge_away", {"charger": seen.charger.label})
        yield End(offer=Offer.RETRY)
        return
    yield waiting
    yield End()


async def not_restarted(ports: Ports, seen: Diagnosis, command: Command) -> Steps:
    """The gate or the charger said no, or it is not well afterwards."""
    named = {"charger": seen.charger.label}
    refused = command.state in ("refused", "rejected")
    yield Say("say_reset_not_now" if refused else "say_reset_not_back", named)
    ended = False
    async for step in next_best(ports, seen):
        ended = ended or isinstance(step, End)
        yield step
    if not ended:
        yield End(Outcome.NOT_FIXED, Offer.PERSON)


def _error(seen: Diagnosis) -> str | None:
    return (seen.plug.error_code if seen.plug is not None else None) or seen.charger.error_code


def _neighbour(seen: Diagnosis) -> bool:
    return any(one.session is not None for one in seen.charger.connectors)
