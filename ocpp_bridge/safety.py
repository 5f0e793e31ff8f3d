"""The gate: whether a command may be sent, decided from a snapshot and nothing else.

Rules are named data in the order in which they are asked; the first refusal stands and is stored with the command. The
engine asks BEFORE_CONTACT before it bothers the charger, and all rules again on fresh status before it sends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ocpp_bridge.model import Actor, Boot, Command, Session, Status, Token

HIGHEST_TIER = 4
FRESH_S = 60.0


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` commands of `action` within `window_s`, counted per `per`."""

    per: str
    action: str
    count: int
    window_s: float


LIMITS = (
    Limit("driver", "start", 5, 600),
    Limit("driver", "stop", 6, 600),
    Limit("charger", "start", 12, 600),
    Limit("charger", "stop", 12, 600),
)

# What each status means to a start; a status that is not here is no obstacle.
NO_START: dict[str, str] = {
    "Faulted": "the connector reports a fault",
    "Unavailable": "the connector is out of service",
    "Reserved": "the connector is reserved",
    "Finishing": "the last session is over but the cable is still in: unplug and plug in again",
    "Charging": "the connector is charging already",
    "SuspendedEV": "the connector has a running session",
    "SuspendedEVSE": "the connector has a running session",
}
# Outcomes after which nobody knows whether the charger acted.
AMBIGUOUS = frozenset({"timed_out", "disconnected", "invalid_answer", "accepted_no_effect"})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a rule may look at, read at one moment.

    `status` and `charger_status` are the connector's and the whole charger's (connector 0). `status_current` says that the
    charger pushed it on the connection that still stands and has no way of being asked again.
    """

    action: str
    connector: int | None
    actor: Actor
    now: datetime
    token: Token | None = None
    session: Session | None = None
    boot: Boot | None = None
    status: Status | None = None
    charger_status: Status | None = None
    status_current: bool = False
    connector_sessions: Sequence[Session] = ()
    token_sessions: Sequence[Session] = ()
    recent: Sequence[Command] = ()
    charger: str = ""
    command_id: str = ""
    guest_starts: bool = False
    known_connector: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    rule: str | None = None
    why: str | None = None
    asked: tuple[str, ...] = ()

    def record(self, snapshot: Snapshot) -> dict[str, Any]:
        """What is stored with the command: the verdict and what it was read from."""
        status = snapshot.status
        return {
            "allowed": self.allowed,
            "rule": self.rule,
            "asked": list(self.asked),
            "at": snapshot.now.isoformat(),
            "tier": snapshot.actor.tier,
            "status": status.status if status else None,
            "status_age_s": round((snapshot.now - status.at).total_seconds(), 1) if status else None,
        }


Check = Callable[[Snapshot], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """`actions` it applies to; `live`: it needs fresh status, so it is asked only after the charger was."""

    name: str
    check: Check
    actions: frozenset[str]
    live: bool = False


def _unknown_tier(s: Snapshot) -> str | None:
    tier = s.actor.tier
    if type(tier) is not int or not 0 <= tier <= HIGHEST_TIER:
        return "no such identity tier"
    if tier >= HIGHEST_TIER and not s.actor.operator:
        return "this tier takes an operator's key"
    return None


def _own_token_only(s: Snapshot) -> str | None:
    if s.actor.operator:
        return None
    if s.token is None:
        return None  # no-free-energy names it
    if not s.actor.driver or s.token.driver != s.actor.driver:
        return "the id token belongs to another driver"
    if s.actor.tier < 1 and not s.token.guest:
        return "the driver is not known well enough to use this id token"
    return None


def _own_session_only(s: Snapshot) -> str | None:
    if s.session is None:
        return "no such session on this charger"
    if s.actor.operator:
        return None
    if s.actor.tier < 1 and not (s.session.driver or "").startswith("guest:"):
        return "the driver is not known well enough to stop a session"
    if not s.actor.driver or s.session.driver != s.actor.driver:
        return "the session belongs to another driver"
    return None


def _no_free_energy(s: Snapshot) -> str | None:
    if s.token is None:
        return "no such id token"
    if s.token.guest and not s.guest_starts:
        return "charging as a guest is switched off"
    status = s.token.status_at(s.now)
    return None if status == "Accepted" else f"the id token is {status.lower()}"


def _once(s: Snapshot) -> str | None:
    for other in s.recent:
        if other.id == s.command_id or other.finished or other.action != s.action or other.charger != s.charger:
            continue
        same = other.session == s.session.id if s.session else other.connector == s.connector
        if same and other.created_at <= s.now:
            return f"command {other.id} is doing this already"
    if s.action == "start":
        for running in s.token_sessions:
            return f"the id token has a running session at {running.charger}"
    return None


def _rate(s: Snapshot) -> str | None:
    for limit in LIMITS:
        if limit.action != s.action or (limit.per == "driver" and s.actor.operator):
            continue
        since = s.now - timedelta(seconds=limit.window_s)
        key = s.actor.driver if limit.per == "driver" else s.charger
        used = sum(
            1
            for other in s.recent
            if other.action == s.action
            and other.id != s.command_id
            and other.state != "refused"
            and other.created_at > since
            and (other.actor.driver if limit.per == "driver" else other.charger) == key
        )
        if used >= limit.count:
            return f"{used} commands of this kind within {limit.window_s / 60:.0f} minutes by this {limit.per}"
    return None


def _boot_pending(s: Snapshot) -> str | None:
    if s.boot is not None and s.boot.status != "Accepted":
        return f"the charger's boot is {s.boot.status.lower()}"
    return None


def seen_after(s: Snapshot) -> datetime | None:
    """The moment after which status must have come: the end of the last command here whose effect nobody knows."""
    ends = [
        other.finished_at
        for other in s.recent
        if other.id != s.command_id
        and other.charger == s.charger
        and other.connector == s.connector
        and other.outcome in AMBIGUOUS
        and other.sent_at is not None
        and other.finished_at is not None
    ]
    return max(ends, default=None)


def is_fresh(s: Snapshot) -> bool:
    """Whether `fresh-eyes` would let this status pass."""
    return _fresh_eyes(s) is None


def _fresh_eyes(s: Snapshot) -> str | None:
    if s.status is None:
        return "the connector's status is not known"
    after = seen_after(s)
    if after is not None and s.status.at < after and not s.status_current:
        return "the status is from before the last command, and what that did is not known"
    age = (s.now - s.status.at).total_seconds()
    if (age > FRESH_S or age < -FRESH_S) and not s.status_current:
        return f"the last status is {age:.0f} s old and the charger gave no newer one"
    return None


def _no_start_on_trouble(s: Snapshot) -> str | None:
    if not s.known_connector:
        return "the charger has no such connector"
    whole = s.charger_status
    if whole is not None and whole.status in ("Faulted", "Unavailable"):
        return f"the charger as a whole is {whole.status.lower()}"
    if s.connector_sessions:
        return "the connector has a running session"
    return NO_START.get(s.status.status) if s.status else "the connector's status is not known"


_START = frozenset({"start"})
_STOP = frozenset({"stop"})
_ANY = _START | _STOP

RULES: tuple[Rule, ...] = (
    Rule("unknown-tier", _unknown_tier, _ANY),
    Rule("own-session-only", _own_session_only, _STOP),
    Rule("own-session-only", _own_token_only, _START),
    Rule("no-free-energy", _no_free_energy, _START),
    Rule("once", _once, _ANY),
    Rule("rate", _rate, _ANY),
    Rule("boot-pending", _boot_pending, _ANY),
    Rule("fresh-eyes", _fresh_eyes, _START, live=True),
    Rule("no-start-on-trouble", _no_start_on_trouble, _START, live=True),
)
BEFORE_CONTACT = tuple(rule for rule in RULES if not rule.live)


def decide(snapshot: Snapshot, rules: Sequence[Rule] = RULES) -> Decision:
    """The first refusal, or leave. An action that no rule knows is refused."""
    asked = [rule for rule in rules if snapshot.action in rule.actions]
    if not asked:
        return Decision(False, "unknown-action", "the gate has no rules for this action")
    for rule in asked:
        why = rule.check(snapshot)
        if why is not None:
            return Decision(False, rule.name, why, tuple(r.name for r in asked))
    return Decision(True, asked=tuple(rule.name for rule in asked))
