"""What happened in a scenario: who said what, what went over the chargers' sockets, how the chargers truly were. Only facts.

All moments (`at`) are seconds of the product's clock since the scenario's first word; `speed` of them pass in a real second.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """`energy_wh` is the running transaction's. `held`: the cable cannot be pulled out."""

    number: int
    status: str
    evse: int = 1
    power_w: float = 0.0
    car: bool = False
    transaction: str | None = None
    token_last4: str | None = None
    energy_wh: float = 0.0
    waiting_token: str | None = None  # last four of the token that may charge and waits for a plug
    reserved: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class ChargerState:
    charger: str
    connected: bool
    booted: bool
    connectors: tuple[ConnectorState, ...]
    restarting: bool = False
    status: str = "Available"

    def connector(self, number: int | None) -> tuple[ConnectorState, ...]:
        """The connector with this number, or all of them."""
        return tuple(each for each in self.connectors if number is None or each.number == number)

    def running(self) -> tuple[ConnectorState, ...]:
        return tuple(each for each in self.connectors if each.transaction is not None)


def state_from(snapshot: Mapping[str, Any]) -> ChargerState:
    """The sandbox's answer to `GET /v1/chargers/{id}`. Raises KeyError where it is not one."""
    held = snapshot["faults"].get("unlock") or {}
    connectors = []
    for row in snapshot["connectors"]:
        transaction = row["transaction"]
        connectors.append(
            ConnectorState(
                number=row["connector"],
                status=row["status"],
                evse=row["evse"],
                power_w=row["power_w"],
                car=row["car"] is not None,
                # The number comes from the central system; until it does the session's start names it.
                transaction=None if transaction is None else str(transaction["number"] or transaction["started_at"]),
                token_last4=transaction["token_last4"] if transaction else None,
                energy_wh=transaction["energy_wh"] if transaction else 0.0,
                waiting_token=row["authorised_token_last4"],
                reserved=row["reserved"],
                held=bool(held.get("held")) and held.get("connector") in {None, row["connector"]},
            )
        )
    return ChargerState(
        charger=snapshot["id"],
        connected=snapshot["connected"],
        booted=snapshot["booted"],
        connectors=tuple(connectors),
        restarting=snapshot["restarting"],
        status=snapshot["status"],
    )


@dataclass(frozen=True, slots=True)
class Said:
    """`turn`: the driver's message that this belongs to, where the channel tells. `own`: the front door's own sentence."""

    at: float
    driver: str  # in whose conversation
    by: Literal["driver", "bot"]
    text: str
    choices: tuple[str, ...] = ()
    turn: str | None = None
    own: bool = False
    answers: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One OCPP message. `to_charger`: the central system sent it. `before`: the charger's true state before it got a call."""

    at: float
    charger: str
    to_charger: bool
    kind: Literal["call", "result", "error"]
    id: str
    action: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    before: ChargerState | None = None


@dataclass(frozen=True, slots=True)
class Acted:
    """A driver did something at a charger; `done` False: it could not be done (a held cable)."""

    at: float
    driver: str
    what: str
    charger: str
    connector: int
    done: bool


@dataclass(frozen=True, slots=True)
class Hazard:
    """A driver reported danger at this place."""

    at: float
    driver: str
    charger: str
    connector: int | None


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment for a charger (its label), in cents, as the payment system has it. `let_go`: a hold that was released.

    `ours`: made by the product; else by an app or a terminal before the first word.
    """

    id: str
    charger: str
    status: str
    amount: int
    held: int = 0
    received: int = 0
    refunded: int = 0
    let_go: bool = False
    ours: bool = True


@dataclass
class History:
    speed: float = 1.0
    said: list[Said] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    acted: list[Acted] = field(default_factory=list)
    hazards: list[Hazard] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # what a script waited for and did not get
    ended_at: float = 0.0
    ledger: list[tuple[float, tuple[Payment, ...]]] = field(
        default_factory=list
    )  # each state of it, from its moment on
    _states: dict[str, tuple[list[float], list[ChargerState]]] = field(default_factory=dict)

    def saw(self, at: float, state: ChargerState) -> None:
        """Notes a true state. States must come in the order of their time; equal ones are not kept twice."""
        times, states = self._states.setdefault(state.charger, ([], []))
        if times and at < times[-1]:
            at = times[-1]
        if not states or states[-1] != state:
            times.append(at)
            states.append(state)

    def state(self, charger: str, at: float) -> ChargerState | None:
        """The last state seen until `at`; the first one where nothing had been seen yet."""
        times, states = self._states.get(charger, ((), ()))
        if not states:
            return None
        return states[max(0, bisect_right(times, at) - 1)]

    def states(self, charger: str, since: float, until: float) -> Iterator[tuple[float, ChargerState]]:
        """The state that held at `since` and every later one until `until`."""
        times, states = self._states.get(charger, ((), ()))
        first = max(0, bisect_right(times, since) - 1)
        for at, state in zip(times[first:], states[first:], strict=True):
            if at > until and at > since:
                return
            yield at, state

    def paid(self, at: float) -> tuple[Payment, ...]:
        """All payments of the scenario's chargers as they were then; none where nobody looked."""
        return next((payments for since, payments in reversed(self.ledger) if since <= at), ())

    def books(self, since: float, until: float) -> Iterator[tuple[Payment, ...]]:
        """The ledger as it was at `since`, and at each later change until `until`."""
        yield self.paid(since)
        yield from (payments for at, payments in self.ledger if since < at <= until)

    def has_paid(self, charger: str, at: float) -> bool:
        """Whether money was held or taken by the product for this charger (its id) by then."""
        label = charger.removeprefix("CL-")
        return any(
            one.ours and one.charger == label and (one.held or one.received or one.let_go) for one in self.paid(at)
        )

    def words(self, driver: str, by: Literal["driver", "bot"] | None = None) -> Sequence[Said]:
        return [each for each in self.said if each.driver == driver and by in {None, each.by}]


@dataclass(frozen=True, slots=True)
class Token:
    id: str
    driver: str  # the scenario's name of its driver
    status: str


@dataclass(frozen=True, slots=True)
class Book:
    """Who is who, as the network was made: the drivers' id tokens, and what no reply may ever contain."""

    tokens: tuple[Token, ...] = ()
    secrets: tuple[str, ...] = ()

    def by_id(self, token: str) -> Token | None:
        return next((each for each in self.tokens if each.id == token), None)

    def by_last4(self, last4: str | None) -> Token | None:
        return next((each for each in self.tokens if last4 and each.id.endswith(last4)), None)

    def of(self, driver: str) -> Token | None:
        return next((each for each in self.tokens if each.driver == driver), None)
