"""What the worker can be asked: train, cross_validate, parse, embed, group. Each is a method whose arguments are the call's fields."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np

from bot.trainer.models.rasa_side import files, training
from bot.trainer.models.rasa_side.memory import Memory, Progress
from bot.trainer.models.rasa_side.reading import Reader

_MODELS_KEPT = 3
_MOST_TWINS, _BLOCK = 3000, 512
_ROUND = 5  # decimals of a vector's numbers


class UnknownCall(ValueError):
    """There is no such call."""


class Calls:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        files.install()
        self._memory = Memory(Path(os.environ.get("VAR_DIR") or "var") / "desk" / "embeddings", progress)
        self._readers: Dict[Tuple[str, float], Reader] = {}

    def answer(self, call: str, arguments: Dict[str, Any]) -> Any:
        method = {
            "train": self.train,
            "cross_validate": self.cross_validate,
            "parse": self.parse,
            "embed": self.embed,
            "group": self.group,
            "twins": self.twins,
        }.get(call)
        if method is None:
            raise UnknownCall(f"no such call: {call}")
        self._memory.begin(training=call == "train")
        found = method(**arguments)
        self._memory.store()
        return found

    def train(self, out: str, name: str) -> Dict[str, Any]:
        """Checks the data, then trains OUT/NAME.tar.gz on it."""
        return training.train(Path(out), name, self._progress)

    def cross_validate(self, folds: int = 5) -> Dict[str, Any]:
        """Each training message as understood by a model that learned from the other folds: texts, labels and what was heard."""
        return training.cross_validate(folds, self._progress)

    def parse(self, model: str, texts: List[str]) -> List[Dict[str, Any]]:
        """`model`: its file. What each text is understood as, in order."""
        return self._reader(Path(model)).read(texts, self._progress)

    def embed(self, texts: List[str]) -> List[List[float]]:
        """512 numbers a text, of unit length, in any language: their product is how alike two texts are."""
        return np.round(self._vectors(texts), _ROUND).tolist()

    def group(self, texts: List[str], alike: float = 0.8) -> List[List[int]]:
        """Places of texts that mean nearly the same, by group: each text joins the first group whose first text is that alike."""
        rows = self._vectors(texts)
        groups: List[List[int]] = []
        heads: List[np.ndarray] = []
        for place, row in enumerate(rows):
            near = np.stack(heads) @ row if heads else np.zeros(0)
            best = int(near.argmax()) if len(near) else -1
            if best >= 0 and near[best] >= alike:
                groups[best].append(place)
            else:
                groups.append([place])
                heads.append(row)
        return groups

    def twins(self, texts: List[str], alike: float) -> List[Tuple[int, int, float]]:
        """Pairs of places whose texts are at least so alike, the most alike first; at most _MOST_TWINS."""
        rows = self._vectors(texts)
        found: List[Tuple[float, int, int]] = []
        for first in range(0, len(rows), _BLOCK):
            near = rows[first : first + _BLOCK] @ rows.T
            for down, across in zip(*np.nonzero(near >= alike), strict=True):
                if first + down < across:
                    found.append((float(near[down, across]), int(first + down), int(across)))
        found.sort(key=lambda pair: (-pair[0], pair[1:]))
        return [(one, two, round(score, _ROUND)) for score, one, two in found[:_MOST_TWINS]]

    def _vectors(self, texts: List[str]) -> np.ndarray:
        rows = self._memory.every_language([training.words(text) for text in texts])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)

    def _reader(self, file: Path) -> Reader:
        key = (str(file), file.stat().st_mtime)
        if key not in self._readers:
            self._readers[key] = Reader(file)
            while len(self._readers) > _MODELS_KEPT:
                del self._readers[next(iter(self._readers))]
        return self._readers[key]
