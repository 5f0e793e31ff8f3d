"""What drivers ask about their own session: end it, how it goes, why it is slow, why it is over. Nobody else's is touched."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from actions.bridge import BridgeRefused, Charger, Command, Session
from actions.playbooks.contact import WAIT_S, Contact, Ports, Wake, outcome_of, read_meter, tried, watch_command
from actions.playbooks.cost import cost_so_far, money_words
from actions.playbooks.steps import (
    Choice,
    End,
    Offer,
    Outcome,
    Say,
    Steps,
    duration_words,
    energy_words,
    power_words,
)

METER_FRESH = timedelta(seconds=60)  # as old as a status may be (safety rule fresh-eyes)
_NEARLY = 0.9  # of what a connector can give is all that it gives
RECENT = timedelta(hours=24)  # an ended session that a driver may ask about

# StopTransaction.reason (OCPP 1.6 section 7.36) and stoppedReason (2.0.1 part 2, 3.77) as drivers understand them.
_REASONS = {
    "Local": "say_ended_local",
    "EVDisconnected": "say_ended_unplugged",
    "EmergencyStop": "say_ended_emergency",
    "PowerLoss": "say_ended_power",
    "PowerQuality": "say_ended_power",
    "Reboot": "say_ended_power",
    "HardReset": "say_ended_power",
    "SoftReset": "say_ended_power",
    "ImmediateReset": "say_ended_power",
    "DeAuthorized": "say_ended_card",
    "Remote": "say_ended_remote",
    "UnlockCommand": "say_ended_remote",
    "SOCLimitReached": "say_ended_car",
    "EnergyLimitReached": "say_ended_car",
    "TimeLimitReached": "say_ended_car",
    "StoppedByEV": "say_ended_car",
}


async def finish(ports: Ports, contact: Contact) -> Steps:
    """Ends the driver's own running session; the gate checks whose it is once more. Raises BridgeError."""
    own = await _own(ports, contact)
    if not own:
        yield await _none(ports, contact)
        yield End(Outcome.NOT_FIXED)
        return
    if len(own) > 1:
        yield await _which(ports, own)
        yield End()
        return
    session = own[0]
    named = {"charger": (await ports.chargers.charger(session.charger)).label}
    yield Say("say_session_ending", named, first=True)
    try:
        command = await stop(ports, contact, session, wait_s=WAIT_S)
    except BridgeRefused:
        yield Say("say_refused", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    if command.finished:
        async for step in _finished(ports, contact, command):
            yield step
        return
    yield tried(command)
    waiting = await watch_command(ports, contact, command, "stop")
    if waiting is not None:
        yield waiting
    yield Say("say_finish_waiting" if waiting else "say_finish_failed", named)
    yield End(offer=Offer.PERSON)


async def finish_woken(ports: Ports, contact: Contact, wake: Wake) -> Steps:
    if wake.command is not None:
        command = await ports.chargers.command(wake.command)
        if command.finished:
            async for step in _finished(ports, contact, command):
                yield step


async def stop(ports: Ports, contact: Contact, session: Session, *, wait_s: float) -> Command:
    return await ports.chargers.send(
        "stop",
        session.charger,
        {"session": session.id},
        actor=contact.turn.actor,
        reason=contact.problem,
        key=contact.key("stop"),
        wait_s=wait_s,
    )


async def _finished(ports: Ports, contact: Contact, command: Command) -> Steps:
    yield tried(command)
    named = {"charger": (await ports.chargers.charger(command.charger)).label}
    if outcome_of(command) == "verified":
        ended = next(
            (one for one in await ports.chargers.ended_sessions(contact.driver) if one.id == command.session), None
        )
        if ended is None:
            yield Say("say_session_over_plain", named)
        else:
            values = {
                "energy": energy_words(ended.energy_wh or 0),
                "duration": duration_words(_length(ended, ports.clock.now()), contact.turn.language),
            }
            yield Say("say_session_over", {**named, **values})
        yield End(Outcome.FIXED)
    elif command.state == "refused":
        yield Say("say_session_not_yours" if command.refused_rule == "own-session-only" else "say_refused", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
    else:
        # It costs the driver money by the minute, and nothing more can be done from here.
        yield Say("say_finish_failed", named)
        yield End(Outcome.HANDED_OVER, handoff="the charger does not end the session")


async def status(ports: Ports, contact: Contact) -> Steps:
    """How the own session goes and what it costs so far, from meter values that are fresh. Raises BridgeError."""
    own = await _metered(ports, contact, await _own(ports, contact))
    now = ports.clock.now()
    for session in own[:2]:
        charger = await ports.chargers.charger(session.charger)
        plug = charger.connector(session.connector)
        values = {
            "charger": charger.label,
            "duration": duration_words(_length(session, now), contact.turn.language),
            "energy": energy_words(session.energy_wh or 0),
        }
        if session.power_w:
            yield Say("say_session_now", {**values, "power": power_words(session.power_w)})
        else:
            yield Say("say_session_now_no_power", values)
        if (cost := _cost(contact, charger, session, now)) is not None:
            yield cost
        if plug is not None and plug.status in ("SuspendedEV", "SuspendedEVSE"):
            which = "car" if plug.status == "SuspendedEV" else "charger"
            yield Say(f"say_suspended_{which}", {"charger": charger.label})
    if not own:
        yield await _last_or_none(ports, contact, now)
    yield End(Outcome.FIXED)


async def slow(ports: Ports, contact: Contact) -> Steps:
    """Energy flows, less than expected: what the meter and the neighbours say. No reset while it charges. Raises BridgeError."""
    own = await _own(ports, contact)
    if not own:
        yield await _last_or_none(ports, contact, ports.clock.now())
        yield End(Outcome.NOT_FIXED)
        return
    session = (await _metered(ports, contact, own[:1]) or own)[0]
    charger = await ports.chargers.refreshed(session.charger, session.connector)
    plug, named = charger.connector(session.connector), {"charger": charger.label}
    if plug is not None and plug.status == "SuspendedEV":
        yield Say("say_suspended_car", named)
    elif plug is not None and plug.status == "SuspendedEVSE":
        yield Say("say_suspended_charger", named)
    elif plug is None or not session.power_w or not plug.max_kw:
        yield Say("say_slow_unknown", named)
    else:
        most = power_words(plug.max_kw * 1000)
        if session.power_w >= _NEARLY * plug.max_kw * 1000:
            yield Say("say_slow_full", {**named, "power": power_words(session.power_w)})
            yield End(Outcome.NOT_FIXED, Offer.PERSON)
            return
        yield Say("say_slow", {**named, "power": power_words(session.power_w), "most": most})
        neighbours = [one for one in charger.connectors if one.session is not None and one.connector != plug.connector]
        yield Say("say_slow_shared" if neighbours else "say_slow_car", named)
    yield End(Outcome.NOT_FIXED, Offer.PERSON)


async def stopped_early(ports: Ports, contact: Contact) -> Steps:
    """The last session is over: the reason that the charger gave, and the way on. Raises BridgeError."""
    running = await _own(ports, contact)
    if running:
        async for step in status(ports, contact):
            yield step
        return
    ended = await ports.chargers.ended_sessions(contact.driver)
    now = ports.clock.now()
    last = next((one for one in ended if one.ended_at and now - one.ended_at < RECENT), None)
    if last is None:
        yield await _none(ports, contact)
        yield End(offer=Offer.RETRY)
        return
    label = (await ports.chargers.charger(last.charger)).label
    name = _REASONS.get(last.stop_reason or "", "say_ended_other")
    yield Say(name, {"charger": label, "energy": energy_words(last.energy_wh or 0)})
    if name == "say_ended_emergency":  # no restart before somebody has looked
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    yield Say("say_ended_go_on")
    yield End(Outcome.NOT_FIXED, Offer.RETRY, "session_not_starting")


async def _own(ports: Ports, contact: Contact) -> list[Session]:
    """The driver's running sessions; only the one at the named charger where there is one."""
    own = await ports.chargers.running_sessions(contact.driver)
    here = [one for one in own if one.charger == contact.charger_id]
    return here or own


async def _metered(ports: Ports, contact: Contact, sessions: list[Session]) -> list[Session]:
    """The sessions with meter values of the last minute, where their chargers give any."""
    now = ports.clock.now()
    old = [one for one in sessions[:2] if one.last_meter_at is None or now - one.last_meter_at > METER_FRESH]
    for session in old:
        await read_meter(ports, contact, session.charger, session.connector)
    if not old:
        return sessions
    fresh = {one.id: one for one in await ports.chargers.running_sessions(contact.driver)}
    return [fresh.get(one.id, one) for one in sessions]


def _cost(contact: Contact, charger: Charger, session: Session, now: datetime) -> Say | None:
    """By the posted tariff; without one the question for the cost, if it was one, is answered with that."""
    cost = cost_so_far(charger.tariff, session.energy_wh or 0, _length(session, now)) if charger.tariff else None
    if charger.tariff is None or cost is None:
        return Say("say_cost_unknown", {"charger": charger.label}) if "asks_cost" in contact.reported else None
    taxed = charger.tariff.tax_included is not False
    return Say(
        "say_cost_so_far" if taxed else "say_cost_so_far_before_tax", {"cost": money_words(cost, charger.tariff)}
    )


async def _none(ports: Ports, contact: Contact) -> Say:
    """No session of the driver's runs; a named charger with somebody else's is said to be that."""
    if contact.charger_id is not None:
        charger = await ports.chargers.charger(contact.charger_id)
        if any(one.session is not None for one in charger.connectors):
            return Say("say_session_not_yours", {"charger": charger.label})
    return Say("say_no_session")


async def _last_or_none(ports: Ports, contact: Contact, now: datetime) -> Say:
    for last in await ports.chargers.ended_sessions(contact.driver):
        if last.ended_at and now - last.ended_at < RECENT:
            label = (await ports.chargers.charger(last.charger)).label
            length = duration_words(_length(last, now), contact.turn.language)
            values = {"energy": energy_words(last.energy_wh or 0), "duration": length}
            return Say("say_session_last", {"charger": label, **values})
    return await _none(ports, contact)


async def _which(ports: Ports, own: list[Session]) -> Say:
    choices = []
    for session in own[:4]:
        label = (await ports.chargers.charger(session.charger)).label
        payload = "/stop_charging" + json.dumps({"charger_id": session.charger})
        values = {"charger": label, "energy": energy_words(session.energy_wh or 0)}
        choices.append(Choice("say_choice_session", payload, values))
    return Say("say_which_session", choices=tuple(choices))


def _length(session: Session, now: datetime) -> float:
    """Seconds from the session's beginning to its end, or until now."""
    if session.started_at is None:
        return 0.0
    return max(0.0, ((session.ended_at or now) - session.started_at).total_seconds())
