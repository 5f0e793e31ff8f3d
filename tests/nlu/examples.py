"""Reads messages out of Rasa's training format, for tests that run without Rasa."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
TRAINING = ROOT / "data/nlu"
DEVELOPMENT = Path(__file__).parent / "dev"
BLIND = Path(__file__).parent / "blind"  # a second set, for judging only
LANGUAGES = ("en", "es", "fr")
_ENTITY = re.compile(r"\[([^\]]+)\]\([^)]+\)")


class Example(NamedTuple):
    text: str
    intent: str
    language: str


def examples(file: Path, language: str) -> Iterator[Example]:
    """The file's messages without entity marks; `language` where a block names none of its own."""
    for block in yaml.safe_load(file.read_text("utf-8"))["nlu"]:
        if "intent" not in block:
            continue
        own = (block.get("metadata") or {}).get("language", language)
        for line in block["examples"].splitlines():
            if line.startswith("- "):
                yield Example(_ENTITY.sub(r"\1", line[2:].strip()), block["intent"], own)


def training() -> list[Example]:
    return [
        one
        for language in LANGUAGES
        for file in sorted((TRAINING / language).glob("*.yml"))
        for one in examples(file, language)
    ]


def development(name: str, folder: Path = DEVELOPMENT) -> list[Example]:
    """`name`: a language, `hazards` or `hazard_slang`."""
    return list(examples(folder / f"{name}.yml", name if name in LANGUAGES else "en"))
