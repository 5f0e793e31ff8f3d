"""Likely causes, each a named rule over the facts: how sure it is (0 to 1) and what it was read from. Pure.

The names are part of the API (docs/contracts.md, Diagnosis): a playbook branches on them. Several may hold at once; the
surest comes first, and on a tie the one that stands higher in CAUSES, since it hides the ones below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ocpp_bridge.diagnosis.facts import RETURN_S, Facts
from ocpp_bridge.model import Attempt, Status

SILENT_S = 75.0  # two ping intervals and a half without a frame or a pong
TAP_S = 15 * 60.0  # a driver who complains now tapped within this time
STALE_TAP_S = 20.0  # an accepted card that has started nothing after this long was turned down by the charger itself
NO_ENERGY_S = 120.0  # a charging session without a watt-hour after this long
STATUS_OLD_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact, where it stands in the diagnosis, its value, and when it was so."""

    fact: str
    value: Any
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    cause: str
    confidence: float
    evidence: tuple[Evidence, ...]


Found = tuple[float, list[Evidence]] | None
Rule = Callable[[Facts], Found]


def _status_evidence(status: Status) -> list[Evidence]:
    name = "status" if status.connector == 0 else f"connectors[{status.connector}].status"
    found = [Evidence(name, status.status, status.at)]
    if status.error_code is not None:
        found.append(Evidence(name.replace("status", "error_code"), status.error_code, status.at))
    return found


def _attempt_evidence(attempt: Attempt) -> Evidence:
    return Evidence(f"authorizations.{attempt.via}", attempt.answer, attempt.at)


# ---- the connection


def _gone(f: Facts) -> list[Evidence]:
    link = f.connectivity
    found = [Evidence("connectivity.state", link.state, link.since)]
    return [*found, Evidence("connectivity.last_frame_at", link.last_frame_at)] if link.last_frame_at else found


def _site_offline(f: Facts) -> Found:
    if f.connectivity.connected or len(f.site.gone) < 2 or f.charger.id not in f.site.gone:
        return None
    known = f.site.chargers - len(f.site.never)
    share = len(f.site.gone) / known
    if share < 0.5:
        return None
    return 0.75 + 0.2 * share, [*_gone(f), Evidence("site.gone", list(f.site.gone))]


def _never_connected(f: Facts) -> Found:
    return (0.9, _gone(f)) if f.charger.id in f.site.never else None


def _charger_offline(f: Facts) -> Found:
    if f.connectivity.state != "disconnected" or f.charger.id in f.site.never:
        return None
    return 0.9, _gone(f)


def _charger_returning(f: Facts) -> Found:
    """It dropped a moment ago, or the bridge did: it is expected back."""
    return (0.7, _gone(f)) if f.connectivity.state == "returning" else None


def _charger_silent(f: Facts) -> Found:
    link = f.connectivity
    if not link.connected:
        return None
    heard = max((at for at in (link.last_frame_at, link.last_pong_at, link.since) if at is not None), default=None)
    age = f.age_s(heard)
    if age is None or age <= SILENT_S:
        return None
    return 0.8, [
        Evidence("connectivity.last_frame_at", link.last_frame_at),
        Evidence("connectivity.last_pong_at", link.last_pong_at),
    ]


def _just_back(f: Facts) -> Found:
    link = f.connectivity
    age = f.age_s(link.since)
    if not link.connected or age is None or age > RETURN_S:
        return None
    return 0.3, [Evidence("connectivity.state", "connected", link.since)]


def _boot(f: Facts) -> Found:
    if f.boot is None or f.boot.status == "Accepted":
        return None
    return 0.85, [Evidence("boot.status", f.boot.status, f.boot.at)]


# ---- what charger and connector say of themselves


def _errors(*codes: str) -> Rule:
    def rule(f: Facts) -> Found:
        for status in (f.status, f.whole):
            if status is not None and status.error_code in codes:
                return 0.85, _status_evidence(status)
        return None

    return rule


def _whole(name: str) -> Rule:
    return lambda f: (0.88, _status_evidence(f.whole)) if f.whole is not None and f.whole.status == name else None


def _here(name: str, confidence: float) -> Rule:
    def rule(f: Facts) -> Found:
        status = f.status
        if status is None or status.status != name:
            return None
        old = (f.age_s(status.at) or 0.0) > STATUS_OLD_S or not f.connectivity.connected
        return confidence * (0.5 if old else 1.0), _status_evidence(status)

    return rule


def _on_purpose(f: Facts) -> Found:
    return (0.93, [Evidence("hold.reason", f.hold.reason, f.hold.at)]) if f.hold is not None else None


def _in_use(f: Facts) -> Found:
    session = f.session
    if session is None or f.is_own(session) or not (f.own_tokens or f.driver):
        return None
    return 0.8, [Evidence(f"connectors[{session.connector}].session", session.id, session.opened_at)]


def _own_running(f: Facts) -> Found:
    session = f.session
    if session is None or not f.is_own(session) or session.energy_wh <= 0:
        return None
    return 0.5, [
        Evidence(f"connectors[{session.connector}].session", session.id, session.opened_at),
        Evidence("session.energy_wh", session.energy_wh, session.last_meter_at),
    ]


def _no_energy(f: Facts) -> Found:
    session = f.session
    if session is None or f.status is None or f.status.status != "Charging" or session.energy_wh > 0:
        return None
    if (session.power_w or 0) > 0 or (f.age_s(session.opened_at) or 0.0) < NO_ENERGY_S or session.last_meter_at is None:
        return None
    return 0.7, [*_status_evidence(f.status), Evidence("session.energy_wh", session.energy_wh, session.last_meter_at)]


