"""The session won't start: read fresh → decide → act once → watch the effect → say what is true → offer the next best thing.

`look` says what is seen and decides; `start` acts. Rules come from docs and the bridge's gate; what each name says is in domain/responses.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from actions.bridge import Actor, BridgeError, BridgeRefused, Charger, Chargers, Command, Connector, Session, Token
from actions.playbooks.find_charger_of_driver import FRESH_S
from actions.playbooks.steps import Offer, Say, duration_words, energy_words

REASON = "session_not_starting"
WAIT_S = 8.0  # how long a driver reads the first words before the next are due
MOST_STARTS = 2

# What a plug in this state means for a start, and whether doing something about it and trying again makes sense.
_BY_STATUS: dict[str | None, tuple[str, Offer | None]] = {
    None: ("say_status_unknown", Offer.RETRY),
    "Available": ("say_plug_not_seen", Offer.RETRY),
    "Finishing": ("say_finishing", Offer.RETRY),
    "Reserved": ("say_reserved", None),
    "Unavailable": ("say_unavailable", None),
    "Charging": ("say_busy_other", None),
    "SuspendedEV": ("say_suspended_car", None),
    "SuspendedEVSE": ("say_suspended_charger", None),
}
_REFUSALS = {
    "no-start-on-trouble": "say_refused_no_start_on_trouble",
    "own-session-only": "say_no_token",
    "no-free-energy": "say_refused_no_free_energy",
    "rate": "say_refused_rate",
    "boot-pending": "say_refused_boot_pending",
    "hazard-first": "say_refused_hazard_first",
    "fresh-eyes": "say_refused_fresh_eyes",
}
# How a start that brought no session ended, beyond refusals.
_ENDS: dict[str, tuple[str, Offer | None]] = {
    "rejected": ("say_rejected", Offer.RETRY),
    "not_supported": ("say_not_supported", None),
    "call_error": ("say_charger_error", Offer.RETRY),
    "invalid_answer": ("say_charger_error", Offer.RETRY),
    "timed_out": ("say_timed_out", Offer.RETRY),
    "disconnected": ("say_disconnected", Offer.RETRY),
    "accepted_no_effect": ("say_accepted_no_effect", Offer.RETRY),
    "car_not_drawing": ("say_car_not_drawing", None),
}


@dataclass(frozen=True, slots=True)
class Look:
    say: Say
    start: bool = False
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """Who asks, and in which turn: `message_id` makes the commands of a repeated turn the same commands."""

    actor: Actor
    message_id: str
    language: str


@dataclass(frozen=True, slots=True)
class Outcome:
    say: Say
    offer: Offer | None = None
    ended: str | None = None  # id of the command whose end was told


async def look(chargers: Chargers, charger_id: str, connector: int | None, driver: str, now: datetime) -> Look:
    """What stands in the way of a session, or that nothing does. Raises BridgeError."""
    charger = await chargers.charger(charger_id)
    if charger.connected:
        charger = await chargers.refreshed(charger_id, connector, FRESH_S)
    named = {"charger": charger.label}
    if not charger.connected:
        if charger.since is None:
            return Look(Say("say_offline_since_unknown", named))
        since = duration_words((now - charger.since).total_seconds())
        return Look(Say("say_offline", {**named, "since": since}))
    if charger.boot not in (None, "Accepted"):
        return Look(Say("say_boot_pending", named))
    plug = charger.connector(connector)
    if plug is None:
        return Look(Say("say_connector_unclear", named), offer=Offer.PERSON)
    if plug.session is not None and plug.session.state == "active":
        return Look(_running(charger, plug, plug.session, driver))
    if "Faulted" in (plug.status, charger.status):
        return Look(Say("say_faulted", {**named, "error": _error_words(plug.error_code or charger.error_code)}))
    if plug.status == "Preparing":
        return Look(Say("say_starting", named), start=True)
    name, offer = _BY_STATUS.get(plug.status, ("say_outcome_unknown", Offer.RETRY))
    return Look(Say(name, named), offer=offer)


async def start(chargers: Chargers, charger_id: str, connector: int, turn: Turn) -> Outcome:
    """Starts with the driver's own token, waits a little, and says what came of it. Raises BridgeError."""
    charger = await chargers.charger(charger_id)
    named = {"charger": charger.label}
    try:
        token = await _token(chargers, turn.actor.driver)
    except BridgeRefused as refused:
        return Outcome(Say(_REFUSALS.get(refused.slug, "say_refused"), named), offer=Offer.PERSON)
    if token is None:
        return Outcome(Say("say_no_token", named), offer=Offer.PERSON)
    return await _attempt(chargers, charger_id, connector, token, turn, f"{turn.message_id}:start:1")


async def finished(chargers: Chargers, command_id: str, turn: Turn) -> Outcome | None:
    """The end of a command that was watched; None while it has not ended, or for one that is no start."""
    command = await chargers.command(command_id)
    if not command.finished or command.action != "start":
        return None
    return await _end(chargers, command, turn)


