"""What every Rasa action of ours has: the service, the bridge's failures in words, playbooks run on, people told."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any

import structlog
from rasa_sdk import Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from actions.bridge import BridgeError, Chargers
from actions.desk.desk import Desk
from actions.dialogue.runs import Run, Runs, transcript_of
from actions.dialogue.speech import Titles, speak
from actions.dialogue.turns import PLACE, heard, known, reported, slots, turn_of
from actions.identify import charger_code
from actions.playbooks.book import BESIDE, PLAYBOOKS, Needs
from actions.playbooks.find_charger_of_driver import Found, takes_a_moment
from actions.playbooks.steps import Offer, Outcome, Say
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

# Problems in which a session may be begun unasked.
BEGINS = frozenset({"session_not_starting", "rfid_failed"})
# Said in place of the first where the operator has a phone: who is left with nothing else needs a number, not an offer.
_WITH_PHONE = {"say_next_none": "say_next_none_phone", "say_stuck_offline": "say_stuck_offline_phone"}
# Looks at something else that leave what was going on where it was.
ASIDE = frozenset({"session_status", "charging_slow", "status_question_about_charger"})


@dataclass(frozen=True, slots=True)
class Service:
    """What actions need: the bridge, playbooks' runs, people, titles of choices, the operator's phone ("" for none)."""

    chargers: Chargers
    runs: Runs
    desk: Desk
    titles: Titles
    operator_phone: str
    emergency_number: str
    clock: Clock


class DialogueAction:
    """Gives each action the service, and turns the bridge's failures into words."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def name(self) -> str:
        """The action's name in the domain."""
        raise NotImplementedError

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        structlog.contextvars.bind_contextvars(
            conversation=tracker.sender_id, message=turn_of(tracker).message_id, action=self.name()
        )
        try:
            return await self.act(dispatcher, tracker)
        except BridgeError as error:
            log.error("bridge_failed", error=str(error))
            charger = tracker.get_slot("charger_id")
            self.say(
                dispatcher,
                tracker,
                Say("say_bridge_away", {"charger": str(charger)}) if charger else Say("say_bridge_away_plain"),
            )
            return self.after_failure(tracker)
        finally:
            structlog.contextvars.unbind_contextvars("conversation", "message", "action")

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Awaitable[list[EventType]]:
        raise NotImplementedError

    def after_failure(self, tracker: Tracker) -> list[EventType]:
        return slots(next_step=None, offer=Offer.RETRY.value)

    def say(self, dispatcher: CollectingDispatcher, tracker: Tracker, say: Say) -> None:
        phone, name = self.service.operator_phone, _WITH_PHONE.get(say.name)
        if phone and name is not None:
            say = replace(say, name=name, values={**say.values, "phone": phone})
        speak(dispatcher, say, self.service.titles, turn_of(tracker).language)

    async def go_on(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, run: Run, *, to_end: bool
    ) -> list[EventType]:
        """Runs a playbook on and turns its end into what the next turn needs."""
        await self.service.runs.forward(run, lambda say: self.say(dispatcher, tracker, say), to_end=to_end)
        if not run.over:
            self.service.runs.hold(turn_of(tracker), run)
            return slots(next_step=f"go_on:{','.join(run.said)}")
        end = run.end
        log.info("playbook_ended", case=run.case, said=run.said, outcome=end.outcome if end else None)
        if end is None:
            return slots(next_step=None)
        if end.handoff is not None:
            before = await self.service.desk.store.case(run.case)
            told = await self.service.desk.hand_over(run.case, end.handoff, transcript_of(tracker.events or []))
            # Who was told how to reach a person a moment ago is not told again when a late end comes in.
            again = run.woken and before is not None and before.handed_over_at is not None
            if not end.stays and not again:
                self.say_person(dispatcher, tracker, run.case if told else None)
        events = slots(next_step=None, offer=end.offer.value if end.offer else None, waiting_for=run.waiting_for)
        events += slots(problem=end.problem) if end.problem else []
        if end.search is not None:
            events += slots(search=end.search.kept())
        if end.asks_place or tracker.get_slot("open_question") == PLACE:
            events += slots(open_question=PLACE if end.asks_place else None)
        return events + await self._second(dispatcher, tracker, end.outcome)

    async def _second(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, outcome: Outcome | None
    ) -> list[EventType]:
        """The driver's second problem, taken up unasked once the first is over.

        An answer is given whatever came of the first; a session is begun only after a first problem that was fixed.
        """
        second = tracker.get_slot("next_problem")
        if not isinstance(second, str):
            return []
        if second not in PLAYBOOKS:
            return slots(next_problem=None) + await self.say_beside(dispatcher, tracker, second)
        if outcome is None:
            return []
        if outcome is not Outcome.FIXED and (second in BEGINS or outcome is Outcome.HANDED_OVER):
            return slots(next_problem=None)
        place = known(tracker)
        if place.charger_id is None and PLAYBOOKS[second].needs is not Needs.NOTHING:
            return slots(next_problem=None)
        run = await self.service.runs.begin(
            turn_of(tracker), second, place.charger_id, place.connector, reported(tracker)
        )
        await self.service.runs.forward(run, lambda say: self.say(dispatcher, tracker, say), to_end=True)
        end = run.end
        log.info("second_problem", case=run.case, problem=second, said=run.said)
        if end is not None and end.handoff is not None:
            told = await self.service.desk.hand_over(run.case, end.handoff, transcript_of(tracker.events or []))
            if not end.stays:
                self.say_person(dispatcher, tracker, run.case if told else None)
        offer = end.offer.value if end is not None and end.offer else None
        problem = end.problem if end is not None and end.problem else second
        return slots(next_problem=None, problem=problem, offer=offer, waiting_for=run.waiting_for)

    async def say_beside(self, dispatcher: CollectingDispatcher, tracker: Tracker, intent: str) -> list[EventType]:
        """The answer to a question beside what goes on: looked up where it can be, else always the same.

        Its charger is kept where none was known, so that nobody asks for it again.
        """
        if intent not in BESIDE:
            self.say(dispatcher, tracker, Say(f"say_{intent}"))
            return []
        place = known(tracker)
        charger_id = await self._named_charger(tracker) or place.charger_id
        connector = place.connector if charger_id == place.charger_id else None
        run = await self.service.runs.begin(turn_of(tracker), intent, charger_id, connector, reported(tracker))
        await self.service.runs.forward(run, lambda say: self.say(dispatcher, tracker, say), to_end=True)
        return slots(charger_id=charger_id) if place.charger_id is None and charger_id is not None else []

    async def _named_charger(self, tracker: Tracker) -> str | None:
        """The one charger that the message names, if it does."""
        code = charger_code(heard(tracker).text)
        fitting = await self.service.chargers.find_chargers(code) if code else []
        return fitting[0].id if len(fitting) == 1 else None

    async def hand_over(self, dispatcher: CollectingDispatcher, tracker: Tracker, reason: str) -> None:
        """The conversation's present case to people; one of its own where there is none."""
        turn, before = turn_of(tracker), known(tracker)
        problem = tracker.get_slot("problem") or "talk_to_human"
        case = await self.service.desk.contact(turn, problem, before.charger_id, before.connector)
        told = await self.service.desk.hand_over(case.id, reason, transcript_of(tracker.events or []))
        self.say_person(dispatcher, tracker, case.id if told else None)

    def say_person(self, dispatcher: CollectingDispatcher, tracker: Tracker, case: str | None) -> None:
        """`case`: people have been told of it and will write here; else the phone is all there is."""
        phone = self.service.operator_phone
        if case is None:
            self.say(dispatcher, tracker, Say("say_human_phone", {"phone": phone}) if phone else Say("say_human_none"))
            return
        name = "say_handed_over_phone" if phone else "say_handed_over"
        dispatcher.utter_message(response=name, phone=phone, json_message={"handoff": {"case": case}})

    def bridge_the_wait(self, dispatcher: CollectingDispatcher, tracker: Tracker, found: Found) -> None:
        """A first word where the next action has to wait for the charger."""
        if found.charger is not None and takes_a_moment(found):
            self.say(dispatcher, tracker, Say("say_checking", {"charger": found.charger.label}))
