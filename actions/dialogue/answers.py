"""What is answered at once: small talk, questions with one answer, a yes, a no, the wish for a person, danger that the model hears."""

from __future__ import annotations

import structlog
from rasa_sdk import Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from actions.bridge import BridgeError
from actions.dialogue.base import DialogueAction
from actions.dialogue.beside import asks_again, asks_if_machine
from actions.dialogue.corrections import Place, place_of
from actions.dialogue.misunderstanding import Misunderstanding
from actions.dialogue.moving import Moving
from actions.dialogue.reading import abusive, asks, in_order, orders_restart, still_broken
from actions.dialogue.returning import way_back
from actions.dialogue.turns import (
    heard,
    in_form,
    known,
    message_of,
    problem_of,
    search_in,
    slots,
    times_misunderstood,
    turn_of,
    words_of,
)
from actions.places.resolve import Vague, resolve
from actions.places.search import Search
from actions.playbooks.book import BESIDE, DEFAULT, HAZARD, PLAYBOOKS, RESTART
from actions.playbooks.find_charger_of_driver import find
from actions.playbooks.steps import Choice, Offer, Say

log = structlog.get_logger(__name__)

# Intents whose answer is the same whatever goes on: the text is `say_<intent>`.
ANSWERS = frozenset(
    {
        "price_question",
        "billing_dispute_refund",
        "receipt_request",
        "app_login_problem",
        "adapter_or_plug_compatibility",
        "parking_or_blocked",
        "how_to_start",
        "reservation",
        "provide_location",
        "opt_out",
        "out_of_scope",
        "greet",
        "thanks",
        "goodbye",
    }
)
FIND = "find_charger"
_PARTING = frozenset({"thanks", "goodbye", "opt_out"})
_WAITING = {"thanks": "say_thanks_waiting", "goodbye": "say_goodbye_waiting"}
_ACTS = (Offer.RETRY.value, Offer.START.value, Offer.FINISH.value)


async def place_now(action: DialogueAction, tracker: Tracker, *, session_first: bool = False) -> Place:
    choices = [str(one) for one in tracker.get_slot("charger_choices") or []]
    chargers = action.service.chargers
    return await place_of(chargers, heard(tracker), known(tracker), choices, session_first=session_first)


def says_a_place(search: Search) -> bool:
    """Whether the words name a place at all, whatever the model took them for."""
    found = resolve(search.words, pin=search.pin, asked=True)
    return not (isinstance(found, Vague) and found.why == "unknown")


