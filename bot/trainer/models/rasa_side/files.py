"""Training files are read once: a file that has not changed since is not parsed and validated again, which takes Rasa most of a warm start."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Dict, Optional, Tuple

from rasa.shared.nlu.training_data import loading
from rasa.shared.nlu.training_data.training_data import TrainingData

_read: Dict[Tuple[str, str], Optional[TrainingData]] = {}
_load = loading._load


def _load_once(filename: str, language: Optional[str] = "en") -> Optional[TrainingData]:
    """Rasa merges what it loads into a copy, so one object may be given out again."""
    key = (filename, hashlib.sha256(Path(filename).read_bytes()).hexdigest())
    if key not in _read:
        found = _load(filename, language)
        for old in [one for one in _read if one[0] == filename]:
            del _read[old]
        _read[key] = found
    return _read[key]


def install() -> None:
    loading._load = _load_once
