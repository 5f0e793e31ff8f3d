"""What a driver says beside the matter, found in the words because no intent tells it: wait a moment, are you a machine, try again.

Also whether a message is little more than a charger's number, whatever the model makes of it. Pure; beside.yml is its data.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

from actions.dialogue.reading import folded

WORDS = Path(__file__).with_name("beside.yml")
_SHORT = 9  # words; who writes more than that says something


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    content = yaml.safe_load(WORDS.read_text("utf-8"))
    return {name: re.compile(rf"\b(?:{'|'.join(parts)})\b") for name, parts in content.items()}


def asks_to_wait(text: str) -> bool:
    """A wish for time and nothing else: a number in it, or a wait that is the trouble itself, is more than that."""
    said = folded(text)
    short = len(said.split()) <= _SHORT and not re.search(r"\d{2}", said)
    return short and bool(_patterns()["wait"].search(said)) and not _patterns()["no_wait"].search(said)


def asks_if_machine(text: str) -> bool:
    return bool(_patterns()["machine"].search(folded(text)))


def asks_again(text: str) -> bool:
    """A wish to have it tried once more; what was tried in vain is none."""
    said = folded(text)
    return bool(_patterns()["again"].search(said)) and not _patterns()["in_vain"].search(said)


def only_a_number(text: str) -> bool:
    """One word with digits, and around it only words that say nothing of their own ("k its number 8331")."""
    said = folded(text)
    if "?" in text or _patterns()["asks"].match(said):
        return False
    numbers = [word for word in said.split() if re.search(r"\d", word)]
    return len(numbers) == 1 and not _patterns()["filler"].sub("", said.replace(numbers[0], " ")).strip(" -#.")
