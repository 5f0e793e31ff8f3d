"""One start with the driver's own id token, and the truth about what came of it. The gate in the bridge decides whether it is sent."""

from __future__ import annotations

from dataclasses import replace

from actions.bridge import BridgeRefused, Charger, Command, Connector, Diagnosis, Session, Token
from actions.playbooks import recover, start_and_pay
from actions.playbooks.contact import (
    MOST_FAILURES,
    WAIT_S,
    Contact,
    Ports,
    answers_no_more,
    look_at,
    tried,
    watch_command,
    watch_plug,
)
from actions.playbooks.next_best import next_best
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps, energy_words

PURPOSE = "start"
RETURN_S = 1800.0  # how long a charger whose line is gone is watched for
LOOK_S = 5.0  # what is older than this when a start has come to nothing is asked for again
_REFUSALS = {
    "no-start-on-trouble": "say_refused_no_start_on_trouble",
    "own-session-only": "say_no_token",
    "no-free-energy": "say_refused_no_free_energy",
    "rate": "say_refused_rate",
    "boot-pending": "say_refused_boot_pending",
    "hazard-first": "say_refused_hazard_first",
    "fresh-eyes": "say_refused_fresh_eyes",
}
# How a start that brought no session ended, and whether trying again here can make sense.
_ENDS: dict[str, tuple[str, bool]] = {
    "rejected": ("say_rejected", True),
    "not_supported": ("say_not_supported", False),
    "call_error": ("say_charger_error", True),
    "invalid_answer": ("say_charger_error", True),
    "timed_out": ("say_timed_out", True),
    "disconnected": ("say_disconnected", True),
    "accepted_no_effect": ("say_accepted_no_effect", True),
}


async def usable_token(ports: Ports, driver: str) -> Token | None:
    """The driver's own accepted token; a guest's is asked for, and refused (BridgeRefused) where guests do not charge."""
    if driver.startswith("guest:"):
        return await ports.chargers.guest_token(driver)
    return next((token for token in await ports.chargers.tokens(driver) if token.status == "Accepted"), None)


async def may_charge(ports: Ports, driver: str) -> bool:
    """Whether there is anything to begin with; a guest's refusal is told by the start itself."""
    return driver.startswith("guest:") or await usable_token(ports, driver) is not None


