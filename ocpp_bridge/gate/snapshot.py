"""All that a rule may look at, read at one moment; and the reading of it that several rules share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ocpp_bridge.model import Actor, Boot, Command, Hold, Reading, Session, Status, Token

FRESH_S = 60.0
# Outcomes after which nobody knows whether the charger acted.
AMBIGUOUS = frozenset({"timed_out", "disconnected", "invalid_answer", "accepted_no_effect"})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`status` and `charger_status` are the connector's and the whole charger's (connector 0). `status_current` says that the
    charger pushed the status on the connection that still stands and has no way of being asked again; for the other
    connectors of the charger, `current_since` is since when such statuses count.

    `targets` are the connectors that the command touches: one, those of an EVSE, or all. `last_session` is the newest
    on the connector, running or not. `readings` are from after the end of the last session there.
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
    reason: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    targets: Sequence[int] = ()
    charger_sessions: Sequence[Session] = ()
    statuses: Mapping[int, Status] = field(default_factory=dict)
    current_since: datetime | None = None
    readings: Mapping[int, Reading] = field(default_factory=dict)
    last_session: Session | None = None
    holds: Mapping[int, Hold] = field(default_factory=dict)
    reservation: Command | None = None

    @property
    def hazard(self) -> bool:
        return self.reason == "hazard"


def seen_after(s: Snapshot) -> datetime | None:
    """The moment after which status must have come: the end of the last command here whose effect nobody knows."""
    ends = [
        other.finished_at
        for other in s.recent
        if other.id != s.command_id
        and other.charger == s.charger
        and other.connector in (s.connector, None)
        and other.outcome in AMBIGUOUS
        and other.sent_at is not None
        and other.finished_at is not None
    ]
    return max(ends, default=None)


def stale(s: Snapshot) -> str | None:
    """Why the connector's status cannot be acted on; None where it can."""
    after = seen_after(s)
    if s.status is not None and after is not None and s.status.at < after and not s.status_current:
        return "the status is from before the last command, and what that did is not known"
    return _old(s.status, s.now, current=s.status_current)


def stale_targets(s: Snapshot) -> list[int]:
    """Those of `targets` whose status cannot be acted on."""
    found = []
    for number in s.targets:
        status = s.statuses.get(number)
        current = status is not None and s.current_since is not None and status.at >= s.current_since
        if _old(status, s.now, current=current) is not None:
            found.append(number)
    return found


def _old(status: Status | None, now: datetime, *, current: bool) -> str | None:
    if status is None:
        return "the connector's status is not known"
    age = (now - status.at).total_seconds()
    if (age > FRESH_S or age < -FRESH_S) and not current:
        return f"the last status is {age:.0f} s old and the charger gave no newer one"
    return None
