"""What a playbook is given: the driver's turn, the place, what was said and tried before, and the ports to the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from actions.bridge import Actor, BridgeError, BridgeRefused, Chargers, Command, Diagnosis
from actions.payments.port import NoPayments as NoPayments  # tests and the service take it from here
from actions.payments.port import Payments as Payments
from actions.places.search import Search
from actions.playbooks.steps import Saw, Tried, Waiting

FRESH_S = 60.0  # a status older than this is asked for again before anything is done on it (safety rule fresh-eyes)
WAIT_S = 8.0  # how long a driver reads the first words before the next are due
METER_S = 5.0  # how long a charger is waited for that was asked for its meter
SILENT_S = (
    12.0  # nothing heard for this long, just after a status was asked for, means that the charger does not answer
)
MOST_FAILURES = 2
ADVICE = "advice"  # the act of telling the driver what to do, which counts like any other


class Now(Protocol):
    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Ports:
    chargers: Chargers
    payments: Payments
    clock: Now


@dataclass(frozen=True, slots=True)
class Turn:
    """Who asks, and in which turn: `message_id` makes the commands of a repeated turn the same commands."""

    actor: Actor
    message_id: str
    language: str
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """One turn about one problem. `reported`: what the driver says to have done (replugged, tapped, unlocked_car)."""

    turn: Turn
    problem: str
    charger_id: str | None = None
    connector: int | None = None
    reported: frozenset[str] = frozenset()
    tried: Sequence[Tried] = ()
    tried_at: Sequence[datetime] = ()
    search: Search = field(default_factory=Search)

    @property
    def driver(self) -> str:
        return self.turn.actor.driver

    def key(self, purpose: str) -> str:
        """The idempotency key of this turn's act: the same turn again is the same act again."""
        return f"{self.turn.message_id}:{purpose}:1"

    def failures(self, action: str) -> int:
        """How often the act came to nothing in this case."""
        return sum(1 for one in self.tried if one.action == action and one.outcome not in (None, "verified"))

    def failures_with(self, action: str, command: str) -> int:
        """`failures`, with the command that has just come to nothing, whether it is noted yet or not."""
        known = any(one.command == command and one.outcome not in (None, "verified") for one in self.tried)
        return self.failures(action) + (0 if known else 1)

    def times(self, action: str) -> int:
        """How often it was tried in this case, whatever came of it."""
        return sum(1 for one in self.tried if one.action == action)

    def open_command(self, action: str) -> str | None:
        """The newest command of this kind whose end nobody has been told yet."""
        return next((one.command for one in reversed(self.tried) if one.action == action and one.outcome is None), None)

    def advised(self, name: str) -> bool:
        """Whether the driver was given this advice before in this case."""
        return any(one.action == ADVICE and one.observed == name for one in self.tried)

    def times_advised(self, name: str) -> int:
        """How often in this case."""
        return sum(1 for one in self.tried if one.action == ADVICE and one.observed == name)

    def last(self, action: str) -> datetime | None:
        return max(
            (at for one, at in zip(self.tried, self.tried_at, strict=True) if one.action == action), default=None
        )

    def data(self, purpose: str) -> dict[str, Any]:
        """What comes back with the event that ends a watch."""
        return {"conversation": self.turn.actor.conversation, "language": self.turn.language, "purpose": purpose}

    def at(self, charger_id: str | None, connector: int | None) -> Contact:
        return replace(self, charger_id=charger_id, connector=connector)


@dataclass(frozen=True, slots=True)
class Wake:
    """What was waited for has come (`met`) or has not; `command` where it was the end of one."""

    purpose: str
    met: bool
    command: str | None = None


async def look_at(ports: Ports, contact: Contact, max_age_s: float = FRESH_S) -> Diagnosis:
    """The charger as it is now, asked anew where what is known is old. Raises BridgeError.

    One that is expected back is waited for (the bridge does, at most 15 s) before anybody calls it offline.
    """
    assert contact.charger_id is not None
    charger = await ports.chargers.charger(contact.charger_id)
    if charger.connected or charger.returning:
        await ports.chargers.refreshed(contact.charger_id, contact.connector, max_age_s if charger.connected else 0)
    seen = await ports.chargers.diagnosis(contact.charger_id, contact.connector, contact.driver)
    plug, session = seen.plug, seen.session
    unread = seen.session_own and session is not None and not session.energy_wh and not session.power_w
    if not unread or plug is None or plug.status != "Charging":
        return seen
    # Charging, and no meter value yet: whether energy flows is asked before anybody says that it does or does not.
    await read_meter(ports, contact, seen.charger.id, seen.connector)
    return await ports.chargers.diagnosis(contact.charger_id, contact.connector, contact.driver)


async def read_meter(ports: Ports, contact: Contact, charger_id: str, connector: int | None) -> None:
    """Asks the charger for its meter; what it has sent by then is in the session. Raises BridgeError, but not a refusal."""
    try:
        await ports.chargers.send(
            "trigger",
            charger_id,
            {"message": "MeterValues", "connector": connector},
            actor=contact.turn.actor,
            reason=contact.problem,
            key=contact.key(f"meter-{charger_id}-{connector}"),
            wait_s=METER_S,
        )
    except BridgeRefused:
        return  # too often, or a charger that cannot: the last value stands


def answers_no_more(seen: Diagnosis, asked_s: float = FRESH_S) -> bool:
    """Connected, and yet nothing came when it was just asked for any status older than `asked_s`.

    A charger that says that it cannot be asked has answered.
    """
    charger, plug = seen.charger, seen.plug
    old = plug is not None and plug.status_age_s is not None and plug.status_age_s > asked_s
    return charger.connected and old and (charger.last_frame_age_s or 0) > SILENT_S


def advice(name: str) -> Tried:
    """The note that this advice was given."""
    return Tried(ADVICE, None, "given", observed=name)


def saw(seen: Diagnosis) -> Saw:
    plug = seen.plug
    status = plug.status if plug is not None else seen.charger.status
    if not seen.charger.connected:
        status = "returning" if seen.charger.returning else "disconnected"
    return Saw(status, (plug.error_code if plug is not None else None) or seen.charger.error_code, seen.causes)


async def watch_plug(
    ports: Ports, contact: Contact, seen: Diagnosis, until: str, within_s: float, purpose: str
) -> Waiting | None:
    """Has the conversation woken by the charger; None where the bridge cannot promise that, so that nobody else does."""
    try:
        event = await ports.chargers.watch_charger(
            seen.charger.id, seen.connector, until, within_s, contact.data(purpose), contact.key(f"watch-{purpose}")
        )
    except BridgeError:
        return None
    return Waiting(event, purpose, seen.charger.id, seen.connector)


async def watch_command(ports: Ports, contact: Contact, command: Command, purpose: str) -> Waiting | None:
    """As watch_plug, for the end of a command."""
    try:
        await ports.chargers.watch(command.id, contact.data(purpose), f"{command.id}:watch")
    except BridgeError:
        return None
    return Waiting(command.id, purpose, command.charger, command.connector)


def outcome_of(command: Command) -> str | None:
    """`verified`, or what became of it instead; None while it is not finished."""
    if not command.finished:
        return None
    if command.state == "verified":
        return "verified"
    return command.refused_rule if command.state == "refused" else (command.outcome or command.state)


def tried(command: Command) -> Tried:
    return Tried(command.action, command.id, outcome_of(command), command.answer, command.effect_status)
