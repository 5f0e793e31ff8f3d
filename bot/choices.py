"""Which choices a conversation has open, and which one a driver's answer means. Pure."""

from __future__ import annotations

import re
import unicodedata
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
    """The choice that a text names by its number ("1", "#1", "the second one", "la 2"), its title, or a word of one title only."""
    number = _NUMBER.fullmatch(text.strip())
    if number is not None:
        index = int(number.group(1))
        return choices[index - 1][1] if 1 <= index <= len(choices) else None
    wanted = _folded(text)
    named = [option for _, option in choices if _folded(option.title) == wanted]
    if wanted and len(named) == 1:
        return named[0]
    words = [word for word in wanted.split() if word not in _LITTLE]
    if len(words) > 1 and words[-1] == "one":
        words.pop()  # "the second one"
    if not words or len(words) > _MOST_WORDS or not choices:
        return None
    if len(words) == 1 and (position := _POSITIONS.get(words[0])) is not None:
        place = len(choices) - 1 if position == _LAST else position - 1
        return choices[place][1] if place < len(choices) else None
    if any(word.isdigit() for word in words):
        return None  # a number that is no choice says something of its own
    # "the cable one": every word of it is in one title, and in no other.
    fitting = [option for _, option in choices if set(words) <= set(_folded(option.title).split())]
    return fitting[0] if len(fitting) == 1 and len(choices) > 1 else None


_MOST_WORDS = 3
_LAST = -1
_POSITIONS = {
    **dict.fromkeys(("first", "1st", "primero", "primera", "premier", "premiere"), 1),
    **dict.fromkeys(("second", "2nd", "segundo", "segunda", "deuxieme", "seconde"), 2),
    **dict.fromkeys(("third", "3rd", "tercero", "tercera", "troisieme"), 3),
    **dict.fromkeys(("fourth", "cuarto", "cuarta", "quatrieme"), 4),
    **dict.fromkeys(("one", "uno", "una", "un", "une"), 1),
    **dict.fromkeys(("two", "dos", "deux"), 2),
    **dict.fromkeys(("three", "tres", "trois"), 3),
    **dict.fromkeys(("four", "cuatro", "quatre"), 4),
    **dict.fromkeys(("last", "ultimo", "ultima", "derniere", "dernier"), _LAST),
}
# Words around the one that counts.
_LITTLE = frozenset(
    [
        "the",
        "its",
        "it",
        "s",
        "is",
        "my",
        "option",
        "choice",
        "el",
        "la",
        "lo",
        "es",
        "opcion",
        "le",
        "l",
        "c",
        "est",
        "choix",
        "please",
    ]
)


def _folded(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in parts if not unicodedata.combining(character))
    return re.sub(r"[\W_]+", " ", plain).strip()
