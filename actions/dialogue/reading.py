"""Finds in a driver's words what the model's one intent does not tell: a second problem, a correction, anger. Pure; words.yml is its data."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

WORDS = Path(__file__).with_name("words.yml")
MOST_READ = 1600  # characters; longer messages are cut by the front door
# A charger is no wish to charge, in French neither.
_NOT_A_WISH = re.compile(
    r"\b(?:the|this|that|my|your|a|el|la|le|reboot|restart|reset) charger\b|\bchargers?\b(?= \S*\d)"
)
_ENGLISH_ENDING = re.compile(r"(?<=\w)['’](?=(?:s|t|re|ve|m|ll|d)\b)")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of trouble: lower `rank` is seen to first; `problem` is the intent that stands for it."""

    name: str
    rank: int
    problem: str
    intents: frozenset[str]
    words: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Table:
    plain: tuple[tuple[re.Pattern[str], str], ...]
    correction: re.Pattern[str]
    other: re.Pattern[str]
    wrong: re.Pattern[str]
    still_broken: re.Pattern[str]
    abuse: re.Pattern[str]
    question: re.Pattern[str]
    restart: re.Pattern[str]
    no_restart: re.Pattern[str]
    wants_charge: re.Pattern[str]
    kinds: tuple[Kind, ...]


@cache
def _table() -> _Table:
    content = yaml.safe_load(WORDS.read_text("utf-8"))
    kinds = (
        Kind(name, row["rank"], row["problem"], frozenset(row["intents"]), _pattern(row["words"]))
        for name, row in content["kinds"].items()
    )
    return _Table(
        plain=tuple((_pattern(pattern), word) for pattern, word in content["plain"]),
        correction=_pattern(content["correction"]),
        other=_pattern(content["other"]),
        wrong=_pattern(content["wrong"]),
        still_broken=_pattern(content["still_broken"]),
        abuse=_pattern(content["abuse"]),
        question=_pattern(content["question"]),
        restart=_pattern(content["restart"]["says"]),
        no_restart=_pattern(content["restart"]["unless"]),
        wants_charge=_pattern(content["restart"]["charge"]),
        kinds=tuple(sorted(kinds, key=lambda kind: kind.rank)),
    )


def _pattern(text: str) -> re.Pattern[str]:
    """Folded YAML lines are joined by a space before each `|`, which is no part of the words."""
    return re.compile(text.replace(" |", "|"))


def folded(text: str) -> str:
    """Lower case without accents, apostrophes joined in English and parted elsewhere, other signs as spaces."""
    parts = unicodedata.normalize("NFKD", text[:MOST_READ].lower().replace("œ", "oe"))
    plain = "".join(character for character in parts if not unicodedata.combining(character))
    return " ".join(re.sub(r"[^\w$%.#-]+", " ", _ENGLISH_ENDING.sub("", plain)).replace(". ", " ").split())


def plain(text: str) -> str:
    """The text with Spanish and French words for sides, connectors and measures in English, as actions/identify.py reads them."""
    parts = unicodedata.normalize("NFKD", text[:MOST_READ])
    result = "".join(character for character in parts if not unicodedata.combining(character))
    for pattern, word in _table().plain:
        result = re.sub(pattern.pattern, word, result, flags=re.IGNORECASE)
    return result


def takes_back(text: str) -> bool:
    """Whether the driver corrects what was said or taken before."""
    return bool(_table().correction.search(folded(text)))


def the_other(text: str) -> bool:
    return bool(_table().other.search(folded(text)))


def not_that_one(text: str) -> bool:
    return bool(_table().wrong.search(folded(text)))


def still_broken(text: str) -> bool:
    """Whether the driver says that what was tried or advised did not help."""
    return bool(_table().still_broken.search(folded(text)))


def orders_restart(text: str) -> bool:
    """Whether the driver tells the bot to restart a charger, and nothing beside it."""
    said, table = folded(text), _table()
    ordered = table.restart.search(said) is not None and table.no_restart.search(said) is None
    return ordered and table.wants_charge.search(_NOT_A_WISH.sub(" ", said)) is None


def asks(text: str) -> bool:
    """Whether the driver asks something."""
    return bool(_table().question.search(folded(text)))


def abusive(text: str) -> bool:
    return bool(_table().abuse.search(folded(text)))


def in_order(intent: str, text: str) -> tuple[str, str | None]:
    """What to see to first and what second, as names of intents: the model's own intent, and another kind of trouble in the words.

    A charge is not begun for words in passing: beside a stuck plug, or a question about prices, "not charging" is no second problem.
    """
    said = folded(text)
    own = next((kind for kind in _table().kinds if intent in kind.intents), None)
    if own is None:
        return intent, None
    wary = own.name not in ("power", "money")
    others = [
        kind
        for kind in _table().kinds
        if kind is not own and not (wary and kind.name == "power") and kind.words.search(said)
    ]
    if not others:
        return intent, None
    return (others[0].problem, intent) if others[0].rank < own.rank else (intent, others[0].problem)


def beside_danger(text: str) -> str | None:
    """The name of what is said of a second problem after a danger: a stuck cable stays where it is, questions of money are answered."""
    said = folded(text)
    for kind in _table().kinds:
        if kind.name != "power" and kind.words.search(said):  # nothing is begun at a charger that is dangerous
            return "say_hazard_stuck" if kind.name == "stuck" else f"say_{kind.problem}"
    return None


def both_kinds(text: str) -> tuple[str, str] | None:
    """Two kinds of trouble that the words alone show, the first to see to first."""
    said = folded(text)
    found = [kind for kind in _table().kinds if kind.words.search(said)]
    return (found[0].problem, found[1].problem) if len(found) > 1 else None
