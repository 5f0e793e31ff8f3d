"""What the server and the commands need of an OCPP version; v16 (and those to come) provide it as tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ocpp_bridge.model import Session
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


class Version(Protocol):
    subprotocol: str
    wire: Literal["1.6", "2.0.1", "2.1"]
    actions: Mapping[str, Action]

    def fatal_code(self, keyword: str) -> str:
        """The CALLERROR code for a payload that breaks this schema keyword (`required`, `type` or `enum`)."""
        ...

    def invalid_request(self, request: Request) -> str | None:
        """What is wrong with a call of ours, by its schema; None where nothing is."""
        ...

    def invalid_answer(self, action: str, payload: Payload) -> str | None:
        """Why an answer to `action` cannot be trusted; None where it can."""
        ...

    def start(self, connector: int, token: str) -> Request: ...

    def stop(self, session: Session) -> Request: ...

    def trigger(self, message: str, connector: int | None) -> Request:
        """Asks the charger to send a message; without a connector, for all."""
        ...


FATAL_KEYWORDS = frozenset({"required", "type", "enum"})


def fatal(action: Action, problems: list[Problem]) -> Problem | None:
    """The first problem that makes the call unusable: a needed field that is missing, of a wrong type or not in its list."""
    for problem in problems:
        # Only the field itself: handlers pass over what they cannot read inside of one.
        if problem.keyword in FATAL_KEYWORDS and problem.path == problem.field in {*action.needs, ""}:
            return problem
    return None
