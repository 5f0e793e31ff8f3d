"""Training files are read once: a file that has not changed since is not parsed and validated again, which would take most of a warm
training. Rasa copies all messages to the last value each time it merges files; here each message is copied once, when it is handed out.
"""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from rasa.shared.nlu.training_data import loading
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

_read: Dict[Tuple[str, str], Optional[TrainingData]] = {}
_load = loading._load


def fresh(messages: List[Message]) -> List[Message]:
    """Copies to which a pipeline may add what it finds."""
    return [
        Message({name: copy.copy(value) for name, value in one.data.items()}, set(one.output_properties), one.time)
        for one in messages
    ]


def _load_once(filename: str, language: Optional[str] = "en") -> Optional[TrainingData]:
    key = (filename, hashlib.sha256(Path(filename).read_bytes()).hexdigest())
    if key not in _read:
        found = _load(filename, language)
        for old in [one for one in _read if one[0] == filename]:
            del _read[old]
        _read[key] = found
    kept = _read[key]
    return None if kept is None else _together([kept], fresh(kept.training_examples))


def _merge(self: TrainingData, *others: Optional[TrainingData]) -> TrainingData:
    """In place of Rasa's: the same, sharing the messages."""
    parts = [self, *(other for other in others if other)]
    return _together(parts, [message for part in parts for message in part.training_examples])


def _together(parts: List[TrainingData], messages: List[Message]) -> TrainingData:
    return TrainingData(
        messages,
        {text: value for part in parts for text, value in part.entity_synonyms.items()},
        [dict(pattern) for part in parts for pattern in part.regex_features],
        [dict(table) for part in parts for table in part.lookup_tables],
        {name: value for part in parts for name, value in part.responses.items()},
    )


def install() -> None:
    loading._load = _load_once
    TrainingData.merge = _merge  # type: ignore[method-assign]  # for this process only
