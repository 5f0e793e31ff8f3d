"""The actions that run playbooks: begin one, go on with it, wake one when something that was waited for has come."""

from __future__ import annotations

from collections.abc import Mapping

from rasa_sdk import Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from actions.dialogue.base import DialogueAction
from actions.dialogue.returning import way_back
from actions.dialogue.turns import known, message_of, problem_of, reported, search_in, slots, turn_of
from actions.playbooks.book import PLAYBOOKS, Needs
from actions.playbooks.steps import Offer, Say


class Look(DialogueAction):
    """Begins the problem's playbook; it goes on in the next action, so that words before an act go out first."""

    def name(self) -> str:
        return "action_look"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        if tracker.get_slot("next_step") != "look":
            return []
        # The words of a tapped choice are the problem's own by now; only the slot knows which was put first.
        problem = _problem(tracker)
        charger_id, connector = tracker.get_slot("charger_id"), known(tracker).connector
        if not charger_id and PLAYBOOKS[problem].needs is not Needs.NOTHING:
            self.say(dispatcher, tracker, Say("say_charger_not_found"))
            return slots(next_step=None, offer=Offer.PERSON.value)
        waiting = tracker.get_slot("waiting_for")
        driver = turn_of(tracker).actor.driver
        if problem == "session_status" and waiting and not await self.service.chargers.running_sessions(driver):
            # "How long?" of one who waits for a charger is no question about a session.
            self.say(dispatcher, tracker, Say("say_watching", {"charger": str(waiting)}))
            return slots(next_step=None) + await self._returned(dispatcher, tracker)
        run = await self.service.runs.begin(
            turn_of(tracker), problem, charger_id, connector, reported(tracker), search=search_in(tracker)
        )
        events = await self.go_on(dispatcher, tracker, run, to_end=False)
        return events + (await self._returned(dispatcher, tracker) if run.over else [])

    async def _returned(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """After something beside it: what was going on, and the words that bring the driver back to it."""
        back = tracker.get_slot("back_to")
        if not isinstance(back, Mapping):
            return []
        say = await way_back(self.service.chargers, back.get("offer"), back.get("asked"), back.get("charger_id"))
        if say is not None:
            self.say(dispatcher, tracker, say)
        return slots(
            back_to=None,
            problem=back.get("problem"),
            offer=back.get("offer"),
            charger_id=back.get("charger_id"),
            connector=back.get("connector"),
            open_question=back.get("asked"),
        )


class GoOn(Look):
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
                turn,
                _problem(tracker),
                charger_id,
                connector,
                reported(tracker),
                skip=said.split(","),
                search=search_in(tracker),
            )
        events = await self.go_on(dispatcher, tracker, run, to_end=True)
        return events + await self._returned(dispatcher, tracker)


class Woken(DialogueAction):
    """Something that was waited for has come, or has not: what is true now is told, once."""

    async def event(self, dispatcher: CollectingDispatcher, tracker: Tracker, event: str, met: bool) -> list[EventType]:
        left = [str(one) for one in tracker.get_slot("left") or []]
        said = reported(tracker)
        run = (
            await self.service.runs.wake(turn_of(tracker), event, met=met, left=left, reported=said) if event else None
        )
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


def _problem(tracker: Tracker) -> str:
    """The problem that the turn's first action put first; the message's own where there was none."""
    problem = tracker.get_slot("problem")
    return problem if problem in PLAYBOOKS else problem_of(tracker)
