"""Every sentence exists in every language, with the same values in it, short enough for a text message."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
import yaml

from bot.texts import FOLDER as FRONT_DOOR
from tests.nlu.examples import LANGUAGES

DIALOGUE = Path(__file__).parents[2] / "domain/responses"
CARRIER_WORDS = re.compile(r"\b(STOP|END|CANCEL|QUIT|UNSUBSCRIBE|START|YES|HELP|INFO|ARRET)\b")
# Two segments of plain letters. With accents kept a message costs more; the channel decides whether it keeps them.
MOST_LETTERS = 2 * 153
# What values are filled in with is counted at this length.
VALUE_LETTERS = 8


@cache
def texts(language: str) -> dict[str, str]:
    content = yaml.safe_load((DIALOGUE / f"{language}.yml").read_text("utf-8"))
    return {name: rows[0]["text"] for part in ("responses", "texts") for name, rows in content.get(part, {}).items()}


def values(text: str) -> set[str | None]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_no_sentence_is_missing_in_a_language(language: str) -> None:
    assert set(texts(language)) == set(texts("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_says_the_same_values(language: str) -> None:
    wrong = {name for name, text in texts(language).items() if values(text) != values(texts("en")[name])}
    assert wrong == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_fits_two_segments_and_invites_no_carrier_word(language: str) -> None:
    for name, text in texts(language).items():
        assert len(re.sub(r"\{\w+\}", "x" * VALUE_LETTERS, text)) <= MOST_LETTERS, name
        assert name == "say_opt_out" or not CARRIER_WORDS.search(text), name
        assert "\n\n" not in text, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_front_door_has_its_own_sentences_in_every_language(language: str) -> None:
    def table(name: str) -> dict[str, Any]:
        read: dict[str, Any] = yaml.safe_load((FRONT_DOOR / f"{name}.yml").read_text("utf-8"))
        return read

    assert set(table(language)) == set(table("en"))
    for key, text in table(language).items():
        if isinstance(text, str):
            assert values(text) == values(table("en")[key]), key
