"""Plays a playbook over the scripted bridge: its steps, and its words, offer and outcome picked out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from actions.bridge import Actor, Chargers
from actions.playbooks.book import PLAYBOOKS, WAKES
from actions.playbooks.contact import Contact, NoPayments, Payments, Ports, Turn, Wake
from actions.playbooks.steps import End, Offer, Outcome, Say, Step, Steps, Tried, Waiting
from chargeline.clock import ManualClock

NOW = datetime(2026, 1, 1, 12, 12, tzinfo=UTC)
ADA = Turn(Actor("drv-ada", 1, "sms_a"), "in_1", "en", "sms")
GUEST = Turn(Actor("guest:web_1", 0, "web_1"), "in_1", "en", "web")


@dataclass(frozen=True)
class Played:
    steps: list[Step]

    @property
    def said(self) -> list[str]:
        return [step.name for step in self.steps if isinstance(step, Say)]

    @property
    def values(self) -> dict[str, str]:
        return {name: value for step in self.steps if isinstance(step, Say) for name, value in step.values.items()}

    @property
    def end(self) -> End:
        return next((step for step in reversed(self.steps) if isinstance(step, End)), End())

    @property
    def outcome(self) -> Outcome | None:
        return self.end.outcome

    @property
    def offer(self) -> Offer | None:
        return self.end.offer

    @property
    def tried(self) -> list[tuple[str, str | None]]:
        return [(step.action, step.outcome) for step in self.steps if isinstance(step, Tried)]

    @property
    def waiting(self) -> list[str]:
        return [step.purpose for step in self.steps if isinstance(step, Waiting)]


def ports(chargers: Chargers, payments: Payments | None = None) -> Ports:
    return Ports(chargers, payments or NoPayments(), ManualClock(NOW))


def contact(
    problem: str,
    charger_id: str | None = "CL-1042",
    connector: int | None = 1,
    *,
    turn: Turn = ADA,
    reported: Sequence[str] = (),
    tried: Sequence[tuple[Tried, datetime]] = (),
    turn_id: str | None = None,
) -> Contact:
    """`turn_id`: another message than the first one's."""
    return Contact(
        replace(turn, message_id=turn_id) if turn_id else turn,
        problem,
        charger_id,
        connector,
        frozenset(reported),
        tuple(one for one, _ in tried),
        tuple(at for _, at in tried),
    )


async def all_of(steps: Steps) -> Played:
    return Played([step async for step in steps])


async def play(chargers: Chargers, about: Contact) -> Played:
    return await all_of(PLAYBOOKS[about.problem].run(ports(chargers), about))


async def wake(
    chargers: Chargers, about: Contact, purpose: str, *, met: bool = True, command: str | None = None
) -> Played:
    return await all_of(WAKES[purpose](ports(chargers), about, Wake(purpose, met, command)))