class Answer(Moving):
    """Says the answer, then takes up again what was open. A more urgent problem in the same message comes first."""

    def name(self) -> str:
        return "action_answer"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        intent, text = message_of(tracker).intent, words_of(tracker)
        intent = intent if intent in ANSWERS else "out_of_scope"
        beside = await self._beside(dispatcher, tracker, intent)
        if beside is not None:
            return beside
        first, second = in_order(intent, text)
        if problem_of(tracker) == RESTART and orders_restart(text):
            first, second = RESTART, None
        if first in PLAYBOOKS:
            if in_form(tracker):  # it asks on, now for this problem
                return slots(problem=first, next_problem=second)
            place = await place_now(self, tracker, session_first=PLAYBOOKS[first].session_first)
            return await self.take_or_ask(dispatcher, tracker, place, first) + slots(next_problem=second)
        if not in_form(tracker) and self._looks_for_a_charger(tracker, intent):
            return slots(problem=FIND, next_step="look", offer=None, unclear=None)
        events: list[EventType] = []
        if intent in BESIDE:
            events += await self.say_beside(dispatcher, tracker, intent)
        else:
            self.say(dispatcher, tracker, self._words(tracker, intent, text))
        if intent == "opt_out":
            dispatcher.utter_message(json_message={"opt_out": True})  # the front door writes it into the ledger
        if second is not None and second not in PLAYBOOKS:
            events += await self.say_beside(dispatcher, tracker, second)
        if in_form(tracker):
            events = []  # the form itself takes the charger that is named
        events += slots(next_step=None, unclear=None)
        if intent == "goodbye":
            return events + slots(offer=None, open_question=None, next_problem=None)
        if intent in _PARTING or in_form(tracker):
            return events  # nothing is pressed on who is leaving; a form asks its question again by itself
        asked, charger_id = known(tracker).asked, tracker.get_slot("charger_id")
        say = await way_back(self.service.chargers, tracker.get_slot("offer"), asked, charger_id)
        if say is not None:
            self.say(dispatcher, tracker, say)
        return events

    async def _beside(self, dispatcher: CollectingDispatcher, tracker: Tracker, intent: str) -> list[EventType] | None:
        """A wish for time, or a charger that is corrected, whatever else the model made of the words."""
        if self.waits(dispatcher, tracker, asking=in_form(tracker) and intent != "goodbye"):
            return slots(next_step=None, unclear=None)
        open_matter = tracker.get_slot("problem") in PLAYBOOKS and tracker.get_slot("charger_id")
        if not in_form(tracker) and open_matter and not message_of(tracker).command:
            corrected = await place_now(self, tracker)
            if corrected.moved and corrected.taken_back:
                return await self.take_or_ask(dispatcher, tracker, corrected, problem_of(tracker))
        return None

    @staticmethod
    def _looks_for_a_charger(tracker: Tracker, intent: str) -> bool:
        """A place, or the wish to have a charger held, is about finding one, unless another matter is open."""
        search, free = search_in(tracker), not tracker.get_slot("problem")
        if search.asked and intent not in _PARTING:
            return intent == "provide_location" or says_a_place(search)
        looking = free or bool(tracker.get_slot("search")) or tracker.get_slot("problem") == FIND
        return intent in ("provide_location", "reservation") and (looking or search.pin is not None)

    @staticmethod
    def _words(tracker: Tracker, intent: str, text: str) -> Say:
        if intent == "out_of_scope" and abusive(text):
            # What is wrong, and where, is not asked of who has said it.
            return Say("say_abuse_open" if tracker.get_slot("offer") and not known(tracker).asked else "say_abuse")
        if intent == "out_of_scope" and asks_if_machine(text):
            return Say("say_automated")
        if intent == "out_of_scope" and (known(tracker).asked or tracker.get_slot("offer")):
            return Say("say_out_of_scope_open")  # what is open is said next
        if intent == "greet" and (tracker.get_slot("problem") or in_form(tracker)):
            return Say("say_greet_again")
        waiting = tracker.get_slot("waiting_for")
        if waiting and intent in _WAITING:
            return Say(_WAITING[intent], {"charger": str(waiting)})
        return Say(f"say_{intent}")


class Agree(Misunderstanding):
    """A bare yes: to what was offered last. After hours it is asked once more before anything is done."""

    def name(self) -> str:
        return "action_agree"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        offer, charger_id = tracker.get_slot("offer"), tracker.get_slot("charger_id")
        if self.waits(dispatcher, tracker):
            return slots(next_step=None)
        if orders_restart(words_of(tracker)):
            return await self.take_or_ask(dispatcher, tracker, await place_now(self, tracker), RESTART)
        if times_misunderstood(tracker) and not offer:
            return await self.not_understood(dispatcher, tracker)  # yes to which of the choices?
        if charger_id and tracker.get_slot("problem") in PLAYBOOKS and not message_of(tracker).command:
            corrected = await place_now(self, tracker)
            if corrected.names and (corrected.moved or corrected.taken_back):
                return await self.take_or_ask(dispatcher, tracker, corrected, problem_of(tracker))
        if offer == Offer.PERSON:
            await self.hand_over(dispatcher, tracker, "the driver took the offer of a person")
            return slots(next_step=None, offer=None, late=None)
        if offer in _ACTS and tracker.get_slot("late") and charger_id:
            label = (await self.service.chargers.charger(str(charger_id))).label
            choices = (Choice("say_choice_still", "/affirm"), Choice("say_choice_no_more", "/deny"))
            self.say(dispatcher, tracker, Say("say_late", {"charger": label}, choices))
            return slots(next_step=None, late=None)
        if offer == Offer.KEEP:
            kept = search_in(tracker).kept() | {"keep": True}
            return slots(problem=FIND, next_step="look", offer=None, search=kept)
        if offer == Offer.FINISH:
            return slots(problem="stop_charging", next_step="look", offer=None)
        if offer in (Offer.RETRY, Offer.START) and charger_id:
            problem = DEFAULT if offer == Offer.START else problem_of(tracker)
            # The plug may sit on another cable by now, or another one is named: looked for again, but nothing is asked.
            place = await place_now(self, tracker)
            connector = place.found.connector if place.found.connector is not None else known(tracker).connector
            self.bridge_the_wait(dispatcher, tracker, place.found)
            return slots(connector=connector, problem=problem, next_step="look", offer=None)
        if charger_id and tracker.get_slot("problem") in PLAYBOOKS and asks_again(words_of(tracker)):
            return slots(problem=problem_of(tracker), next_step="look", offer=None)
        say = await way_back(self.service.chargers, None, known(tracker).asked, charger_id)
        if say is None and await self.service.chargers.running_sessions(turn_of(tracker).actor.driver):
            return slots(problem="session_status", next_step="look", offer=None)  # nothing is open but what runs
        self.say(dispatcher, tracker, say or Say("say_what_next"))
        return slots(next_step=None, offer=None)


