"""What the bot says, by name and language: reads domain/responses/<language>.yml, so rewording needs no training.

A file's `responses` are those that rules name (English ones are part of the domain), its `texts` those that actions choose.
A row with a `channel` is said there in place of the others. What differs by a word alone is not written twice: `words` names,
by channel, the words that are another one there (nobody texts on a web page).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Text, Tuple

import rasa.shared.utils.io
import structlog
from rasa.core.nlg.response import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import RasaException
from rasa.utils.endpoints import EndpointConfig
from ruamel.yaml.error import YAMLError

log = structlog.get_logger(__name__)

Texts = Dict[Text, List[Dict[Text, Any]]]
State = Tuple[Tuple[Text, int, int], ...]
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
        texts = {**(content.get("responses") or {}), **(content.get("texts") or {})}
        languages[file.stem] = with_channels(texts, content.get("words") or {})
    if DEFAULT_LANGUAGE not in languages:
        raise WordingError(f"{folder / (DEFAULT_LANGUAGE + '.yml')} is missing")
    return languages


def with_channels(texts: Texts, words: Mapping[Text, Mapping[Text, Text]]) -> Texts:
    """`texts`, with a row more for each channel in which one of its `words` differs and that has no row of its own."""
    return {
        name: rows + [row for channel, others in words.items() for row in _own_rows(rows, channel, others)]
        for name, rows in texts.items()
    }


def _own_rows(rows: List[Dict[Text, Any]], channel: Text, others: Mapping[Text, Text]) -> List[Dict[Text, Any]]:
    if any(row.get("channel") == channel for row in rows):
        return []
    common = [row for row in rows if "channel" not in row]
    changed = [{**row, "text": put_as(row["text"], others), "channel": channel} for row in common]
    return changed if any(new["text"] != row["text"] for new, row in zip(changed, common, strict=True)) else []


def put_as(text: Text, others: Mapping[Text, Text]) -> Text:
    """The text with each of these words as the other one; a capital letter stays one."""

    def other(found: "re.Match[Text]") -> Text:
        word = others[found[0].lower()]
        return word[0].upper() + word[1:] if found[0][0].isupper() else word

    return re.sub(rf"\b(?:{'|'.join(map(re.escape, others))})\b", other, text, flags=re.IGNORECASE)


class Wording(TemplatedNaturalLanguageGenerator):
    """Chooses by the language and channel that the front door names in the turn's metadata; English where a text is missing."""

    def __init__(self, endpoint_config: EndpointConfig, domain: Domain) -> None:
        super().__init__(domain.responses)
        self._folder = Path(endpoint_config.kwargs.get("folder", "domain/responses"))
        self._languages: Dict[Text, TemplatedNaturalLanguageGenerator] = {}
        self._read: State = ()
        self._read_anew()

    async def generate(
        self, utter_action: Text, tracker: DialogueStateTracker, output_channel: Text, **kwargs: Any
    ) -> Optional[Dict[Text, Any]]:
        self._read_if_changed()
        said = (tracker.latest_message.metadata if tracker.latest_message is not None else None) or {}
        channel = str(said.get("channel") or output_channel)
        for language in (str(said.get("language") or DEFAULT_LANGUAGE), DEFAULT_LANGUAGE):
            source = self._languages.get(language)
            if source is not None and utter_action in source.responses:
                return await source.generate(utter_action, tracker, channel, **kwargs)
        return await super().generate(utter_action, tracker, channel, **kwargs)

    def _read_if_changed(self) -> None:
        """Trainers reword while this runs. A file that cannot be read now leaves the wording as it was."""
        try:
            if _state(self._folder) != self._read:
                self._read_anew()
        except (WordingError, RasaException, OSError, UnicodeDecodeError, YAMLError) as error:
            self._read = _state(self._folder)  # told once, not with every turn
            log.error("wording_not_read", error=str(error))

    def _read_anew(self) -> None:
        state = _state(self._folder)
        self._languages = {
            language: TemplatedNaturalLanguageGenerator(texts) for language, texts in read_wording(self._folder).items()
        }
        self._read = state


def _state(folder: Path) -> State:
    """Changes with any of the files."""
    found = [(file.name, file.stat()) for file in sorted(folder.glob("*.yml"))]
    return tuple((name, status.st_mtime_ns, status.st_size) for name, status in found)
