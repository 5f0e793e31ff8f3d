"""Runs playbooks for the dialogue: says their words, writes their steps into the case, remembers what the next turn needs.

A playbook whose words go out before an act is held between two actions of one turn. If the server was restarted in between,
it runs again from the top: every act has the turn's own key, so nothing is done twice, and what was said is not said again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import structlog

from actions.cases import Act, Case
from actions.desk.desk import Desk
from actions.payments.ledger import Purchase
from actions.places.search import Search
from actions.playbooks.book import BESIDE, PLAYBOOKS, WAKES
from actions.playbooks.contact import Contact, Ports, Turn, Wake
from actions.playbooks.steps import End, Outcome, Say, Step, Steps, Tried, Waiting
from actions.store.base import Filter

log = structlog.get_logger(__name__)

_RECENT = timedelta(hours=1)  # acts that a driver who corrects a charger wants to hear of
_HELD = 512  # turns between their two actions; far more than ever run at once


@dataclass(slots=True)
class Run:
    """One playbook in one turn. `said`: the names of its words so far; `waiting_for`: the charger that will wake it."""

    case: str
    steps: AsyncIterator[Step]
    skip: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    end: End | None = None
    over: bool = False
    woken: bool = False  # by the end of something that was waited for, not by the driver
    waiting_for: str | None = None


class Runs:
    def __init__(self, ports: Ports, desk: Desk) -> None:
        self._ports = ports
        self._desk = desk
        self._held: OrderedDict[str, Run] = OrderedDict()

    async def begin(
        self,
        turn: Turn,
        problem: str,
        charger: str | None,
        connector: int | None,
        reported: frozenset[str],
        skip: Sequence[str] = (),
        search: Search | None = None,
    ) -> Run:
        case = await self._desk.contact(turn, problem, charger, connector)
        contact = contact_of(case, turn, problem, charger, connector, reported)
        contact = contact if search is None else replace(contact, search=search)
        playbook = PLAYBOOKS.get(problem) or BESIDE[problem]
        return Run(case.id, playbook.run(self._ports, contact), skip=list(skip))

    async def wake(
        self,
        turn: Turn,
        event: str,
        *,
        met: bool,
        left: Collection[str] = (),
        reported: frozenset[str] = frozenset(),
    ) -> Run | None:
        """What goes on after something that was waited for; None where nobody waits for it any more.

        `left`: places that the driver has corrected away; a start that succeeded there is told, nothing else is done.
        """
        wait = await self._desk.store.wait(event)
        if wait is None or wait.over or wait.conversation != turn.actor.conversation:
            return None
        case = await self._desk.store.case(wait.case)
        if case is None or wait.purpose not in WAKES:
            return None
        if wait.purpose == "plug_seen" and case.outcome is Outcome.REDIRECTED:
            await self.told(event)  # sent to another charger: the plug that comes now may be another driver's
            return None
        if {place_key(wait.charger, None), place_key(wait.charger, wait.connector)} & set(left):
            begun = event.startswith("cmd_") and (await self._ports.chargers.command(event)).state == "verified"
            if not begun:
                await self.told(event)
                return None
        contact = contact_of(case, turn, case.problem, wait.charger, wait.connector, reported)
        command = event if event.startswith("cmd_") else None
        return Run(case.id, WAKES[wait.purpose](self._ports, contact, Wake(wait.purpose, met, command)), woken=True)

    async def aside(
        self,
        turn: Turn,
        problem: str,
        charger: str | None,
        connector: int | None,
        steps: Callable[[Ports, Contact], Steps],
    ) -> Run:
        """Steps that nobody asked for: they belong to the conversation's newest case at this charger, whatever came of it."""
        found = await self._desk.store.cases(Filter(conversation=turn.actor.conversation, charger=charger, limit=1))
        case = found[0] if found else await self._desk.contact(turn, problem, charger, connector)
        contact = contact_of(case, turn, case.problem, charger, connector, frozenset())
        return Run(case.id, steps(self._ports, contact), woken=True)

    async def purchase(self, purchase_id: str) -> Purchase | None:
        """One that the ledger knows; None also where no payment system is connected."""
        cashier = self._ports.payments.cashier
        return None if cashier is None else await cashier.store.get(purchase_id)

    async def leave(self, conversation: str, charger: str, connector: int | None) -> list[Act]:
        """Nothing that was waited for at this place wakes anybody any more, but ends of commands; what was tried there lately.

        `connector` None: the whole charger.
        """
        acts: list[Act] = []
        for case in await self._desk.store.cases(Filter(conversation=conversation, charger=charger, limit=5)):
            if connector is not None and case.connector not in (None, connector):
                continue
            commands = [one.command for one in case.tried if one.command is not None]
            await self._desk.store.end_waits(case.id, but=commands)
            newest = max((one.at for one in case.tried), default=None)
            acts += [one for one in case.tried if newest is not None and newest - one.at <= _RECENT]
        return acts

    async def told(self, event: str) -> None:
        await self._desk.store.end_wait(event)

    async def forward(self, run: Run, say: Callable[[Say], None], *, to_end: bool) -> None:
        """Runs on, to the first words before an act or to the end. What was said stands, whatever happens after."""
        taken: list[Step] = []
        try:
            async for step in run.steps:
                taken.append(step)
                if isinstance(step, End):
                    run.end = step
                if isinstance(step, Waiting):
                    run.waiting_for = run.waiting_for or step.charger
                if isinstance(step, Say):
                    if run.waiting_for is not None:
                        run.waiting_for = step.values.get("charger") or run.waiting_for
                    if run.skip and run.skip[0] == step.name:
                        run.skip.pop(0)
                    else:
                        say(step)
                        run.said.append(step.name)
                    if step.first and not to_end:
                        return
            run.over = True
        finally:
            if taken:
                await self._desk.note(run.case, taken)

    def hold(self, turn: Turn, run: Run) -> None:
        self._held[_key(turn)] = run
        while len(self._held) > _HELD:
            self._held.popitem(last=False)

    def held(self, turn: Turn) -> Run | None:
        return self._held.pop(_key(turn), None)


def contact_of(
    case: Case, turn: Turn, problem: str, charger: str | None, connector: int | None, reported: frozenset[str]
) -> Contact:
    return Contact(
        turn=turn,
        problem=problem,
        charger_id=charger,
        connector=connector,
        reported=reported,
        tried=tuple(Tried(one.action, one.command, one.outcome, one.answer, one.observed) for one in case.tried),
        tried_at=tuple(one.at for one in case.tried),
    )


def place_key(charger: str | None, connector: int | None) -> str:
    """Names a charger, or one connector of it."""
    return f"{charger}" if connector is None else f"{charger}/{connector}"


def _key(turn: Turn) -> str:
    return f"{turn.actor.conversation}:{turn.message_id}"


def transcript_of(events: Sequence[Mapping[str, Any]], most: int = 60) -> list[dict[str, Any]]:
    """What driver and bot said, from a tracker's events; without what the front door itself said."""
    lines: list[dict[str, Any]] = []
    for event in events:
        kind, text = event.get("event"), event.get("text")
        if kind in ("user", "bot") and isinstance(text, str) and text and not text.startswith("/"):
            lines.append({"by": "driver" if kind == "user" else "bot", "text": text, "at": event.get("timestamp")})
    return lines[-most:]
