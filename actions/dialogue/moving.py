"""What has to be settled before a playbook goes on at another charger or connector than it began at.

Nothing that was waited for at the old one is acted on any more, and what was done there is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from rasa_sdk import Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from actions.bridge import BridgeRefused, Session
from actions.cases import Act
from actions.dialogue.base import ASIDE, BEGINS, DialogueAction
from actions.dialogue.beside import asks_to_wait
from actions.dialogue.corrections import Place
from actions.dialogue.questions import question_of
from actions.dialogue.runs import place_key
from actions.dialogue.turns import REQUESTED_SLOT, heard, known, message_of, reported, slots, turn_of, words_of
from actions.playbooks.book import HAZARD, PLAYBOOKS, Needs
from actions.playbooks.steps import Choice, Offer, Say

_MOST_LEFT = 8

# What was done at the wrong charger and cannot be taken back, by the act.
_DONE = {"stop": "say_corrected_ended", "unlock": "say_corrected_unlocked", "reset": "say_corrected_restarted"}


@dataclass(frozen=True, slots=True)
class Left:
    """`events`: what later turns must know. `running`: an own session, begun here at the place that was left."""

    events: list[EventType]
    running: Session | None = None


class Moving(DialogueAction):
    """An action that may find the driver elsewhere than before."""

    def waits(self, dispatcher: CollectingDispatcher, tracker: Tracker, *, asking: bool = False) -> bool:
        """Whether the driver wants a moment, which is granted; what is open stays so. `asking`: a form's question follows, which grants it."""
        if message_of(tracker).command or not asks_to_wait(words_of(tracker)):
            return False
        if not asking:
            self.say(dispatcher, tracker, Say("say_take_your_time"))
        return True

    async def taken(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, place: Place, problem: str
    ) -> tuple[list[EventType], bool]:
        """The place as the turn's next actions need it, and whether all that the problem needs is known now."""
        found, playbook, said = place.found, PLAYBOOKS[problem], heard(tracker)
        enough = found.charger is not None and playbook.needs is Needs.CHARGER
        done = found.done or enough or playbook.needs is Needs.NOTHING
        left = await self._leave(dispatcher, tracker, place, problem)
        events = left.events + slots(
            problem=problem,
            reported=sorted(reported(tracker)),
            charger_id=found.charger.id if found.charger else None,
            connector=found.connector,
            charger_said=found.said,
            charger_choices=[one.id for one in found.candidates] or tracker.get_slot("charger_choices"),
            charger_tries=found.tries,
            next_step="look" if done else None,
            offer=None,
            late=None,
            unclear=None,
        )
        if said.hint:
            events += slots(hint_seen=said.hint)
        if done:
            events += slots(open_question=None, **{REQUESTED_SLOT: None})
        if done and left.running is not None and problem in BEGINS and found.charger is not None:
            # A second session would be refused while the first one runs: it is closed on the driver's word, then this goes on.
            other, label = (await self.service.chargers.charger(left.running.charger)).label, found.charger.label
            if other == label:  # two cables of one charger
                other, label = (self._cable(tracker, label, one) for one in (left.running.connector, found.connector))
            values = {"old": other, "charger": label}
            self.say(dispatcher, tracker, Say("say_corrected_started", values))
            events += slots(next_step=None, offer=Offer.FINISH.value, next_problem=problem)
        elif done and playbook.needs is not Needs.NOTHING:
            self.bridge_the_wait(dispatcher, tracker, found)
        return events, done

    def _cable(self, tracker: Tracker, label: str, connector: int | None) -> str:
        if connector is None:
            return label
        title = Choice("say_choice_connector", "", {"connector": str(connector)})
        return f"{label} ({self.service.titles.of(title, turn_of(tracker).language)})"

    async def take_or_ask(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, place: Place, problem: str
    ) -> list[EventType]:
        """As `taken`, where no form asks: the question is said here, and stays open."""
        events, done = await self.taken(dispatcher, tracker, place, problem)
        if done:
            return events
        name, say = question_of(place.found)
        self.say(dispatcher, tracker, say)
        return events + slots(open_question=name)

    async def _leave(self, dispatcher: CollectingDispatcher, tracker: Tracker, place: Place, problem: str) -> Left:
        before, found = known(tracker), place.found
        now = found.charger.id if found.charger else None
        places: list[str] = [one for one in tracker.get_slot("left") or [] if isinstance(one, str)]
        here = {place_key(now, None), place_key(now, found.connector)} if now else set()
        places = [one for one in places if one not in here]
        unclear = found.charger is None or (found.connector is None and before.connector is not None)
        gone = place.moved or (place.taken_back and unclear)
        if not gone or before.charger_id is None or problem == HAZARD or problem in ASIDE:
            return Left(slots(left=places))
        cable = before.connector if now == before.charger_id else None
        conversation = turn_of(tracker).actor.conversation
        acts = await self.service.runs.leave(conversation, before.charger_id, cable)
        places = [*places, place_key(before.charger_id, cable)][-_MOST_LEFT:]
        running = await self._running(tracker, acts, before.charger_id, cable)
        if place.taken_back and running is None:
            await self._say_done(dispatcher, tracker, acts, before.charger_id)
        return Left(slots(left=places, waiting_for=None, next_problem=None), running)

    async def _running(
        self, tracker: Tracker, acts: list[Act], charger_id: str, connector: int | None
    ) -> Session | None:
        """The driver's own session at the place that was left, if this conversation began it."""
        if not any(one.action == "start" and one.outcome in (None, "verified") for one in acts):
            return None
        own = await self.service.chargers.running_sessions(turn_of(tracker).actor.driver)
        here = (one for one in own if one.charger == charger_id)
        return next((one for one in here if connector is None or one.connector == connector), None)

    async def _say_done(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, acts: list[Act], charger_id: str
    ) -> None:
        names = [_DONE[one.action] for one in acts if one.action in _DONE and one.outcome == "verified"]
        if any(one.action == "start" and one.outcome is None for one in acts):
            names.append("say_corrected_asked")
        if not names:
            return
        try:
            label = (await self.service.chargers.charger(charger_id)).label
        except BridgeRefused:
            label = charger_id
        for name in dict.fromkeys(names):
            self.say(dispatcher, tracker, Say(name, {"old": label}))
