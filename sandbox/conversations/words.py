"""Reads the bot's sentences by tables of patterns (`words/<language>.yml`): claims, what it tells, asks and promises.

All languages are looked for in every text, whoever it was said to: a bot may answer in the wrong one. Sentences of the product itself are read as
their English twins (`twins`). It decides nothing: what a claim is worth, `claims.py` says by telemetry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from sandbox.conversations.twins import in_english
from sandbox.conversations.twins import plain as plain

TABLES = Path(__file__).parent / "words"
GROUPS = ("claims", "tells", "asks", "promises", "did")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+|;\s+")
_LABEL = re.compile(r"(?<![\w.+-])(?:[a-z]{2}-)?(\d{3,6})(?![\w-]|[.,]\d)", re.I)


@dataclass(frozen=True, slots=True)
class Entry:
    says: tuple[re.Pattern[str], ...]
    unless: re.Pattern[str] | None

    def in_sentence(self, sentence: str) -> bool:
        return any(each.search(sentence) for each in self.says) and not (self.unless and self.unless.search(sentence))


@dataclass(frozen=True, slots=True)
class Found:
    """A name of the table and the sentence in which it was found."""

    name: str
    sentence: str


class Words:
    """The tables of all languages, a driver's own first."""

    def __init__(self, languages: Iterable[str], *, twins: bool = True) -> None:
        self._tables = [(_table(language), _reassurance(language)) for language in languages]
        self._twins = twins

    @staticmethod
    @cache
    def of(language: str) -> Words:
        there = sorted(path.stem for path in TABLES.glob("*.yml"))
        return Words(sorted(there, key=lambda name: (name != language, name != "en", name)))

    @staticmethod
    def all_names(group: str) -> tuple[str, ...]:
        return tuple(_table("en")[group])

    def find(self, group: str, text: str) -> list[Found]:
        """All names of the group that the text says, each once, in the order of the sentences."""
        found: dict[str, Found] = {}
        for sentence in sentences(in_english(text) if self._twins else text):
            for table, reassurance in self._tables:
                said = reassurance.sub("", sentence)
                for name, entry in table.get(group, {}).items():
                    if name not in found and entry.in_sentence(said):
                        found[name] = Found(name, sentence)
        return list(found.values())

    def says(self, group: str, name: str, text: str) -> bool:
        return any(each.name == name for each in self.find(group, text))


def sentences(text: str) -> list[str]:
    return [each.strip() for each in _SENTENCE.split(plain(text)) if each.strip()]


def labels_in(text: str, known: Iterable[str]) -> list[str]:
    """The known charger labels that the text names, in its order."""
    wanted = {label.lower(): label for label in known}
    named = (wanted.get(each.group(1).lower()) for each in _LABEL.finditer(plain(text)))
    return list(dict.fromkeys(each for each in named if each is not None))


def names_unknown_charger(text: str, known: Iterable[str]) -> bool:
    """Whether it names something like a charger's label and none that there is."""
    return bool(_LABEL.search(plain(text))) and not labels_in(text, known)


@cache
def _table(language: str) -> Mapping[str, Mapping[str, Entry]]:
    raw = yaml.safe_load((TABLES / f"{language}.yml").read_text("utf-8"))
    return {group: {name: _entry(row) for name, row in raw.get(group, {}).items()} for group in GROUPS}


@cache
def _reassurance(language: str) -> re.Pattern[str]:
    """What may stand before a sentence and turns nothing round, though it has a "no" in it."""
    raw = yaml.safe_load((TABLES / f"{language}.yml").read_text("utf-8"))
    return re.compile(raw["reassures"])


def _entry(row: Mapping[str, object]) -> Entry:
    says, unless = row["says"], row.get("unless")
    assert isinstance(says, list)
    return Entry(tuple(re.compile(each) for each in says), re.compile(str(unless)) if unless else None)
