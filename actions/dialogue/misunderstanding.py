"""Not understood: first a choice of what it may have been, then the usual problems, then a person. Every step is another one, so it ends."""

from __future__ import annotations

from collections.abc import Sequence

from rasa_sdk import Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from actions.dialogue.corrections import place_of
from actions.dialogue.moving import Moving
from actions.dialogue.reading import abusive, both_kinds, orders_restart, still_broken
from actions.dialogue.turns import PLACE, heard, known, message_of, problem_of, slots, times_misunderstood, words_of
from actions.playbooks.book import PLAYBOOKS
from actions.playbooks.steps import Choice, Say

LIKELY = 0.1  # confidence from which a meaning is worth asking for
CLOSE = 0.15  # two meanings that are not further apart are asked for by themselves
CONFIDENT = 0.25
_MOST = 300  # letters kept of what was not understood
PERSON = Choice("say_choice_person", "/talk_to_human")
# The five problems, and what is asked for in place of which.
_PROBLEMS = ("session_not_starting", "connector_stuck", "charger_offline", "payment_failed", "rfid_failed")
_SAME = {"unlock_request": "connector_stuck"}
# Meanings that have plain words for a choice: `say_choice_<intent>`.
OFFERED = frozenset(
    {
        *_PROBLEMS,
        "safety_hazard",
        "stop_charging",
        "session_status",
        "session_stopped_early",
        "charging_slow",
        "status_question_about_charger",
        "find_charger",
        "report_damage",
        "price_question",
        "billing_dispute_refund",
        "receipt_request",
        "app_login_problem",
        "adapter_or_plug_compatibility",
        "parking_or_blocked",
        "how_to_start",
        "reservation",
    }
)


def likely_meanings(ranking: Sequence[tuple[str, float]]) -> tuple[tuple[str, ...], bool]:
    """The one or two likeliest meanings that can be offered, and whether it is between two. A danger among them comes first."""
    best: dict[str, float] = {}
    for intent, confidence in ranking:
        name = _SAME.get(intent, intent)
        if name in OFFERED and confidence >= LIKELY:
            best.setdefault(name, confidence)
    chosen = list(best)[:2]
    chosen.sort(key=lambda name: name != "safety_hazard")
    close = len(chosen) == 2 and min(best[name] for name in chosen) >= max(best.values()) - CLOSE
    return tuple(chosen), close and max(best.values()) >= CONFIDENT


def choice_of(intent: str) -> Choice:
    return Choice(f"say_choice_{intent}", f"/{intent}")


class Misunderstanding(Moving):
    async def not_understood(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """The next of the three steps, by how often in a row this happened."""
        times = times_misunderstood(tracker)
        text = message_of(tracker).text if not message_of(tracker).command else ""
        unclear = {"text": text[:_MOST], "times": min(times + 1, 3)}
        if times == 0:
            self.say(dispatcher, tracker, self._first(tracker, text))
        elif times == 1:
            choices = (*(choice_of(intent) for intent in _PROBLEMS), PERSON)
            self.say(dispatcher, tracker, Say("say_rephrase", choices=choices))
        else:
            await self._person(dispatcher, tracker)
            return slots(next_step=None, offer=None, unclear=unclear)
        return slots(next_step=None, unclear=unclear)

    @staticmethod
    def _first(tracker: Tracker, text: str) -> Say:
        if abusive(text):
            return Say("say_abuse", choices=(choice_of("session_not_starting"), choice_of("connector_stuck"), PERSON))
        meanings, close = likely_meanings(message_of(tracker).ranking)
        if close:
            return Say("say_which_of_two", choices=tuple(map(choice_of, meanings)))
        if not meanings:
            return Say("say_rephrase", choices=(*map(choice_of, _PROBLEMS[:2]), PERSON))
        return Say("say_did_you_mean", choices=(*map(choice_of, meanings), PERSON))

    async def _person(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> None:
        if self.service.desk.reach.kinds:
            await self.hand_over(dispatcher, tracker, "the driver was not understood three times")
            return
        phone = self.service.operator_phone
        say = Say("say_misunderstood_phone", {"phone": phone}) if phone else Say("say_misunderstood_no_phone")
        self.say(dispatcher, tracker, say)


class Misunderstood(Misunderstanding):
    """What the model could not tell. A corrected charger, or two kinds of trouble at once, shows in the words alone."""

    def name(self) -> str:
        return "action_misunderstood"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        if self.waits(dispatcher, tracker):
            return slots(next_step=None)
        before, both = known(tracker), both_kinds(words_of(tracker))
        if (
            before.asked == PLACE
            and both is None
            and not message_of(tracker).command
            and not times_misunderstood(tracker)
        ):
            return slots(problem="find_charger", next_step="look", unclear={"text": "", "times": 1})
        ordered = both is None and orders_restart(words_of(tracker))
        open_matter = ordered or (tracker.get_slot("problem") in PLAYBOOKS and (before.charger_id or before.asked))
        if both is not None or open_matter:
            problem, second = both or (problem_of(tracker), None)
            choices = [str(one) for one in tracker.get_slot("charger_choices") or []]
            place = await place_of(self.service.chargers, heard(tracker), before, choices, session_first=True)
            if ordered or both is not None or place.names or still_broken(words_of(tracker)):
                events = await self.take_or_ask(dispatcher, tracker, place, problem)
                return events + (slots(next_problem=second) if second else [])
        return await self.not_understood(dispatcher, tracker)
