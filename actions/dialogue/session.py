"""A conversation that begins anew after a pause: what is kept of before, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from rasa_sdk import Tracker
from rasa_sdk.events import ActionExecuted, EventType, SessionStarted
from rasa_sdk.executor import CollectingDispatcher

from actions.bridge import BridgeError
from actions.dialogue.base import DialogueAction
from actions.dialogue.turns import REQUESTED_SLOT, slots, turn_of

log = structlog.get_logger(__name__)

# A late answer is one to what was left open; later than this, a driver means something new.
ANSWERED_WITHIN = timedelta(hours=12)
_ALWAYS = ("hint_seen",)
# Kept only while a question or an offer is open.
_OPEN = (
    *("problem", "charger_id", "connector", "charger_choices", "open_question", "offer", "search"),
    *("next_problem", "left", "reported"),
)


def kept_over(values: Mapping[str, Any], requested: str | None, age: timedelta) -> dict[str, Any]:
    """What a new session keeps of the slots before it; `requested`: what a form was asking for, `age`: since the last word."""
    kept = {name: values[name] for name in _ALWAYS if values.get(name) is not None}
    asked = requested or values.get("open_question")
    if age > ANSWERED_WITHIN or not (asked or values.get("offer")):
        return kept
    kept |= {name: values[name] for name in _OPEN if values.get(name) is not None}
    return kept | {"open_question": asked, "late": True} if asked else kept | {"late": True}


class SessionStart(DialogueAction):
    def name(self) -> str:
        return "action_session_start"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        age = self.service.clock.now() - _last_word(tracker, self.service.clock.now())
        kept = kept_over(tracker.slots, tracker.get_slot(REQUESTED_SLOT), age)
        if "charger_id" in kept:
            kept |= await self._where_it_charges(tracker, str(kept["charger_id"]))
        return [SessionStarted(), *slots(**kept, **{REQUESTED_SLOT: None}), ActionExecuted("action_listen")]

    async def _where_it_charges(self, tracker: Tracker, charger_id: str) -> dict[str, Any]:
        """The driver's running session, read anew: it may be at another charger by now."""
        try:
            running = await self.service.chargers.running_sessions(turn_of(tracker).actor.driver)
        except BridgeError as error:
            log.warning("session_not_read", error=str(error))
            return {}
        if not running or any(one.charger == charger_id for one in running):
            return {}
        return {"charger_id": running[0].charger, "connector": running[0].connector, "offer": None}


def _last_word(tracker: Tracker, now: datetime) -> datetime:
    """When driver or bot last said something; now where nobody has."""
    for event in reversed(tracker.events or []):
        if event.get("event") in ("user", "bot") and isinstance(event.get("timestamp"), int | float):
            return datetime.fromtimestamp(event["timestamp"], tz=now.tzinfo)
    return now
