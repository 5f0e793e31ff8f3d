"""Reads a Rasa tracker: who writes on which channel, what was heard, what earlier turns left. The only place that knows its shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import EventType, SlotSet

from actions.bridge import Actor
from actions.dialogue.beside import only_a_number
from actions.dialogue.reading import orders_restart, plain
from actions.places.search import Search, search_of
from actions.playbooks.book import DEFAULT, PLAYBOOKS, RESTART
from actions.playbooks.contact import Turn
from actions.playbooks.find_charger_of_driver import Heard, Known
from actions.reported import reported_in

REQUESTED_SLOT = "requested_slot"
PLACE = "place"  # the open question "where are you?"


@dataclass(frozen=True, slots=True)
class Message:
    """The latest message: `command` is the slash text of a tapped choice or an event, whose values are in `values`.

    `ranking`: what the model thought of it, the likeliest first, as (intent, confidence).
    """

    text: str
    intent: str
    command: bool
    values: Mapping[str, Any]
    metadata: Mapping[str, Any]
    ranking: tuple[tuple[str, float], ...] = ()


def message_of(tracker: Tracker) -> Message:
    latest: Mapping[str, Any] = tracker.latest_message or {}
    text = str(latest.get("text") or "")
    metadata = latest.get("metadata")
    entities: Iterable[Mapping[str, Any]] = latest.get("entities") or []
    return Message(
        text=text,
        intent=str((latest.get("intent") or {}).get("name") or ""),
        command=text.startswith("/"),
        values={str(entity.get("entity")): entity.get("value") for entity in entities},
        metadata=metadata if isinstance(metadata, Mapping) else _last_metadata(tracker),
        ranking=tuple(
            (str(row.get("name") or ""), float(row.get("confidence") or 0))
            for row in latest.get("intent_ranking") or ()
        ),
    )


def _last_metadata(tracker: Tracker) -> Mapping[str, Any]:
    """The metadata of the last message that had any: a turn that Rasa itself begins has none of its own."""
    for event in reversed(tracker.events or []):
        if event.get("event") == "user" and isinstance(event.get("metadata"), Mapping) and event["metadata"]:
            metadata: Mapping[str, Any] = event["metadata"]
            return metadata
    return {}


def turn_of(tracker: Tracker) -> Turn:
    metadata = message_of(tracker).metadata
    driver = str(metadata.get("driver") or f"guest:{tracker.sender_id}")
    return Turn(
        actor=Actor(driver=driver, tier=_whole(metadata.get("tier")) or 0, conversation=tracker.sender_id),
        message_id=str(metadata.get("message_id") or _fallback_id(tracker)),
        language=str(metadata.get("language") or "en"),
        channel=str(metadata.get("channel") or ""),
    )


def _fallback_id(tracker: Tracker) -> str:
    """A turn without an id of the front door's: Rasa's own message id, which is the same for all actions of the turn."""
    return f"in_{(tracker.latest_message or {}).get('message_id') or len(tracker.events or [])}"


def words_of(tracker: Tracker) -> str:
    """The driver's words; where a choice was tapped because words had not been understood, those."""
    message = message_of(tracker)
    if not message.command:
        return message.text
    unclear = tracker.get_slot("unclear")
    return str(unclear.get("text") or "") if isinstance(unclear, Mapping) and not message.values else ""


def heard(tracker: Tracker) -> Heard:
    message, words = message_of(tracker), plain(words_of(tracker))
    hint = message.metadata.get("charger_hint")
    connector_hint = _whole(message.metadata.get("connector_hint"))
    news = hint if isinstance(hint, str) and hint != tracker.get_slot("hint_seen") else None
    driver = turn_of(tracker).actor.driver
    if message.command:
        chosen = message.values.get("charger_id")
        return Heard(
            text=words,
            names_charger=bool(message.values),
            chosen_charger=str(chosen) if chosen else None,
            chosen_connector=_whole(message.values.get("connector")),
            hint=news,
            connector_hint=connector_hint,
            driver=driver,
        )
    return Heard(
        text=words,
        names_charger=message.intent == "provide_charger_id",
        hint=news,
        connector_hint=connector_hint,
        driver=driver,
    )


def in_form(tracker: Tracker) -> bool:
    """Whether charger or connector has been asked for by the form: not yet so in the turn that opens it."""
    active = (tracker.active_loop or {}).get("name") == "charger_form"
    return active and tracker.get_slot(REQUESTED_SLOT) is not None


def known(tracker: Tracker) -> Known:
    active = in_form(tracker)
    # A question stays open over what is said in between, and over hours.
    asked = tracker.get_slot(REQUESTED_SLOT) if active else tracker.get_slot("open_question")
    return Known(
        charger_id=tracker.get_slot("charger_id"),
        connector=_whole(tracker.get_slot("connector")),
        tries=(_whole(tracker.get_slot("charger_tries")) or 0) if active else 0,
        asked=asked,
    )


# A cable is never freed by a restart, and a danger is never met with one.
_NO_RESTART = frozenset({"connector_stuck", "unlock_request", "safety_hazard", "stop_charging"})


def problem_of(tracker: Tracker) -> str:
    """The problem that this turn is about: the message's own, else what the conversation is about, else a start."""
    intent = message_of(tracker).intent
    if intent not in _NO_RESTART and orders_restart(words_of(tracker)):
        return RESTART
    problem = tracker.get_slot("problem")
    # A number alone answers what was asked, whatever the model takes it for.
    bare = problem in PLAYBOOKS and not message_of(tracker).command and only_a_number(words_of(tracker))
    if intent in PLAYBOOKS and not bare:
        return intent
    return problem if problem in PLAYBOOKS else DEFAULT


# A tapped choice says which card it is, as words would.
_CHOSEN = {"payment_failed": "bank_card", "rfid_failed": "member_card"}


def reported(tracker: Tracker) -> frozenset[str]:
    """What the driver says beside the problem, in this message or before in this conversation."""
    message = message_of(tracker)
    chosen = _CHOSEN.get(message.intent) if message.command else None
    said = frozenset({chosen}) if chosen else reported_in(words_of(tracker))
    return said | frozenset(tracker.get_slot("reported") or ())


def search_in(tracker: Tracker) -> Search:
    """Where and what the driver looks for: this message's words or pin, and what earlier ones left."""
    message = message_of(tracker)
    words = str(message.values.get("location") or "") if message.command else message.text
    return replace(
        search_of(tracker.get_slot("search")),
        words=words,
        pin=_pin(message.metadata.get("location")),
        asked=tracker.get_slot("open_question") == PLACE,
    )


def _pin(location: Any) -> tuple[float, float] | None:
    if not isinstance(location, Mapping):
        return None
    try:
        return float(location["latitude"]), float(location["longitude"])
    except (KeyError, TypeError, ValueError):
        return None


def _whole(value: Any) -> int | None:
    """Slots and choices come back as JSON likes: 2, 2.0 or "2"."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def times_misunderstood(tracker: Tracker) -> int:
    """How often in a row the driver was not understood before this message. Forms count their own tries."""
    unclear = tracker.get_slot("unclear")
    return (_whole(unclear.get("times")) or 0) if isinstance(unclear, Mapping) else 0


def slots(**values: Any) -> list[EventType]:
    return [SlotSet(name, value) for name, value in values.items()]
