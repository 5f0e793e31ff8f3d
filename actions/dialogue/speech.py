"""Says a playbook's steps: hands response names and values to Rasa, which words them. No sentence is written here."""

from __future__ import annotations

from typing import Any

import yaml
from rasa_sdk.executor import CollectingDispatcher

from actions.playbooks.steps import Choice, Say


class Titles:
    """Titles of choices by language; Rasa words responses, but not the buttons that an action makes."""

    def __init__(self, languages: dict[str, dict[str, str]]) -> None:
        self._languages = languages

    def of(self, choice: Choice, language: str) -> str:
        """The choice's title in `language`, else in English; raises KeyError for a name that has no text."""
        texts = self._languages.get(language, {})
        template = texts.get(choice.name) or self._languages["en"][choice.name]
        return template.format_map(choice.values)


def read_titles(files: dict[str, str]) -> Titles:
    """`files`: the content of domain/responses/<language>.yml by language."""
    languages = {}
    for language, content in files.items():
        texts = (yaml.safe_load(content) or {}).get("texts") or {}
        languages[language] = {name: rows[0]["text"] for name, rows in texts.items()}
    return Titles(languages)


def speak(dispatcher: CollectingDispatcher, say: Say, titles: Titles, language: str) -> None:
    buttons: list[dict[str, Any]] = [
        {"title": titles.of(choice, language), "payload": choice.payload} for choice in say.choices
    ]
    dispatcher.utter_message(response=say.name, buttons=buttons or None, **dict(say.values))
