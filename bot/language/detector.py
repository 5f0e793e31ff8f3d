"""Weighs the words of a message for each language; a change needs more than one stray word."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

WORDS = Path(__file__).with_name("words.yml")
LANGUAGES = ("en", "es", "fr")
MAX_LOOKED_AT = 2000  # characters
# How much more another language has to weigh before it takes over; a word that only it has weighs 1.
MARGIN = 2.0
WEAK = 0.5
# Letters that only one of the three languages writes.
_LETTERS = {
    "es": re.compile("[ñ¿¡]"),
    "fr": re.compile("[çœêèàûîô]|qu['’]|\\b[cjlnd]['’](?=[aeéèêiouhy])", re.IGNORECASE),
}
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class _Table:
    words: frozenset[str]
    weak: frozenset[str]
    asks: re.Pattern[str]


@cache
def _tables() -> dict[str, _Table]:
    content = yaml.safe_load(WORDS.read_text("utf-8"))
    return {
        language: _Table(
            frozenset(content[language]["words"].split()),
            frozenset(content[language]["weak"].split()),
            re.compile("|".join(rf"(?<!\w)(?:{ask})(?!\w)" for ask in content[language]["asks"])),
        )
        for language in LANGUAGES
    }


def detect(text: str, previous: str) -> str:
    """The language to answer in: `previous` unless the message asks for another one or is clearly written in it.

    `previous` is "" where nothing is known yet; then one greeting tells, and "" comes back where nothing does.
    """
    plain = _without_accents(text[:MAX_LOOKED_AT].lower())
    words = _WORD.findall(plain)
    spaced = " ".join(words)
    for language, table in _tables().items():
        if table.asks.search(spaced):
            return language
    weights = {language: _weight(words, table) for language, table in _tables().items()}
    for language, letters in _LETTERS.items():
        weights[language] += min(2, len(letters.findall(text[:MAX_LOOKED_AT].lower())))
    best = max(LANGUAGES, key=lambda language: (weights[language], language == previous))
    here = weights.get(previous, 0.0)
    if best == previous or weights[best] == 0:
        return previous
    if not previous:
        return best if sum(weight == weights[best] for weight in weights.values()) == 1 else previous
    # A short message that has nothing at all of the language until now, and is wholly in another one, is enough too; but
    # not if it is all courtesy.
    table = _tables()[best]
    said = any(word in table.words for word in words) or weights[best] > _weight(words, table)
    wholly = (
        said
        and here == 0
        and weights[best] >= max(WEAK, 0.5 * len(words))
        and (len(words) > 1 or (weights[best] >= 1 and len(spaced) > 2))
    )
    return best if weights[best] - here >= MARGIN or wholly else previous


def _weight(words: list[str], table: _Table) -> float:
    return sum(1.0 if word in table.words else WEAK if word in table.weak else 0.0 for word in words)


def _without_accents(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.replace("œ", "oe"))
    return "".join(character for character in parts if not unicodedata.combining(character))
