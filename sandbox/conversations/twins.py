"""Reads a sentence of the product in another language as its English twin: the tables of `domain/responses` say the same under the same name.

So the judge's English tables hold for every language that the product speaks, also for sentences that are written later. What a bot says in
its own words is left to the tables of `words/`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chargeline.processes import ROOT

RESPONSES = ROOT / "domain" / "responses"
ORIGINAL = "en"
LEAST_LETTERS = 12  # a shorter sentence, as "{charger}, {site}", could be found anywhere
_VALUE = re.compile(r"\{(\w+)\}")
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\u202f": " "})


def plain(text: str) -> str:
    """Small letters without accents, straight quotes: SMS are folded so too, in part."""
    decomposed = unicodedata.normalize("NFD", text.translate(_QUOTES))
    return "".join(each for each in decomposed if not unicodedata.combining(each)).strip().lower()


@dataclass(frozen=True, slots=True)
class Twin:
    name: str
    pattern: re.Pattern[str]
    english: str

    def put_into(self, text: str) -> str:
        """The text with its English twin in place of this sentence, where the text holds it."""
        return self.pattern.sub(lambda said: _VALUE.sub(lambda v: said.groupdict().get(v[1]) or "", self.english), text)


def in_english(text: str, folder: Path = RESPONSES) -> str:
    """The text, small and without accents, with the English twin in place of each sentence of the product in another language."""
    small = re.sub(r"[ \t]+", " ", plain(text))
    for twin in twins(folder):
        small = twin.put_into(small)
    return small


@cache
def twins(folder: Path = RESPONSES) -> tuple[Twin, ...]:
    english = {name: texts[0] for name, texts in _texts(folder / f"{ORIGINAL}.yml") if texts}
    found = []
    for path in sorted(folder.glob("*.yml")):
        if path.stem == ORIGINAL:
            continue
        for name, texts in _texts(path):
            for text in texts:
                if name in english and len(re.sub(r"[^a-z]", "", _VALUE.sub("", plain(text)))) >= LEAST_LETTERS:
                    found.append(Twin(name, _pattern(text), plain(english[name])))
    # The longest first: a short sentence may be the beginning of a longer one.
    return tuple(sorted(found, key=lambda each: -len(each.pattern.pattern)))


def _texts(path: Path) -> Iterator[tuple[str, list[str]]]:
    raw: Mapping[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    for group in ("responses", "texts"):
        for name, rows in (raw.get(group) or {}).items():
            yield name, [row["text"] for row in rows if "text" in row]


def _pattern(text: str) -> re.Pattern[str]:
    seen: set[str] = set()

    def hole(name: str) -> str:
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>.{{0,120}}?)"

    parts = _VALUE.split(re.sub(r"\s+", " ", plain(text)))
    # A line's end may stand where the text has one, or have been made a space on its way.
    words = [r"\s+".join(map(re.escape, part.split(" "))) for part in parts]
    written = "".join(hole(parts[index]) if index % 2 else word for index, word in enumerate(words))
    return re.compile(rf"(?<!\w){written}(?!\w)")
