"""What the server and the commands need of an OCPP version; v16 (and those to come) provide it as tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from ocpp_bridge.model import Charger, Command, Session, Token
from ocpp_bridge.reports import Reports
from ocpp_bridge.versions.schemas import Problem, Schema

Payload = dict[str, Any]


class Unusable(Exception):
    """A call that cannot be worked with: the CALLERROR code to answer, and what is wrong."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Context:
    charger: str
    reports: Reports
    protocol: str = "ocpp1.6"


Handler = Callable[[Context, Payload], Awaitable[Payload]]


@dataclass(frozen=True, slots=True)
class Action:
    """A call that chargers make. `needs`: the fields without which, or with a wrong type of which, nothing can be done;
    every other departure from the schema is noted and lived with."""

    handler: Handler
    request: Schema
    response: Schema
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Request:
    """A call that the bridge makes."""

    action: str
    payload: Payload


class NotOffered(Exception):
    """This OCPP version has nothing for what is asked for. The message is for whoever asked."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command, with what its call needs to know. `evse` and `local` say which connector in OCPP 2's words
    (0: the whole charger); `tokens` are those that the command names."""

    command: Command
    now: datetime
    evse: int = 0
    local: int = 0
    session: Session | None = None
    tokens: Sequence[Token] = ()


Call = Callable[[Order], Request]  # raises NotOffered


class Version(Protocol):
    subprotocol: str
    wire: Literal["1.6", "2.0.1", "2.1"]
    actions: Mapping[str, Action]
    calls: Mapping[str, Call]  # by the bridge's own word for the command
    asks_all: bool  # a status can be triggered for all connectors at once
    numbered: frozenset[str]  # those commands whose call has a number of its own (`params["number"]`)

    def fatal_code(self, keyword: str) -> str:
        """The CALLERROR code for a payload that breaks this schema keyword (`required`, `type` or `enum`)."""
        ...

    def invalid_request(self, request: Request) -> str | None:
        """What is wrong with a call of ours, by its schema; None where nothing is."""
        ...

    def invalid_answer(self, action: str, payload: Payload) -> str | None:
        """Why an answer to `action` cannot be trusted; None where it can."""
        ...

    def place(self, charger: Charger | None, connector: int) -> tuple[int, int]:
        """Where this version finds a connector: (EVSE, connector of it); (0, 0) is the whole charger."""
        ...

    def trigger(self, message: str, place: tuple[int, int] | None) -> Request:
        """Asks the charger to send a message, for one connector or for all."""
        ...


FATAL_KEYWORDS = frozenset({"required", "type", "enum"})


def fatal(action: Action, problems: list[Problem]) -> Problem | None:
    """The first problem that makes the call unusable: a needed field that is missing, of a wrong type or not in its list."""
    for problem in problems:
        # Only the field itself: handlers pass over what they cannot read inside of one.
        if problem.keyword in FATAL_KEYWORDS and problem.path == problem.field in {*action.needs, ""}:
            return problem
    return None
