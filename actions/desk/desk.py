"""Opens, fills and closes cases, and hands them to people. What is sent to them is stored first and delivered by `deliveries`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from actions import cases
from actions.bridge import BridgeError, Chargers
from actions.cases import Case
from actions.desk.summary import handed_over_body, message_body
from actions.playbooks.book import HAZARD, PROBLEMS
from actions.playbooks.contact import Turn
from actions.playbooks.steps import End, Outcome, Saw, Say, Step, Tried, Waiting
from actions.store.base import ActionStore, Delivery, Filter, Wait
from chargeline.clock import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reach:
    """How people are reached; everything empty: nobody is told, cases are only listed."""

    webhook_url: str = ""
    email_to: str = ""
    phone: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(kind for kind, on in (("webhook", self.webhook_url), ("email", self.email_to)) if on)


class Desk:
    def __init__(self, store: ActionStore, chargers: Chargers, clock: Clock, reach: Reach) -> None:
        self.store = store
        self.reach = reach
        self._chargers = chargers
        self._clock = clock

    async def contact(self, turn: Turn, problem: str, charger: str | None, connector: int | None) -> Case:
        """The case that this turn belongs to: one that goes on, else a new one. The same turn again finds the same."""
        now = self._clock.now()
        case_id = _case_id(turn.message_id, problem)
        found = await self.store.case(case_id)
        if found is None:
            recent = await self.store.cases(Filter(conversation=turn.actor.conversation, limit=5))
            found = next((one for one in recent if cases.goes_on(one, problem, charger, now)), None)
        if found is not None:

            def go_on(case: Case) -> Case:
                return replace(
                    case,
                    charger=charger or case.charger,
                    connector=connector or case.connector,
                    outcome=None,
                    ended_at=None,
                    updated_at=now,
                )

            return await self.store.change_case(found.id, go_on) or found
        case = Case(
            id=case_id,
            conversation=turn.actor.conversation,
            driver=turn.actor.driver,
            tier=turn.actor.tier,
            channel=turn.channel,
            language=turn.language,
            problem=problem,
            opened_at=now,
            updated_at=now,
            charger=charger,
            connector=connector,
            recontact_of=await self._recontact(turn, problem, charger, now),
        )
        await self.store.add_case(case)
        return case

    async def _recontact(self, turn: Turn, problem: str, charger: str | None, now: datetime) -> str | None:
        """Marks the contact that this one shows to have been no cure, and names it."""
        if problem not in PROBLEMS or charger is None:
            return None
        wanted = Filter(
            driver=turn.actor.driver, problem=problem, charger=charger, since=now - cases.RECONTACT, limit=3
        )
        for earlier in await self.store.cases(wanted):
            if cases.is_recontact(earlier, problem, charger, now):
                await self.store.change_case(earlier.id, lambda case: replace(case, outcome=Outcome.NOT_FIXED))
                return earlier.id
        return None

    async def note(self, case_id: str, steps: Iterable[Step]) -> Case | None:
        """Writes down what a run of a playbook saw, tried, said and waits for, and how it ended."""
        now, steps = self._clock.now(), list(steps)
        for step in steps:
            if isinstance(step, Waiting):
                case = await self.store.case(case_id)
                conversation = case.conversation if case else ""
                await self.store.add_wait(
                    Wait(step.event, case_id, conversation, step.purpose, step.charger, step.connector)
                )
        changed = await self.store.change_case(case_id, lambda case: _with_steps(case, steps, now))
        if changed is not None and changed.outcome in (Outcome.FIXED, Outcome.HANDED_OVER):
            await self.store.end_waits(case_id)
        return changed

    async def hand_over(self, case_id: str, reason: str, transcript: Sequence[Mapping[str, Any]]) -> bool:
        """Gives the case to people, once; whether anybody is told of it at once (else it is only listed)."""
        now = self._clock.now()

        def change(case: Case) -> Case:
            return replace(
                case,
                outcome=Outcome.HANDED_OVER,
                ended_at=case.ended_at or now,
                updated_at=now,
                handoff=case.handoff or reason,
                handed_over_at=case.handed_over_at or now,
                transcript=tuple(transcript) or case.transcript,
            )

        case = await self.store.change_case(case_id, change)
        if case is None:
            return False
        body = handed_over_body(case, await self._situation(case), now)
        # A case about danger is sent again when its charger becomes known; any other once.
        tail = f":{case.charger}" if case.problem == HAZARD and case.charger else ""
        for kind in self.reach.kinds:
            await self.store.add_delivery(Delivery(f"{case.id}:{kind}{tail}", case.id, kind, body, now, now))
        log.info("handed_over", case=case.id, problem=case.problem, charger=case.charger, reason=reason)
        return bool(self.reach.kinds)

    async def message(self, case_id: str, message_id: str, text: str, at: datetime) -> bool:
        """A driver's words to the person who has the case; False for a case that is not known. Once a `message_id`."""
        line = {"id": message_id, "by": "driver", "text": text, "at": at.isoformat()}

        def change(case: Case) -> Case:
            if any(one.get("id") == message_id for one in case.transcript):
                return case
            return replace(case, transcript=(*case.transcript, line), updated_at=self._clock.now())

        case = await self.store.change_case(case_id, change)
        if case is None:
            return False
        now = self._clock.now()
        for kind in self.reach.kinds:
            body = message_body(case, line)
            await self.store.add_delivery(Delivery(f"{case.id}:{kind}:{message_id}", case.id, kind, body, now, now))
        return True

    async def hazard_without_charger(self, conversation: str) -> Case | None:
        """The danger that this conversation reported a moment ago without saying where."""
        found = await self.store.cases(Filter(conversation=conversation, problem=HAZARD, limit=1))
        now = self._clock.now()
        return next((one for one in found if one.charger is None and now - one.updated_at < cases.GOES_ON), None)

    async def close_abandoned(self) -> int:
        """Closes the cases that nobody has gone on with; how many."""
        now = self._clock.now()
        idle = await self.store.idle_cases(now - cases.ABANDONED_AFTER)
        for case in idle:
            await self.store.change_case(
                case.id, lambda one: one if one.outcome else cases.ended(one, Outcome.ABANDONED, now)
            )
        return len(idle)

    async def _situation(self, case: Case) -> dict[str, Any] | None:
        """How charger and session are at the moment of the handover, where the bridge tells."""
        if case.charger is None:
            return None
        try:
            seen = await self._chargers.diagnosis(case.charger, case.connector, case.driver)
        except BridgeError as error:
            log.warning("situation_unknown", case=case.id, error=str(error))
            return None
        plug, session = seen.plug, seen.session
        return {
            "charger": seen.charger.id,
            "label": seen.charger.label,
            "site": seen.charger.site,
            "connected": seen.charger.connected,
            "connector": seen.connector,
            "status": plug.status if plug else seen.charger.status,
            "error": (plug.error_code if plug else None) or seen.charger.error_code,
            "causes": list(seen.causes),
            "session": None
            if session is None
            else {
                "id": session.id,
                "own": seen.session_own,
                "energy_wh": session.energy_wh,
                "power_w": session.power_w,
            },
        }


def _with_steps(case: Case, steps: Iterable[Step], now: datetime) -> Case:
    for step in steps:
        if isinstance(step, Saw):
            case = cases.with_sight(case, step, now)
        elif isinstance(step, Tried):
            case = cases.with_act(case, step, now)
        elif isinstance(step, Say):
            case = cases.with_words(case, step.name, now)
        elif isinstance(step, End) and step.outcome is not None:
            case = cases.ended(case, step.outcome, now)
    return case


def _case_id(message_id: str, problem: str) -> str:
    """Made from the turn, so that a turn that is repeated after a crash finds its own case."""
    return f"case_{hashlib.sha256(f'{message_id}:{problem}'.encode()).hexdigest()[:26]}"