# ---- the driver's card or account


def _last_own(f: Facts) -> Attempt | None:
    """The newest attempt with the driver's own token; where no token is known, the newest on the charger."""
    rows = f.own_attempts if f.own_tokens else f.attempts
    newest = rows[0] if rows else None
    return newest if newest is not None and (f.age_s(newest.at) or 0.0) <= TAP_S else None


def _answered(*answers: str) -> Rule:
    def rule(f: Facts) -> Found:
        attempt = _last_own(f)
        if attempt is not None and attempt.answer in answers:
            return (0.92 if f.own_tokens else 0.6), [_attempt_evidence(attempt)]
        bad = [token for token in f.own_tokens if token.status_at(f.now) in answers]
        if attempt is None and bad and len(bad) == len(f.own_tokens):
            return 0.6, [Evidence("tokens.status", bad[0].status_at(f.now))]
        return None

    return rule


def _concurrent(f: Facts) -> Found:
    attempt = _last_own(f)
    if attempt is not None and attempt.answer == "ConcurrentTx":
        return 0.92, [_attempt_evidence(attempt)]
    if f.own_sessions_elsewhere:
        other = f.own_sessions_elsewhere[0]
        return 0.7, [Evidence("own_session_at", other.charger, other.opened_at)]
    return None


def _waiting(f: Facts) -> bool:
    return f.status is not None and f.status.status == "Preparing" and f.session is None


def _refused_locally(f: Facts) -> Found:
    """Accepted by us, yet no transaction came: the charger's own list or cache, or the driver, decided otherwise."""
    attempt = _last_own(f)
    if attempt is None or attempt.answer != "Accepted" or not _waiting(f) or attempt.via != "Authorize":
        return None
    if (f.age_s(attempt.at) or 0.0) < STALE_TAP_S:
        return None
    found = [_attempt_evidence(attempt), Evidence("connectors.session", None)]
    if f.local_list_version is not None:
        found.append(Evidence("local_list_version", f.local_list_version))
    return 0.6, found


def _awaiting_authorization(f: Facts) -> Found:
    status = f.status
    if status is None or not _waiting(f) or _last_own(f) is not None:
        return None
    return 0.7, [*_status_evidence(status), Evidence("authorizations", None)]


def _no_card_seen(f: Facts) -> Found:
    """Somebody with a known card stands here, a car is plugged in, and no card of theirs has reached us."""
    if not _waiting(f) or not f.own_tokens or f.own_attempts:
        return None
    return 0.4, [Evidence("authorizations.own", None)]


def _command_failed(f: Facts) -> Found:
    """The last command here ended without its effect, though the charger took it."""
    here = [c for c in f.commands if c.action in ("start", "stop", "unlock") and c.connector in (None, f.connector)]
    if not here or here[-1].outcome not in ("accepted_no_effect", "car_not_drawing", "no_energy"):
        return None
    last = here[-1]
    return 0.45, [Evidence(f"commands.{last.action}", last.outcome, last.finished_at)]


CAUSES: tuple[tuple[str, Rule], ...] = (
    ("site_offline", _site_offline),
    ("charger_never_connected", _never_connected),
    ("charger_offline", _charger_offline),
    ("charger_returning", _charger_returning),
    ("charger_silent", _charger_silent),
    ("boot_not_accepted", _boot),
    ("taken_out_of_service", _on_purpose),
    ("connector_lock_failure", _errors("ConnectorLockFailure")),
    ("reader_failure", _errors("ReaderFailure")),
    ("local_list_conflict", _errors("LocalListConflict")),
    ("ground_failure", _errors("GroundFailure")),
    ("car_communication_error", _errors("EVCommunicationError")),
    ("overheated", _errors("HighTemperature")),
    ("charger_faulted", _whole("Faulted")),
    ("charger_unavailable", _whole("Unavailable")),
    ("connector_faulted", _here("Faulted", 0.9)),
    ("connector_unavailable", _here("Unavailable", 0.9)),
    ("token_blocked", _answered("Blocked")),
    ("token_expired", _answered("Expired")),
    ("token_unknown", _answered("Invalid", "Unknown")),
    ("token_in_use", _concurrent),
    ("payment_no_credit", _answered("NoCredit")),
    ("token_not_allowed_here", _answered("NotAllowedTypeEVSE", "NotAtThisLocation", "NotAtThisTime")),
    ("connector_reserved", _here("Reserved", 0.85)),
    ("cable_not_unplugged", _here("Finishing", 0.85)),
    ("connector_in_use", _in_use),
    ("no_energy", _no_energy),
    ("car_not_drawing", _here("SuspendedEV", 0.8)),
    ("charger_limits_power", _here("SuspendedEVSE", 0.75)),
    ("awaiting_authorization", _awaiting_authorization),
    ("refused_by_charger", _refused_locally),
    ("car_not_detected", _here("Available", 0.65)),
    ("own_session_running", _own_running),
    ("command_without_effect", _command_failed),
    ("card_not_seen", _no_card_seen),
    ("charger_just_back", _just_back),
)


def likely_causes(facts: Facts) -> list[Cause]:
    """The surest first; empty where nothing speaks for a fault."""
    found = []
    for name, rule in CAUSES:
        verdict = rule(facts)
        if verdict is not None:
            found.append(Cause(name, round(verdict[0], 2), tuple(verdict[1])))
    return sorted(found, key=lambda cause: -cause.confidence)
