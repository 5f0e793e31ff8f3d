"""Says a playbook's steps: hands response names and values to Rasa, which words them. No sentence is written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from rasa_sdk.executor import CollectingDispatcher

from actions.playbooks.steps import Choice, Say


class Titles:
    """Texts by language, for what Rasa does not word: buttons that an action makes, and words in danger."""

    def __init__(self, languages: dict[str, dict[str, str]]) -> None:
        self._languages = languages

    def of(self, choice: Choice, language: str) -> str:
        """The choice's title in `language`, else in English; raises KeyError for a name that has no text."""
        return self.text(choice.name, choice.values, language)

    def text(self, name: str, values: Mapping[str, str], language: str) -> str:
        """Any text by its name, as `of`."""
        template = self._languages.get(language, {}).get(name) or self._languages["en"][name]
        return template.format_map(dict(values))


def read_titles(files: dict[str, str]) -> Titles:
    """`files`: the content of domain/responses/<language>.yml by language."""
    languages = {}
    for language, content in files.items():
        texts = (yaml.safe_load(content) or {}).get("texts") or {}
        languages[language] = {name: rows[0]["text"] for name, rows in texts.items()}
    return Titles(languages)


# After these words something takes a while: for so many seconds channels that can show that it goes on.
_GOES_ON_S = {
    "say_starting": 30,
    "say_still_waiting": 120,
    "say_resetting": 180,
    "say_making_operative": 60,
    "say_session_ending": 20,
    "say_finish_waiting": 120,
    "say_unlocking": 30,
    "say_unlock_retry": 60,
    "say_unlock_soon": 60,
    "say_unlock_once_more": 30,
}


def shown_beside(say: Say) -> dict[str, Any] | None:
    """What channels with cards show beside the words."""
    if say.shown is not None:
        return dict(say.shown)
    within_s = _GOES_ON_S.get(say.name)
    return None if within_s is None else {"kind": "progress", "within_s": within_s}


def speak(dispatcher: CollectingDispatcher, say: Say, titles: Titles, language: str) -> None:
    buttons: list[dict[str, Any]] = [
        {"title": titles.of(choice, language), "payload": choice.payload} for choice in say.choices
    ]
    dispatcher.utter_message(
        response=say.name, buttons=buttons or None, json_message=shown_beside(say), **dict(say.values)
    )
