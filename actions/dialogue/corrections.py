"""A driver who takes something back ("no, 43", "the other one", "left I mean"): which charger and connector are meant then.

Reads the words against what was taken until now; finding a charger by a number is left to find_charger_of_driver.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from actions.bridge import BridgeRefused, Charger, Chargers
from actions.dialogue.reading import not_that_one, takes_back, the_other
from actions.identify import charger_code, connector_side
from actions.playbooks.find_charger_of_driver import Found, Heard, Known, find

_WHOLE = 3  # digits that may name a charger by themselves
_SHORT = 5  # words; in a longer message a number of one or two digits is mostly something else


@dataclass(frozen=True, slots=True)
class Place:
    """Where the driver stands after this message. `moved`: another charger or connector than was taken before.

    `names`: the message says something about the place at all. `taken_back`: it corrects what was taken.
    """

    found: Found
    names: bool
    taken_back: bool
    moved: bool


async def place_of(
    chargers: Chargers, said: Heard, before: Known, choices: Sequence[str] = (), *, session_first: bool = False
) -> Place:
    """`choices`: ids of the chargers that were offered last. Raises BridgeError."""
    heard, known, names, back = await _corrected(chargers, said, before, choices)
    found = await find(chargers, heard, known, session_first=session_first)
    charger, connector = (found.charger.id if found.charger else None), found.connector
    moved = before.charger_id is not None and charger is not None and charger != before.charger_id
    moved = moved or (
        before.charger_id is not None and None not in (before.connector, connector) and before.connector != connector
    )
    return Place(found, names or moved, back, moved)


async def _corrected(
    chargers: Chargers, said: Heard, before: Known, choices: Sequence[str]
) -> tuple[Heard, Known, bool, bool]:
    """The message with charger or connector named where the words mean one; whether they say something, and take back."""
    chosen = bool(said.chosen_charger or said.chosen_connector)
    now = None if chosen or before.charger_id is None else await _charger(chargers, before.charger_id)
    if now is None:
        named = charger_code(said.text, asked=before.asked == "charger_id") is not None
        named = named or connector_side(said.text, asked=before.asked == "connector") is not None
        return said, before, chosen or named, False
    back = takes_back(said.text)
    short = said.names_charger or len(said.text.split()) <= _SHORT
    text = without_label(said.text, now)
    code = charger_code(text, asked=(back or said.names_charger) and short)
    side = connector_side(text, asked=before.asked == "connector" or (back and short))
    if code is not None and (back or said.names_charger):
        if len(code) == 1 and now.connector(int(code) if code.isdigit() else None) is not None:
            return replace(said, text="", chosen_connector=int(code)), before, True, back
        whole = await _sibling(chargers, now, code)
        if whole is None and len(code) < _WHOLE and not said.names_charger:
            return replace(said, text=""), before, False, False  # a number in passing
        heard = replace(said, text=text, names_charger=True, chosen_charger=whole or code)
        return heard, before, True, back
    if side is not None:
        return replace(said, text=text), before, True, back
    if the_other(said.text):
        heard, known = _other(said, before, now, choices)
        return heard, known, True, True
    if not_that_one(said.text):
        # Which one is meant is not said: it is asked for, as if nothing had been taken.
        cables = len(now.connectors) > 1 and re.search(r"\b(?:cable|plug|side|connector)\b", said.text, re.IGNORECASE)
        known = replace(before, connector=None) if cables else Known()
        return replace(said, text="", hint=None, driver=""), known, True, True
    return said, before, code is not None or without_label(said.text, now) != said.text, False


def _other(said: Heard, before: Known, now: Charger, choices: Sequence[str]) -> tuple[Heard, Known]:
    """Of two connectors the one that was not taken, else of two chargers that fitted; else it is asked for."""
    numbers = [one.connector for one in now.connectors]
    if len(numbers) == 2 and before.connector in numbers:
        other = next(number for number in numbers if number != before.connector)
        return replace(said, text="", chosen_connector=other), before
    if len(choices) == 2 and now.id in choices:
        return replace(said, text="", chosen_charger=next(one for one in choices if one != now.id)), before
    if len(numbers) > 1:
        return replace(said, text=""), replace(before, connector=None)
    return replace(said, text="", hint=None, driver=""), Known()


def without_label(text: str, charger: Charger) -> str:
    """The text without the number of the charger that was taken: in "1043 not 1042" only the other one counts."""
    for name in (charger.id, charger.label):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", " ", text, flags=re.IGNORECASE)
    return text


async def _sibling(chargers: Chargers, now: Charger, code: str) -> str | None:
    """The charger whose label ends in `code` where the present one's does not: "no, 43" after 1042 means 1043."""
    label = now.label
    if not code.isdigit() or len(code) >= len(label):
        return None
    wanted = label[: -len(code)] + code
    fitting = await chargers.find_chargers(wanted)
    return next((one.id for one in fitting if wanted in (one.label, one.id)), None)


async def _charger(chargers: Chargers, charger_id: str) -> Charger | None:
    try:
        return await chargers.charger(charger_id)
    except BridgeRefused as refused:
        if refused.status == 404:
            return None
        raise
