"""Reads words/<language>.yml into regular expressions.

A pattern is written as words with single spaces, in plain letters (folded, see fold.py). In it `~3` is a gap of up to three
words and `<thing>` one word of the file's list of that name; the rest is regular expression, matched at whole words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

WORDS = Path(__file__).parent / "words"


class HazardWordsError(ValueError):
    """A file of danger words cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class Language:
    """`harmless` is taken out of a message before `dangers` are looked for, each kind of danger by its own expression."""

    name: str
    harmless: re.Pattern[str]
    dangers: dict[str, re.Pattern[str]]


def compiled(patterns: list[str], lists: dict[str, list[str]]) -> re.Pattern[str]:
    """One expression for all `patterns`. Raises KeyError for a list that is not there and re.error for a bad pattern."""

    def written_out(pattern: str) -> str:
        pattern = re.sub(r"<(\w+)>", lambda name: "(?:" + "|".join(lists[name[1]]) + ")", pattern)
        pattern = re.sub(r" ~(\d) ", r" (?:\\w+ ){0,\1}", pattern)
        return rf"(?:{pattern})"

    return re.compile(r"(?<!\w)(?:" + "|".join(map(written_out, patterns)) + r")(?!\w)")


@cache
def languages() -> tuple[Language, ...]:
    """Every language that has words. Raises HazardWordsError."""
    return tuple(_read(path) for path in sorted(WORDS.glob("*.yml")))


def _read(path: Path) -> Language:
    try:
        content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
        lists: dict[str, list[str]] = content.get("lists", {})
        return Language(
            path.stem,
            compiled(content["harmless"], lists),
            {kind: compiled(patterns, lists) for kind, patterns in content["dangers"].items()},
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, re.error) as error:
        raise HazardWordsError(f"{path}: {error}") from error
