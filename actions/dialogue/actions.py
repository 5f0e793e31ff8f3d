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
from actions.dialogue.speech import Titles, speak
from actions.dialogue.turns import REQUESTED_SLOT, heard, known, message_of, slots, times_misunderstood, turn_of
from actions.playbooks import session_wont_start
from actions.playbooks.find_charger_of_driver import Found, choices_of, find, says_something, takes_a_moment
from actions.playbooks.steps import Choice, Offer, Say
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

# Said while a question is open, these are answered by rules, and the question comes again.
_DIGRESSIONS = frozenset(
    {"greet", "thanks", "goodbye", "deny", "talk_to_human", "out_of_scope", "EXTERNAL_command_finished"}
)
# What a new session keeps of the one before. A charger is not kept: the driver has driven on since.
_KEPT_OVER_SESSIONS = ("hint_seen", "told_commands")
_TOLD_KEPT = 20


@dataclass(frozen=True, slots=True)
class Service:
    """What actions need: the bridge, the time, the titles of choices, the operator's phone number ("" for none)."""

    chargers: Chargers
    clock: Clock
    titles: Titles
    operator_phone: str


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
        if before.asked and message.intent in _DIGRESSIONS and not says_something(said, before):
            return []  # rules answer
        found = await find(self.service.chargers, said, before)
        events = slots(
            charger_id=found.charger.id if found.charger else None,
            connector=found.connector,
            charger_said=found.said,
            charger_choices=[one.id for one in found.candidates],
            charger_tries=found.tries,
            next_step="look" if found.done else None,
            offer=None,
        )
        if said.hint:
            events += slots(hint_seen=said.hint)
        if found.done:
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
    """Says what is seen and what is done about it; the act itself is the next action, so these words go out first."""

    def name(self) -> str:
        return "action_look"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        if tracker.get_slot("next_step") != "look":
            return []
        charger_id, before = tracker.get_slot("charger_id"), known(tracker)
        if not charger_id:
            self.say(dispatcher, tracker, Say("say_charger_not_found"))
            return slots(next_step=None, offer=Offer.PERSON.value)
        seen = await session_wont_start.look(
            self.service.chargers,
            charger_id,
            before.connector,
            turn_of(tracker).actor.driver,
            self.service.clock.now(),
        )
        self.say(dispatcher, tracker, seen.say)
        return slots(next_step="start" if seen.start else None, offer=seen.offer.value if seen.offer else None)


class StartCharging(DialogueAction):
    def name(self) -> str:
        return "action_start_charging"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        charger_id, connector = tracker.get_slot("charger_id"), known(tracker).connector
        if tracker.get_slot("next_step") != "start" or not charger_id or connector is None:
            return []
        outcome = await session_wont_start.start(self.service.chargers, charger_id, connector, turn_of(tracker))
        self.say(dispatcher, tracker, outcome.say)
        log.info("start_told", said=outcome.say.name, command=outcome.ended)
        return [
            *slots(next_step=None, offer=outcome.offer.value if outcome.offer else None),
            *_told(tracker, outcome.ended),
        ]


class CommandFinished(DialogueAction):
    """The bridge says that a watched command has ended: its end is told, once."""

    def name(self) -> str:
        return "action_command_finished"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        command_id = str(message_of(tracker).values.get("command_id") or "")
        outcome = None
        if command_id and command_id not in (tracker.get_slot("told_commands") or []):
            outcome = await session_wont_start.finished(self.service.chargers, command_id, turn_of(tracker))
        if outcome is None:
            dispatcher.utter_message(json_message={"silent": True})
            return []
        self.say(dispatcher, tracker, outcome.say)
        log.info("end_told", said=outcome.say.name, command=command_id)
        return [*slots(offer=outcome.offer.value if outcome.offer else None), *_told(tracker, command_id)]


def _told(tracker: Tracker, command_id: str | None) -> list[EventType]:
    if command_id is None:
        return []
    told = [*(tracker.get_slot("told_commands") or []), command_id]
    return slots(told_commands=told[-_TOLD_KEPT:])


class Agree(DialogueAction):
    """A bare yes: to what was offered last."""

    def name(self) -> str:
        return "action_agree"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        offer = tracker.get_slot("offer")
        if offer == Offer.PERSON:
            self.say(dispatcher, tracker, say_person(self.service.operator_phone))
            return slots(next_step=None, offer=None)
        if offer == Offer.RETRY and tracker.get_slot("charger_id"):
            # The plug may sit on another cable by now: look for it again, but ask nothing.
            found: Found = await find(self.service.chargers, heard(tracker), known(tracker))
            connector = found.connector if found.connector is not None else known(tracker).connector
            self.bridge_the_wait(dispatcher, tracker, found)
            return slots(connector=connector, next_step="look", offer=None)
        self.say(dispatcher, tracker, Say("say_what_next"))
        return slots(next_step=None, offer=None)


class TalkToHuman(DialogueAction):
    def name(self) -> str:
        return "action_talk_to_human"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        self.say(dispatcher, tracker, say_person(self.service.operator_phone))
        return slots(offer=None)


class Misunderstood(DialogueAction):
    """Once: choices. Twice in a row: a person."""

    def name(self) -> str:
        return "action_misunderstood"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        if times_misunderstood(tracker.events or []):
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


def say_person(phone: str) -> Say:
    return Say("say_human_phone", {"phone": phone}) if phone else Say("say_human_none")


def all_actions(service: Service) -> list[DialogueAction]:
    kinds: tuple[type[DialogueAction], ...] = (
        SessionStart,
        ValidateChargerForm,
        AskCharger,
        AskConnector,
        Look,
        StartCharging,
        CommandFinished,
        Agree,
        TalkToHuman,
        Misunderstood,
    )
    return [kind(service) for kind in kinds]
