"""Rasa's actions: each reads the tracker, runs one step of a playbook, says it, and leaves what later turns need in slots."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import structlog
from rasa_sdk import Tracker
from rasa_sdk.events import ActionExecuted, EventType, SessionStarted
from rasa_sdk.executor import CollectingDispatcher

from actions.bridge import BridgeError, Chargers
from actions.desk.desk import Desk
from actions.dialogue.runs import Run, Runs, transcript_of
from actions.dialogue.speech import Titles, speak
from actions.dialogue.turns import (
    REQUESTED_SLOT,
    heard,
    known,
    message_of,
    problem_of,
    reported,
    slots,
    times_misunderstood,
    turn_of,
)
from actions.playbooks.book import DEFAULT, HAZARD, PLAYBOOKS, Needs
from actions.playbooks.find_charger_of_driver import Found, choices_of, find, says_something, takes_a_moment
from actions.playbooks.steps import Choice, Offer, Say

log = structlog.get_logger(__name__)

# Said while a question is open, everything but these is answered by rules, and the question comes again.
_ANSWERS = frozenset({"provide_charger_id", "provide_location", "affirm", "nlu_fallback", *PLAYBOOKS})
# What a new session keeps of the one before. A charger is not kept: the driver has driven on since.
_KEPT_OVER_SESSIONS = ("hint_seen",)


@dataclass(frozen=True, slots=True)
class Service:
    """What actions need: the bridge, playbooks' runs, people, titles of choices, the operator's phone ("" for none)."""

    chargers: Chargers
    runs: Runs
    desk: Desk
    titles: Titles
    operator_phone: str
    emergency_number: str


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
            charger = tracker.get_slot("charger_id") or "the charger"
            self.say(dispatcher, tracker, Say("say_bridge_away", {"charger": str(charger)}))
            return self.after_failure(tracker)
        finally:
            structlog.contextvars.unbind_contextvars("conversation", "message", "action")

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Awaitable[list[EventType]]:
        raise NotImplementedError

    def after_failure(self, tracker: Tracker) -> list[EventType]:
        return slots(next_step=None, offer=Offer.RETRY.value)

    def say(self, dispatcher: CollectingDispatcher, tracker: Tracker, say: Say) -> None:
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
            told = await self.service.desk.hand_over(run.case, end.handoff, transcript_of(tracker.events or []))
            if not end.stays:
                self.say_person(dispatcher, tracker, run.case if told else None)
        events = slots(next_step=None, offer=end.offer.value if end.offer else None)
        return events + (slots(problem=end.problem) if end.problem else [])

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


class SessionStart(DialogueAction):
    def name(self) -> str:
        return "action_session_start"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        kept = {name: tracker.get_slot(name) for name in _KEPT_OVER_SESSIONS if tracker.get_slot(name) is not None}
        return [SessionStarted(), *slots(**kept, **{REQUESTED_SLOT: None}), ActionExecuted("action_listen")]


class ValidateChargerForm(DialogueAction):
    """Fills the form: finds charger and cable, and ends it early where nothing is left to ask."""

    def name(self) -> str:
        return "validate_charger_form"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        message, said, before = message_of(tracker), heard(tracker), known(tracker)
        if before.asked and message.intent not in _ANSWERS and not says_something(said, before):
            return []  # rules answer
        problem = problem_of(tracker)
        if problem != HAZARD and await self.service.desk.hazard_without_charger(tracker.sender_id) is not None:
            problem = HAZARD  # the front door's hazard path asked where it is
        playbook = PLAYBOOKS[problem]
        found = await find(self.service.chargers, said, before, session_first=playbook.session_first)
        enough = found.charger is not None and playbook.needs is Needs.CHARGER
        done = found.done or enough or playbook.needs is Needs.NOTHING
        events = slots(
            problem=problem,
            reported=sorted(reported(tracker)),
            charger_id=found.charger.id if found.charger else None,
            connector=found.connector,
            charger_said=found.said,
            charger_choices=[one.id for one in found.candidates],
            charger_tries=found.tries,
            next_step="look" if done else None,
            offer=None,
        )
        if said.hint:
            events += slots(hint_seen=said.hint)
        if done:
            events += slots(**{REQUESTED_SLOT: None})
            self.bridge_the_wait(dispatcher, tracker, found)
        return events

    def after_failure(self, tracker: Tracker) -> list[EventType]:
        return slots(next_step=None, offer=Offer.RETRY.value, **{REQUESTED_SLOT: None})


class AskCharger(DialogueAction):
    def name(self) -> str:
        return "action_ask_charger_id"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        said = tracker.get_slot("charger_said")
        candidates = tracker.get_slot("charger_choices") or []
        if said and candidates:
            fitting = [await self.service.chargers.charger(str(one)) for one in candidates]
            choices = tuple(
                Choice(
                    "say_choice_charger" if one.site else "say_choice_charger_only",
                    "/provide_charger_id" + json.dumps({"charger_id": one.id}),
                    {"charger": one.label, "site": one.site},
                )
                for one in fitting
            )
            self.say(dispatcher, tracker, Say("say_charger_ambiguous", {"said": str(said)}, choices))
        elif said:
            self.say(dispatcher, tracker, Say("say_charger_unknown", {"said": str(said)}))
        else:
            again = bool(tracker.get_slot("charger_tries"))
            self.say(dispatcher, tracker, Say("say_ask_charger_again" if again else "say_ask_charger"))
        return []

    def after_failure(self, tracker: Tracker) -> list[EventType]:
        return []


class AskConnector(DialogueAction):
    def name(self) -> str:
        return "action_ask_connector"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        charger = await self.service.chargers.charger(str(tracker.get_slot("charger_id")))
        choices = tuple(
            Choice(
                "say_choice_connector_plug" if one.plug else "say_choice_connector",
                "/provide_charger_id" + json.dumps({"connector": one.connector}),
                {"connector": str(one.connector), "plug": one.plug or ""},
            )
            for one in choices_of(charger)
        )
        self.say(dispatcher, tracker, Say("say_ask_connector", {"charger": charger.label}, choices))
        return []

    def after_failure(self, tracker: Tracker) -> list[EventType]:
        return []


class Look(DialogueAction):
    """Begins the problem's playbook; it goes on in the next action, so that words before an act go out first."""

    def name(self) -> str:
        return "action_look"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        if tracker.get_slot("next_step") != "look":
            return []
        problem = problem_of(tracker)
        charger_id, connector = tracker.get_slot("charger_id"), known(tracker).connector
        if not charger_id and PLAYBOOKS[problem].needs is not Needs.NOTHING:
            self.say(dispatcher, tracker, Say("say_charger_not_found"))
            return slots(next_step=None, offer=Offer.PERSON.value)
        run = await self.service.runs.begin(turn_of(tracker), problem, charger_id, connector, reported(tracker))
        return await self.go_on(dispatcher, tracker, run, to_end=False)


