"""The checks behind the gate's rules: each reads a snapshot and says why not, or None. Numbers and lists are in `data`."""

from __future__ import annotations

import re
from datetime import timedelta

from ocpp_bridge.gate import data
from ocpp_bridge.gate.snapshot import AMBIGUOUS, Snapshot, stale, stale_targets
from ocpp_bridge.model import Command, Session

RUNNING = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})
TROUBLE = frozenset({"Faulted", "Unavailable"})


# ---- who


def unknown_tier(s: Snapshot) -> str | None:
    tier = s.actor.tier
    if type(tier) is not int or not 0 <= tier <= data.HIGHEST_TIER:
        return "no such identity tier"
    if tier >= data.HIGHEST_TIER and not s.actor.operator:
        return "this tier takes an operator's key"
    return None


def tier(s: Snapshot) -> str | None:
    if s.actor.operator or s.hazard:
        return None  # what a report of danger may do is for hazard-first to say
    least = data.HARD_RESET_TIER if _is_hard_reset(s) else data.LEAST_TIER[s.action]
    if s.action == "trigger" and s.params.get("message") not in data.DRIVER_TRIGGERS:
        least = data.HIGHEST_TIER
    if least >= data.HIGHEST_TIER:
        return "only an operator may do this"
    return None if s.actor.tier >= least else "the driver is not known well enough for this"


def _is_hard_reset(s: Snapshot) -> bool:
    return s.action == "reset" and s.params.get("kind") == "hard"


def own_token_only(s: Snapshot) -> str | None:
    if s.actor.operator or s.token is None:
        return None  # no-free-energy names a token that is not there
    if not s.actor.driver or s.token.driver != s.actor.driver:
        return "the id token belongs to another driver"
    if s.actor.tier < 1 and not s.token.guest:
        return "the driver is not known well enough to use this id token"
    return None


def own_session_only(s: Snapshot) -> str | None:
    if s.hazard:
        return None
    if s.session is None:
        return "no such session on this charger"
    return _bound(s, s.session, "stop a session")


def own_last_session_only(s: Snapshot) -> str | None:
    """Unlock: the newest session of this connector, ended a moment ago, is the driver's; nobody has charged there since."""
    last = s.last_session
    if s.session is not None and (last is None or s.session.id != last.id):
        return "somebody has charged on this connector since"
    if s.actor.operator:
        return None
    if last is None:
        return "no session of this driver on this connector is known"
    why = _bound(s, last, "unlock a connector")
    if why is not None:
        return why
    if last.ended_at is not None and s.now - last.ended_at > timedelta(seconds=data.UNLOCK_WITHIN_S):
        return "the driver's session on this connector ended too long ago"
    return None


def _bound(s: Snapshot, session: Session, deed: str) -> str | None:
    if s.actor.operator:
        return None
    if s.actor.tier < 1 and not (session.driver or "").startswith("guest:"):
        return f"the driver is not known well enough to {deed}"
    if not s.actor.driver or session.driver != s.actor.driver:
        return "the session belongs to another driver"
    return None


def own_reservation_only(s: Snapshot) -> str | None:
    if s.reservation is None:
        return "no such reservation on this charger"
    if not s.actor.operator and (not s.actor.driver or s.reservation.actor.driver != s.actor.driver):
        return "the reservation belongs to another driver"
    return None


# ---- danger


def hazard_first(s: Snapshot) -> str | None:
    if s.hazard:
        if s.action not in data.HAZARD_ACTIONS:
            return "where danger is reported nothing is unlocked, reset or started"
        return _hazards_by_one_driver(s)
    if s.action not in data.BARRED_BY_HAZARD or s.actor.operator:
        return None
    for number in {*s.targets, s.connector or 0, 0}:
        hold = s.holds.get(number)
        if hold is not None and hold.reason == "hazard":
            return "danger was reported at this connector: a person must look first"
    return None


