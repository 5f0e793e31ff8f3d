"""Which choices a conversation has open, and which one a driver's answer means. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.store.model import BOT, Entry, Kind, Option

_NUMBER = re.compile(r"\W*(?:option |choice |number |no\.? ?|nr\.? ?)?#?(\d{1,2})\W*", re.IGNORECASE)


def token(entry_id: str, index: int) -> str:
    """What the web page and the terminal send back for choice `index` of this reply; says nothing of its payload."""
    return f"{entry_id}.{index}"


def open_choices(newest_first: Sequence[Entry]) -> list[tuple[str, Option]]:
    """The choices that still stand, as (token, option), numbered on over the replies of their turn.

    The last turn that asked or said something decides: a driver's turn without choices closes the ones before it, an
    event's news does not.
    """
    for entry in newest_first:
        if entry.author != BOT or entry.own:
            continue
        if entry.options or entry.turn_kind is not Kind.EVENT:
            of_turn = [other for other in reversed(newest_first) if other.turn == entry.turn and other.author == BOT]
            return [(token(other.id, index), option) for other in of_turn for index, option in enumerate(other.options)]
    return []


def meant_by_text(text: str, choices: Sequence[tuple[str, Option]]) -> Option | None:
    """The choice that a text names by its number ("1", "1.", "#1") or its title, or None."""
    number = _NUMBER.fullmatch(text.strip())
    if number is not None:
        index = int(number.group(1))
        return choices[index - 1][1] if 1 <= index <= len(choices) else None
    wanted = _folded(text)
    named = [option for _, option in choices if _folded(option.title) == wanted]
    return named[0] if wanted and len(named) == 1 else None


def _folded(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()