async def start(ports: Ports, contact: Contact, seen: Diagnosis, key: str | None = None) -> Steps:
    """Starts on the connector that was looked at. Raises BridgeError."""
    assert seen.connector is not None
    named = {"charger": seen.charger.label}
    try:
        token = await usable_token(ports, contact.driver)
    except BridgeRefused as refused:
        if refused.slug == "no-free-energy" and ports.payments.cashier is not None and start_and_pay.can_take(seen):
            async for step in start_and_pay.offer(ports, contact, seen):
                yield step
            return
        yield Say(_REFUSALS.get(refused.slug, "say_refused"), named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    if token is None:
        yield Say("say_no_token", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    try:
        command = await ports.chargers.start(
            seen.charger.id,
            seen.connector,
            token.id,
            actor=contact.turn.actor,
            reason=contact.problem,
            key=key or contact.key("start"),
            wait_s=WAIT_S,
        )
    except BridgeRefused as refused:
        gone = refused.status == 404
        yield Say("say_charger_gone" if gone else _REFUSALS.get(refused.slug, "say_refused"), named)
        yield End(Outcome.NOT_FIXED, None if gone else Offer.PERSON)
        return
    async for step in follow(ports, contact, command):
        yield step


async def follow(ports: Ports, contact: Contact, command: Command) -> Steps:
    """What came of a start, or the promise to tell."""
    if command.finished:
        async for step in ended(ports, contact, command):
            yield step
        return
    yield tried(command)
    named = {"charger": (await ports.chargers.charger(command.charger)).label}
    waiting = await watch_command(ports, contact, command, PURPOSE)
    if waiting is None:  # the command itself stands; only the promise to text cannot be given
        yield Say("say_still_waiting_no_watch", named)
        yield End(offer=Offer.RETRY)
        return
    yield waiting
    yield Say("say_still_waiting", named)
    yield End()


async def ended(ports: Ports, contact: Contact, command: Command) -> Steps:
    """The truth about an ended start: its effect, or, where the effect is missing, what the charger says now."""
    yield tried(command)
    if command.state == "verified":
        named = {"charger": (await ports.chargers.charger(command.charger)).label}
        yield charging(named, command.energy_wh)
        yield End(Outcome.FIXED)
        return
    if command.state == "refused":
        async for step in _refused(ports, contact, command):
            yield step
        return
    contact = contact.at(command.charger, command.connector)
    seen = await look_at(ports, contact, max_age_s=LOOK_S)
    plug, how = seen.plug, command.outcome or command.state
    named = {"charger": seen.charger.label}
    session = seen.session
    # A car that drew nothing while it was watched is only said to charge once energy has come since.
    drawing = how not in ("car_not_drawing", "no_energy") or bool(session and session.energy_wh)
    if plug is not None and session is not None and session.state == "active" and drawing:
        async for step in running(seen.charger, plug, session, contact.driver):
            yield step
        return
    if how == "car_not_drawing":
        yield Say("say_car_not_drawing", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    if how == "no_energy":  # the charger's own doing: somewhere else
        yield Say("say_no_energy", named)
        async for step in next_best(ports, seen):
            yield step
        return
    key = next_key(command.idempotency_key)
    if how == "disconnected" and key and seen.charger.connected and plug is not None and plug.status == "Preparing":
        # Lost on the way, and the charger is back with the plug seen and nothing running: one more, never a third.
        async for step in start(ports, contact, seen, key):
            yield step
        return
    if not seen.charger.connected:
        async for step in _line_lost(ports, contact, seen):
            yield step
        return
    failures = contact.failures_with("start", command.id)
    name, again = _ENDS.get(how, ("say_outcome_unknown", True))
    reachable = not answers_no_more(seen, LOOK_S)
    if again and failures < MOST_FAILURES and "replugged" not in contact.reported and reachable:
        yield Say(name, named)
        yield End(offer=Offer.RETRY)
        return
    restart = how != "not_supported" and reachable and recover.may_restart(contact, seen)
    refused_again = how == "rejected" and failures >= MOST_FAILURES and not restart
    yield Say("say_rejected_again" if refused_again else _TOLD.get(how, name), named)
    if restart:
        steps = recover.restart(ports, contact, seen, Say("say_restarting", named, first=True))
    else:
        steps = next_best(ports, seen)
    async for step in steps:
        yield replace(step, offer=step.offer or Offer.PERSON) if isinstance(step, End) and not restart else step


async def _line_lost(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    """The charger went away while it was to begin: no session is known of, and its return is told."""
    named = {"charger": seen.charger.label}
    waiting = await watch_plug(ports, contact, seen, "connected", RETURN_S, "returned")
    if waiting is None:
        yield Say("say_disconnected", named)
    else:
        yield waiting
        yield Say("say_disconnected_watched", named)
    async for step in next_best(ports, seen):
        yield step


# The same ends without asking for what the driver has done already.
_TOLD = {
    "rejected": "say_rejected_now",
    "accepted_no_effect": "say_accepted_nothing",
    "call_error": "say_charger_error_now",
    "invalid_answer": "say_charger_error_now",
    "timed_out": "say_timed_out_now",
}


async def _refused(ports: Ports, contact: Contact, command: Command) -> Steps:
    """The gate said no, and nothing was sent: by which rule."""
    named = {"charger": (await ports.chargers.charger(command.charger)).label}
    if command.refused_rule == "once":
        for session in await ports.chargers.running_sessions(contact.driver):
            elsewhere = {**named, "other": (await ports.chargers.charger(session.charger)).label}
            yield Say("say_refused_once_session", elsewhere)
            yield End(offer=Offer.FINISH)
            return
        yield Say("say_refused_once", named)
        yield End(offer=Offer.RETRY)
        return
    yield Say(_REFUSALS.get(command.refused_rule or "", "say_refused"), named)
    yield End(Outcome.NOT_FIXED, Offer.PERSON)


def next_key(key: str) -> str | None:
    """The idempotency key of the attempt after the one with `key`; None after the last that is allowed."""
    base, _, attempt = key.rpartition(":")
    if not base or not attempt.isdigit() or int(attempt) >= MOST_FAILURES:
        return None
    return f"{base}:{int(attempt) + 1}"


async def running(charger: Charger, plug: Connector, session: Session, driver: str) -> Steps:
    """A session runs on this plug: whose it is, and whether energy flows."""
    named = {"charger": charger.label}
    if session.driver != driver:
        yield Say("say_busy_other", named)
        yield End(Outcome.NOT_FIXED)
    elif plug.status in ("SuspendedEV", "SuspendedEVSE"):
        yield Say("say_suspended_car" if plug.status == "SuspendedEV" else "say_suspended_charger", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
    elif session.energy_wh:
        yield Say("say_already_charging", {**named, "energy": energy_words(session.energy_wh)})
        yield End(Outcome.FIXED)
    elif plug.status == "Charging" and session.power_w:
        yield Say("say_already_charging_no_energy", named)
        yield End(Outcome.FIXED)
    else:
        yield Say("say_session_open", named)
        yield End(offer=Offer.RETRY)


def charging(named: dict[str, str], energy_wh: float | None) -> Say:
    if energy_wh:
        return Say("say_charging", {**named, "energy": energy_words(energy_wh)})
    return Say("say_charging_no_energy", named)
