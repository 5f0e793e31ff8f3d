"""What every command module provides, and what its judge may look at. A judge is pure: it reads a `View` and says whether
the effect has come, may still come, or has not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Boot, Command, CommandState, Heard, Session, Status, VariableReport
from ocpp_bridge.versions.base import Payload

NOT_SUPPORTED = frozenset({"NotSupported", "NotImplemented", "UnknownMessage"})


@dataclass(frozen=True, slots=True)
class View:
    """One charger at one moment. `sessions`, for judges that read them, has the active ones and the command's own, or those
    that ended of late where it names none; `targets` are the connectors that the command touches; `since` is when the
    present connection began, if there is one.
    """

    now: datetime
    sessions: Sequence[Session]
    statuses: Mapping[int, Status]
    targets: Sequence[int] = ()
    boot: Boot | None = None
    since: datetime | None = None
    heard: Mapping[str, Heard] = field(default_factory=dict)
    report: VariableReport | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A message to trigger at `at`. Of those with the same message, connector and number only the first counts: what the
    charger says when it is asked must not make the bridge ask again."""

    message: str
    connector: int | None
    at: datetime
    number: int = 0

    @property
    def key(self) -> tuple[str, int | None, int]:
        return self.message, self.connector, self.number


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


@dataclass(frozen=True, slots=True)
class Reply:
    """A charger's answer, read: its word, and what else it tells that is worth keeping."""

    word: str
    data: dict[str, Any] = field(default_factory=dict)


class CommandKind(Protocol):
    """`good_answers`: after these the effect is watched for. `later_answers`: the charger will do it some time, which is
    watched for too, and called `scheduled` where it does not come within the window."""

    name: str
    good_answers: frozenset[str]
    later_answers: frozenset[str]
    confirmed_by: str | None  # a command to make after a good answer, whose answer the judge needs
    reads_sessions: bool  # its judge looks at sessions

    def read(self, payload: Payload) -> Reply: ...

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        """`command.sent_at` is set."""
        ...


class Kind:
    """What most commands have in common: a status in the answer, of which only Accepted is good."""

    name = ""
    good_answers = frozenset({"Accepted"})
    later_answers: frozenset[str] = frozenset()
    confirmed_by: str | None = None
    reads_sessions = False

    def read(self, payload: Payload) -> Reply:
        return Reply(str(payload.get("status")))


def told_since(view: View, connector: int, moment: datetime) -> Status | None:
    """The connector's status, where it came at or after `moment`."""
    status = view.statuses.get(connector)
    return status if status is not None and status.at >= moment else None
