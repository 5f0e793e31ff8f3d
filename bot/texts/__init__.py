"""The front door's own sentences, by language; everything else that drivers read is written in domain/responses."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
DEFAULT_LANGUAGE = "en"


@cache
def _table(language: str) -> dict[str, Any]:
    path = FOLDER / f"{language}.yml"
    table: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return table


def languages() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yml"))


def text(language: str, key: str, **values: str) -> str:
    """The sentence `key` with its values filled in; in English where the language has no table."""
    table = _table(language if language in languages() else DEFAULT_LANGUAGE)
    return str(table[key]).format(**values).strip()


def other_words(language: str) -> dict[str, str]:
    """For a choice that is nothing but a carrier keyword: what to write in its place (lower case → words)."""
    table = _table(language if language in languages() else DEFAULT_LANGUAGE)
    return dict(table["other_words"])
