"""What every command module provides, and what its judge may look at. A judge is pure: it reads a `View` and says whether
the effect has come, may still come, or has not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command, CommandState, Session, Status
from ocpp_bridge.versions.base import Request, Version


@dataclass(frozen=True, slots=True)
class View:
    """One charger at one moment. `sessions` has the active ones and those that ended after the command was sent."""

    now: datetime
    sessions: Sequence[Session]
    statuses: Mapping[int, Status]


@dataclass(frozen=True, slots=True)
class Ask:
    """A message to trigger at `at`. An ask that equals an earlier one was made already."""

    message: str
    connector: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """Not yet; look again when something changes, and at `until` at the latest."""

    until: datetime
    asks: tuple[Ask, ...] = ()  # what would tell, and when to ask the charger for it
    begun: bool = False  # part of the effect is there: a lost answer no longer decides


@dataclass(frozen=True, slots=True)
class Seen:
    state: CommandState
    outcome: str
    session: str | None = None
    effect: dict[str, Any] = field(default_factory=dict)
    detail: str | None = None


class CommandKind(Protocol):
    name: str
    good_answers: frozenset[str]

    def request(self, version: Version, command: Command, session: Session | None) -> Request: ...

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        """`command.sent_at` is set."""
        ...