class GoOn(DialogueAction):
    """The rest of the playbook that action_look began; from the top where the server was restarted in between."""

    def name(self) -> str:
        return "action_go_on"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        mark, _, said = str(tracker.get_slot("next_step") or "").partition(":")
        if mark != "go_on":
            return []
        turn = turn_of(tracker)
        run = self.service.runs.held(turn)
        if run is None:
            charger_id, connector = tracker.get_slot("charger_id"), known(tracker).connector
            run = await self.service.runs.begin(
                turn, problem_of(tracker), charger_id, connector, reported(tracker), skip=said.split(",")
            )
        return await self.go_on(dispatcher, tracker, run, to_end=True)


class Woken(DialogueAction):
    """Something that was waited for has come, or has not: what is true now is told, once."""

    async def event(self, dispatcher: CollectingDispatcher, tracker: Tracker, event: str, met: bool) -> list[EventType]:
        run = await self.service.runs.wake(turn_of(tracker), event, met=met) if event else None
        events: list[EventType] = []
        if run is not None:
            events = await self.go_on(dispatcher, tracker, run, to_end=True)
            await self.service.runs.told(event)
        if run is None or not run.said:
            dispatcher.utter_message(json_message={"silent": True})
            return [] if run is None or run.end is None else events
        return events


class CommandFinished(Woken):
    def name(self) -> str:
        return "action_command_finished"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        event = str(message_of(tracker).values.get("command_id") or "")
        return await self.event(dispatcher, tracker, event, True)