def _hazards_by_one_driver(s: Snapshot) -> str | None:
    if s.actor.operator:
        return None
    if not s.actor.driver:
        return "who reports the danger must be given"
    if s.connector is None:
        return "which connector is in danger must be given"
    since = s.now - timedelta(hours=1)
    others = {
        (other.charger, other.connector)
        for other in s.recent
        if other.id != s.command_id
        and other.hazard
        and other.action == s.action
        and other.actor.driver == s.actor.driver
        and other.state != "refused"
        and other.created_at > since
    } - {(s.charger, s.connector)}
    if len(others) >= data.HAZARD_CONNECTORS_AN_HOUR:
        return "this driver has reported danger at another connector within the hour: a person must decide"
    return None


def out_of_service_on_purpose(s: Snapshot) -> str | None:
    """Making operative again what a person, or a report of danger, took out of service."""
    if s.actor.operator:
        return None
    held = [s.holds[number] for number in {*s.targets, s.connector or 0, 0} if number in s.holds]
    return "it was taken out of service on purpose; only an operator ends that" if held else None


# ---- the state of things


def boot_pending(s: Snapshot) -> str | None:
    if s.boot is None or s.boot.status == "Accepted":
        return None
    if s.boot.status == "Pending" and s.action in data.ALLOWED_WHILE_PENDING:
        return None
    return f"the charger's boot is {s.boot.status.lower()}"


def fresh_eyes(s: Snapshot) -> str | None:
    return stale(s)


def fresh_eyes_all(s: Snapshot) -> str | None:
    """Every connector that the command touches; a charger whose connectors nobody knows is not acted on."""
    if not s.targets:
        return "no connector of the charger is known"
    old = stale_targets(s)
    return f"the status of connector {old[0]} is not known or old" if old else None


def no_start_on_trouble(s: Snapshot) -> str | None:
    if not s.known_connector:
        return "the charger has no such connector"
    whole = s.charger_status
    if whole is not None and whole.status in TROUBLE:
        return f"the charger as a whole is {whole.status.lower()}"
    if any(session.token for session in s.connector_sessions):  # without a token: plugged in, not yet authorised
        return "the connector has a running session"
    return data.NO_START.get(s.status.status) if s.status else "the connector's status is not known"


def plug_unfit(s: Snapshot) -> str | None:
    """What the driver reports of the plug; where danger is reported, hazard-first has refused before."""
    if s.actor.operator or not _words(s.reason) & data.PLUG_UNFIT:
        return None
    return "the driver reports that the plug is stuck, hot, wet or damaged"


def _words(reason: str) -> frozenset[str]:
    return frozenset(re.findall("[a-z]+", reason.lower()))


def reserve_free_only(s: Snapshot) -> str | None:
    if not s.known_connector:
        return "the charger has no such connector"
    if s.connector_sessions or s.status is None or s.status.status != "Available":
        return "only a connector that is available can be reserved"
    return None


def no_unlock_while_charging(s: Snapshot) -> str | None:
    if not s.known_connector:
        return "the charger has no such connector"
    if s.connector_sessions:
        return "a transaction runs on this connector: it must be stopped first"
    if s.status is None or s.status.status in RUNNING:
        return "the charger says that the connector is charging"
    if s.status.error_code in data.DANGER_ERRORS:
        return f"the charger reports {s.status.error_code}: a person must look first"
    reading = s.readings.get(s.connector or 0)
    if reading is not None and reading.power_w > data.NO_POWER_W:
        return "current still flows"
    return None


def neighbour_safe_reset(s: Snapshot) -> str | None:
    if _words(s.reason) & data.CABLE_HELD:
        return "a reset does not free a cable"
    scope = set(s.targets)
    if any(session.connector in scope for session in s.charger_sessions):
        return "a transaction runs, and a reset would end it"
    for number in s.targets:
        status = s.statuses.get(number)
        if status is None or status.status in RUNNING:
            return f"connector {number} is not known to be idle"
        reading = s.readings.get(number)
        if reading is not None and reading.power_w > data.NO_POWER_W:
            return f"current flows at connector {number}"
    if not s.actor.operator and not _in_trouble(s):
        return "nothing is wrong with the charger that a reset could cure"
    return None


