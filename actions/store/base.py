"""The store's contract; `tests/actions/test_store.py` holds both implementations to it. Times are aware and UTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from actions.cases import Case


@dataclass(frozen=True, slots=True)
class Wait:
    """A conversation waits for `event` (a watch's or a command's id). `over`: told, or of no interest any more."""

    event: str
    case: str
    conversation: str
    purpose: str
    charger: str
    connector: int | None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something for people: `kind` is webhook or email. `state`: waiting, sent or given_up."""

    id: str
    case: str
    kind: str
    body: Mapping[str, Any]
    created_at: datetime
    next_at: datetime
    attempts: int = 0
    state: str = "waiting"


@dataclass(frozen=True, slots=True)
class Filter:
    """What cases to list, the newest first."""

    problem: str | None = None
    outcome: str | None = None  # "open" for those without one
    charger: str | None = None
    driver: str | None = None
    conversation: str | None = None
    since: datetime | None = None  # opened at or after
    limit: int = field(default=100)


Change = Callable[[Case], Case]


class ActionStore(Protocol):
    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def add_case(self, case: Case) -> None:
        """Raises nothing for an id that is there already; that case stays as it is."""
        ...

    async def case(self, case_id: str) -> Case | None: ...

    async def change_case(self, case_id: str, change: Change) -> Case | None:
        """Applies `change` to the stored case, nothing in between; None for an unknown id. `change` may run twice."""
        ...

    async def cases(self, wanted: Filter) -> list[Case]: ...

    async def idle_cases(self, before: datetime) -> list[Case]:
        """Open cases, not handed over, that nothing has happened to since `before`."""
        ...

    async def add_wait(self, wait: Wait) -> None:
        """An event that is known already keeps its row."""
        ...

    async def wait(self, event: str) -> Wait | None: ...

    async def end_wait(self, event: str) -> None:
        """Its end was told, or is of no interest: never again."""
        ...

    async def end_waits(self, case_id: str, but: Sequence[str] = ()) -> None:
        """Nothing that this case waited for is of interest any more, except `but`."""
        ...

    async def add_delivery(self, delivery: Delivery) -> None:
        """Once an id."""
        ...

    async def due_deliveries(self, now: datetime) -> list[Delivery]: ...

    async def save_delivery(self, delivery: Delivery) -> None: ...

    async def remember(self, key: str, answer: Mapping[str, Any], now: datetime) -> None:
        """Keeps the answer to a request, so that the same request again gets the same answer."""
        ...

    async def recall(self, key: str) -> dict[str, Any] | None: ...
