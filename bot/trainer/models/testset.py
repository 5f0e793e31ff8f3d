"""The fixed test set: messages that no model has learned from, with what they mean (tests/nlu/dev, and tests/nlu/blind where it is).

Messages of the blind part are counted and never shown: who trains must not see them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDERS = {"dev": False, "blind": True}
LANGUAGES = ("en", "es", "fr")
_ENTITY = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\{[^}]*\})")


class TestSetError(Exception):
    """The test set cannot be read; the message says which file and why."""

    __test__ = False  # no test of pytest's


@dataclass(frozen=True, slots=True)
class Labelled:
    text: str
    meant: str
    language: str
    blind: bool = False


def read(folder: Path) -> list[Labelled]:
    """`folder` holds `dev` and perhaps `blind`. Raises TestSetError where there is nothing, or a file is broken."""
    found = [
        one
        for name, blind in FOLDERS.items()
        for file in sorted((folder / name).glob("*.yml"))
        for one in messages_of(file, blind)
    ]
    if not found:
        raise TestSetError(f"there is no test set in {folder}")
    return found


def messages_of(file: Path, blind: bool = False) -> Iterator[Labelled]:
    """The messages of a file in Rasa's training format. Raises TestSetError."""
    try:
        blocks: list[dict[str, Any]] = yaml.safe_load(file.read_text("utf-8"))["nlu"]
        for block in blocks:
            if "intent" not in block:
                continue
            language = (block.get("metadata") or {}).get("language") or _language_of(file)
            for line in block["examples"].splitlines():
                if line.startswith("- "):
                    yield Labelled(_ENTITY.sub(r"\1", line[2:].strip()), block["intent"], language, blind)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise TestSetError(f"{file} cannot be read: {' '.join(str(error).split())}") from error


def _language_of(file: Path) -> str:
    return next((name for name in (file.stem, file.stem[:2]) if name in LANGUAGES), "en")
