"""The form's three actions: which problem, which charger, which cable. Asks only for what cannot be found out."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from actions.dialogue.base import ASIDE
from actions.dialogue.corrections import place_of
from actions.dialogue.moving import Moving
from actions.dialogue.questions import CHARGER, CONNECTOR, which_charger, which_connector
from actions.dialogue.reading import in_order
from actions.dialogue.turns import (
    REQUESTED_SLOT,
    heard,
    in_form,
    known,
    message_of,
    problem_of,
    slots,
    words_of,
)
from actions.playbooks.book import HAZARD, PLAYBOOKS
from actions.playbooks.find_charger_of_driver import says_something
from actions.playbooks.steps import Offer

# While a question is open, everything but these is answered by rules, and the question comes again.
_ANSWERS = frozenset({"provide_charger_id", "provide_location", "affirm", "nlu_fallback", *PLAYBOOKS})


class ValidateChargerForm(Moving):
    """Fills the form: finds charger and cable, and ends it early where nothing is left to ask."""

    def name(self) -> str:
        return "validate_charger_form"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        message, said, before = message_of(tracker), heard(tracker), known(tracker)
        if in_form(tracker) and message.intent not in _ANSWERS and not says_something(said, before):
            return []  # rules answer
        if in_form(tracker) and self.waits(dispatcher, tracker, asking=True):
            return []  # no try at an answer
        problem, second = in_order(problem_of(tracker), words_of(tracker))
        if problem != HAZARD and await self.service.desk.hazard_without_charger(tracker.sender_id) is not None:
            problem = HAZARD  # the front door's hazard path asked where it is
        choices = [str(one) for one in tracker.get_slot("charger_choices") or []]
        session_first = PLAYBOOKS[problem].session_first
        place = await place_of(self.service.chargers, said, before, choices, session_first=session_first)
        events, _ = await self.taken(dispatcher, tracker, place, problem)
        if second is not None:
            events += slots(next_problem=second)
        elif message.intent in PLAYBOOKS and message.intent != "stop_charging" and not _sets(events, "next_problem"):
            events += slots(next_problem=None)
        return events + self._way_back(tracker, problem)

    def _way_back(self, tracker: Tracker, problem: str) -> list[EventType]:
        """What was going on when the driver asked for something beside it."""
        before, offer = tracker.get_slot("problem"), tracker.get_slot("offer")
        asked = known(tracker).asked
        if problem not in ASIDE or before in (None, *ASIDE) or not (asked or offer in _GOING_ON):
            return slots(back_to=None)
        back = {"problem": before, "offer": offer, "asked": asked}
        back |= {"charger_id": tracker.get_slot("charger_id"), "connector": tracker.get_slot("connector")}
        return slots(back_to=back)

    def after_failure(self, tracker: Tracker) -> list[EventType]:
        return slots(next_step=None, offer=Offer.RETRY.value, **{REQUESTED_SLOT: None})


_GOING_ON = (Offer.RETRY.value, Offer.START.value, Offer.FINISH.value)


def _sets(events: list[dict[str, Any]], name: str) -> bool:
    return any(event.get("name") == name and event.get("value") for event in events)


class AskCharger(Moving):
    def name(self) -> str:
        return "action_ask_charger_id"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        if tracker.get_slot("open_question") and self.waits(dispatcher, tracker):  # the question stands already
            return slots(open_question=CHARGER)
        said = tracker.get_slot("charger_said")
        candidates = (tracker.get_slot("charger_choices") or []) if said else []
        fitting = [await self.service.chargers.charger(str(one)) for one in candidates]
        again = bool(tracker.get_slot("charger_tries"))
        self.say(dispatcher, tracker, which_charger(str(said) if said else None, fitting, again=again))
        return slots(open_question=CHARGER)

    def after_failure(self, tracker: Tracker) -> list[EventType]:
        return []


class AskConnector(Moving):
    def name(self) -> str:
        return "action_ask_connector"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        if tracker.get_slot("open_question") and self.waits(dispatcher, tracker):  # the question stands already
            return slots(open_question=CONNECTOR)
        charger = await self.service.chargers.charger(str(tracker.get_slot("charger_id")))
        self.say(dispatcher, tracker, which_connector(charger))
        return slots(open_question=CONNECTOR)

    def after_failure(self, tracker: Tracker) -> list[EventType]:
        return []
