"""What the sentence encoders made of each text, kept: a training after ten new messages embeds ten messages, not seven thousand.

Training messages are kept on disk as well, under a name that carries a hash of the encoders' code and lock, so that a restarted worker
is quick too. What drivers wrote is kept in the process's memory only, and ends with it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Type

import numpy as np

from bot.nlu.featurizer import SentenceFeaturizer
from bot.nlu.minilm import EnglishSentenceFeaturizer

MOST = 100_000  # texts kept by an encoder: 360 MB of 900 numbers each
_BATCH = 32
_CODE = ("featurizer.py", "minilm.py", "wordpiece.py", "minilm_vocab.txt", "requirements.lock")

Progress = Callable[[str, int, int], None]


def encoders_version() -> str:
    folder = Path(__file__).parents[3] / "nlu"
    whole = hashlib.sha256()
    for name in _CODE:
        whole.update((folder / name).read_bytes())
    return whole.hexdigest()[:12]


class Remembered:
    """One encoder with its memory; called with texts, returns their vectors in order."""

    def __init__(self, name: str, encode: Callable[[List[str]], Any], folder: Path, progress: Progress) -> None:
        self.name = name
        self._encode = encode
        self._file = folder / f"{name}-{encoders_version()}.npz"
        self._progress = progress
        self._known: Dict[str, np.ndarray] = {}
        self._asked = 0
        self._lasting: Dict[str, None] = {}  # texts of the training that is going on
        self.training = False
        if self._file.is_file():
            try:
                with np.load(self._file, allow_pickle=False) as stored:
                    self._known = dict(zip(str(stored["joined"]).split("\n"), stored["rows"], strict=True))
            except (OSError, ValueError, KeyError):  # damaged: it is only a memory
                self._file.unlink(missing_ok=True)

    def __call__(self, texts: List[str]) -> List[np.ndarray]:
        missing = list(dict.fromkeys(text for text in texts if text not in self._known))
        self._asked += len(texts)
        if missing:
            self._progress("reading sentences", self._asked, 0)
        for first in range(0, len(missing), _BATCH):
            batch = missing[first : first + _BATCH]
            for text, row in zip(batch, self._encode(batch)):
                self._known[text] = np.asarray(row, dtype=np.float32).ravel()
        found = [self._known[text] for text in texts]
        if self.training:
            self._lasting.update(dict.fromkeys(texts))
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return found

    def begin(self, training: bool) -> None:
        """A call begins: progress counts from nothing, and its texts last where they are a training's."""
        self._asked, self._lasting, self.training = 0, {}, training

    def store(self) -> None:
        """Writes the messages of the training that has ended, and only those; whole or not at all."""
        texts = [text for text in self._lasting if "\n" not in text and text in self._known]
        if not texts:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_name(f"{self._file.name}.{os.getpid()}.npz")
        np.savez(part, joined=np.array("\n".join(texts)), rows=np.stack([self._known[text] for text in texts]))
        os.replace(part, self._file)
        for old in self._file.parent.glob(f"{self.name}-*.npz"):
            if old != self._file:
                old.unlink(missing_ok=True)


class Memory:
    """Both encoders, remembered, and put in the featurizers' hands: they ask their class for an encoder."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress
        self._loaded: Dict[str, Remembered] = {}
        for name, kind in (("every_language", SentenceFeaturizer), ("english", EnglishSentenceFeaturizer)):
            self._take_over(name, kind)

    def every_language(self, texts: List[str]) -> np.ndarray:
        return np.vstack(self._loaded["every_language"](texts)) if texts else np.zeros((0, 512), dtype=np.float32)

    def begin(self, training: bool) -> None:
        for each in self._loaded.values():
            each.begin(training)

    def store(self) -> None:
        for each in self._loaded.values():
            each.store()

    def _take_over(self, name: str, kind: Type[SentenceFeaturizer]) -> None:
        load = kind.encoder

        def encoder() -> Remembered:
            if name not in self._loaded:
                self._loaded[name] = Remembered(name, load(), self._folder, self._progress)
            return self._loaded[name]

        kind.encoder = staticmethod(encoder)  # type: ignore[method-assign]  # the one place that does it
        encoder()