class WatchEnded(Woken):
    def name(self) -> str:
        return "action_watch_ended"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        values = message_of(tracker).values
        return await self.event(dispatcher, tracker, str(values.get("watch_id") or ""), values.get("met") is True)


class Agree(DialogueAction):
    """A bare yes: to what was offered last."""

    def name(self) -> str:
        return "action_agree"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        offer = tracker.get_slot("offer")
        if offer == Offer.PERSON:
            await self.hand_over(dispatcher, tracker, "the driver took the offer of a person")
            return slots(next_step=None, offer=None)
        if offer == Offer.FINISH:
            return slots(problem="stop_charging", next_step="look", offer=None)
        if offer in (Offer.RETRY, Offer.START) and tracker.get_slot("charger_id"):
            # The plug may sit on another cable by now: look for it again, but ask nothing.
            found: Found = await find(self.service.chargers, heard(tracker), known(tracker))
            connector = found.connector if found.connector is not None else known(tracker).connector
            self.bridge_the_wait(dispatcher, tracker, found)
            problem = DEFAULT if offer == Offer.START else problem_of(tracker)
            return slots(connector=connector, problem=problem, next_step="look", offer=None)
        self.say(dispatcher, tracker, Say("say_what_next"))
        return slots(next_step=None, offer=None)


class TalkToHuman(DialogueAction):
    def name(self) -> str:
        return "action_talk_to_human"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        await self.hand_over(dispatcher, tracker, "the driver asked for a person")
        return slots(offer=None)


class HazardReported(DialogueAction):
    """Danger that the model heard and the front door's word list did not: the advice, then the place, then the playbook."""

    def name(self) -> str:
        return "action_hazard"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        self.say(dispatcher, tracker, Say("say_hazard_advice", {"emergency": self.service.emergency_number}))
        events = slots(problem=HAZARD, next_step="look", offer=None)
        try:
            found = await find(self.service.chargers, heard(tracker), known(tracker), session_first=True)
        except BridgeError as error:
            log.error("bridge_failed", error=str(error))
            return events
        if found.charger is not None:
            events += slots(charger_id=found.charger.id, connector=found.connector)
        return events


class Misunderstood(DialogueAction):
    """Once: choices. Twice in a row: a person."""

    def name(self) -> str:
        return "action_misunderstood"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        if times_misunderstood(tracker.events or []):
            if self.service.desk.reach.kinds:
                await self.hand_over(dispatcher, tracker, "the driver was not understood twice")
                return slots(offer=None)
            phone = self.service.operator_phone
            say = Say("say_misunderstood_phone", {"phone": phone}) if phone else Say("say_misunderstood_no_phone")
            self.say(dispatcher, tracker, say)
            return slots(offer=None)
        choices = (
            Choice("say_choice_not_starting", "/session_not_starting"),
            Choice("say_choice_person", "/talk_to_human"),
        )
        self.say(dispatcher, tracker, Say("say_misunderstood", choices=choices))
        return []


def all_actions(service: Service) -> list[DialogueAction]:
    kinds: tuple[type[DialogueAction], ...] = (
        SessionStart,
        ValidateChargerForm,
        AskCharger,
        AskConnector,
        Look,
        GoOn,
        CommandFinished,
        WatchEnded,
        Agree,
        TalkToHuman,
        HazardReported,
        Misunderstood,
    )
    return [kind(service) for kind in kinds]
