"""Danger at a charger: the session ends, the connector goes out of service, people are told. The advice comes before all this.

Nothing is ever unlocked, reset or started here. A false alarm is cheap, a missed one is not; the gate lets one driver take
one connector out of service an hour, more is for a person.
"""

from __future__ import annotations

from actions.bridge import BridgeError, BridgeRefused, Command, Diagnosis
from actions.playbooks.contact import Contact, Ports, outcome_of, saw, tried
from actions.playbooks.steps import End, Outcome, Say, Steps, Tried

REASON = "hazard"
ASK = "say_hazard_ask"
HANDOFF = "danger was reported"
_NEXT = "session_not_starting"  # what a charger that is named later is about
_STOP_WAIT_S, _OUT_WAIT_S = 10.0, 15.0


async def run(ports: Ports, contact: Contact) -> Steps:
    """`contact.charger_id` None: asked for, now that the advice is given. A bridge that is away stops nothing else."""
    if contact.charger_id is None:
        yield Say(ASK)
        yield End(handoff=HANDOFF, stays=True)
        return
    try:
        seen = await ports.chargers.diagnosis(contact.charger_id, contact.connector, contact.driver)
    except BridgeError:
        yield Tried("inoperative", None, "bridge_away")
        yield Say("say_hazard_known")
        yield End(Outcome.HANDED_OVER, problem=_NEXT, handoff=HANDOFF, stays=True)
        return
    yield saw(seen)
    connector = connector_in_danger(seen)
    named = {"charger": seen.charger.label}
    if not (seen.charger.connected or seen.charger.returning) or connector is None:
        yield Say("say_hazard_offline", named)
        yield End(Outcome.HANDED_OVER, problem=_NEXT, handoff=HANDOFF, stays=True)
        return
    plug = seen.charger.connector(connector)
    if plug is not None and plug.session is not None:
        # Whose session it is does not matter: current through a burning plug is nobody's wish.
        yield await _send(ports, contact, "stop", seen, {"session": plug.session.id}, _STOP_WAIT_S)
    # While a session runs, going out of service is only scheduled (OCPP 1.6 section 5.2), so this comes second.
    out = await _send(ports, contact, "inoperative", seen, {"connector": connector}, _OUT_WAIT_S)
    yield out
    yield Say(_WORDS.get(out.outcome or "", "say_hazard_unconfirmed"), named)
    yield End(Outcome.HANDED_OVER, problem=_NEXT, handoff=HANDOFF, stays=True)


_WORDS = {"verified": "say_hazard_out", "hazard-first": "say_hazard_limit", "disconnected": "say_hazard_offline"}


def connector_in_danger(seen: Diagnosis) -> int | None:
    """The one that was named, else the one that is in use, else the first: one too many is better than none."""
    if seen.connector is not None:
        return seen.connector
    in_use = [one.connector for one in seen.charger.connectors if one.session is not None]
    plugged = [one.connector for one in seen.charger.connectors if one.status in ("Preparing", "Finishing", "Faulted")]
    everything = [one.connector for one in seen.charger.connectors]
    return next(iter([*in_use, *plugged, *everything]), None)


async def _send(
    ports: Ports, contact: Contact, action: str, seen: Diagnosis, fields: dict[str, object], wait_s: float
) -> Tried:
    try:
        command: Command = await ports.chargers.send(
            action,
            seen.charger.id,
            fields,
            actor=contact.turn.actor,
            reason=REASON,
            key=contact.key(f"hazard-{action}"),
            wait_s=wait_s,
        )
    except BridgeRefused as refused:
        return Tried(action, None, refused.slug)
    except BridgeError:
        return Tried(action, None, "bridge_away")
    found = tried(command)
    return Tried(found.action, found.command, outcome_of(command) or "not_finished", found.answer, found.observed)