async def _attempt(chargers: Chargers, charger_id: str, connector: int, token: Token, turn: Turn, key: str) -> Outcome:
    try:
        command = await chargers.start(
            charger_id, connector, token.id, actor=turn.actor, reason=REASON, key=key, wait_s=WAIT_S
        )
    except BridgeRefused as refused:
        name = "say_charger_gone" if refused.status == 404 else _REFUSALS.get(refused.slug, "say_refused")
        return Outcome(Say(name, {"charger": charger_id}), offer=None if refused.status == 404 else Offer.PERSON)
    if command.finished:
        return await _end(chargers, command, turn)
    named = {"charger": (await chargers.charger(charger_id)).label}
    data = {"conversation": turn.actor.conversation, "language": turn.language}
    try:
        await chargers.watch(command.id, data, f"{command.id}:watch")
    except BridgeError:  # the command itself stands; only the promise to text cannot be given
        return Outcome(Say("say_still_waiting_no_watch", named), offer=Offer.RETRY)
    return Outcome(Say("say_still_waiting", named))


async def _end(chargers: Chargers, command: Command, turn: Turn) -> Outcome:
    """The truth about an ended start: its effect, or, where the effect is missing, what the charger says now."""
    if command.state == "refused":
        return await _refused(chargers, command, turn)
    if command.state == "verified":
        named = {"charger": (await chargers.charger(command.charger)).label}
        return Outcome(_charging(named, command.energy_wh), ended=command.id)
    charger = await chargers.charger(command.charger)
    if charger.connected:
        charger = await chargers.refreshed(command.charger, command.connector, max_age_s=5)
    named = {"charger": charger.label}
    plug = charger.connector(command.connector)
    how = command.outcome or command.state
    session = plug.session if plug is not None else None
    # A car that drew nothing while it was watched is only said to charge once energy has come since.
    drawing = how != "car_not_drawing" or bool(session and session.energy_wh)
    if plug is not None and session is not None and session.state == "active" and drawing:
        return Outcome(_running(charger, plug, session, turn.actor.driver), ended=command.id)
    if how == "disconnected" and (key := next_key(command.idempotency_key)) and _sees_plug(charger, plug):
        # Lost on the way, and the charger is back with the plug seen and nothing running: one more, never a third.
        token = await _token(chargers, turn.actor.driver)
        if token is not None and plug is not None:
            return await _attempt(chargers, charger.id, plug.connector, token, turn, key)
    name, offer = _ENDS.get(how, ("say_outcome_unknown", Offer.RETRY))
    return Outcome(Say(name, named), offer=offer, ended=command.id)


async def _refused(chargers: Chargers, command: Command, turn: Turn) -> Outcome:
    """The gate said no, and nothing was sent: by which rule."""
    named = {"charger": (await chargers.charger(command.charger)).label}
    if command.refused_rule == "once":
        for session in await chargers.running_sessions(turn.actor.driver):
            elsewhere = {**named, "other": (await chargers.charger(session.charger)).label}
            return Outcome(Say("say_refused_once_session", elsewhere), ended=command.id)
        return Outcome(Say("say_refused_once", named), offer=Offer.RETRY, ended=command.id)
    name = _REFUSALS.get(command.refused_rule or "", "say_refused")
    return Outcome(Say(name, named), offer=Offer.PERSON, ended=command.id)


def next_key(key: str) -> str | None:
    """The idempotency key of the attempt after the one with `key`; None after the last that is allowed."""
    base, _, attempt = key.rpartition(":")
    if not base or not attempt.isdigit() or int(attempt) >= MOST_STARTS:
        return None
    return f"{base}:{int(attempt) + 1}"


def _sees_plug(charger: Charger, plug: Connector | None) -> bool:
    return charger.connected and plug is not None and plug.status == "Preparing"


async def _token(chargers: Chargers, driver: str) -> Token | None:
    """The driver's own accepted token; a guest's is asked for, and refused (BridgeRefused) where guests do not charge."""
    if driver.startswith("guest:"):
        return await chargers.guest_token(driver)
    usable = [token for token in await chargers.tokens(driver) if token.status == "Accepted"]
    return usable[0] if usable else None


def _running(charger: Charger, plug: Connector, session: Session, driver: str) -> Say:
    """A session runs on this plug: whose it is, and whether energy flows."""
    named = {"charger": charger.label}
    if session.driver != driver:
        return Say("say_busy_other", named)
    if plug.status == "SuspendedEV":
        return Say("say_suspended_car", named)
    if plug.status == "SuspendedEVSE":
        return Say("say_suspended_charger", named)
    if session.energy_wh:
        return Say("say_already_charging", {**named, "energy": energy_words(session.energy_wh)})
    return Say("say_already_charging_no_energy" if plug.status == "Charging" else "say_session_open", named)


def _charging(named: dict[str, str], energy_wh: float | None) -> Say:
    if energy_wh:
        return Say("say_charging", {**named, "energy": energy_words(energy_wh)})
    return Say("say_charging_no_energy", named)


def _error_words(code: str | None) -> str:
    """ " (GroundFailure)", or nothing where the charger names no error."""
    return f" ({code})" if code and code != "NoError" else ""
