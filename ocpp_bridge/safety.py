"""The gate: whether a command may be sent, decided from a snapshot and nothing else.

Rules are named data in the order in which they are asked; the first refusal stands and is stored with the command. The
engine asks BEFORE_CONTACT before it bothers the charger, and all rules again on fresh status before it sends. What the
rules check is in `gate.checks`, their numbers are in `gate.data`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ocpp_bridge.gate import checks
from ocpp_bridge.gate.data import HIGHEST_TIER, HORIZON_S, LEAST_TIER, LIMITS, NO_START
from ocpp_bridge.gate.snapshot import AMBIGUOUS, FRESH_S, Snapshot, stale, stale_targets

__all__ = [
    "AMBIGUOUS",
    "BEFORE_CONTACT",
    "FRESH_S",
    "HIGHEST_TIER",
    "NO_START",
    "RULES",
    "Decision",
    "Snapshot",
    "decide",
    "horizon_s",
    "to_refresh",
]


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
            "operator": snapshot.actor.operator,
            "status": status.status if status else None,
            "status_age_s": round((snapshot.now - status.at).total_seconds(), 1) if status else None,
            "sessions": [session.id for session in snapshot.charger_sessions],
        }


Check = Callable[[Snapshot], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """`actions` it applies to; `live`: it needs fresh status, so it is asked only after the charger was."""

    name: str
    check: Check
    actions: frozenset[str]
    live: bool = False


def _on(*actions: str) -> frozenset[str]:
    return frozenset(actions)


_ANY = frozenset(LEAST_TIER)
_FRESH_ONE = _on("start", "unlock", "reserve")
_FRESH_ALL = _on("reset", "operative")

RULES: tuple[Rule, ...] = (
    Rule("unknown-tier", checks.unknown_tier, _ANY),
    Rule("hazard-first", checks.hazard_first, _ANY),
    Rule("tier-too-low", checks.tier, _ANY),
    Rule("own-session-only", checks.own_session_only, _on("stop")),
    Rule("own-session-only", checks.own_last_session_only, _on("unlock")),
    Rule("own-session-only", checks.own_token_only, _on("start", "reserve")),
    Rule("own-session-only", checks.own_reservation_only, _on("cancel_reservation")),
    Rule("no-free-energy", checks.no_free_energy, _on("start", "reserve")),
    Rule("no-start-on-trouble", checks.plug_unfit, _on("start")),
    Rule("out-of-service-on-purpose", checks.out_of_service_on_purpose, _on("operative")),
    Rule("once", checks.once, _ANY),
    Rule("rate", checks.rate, _ANY),
    Rule("boot-pending", checks.boot_pending, _ANY),
    Rule("fresh-eyes", checks.fresh_eyes, _FRESH_ONE, live=True),
    Rule("fresh-eyes", checks.fresh_eyes_all, _FRESH_ALL, live=True),
    Rule("no-start-on-trouble", checks.no_start_on_trouble, _on("start"), live=True),
    Rule("no-start-on-trouble", checks.reserve_free_only, _on("reserve"), live=True),
    Rule("no-unlock-while-charging", checks.no_unlock_while_charging, _on("unlock"), live=True),
    Rule("neighbour-safe-reset", checks.neighbour_safe_reset, _on("reset"), live=True),
    Rule("operative-when-unavailable", checks.operative_cures, _on("operative"), live=True),
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


def to_refresh(snapshot: Snapshot) -> list[int]:
    """The connectors whose status the charger must be asked for before the gate can let the command through."""
    if snapshot.action in _FRESH_ALL:
        return stale_targets(snapshot)
    old = snapshot.action in _FRESH_ONE and (stale(snapshot) is not None or _outlived(snapshot))
    return [snapshot.connector] if old and snapshot.connector is not None else []


def _outlived(s: Snapshot) -> bool:
    """Unlock: the transaction has ended, and the status that goes with it still stands. A charger tells the end first."""
    running = s.status is not None and s.status.status in checks.RUNNING
    return s.action == "unlock" and running and not s.connector_sessions


@cache
def horizon_s(action: str) -> float:
    """How far back `Snapshot.recent` must reach for the limits on this action."""
    return max([HORIZON_S, *(limit.window_s for limit in LIMITS if limit.action == action)])
