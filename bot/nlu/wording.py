"""What the bot says, by name and language: reads domain/responses/<language>.yml, so rewording needs no training.

A file's `responses` are those that rules name (English ones are part of the domain), its `texts` those that actions choose.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Text

import rasa.shared.utils.io
from rasa.core.nlg.response import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

Texts = Dict[Text, List[Dict[Text, Any]]]
DEFAULT_LANGUAGE = "en"


class WordingError(RuntimeError):
    """The wording files cannot be used; the message names the file."""


def read_wording(folder: Path) -> Dict[Text, Texts]:
    """Texts by language and name. Raises WordingError where a file is no mapping, or the default language is missing."""
    languages: Dict[Text, Texts] = {}
    for file in sorted(folder.glob("*.yml")):
        content = rasa.shared.utils.io.read_yaml_file(file)
        if not isinstance(content, dict):
            raise WordingError(f"{file}: a mapping with `responses` and `texts` is expected")
        languages[file.stem] = {**(content.get("responses") or {}), **(content.get("texts") or {})}
    if DEFAULT_LANGUAGE not in languages:
        raise WordingError(f"{folder / (DEFAULT_LANGUAGE + '.yml')} is missing")
    return languages


class Wording(TemplatedNaturalLanguageGenerator):
    """Chooses by the language that the front door names in the turn's metadata; English where a text is missing in it."""

    def __init__(self, endpoint_config: EndpointConfig, domain: Domain) -> None:
        super().__init__(domain.responses)
        folder = Path(endpoint_config.kwargs.get("folder", "domain/responses"))
        self._languages = {
            language: TemplatedNaturalLanguageGenerator(texts) for language, texts in read_wording(folder).items()
        }

    async def generate(
        self, utter_action: Text, tracker: DialogueStateTracker, output_channel: Text, **kwargs: Any
    ) -> Optional[Dict[Text, Any]]:
        for language in (self._language(tracker), DEFAULT_LANGUAGE):
            source = self._languages.get(language)
            if source is not None and utter_action in source.responses:
                return await source.generate(utter_action, tracker, output_channel, **kwargs)
        return await super().generate(utter_action, tracker, output_channel, **kwargs)

    @staticmethod
    def _language(tracker: DialogueStateTracker) -> Text:
        metadata = tracker.latest_message.metadata if tracker.latest_message is not None else None
        return str((metadata or {}).get("language") or DEFAULT_LANGUAGE)