def _in_trouble(s: Snapshot) -> bool:
    """The gate's own live conditions for a reset (tier 3): a fault, out of service, or a command that came to nothing."""
    told = [s.charger_status, *(s.statuses.get(number) for number in s.targets)]
    if any(status is not None and status.status in TROUBLE for status in told):
        return True
    since = s.now - timedelta(seconds=data.FAILED_COUNTS_S)
    return any(
        other.charger == s.charger
        and other.created_at > since
        and other.action != "reset"
        and (other.outcome in AMBIGUOUS or other.outcome in data.FAILED_OUTCOMES)
        and other.sent_at is not None
        for other in s.recent
    )


def operative_cures(s: Snapshot) -> str | None:
    """Making operative is for what is Unavailable (tier 3: the gate's own live condition)."""
    if s.actor.operator:
        return None
    told = [s.charger_status, *(s.statuses.get(number) for number in s.targets)]
    if any(status is not None and status.status == "Unavailable" for status in told):
        return None
    return "the charger does not say that it is out of service"


def no_free_energy(s: Snapshot) -> str | None:
    if s.token is None:
        return "no such id token"
    if s.token.guest and not s.guest_starts:
        return "charging as a guest is switched off"
    status = s.token.status_at(s.now)
    return None if status == "Accepted" else f"the id token is {status.lower()}"


# ---- how often


def once(s: Snapshot) -> str | None:
    own = next((other for other in s.recent if other.id == s.command_id), None)
    for other in s.recent:
        if other.id == s.command_id or other.finished or other.charger != s.charger or other.created_at > s.now:
            continue
        if own is not None and other.state == "queued" and other.hazard <= own.hazard and _later(other, own):
            continue  # it is asked after this one
        if _same(s, other):
            return f"command {other.id} is doing this already"
        if other.action in data.CONFLICTS.get(s.action, ()) and not s.hazard and _touches(s, other):
            return f"command {other.id} ({other.action}) is under way there"
    if s.action == "start":
        for running in s.token_sessions:
            return f"the id token has a running session at {running.charger}"
    return None


def _later(other: Command, own: Command) -> bool:
    return (other.created_at, other.id) > (own.created_at, own.id)


def _same(s: Snapshot, other: Command) -> bool:
    if other.action != s.action:
        return False
    return other.session == s.session.id if s.session else other.connector == s.connector


def _touches(s: Snapshot, other: Command) -> bool:
    """The connectors of the two meet; a command without a connector is on the whole charger."""
    return s.connector is None or other.connector is None or other.connector in {s.connector, *s.targets}


def rate(s: Snapshot) -> str | None:
    if s.hazard and s.action in data.HAZARD_ACTIONS:
        return None  # hazard-first counts these
    for limit in data.LIMITS:
        if limit.action != s.action or (s.actor.operator and not limit.operators):
            continue
        if limit.only and any(s.params.get(name) != value for name, value in limit.only):
            continue
        since = s.now - timedelta(seconds=limit.window_s)
        used = sum(
            1
            for other in s.recent
            if other.action == s.action
            and other.id != s.command_id
            and other.state != "refused"
            and other.created_at > since
            and _counts(s, other, limit.per)
            and all(other.params.get(name) == value for name, value in limit.only)
        )
        if used >= limit.count:
            return f"{used} commands of this kind within {limit.window_s / 60:g} minutes by this {limit.per}"
    return None


def _counts(s: Snapshot, other: Command, per: str) -> bool:
    if per == "driver":
        return other.actor.driver == s.actor.driver
    return other.charger == s.charger and (per == "charger" or other.connector == s.connector)