class Deny(Misunderstanding):
    """A no: to what was taken ("no, 43"), to whether it helped ("no luck"), to the choices, to what was offered or is waited for."""

    def name(self) -> str:
        return "action_deny"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        before = known(tracker)
        if self.waits(dispatcher, tracker):
            return slots(next_step=None, unclear=None)
        if tracker.get_slot("problem") in PLAYBOOKS and (before.charger_id or before.asked):
            place = await place_now(self, tracker)
            if place.names or (before.charger_id is not None and still_broken(words_of(tracker))):
                return await self.take_or_ask(dispatcher, tracker, place, problem_of(tracker))
        if times_misunderstood(tracker) and not tracker.get_slot("offer"):
            return await self.not_understood(dispatcher, tracker)  # none of the choices
        if before.charger_id is not None and not message_of(tracker).command and asks(words_of(tracker)):
            place = await place_now(self, tracker)
            return await self.take_or_ask(dispatcher, tracker, place, "status_question_about_charger")
        if before.charger_id is not None:
            # Or a plug that is seen later would begin what the driver no longer wants.
            await self.service.runs.leave(turn_of(tracker).actor.conversation, before.charger_id, None)
        self.say(dispatcher, tracker, Say("say_left_alone"))
        nothing = dict.fromkeys(
            ("next_step", "offer", "open_question", "next_problem", "waiting_for", "late", "unclear")
        )
        return slots(**nothing)


class TalkToHuman(DialogueAction):
    def name(self) -> str:
        return "action_talk_to_human"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        if asks_if_machine(words_of(tracker)):
            # The truth, and how to reach a person; nobody is called for a question.
            self.say(dispatcher, tracker, Say("say_automated"))
            charger_id, asked = tracker.get_slot("charger_id"), known(tracker).asked
            say = await way_back(self.service.chargers, tracker.get_slot("offer"), asked, charger_id)
            if say is not None:
                self.say(dispatcher, tracker, say)
            return slots(unclear=None)
        await self.hand_over(dispatcher, tracker, "the driver asked for a person")
        return slots(offer=None, unclear=None)


class HazardReported(DialogueAction):
    """Danger that the model heard and the front door's word list did not: the advice, then the place, then the playbook."""

    def name(self) -> str:
        return "action_hazard"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        self.say(dispatcher, tracker, Say("say_hazard_advice", {"emergency": self.service.emergency_number}))
        events = slots(problem=HAZARD, next_step="look", offer=None, unclear=None, next_problem=None)
        try:
            found = await find(self.service.chargers, heard(tracker), known(tracker), session_first=True)
        except BridgeError as error:
            log.error("bridge_failed", error=str(error))
            return events
        if found.charger is not None:
            events += slots(charger_id=found.charger.id, connector=found.connector)
        return events
