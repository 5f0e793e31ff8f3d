"""The language of a message: found where it is plain, kept where it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language import LANGUAGES, detect
from tests.nlu.examples import development


@pytest.mark.parametrize("language", LANGUAGES)
def test_longer_messages_are_answered_in_their_language_whatever_came_before(language: str) -> None:
    messages = [one.text for one in development(language) if len(one.text.split()) >= 6]
    for previous in LANGUAGES:
        assert sum(detect(text, previous) == language for text in messages) >= 0.95 * len(messages)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_driver_does_not_lose_the_language_by_one_message(language: str) -> None:
    messages = [one.text for one in development(language)]
    assert sum(detect(text, language) == language for text in messages) >= 0.98 * len(messages)


@pytest.mark.parametrize(
    ("text", "previous", "language"),
    [
        ("no carga mi carro", "en", "es"),
        ("ma borne marche pas", "en", "fr"),
        ("my car wont charge", "fr", "en"),
        ("speak english please", "es", "en"),
        ("en español por favor", "en", "es"),
        ("français svp", "en", "fr"),
        ("Hola, buenas tardes", "en", "es"),
        ("ok gracias", "en", "en"),
        ("merci", "en", "en"),
        ("ok", "fr", "fr"),
        ("1042", "es", "es"),
        ("CL-1042", "fr", "fr"),
        ("👍", "es", "es"),
        ("", "fr", "fr"),
        ("no jala", "en", "es"),
        ("reembolso", "en", "es"),
        ("remboursement", "en", "fr"),
        ("el charger no jala", "en", "es"),
        ("my cable esta atorado", "en", "en"),
        ("my cable esta atorado", "es", "es"),
        ("switch to spanish", "en", "es"),
        ("prefiero español", "en", "es"),
        ("no hablo ingles", "en", "es"),
        ("je parle pas anglais", "en", "fr"),
        ("i dont speak spanish", "es", "en"),
        ("en ingles porfa", "es", "en"),
        ("la app esta en ingles", "es", "es"),
        ("ok thanks", "es", "es"),
        ("ya", "en", "en"),
        ("go", "fr", "fr"),
        ("¡", "en", "en"),
    ],
)
def test_one_message(text: str, previous: str, language: str) -> None:
    assert detect(text, previous) == language


@given(st.text(max_size=200), st.sampled_from(LANGUAGES))
def test_any_text_has_one_of_the_languages(text: str, previous: str) -> None:
    assert detect(text, previous) in LANGUAGES


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hola", "es"),
        ("hola buenas", "es"),
        ("gracias", "es"),
        ("Bonjour!", "fr"),
        ("salut", "fr"),
        ("oui", "fr"),
        ("hi", "en"),
        ("1042 wont start", "en"),
        ("no carga", "es"),
        ("hola hello", ""),
        ("1042", ""),
        ("ok", "en"),
        ("", ""),
        ("👍", ""),
    ],
)
def test_of_somebody_new_one_greeting_tells(text: str, language: str) -> None:
    assert detect(text, "") == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_somebody_new_is_heard_like_somebody_known(language: str) -> None:
    messages = [example.text for example in development(language)]
    assert sum(detect(text, "") in {language, ""} for text in messages) >= 0.95 * len(messages)
