"""Training and cross-validation by Rasa's own trainer, inside the warm process: what `rasa train` does, and `rasa data validate`."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
from rasa import model_training
from rasa.engine.graph import GraphNodeHook
from rasa.engine.training import graph_trainer
from rasa.shared.core.training_data.structures import StoryGraph
from rasa.shared.data import TrainingType
from rasa.shared.importers.importer import TrainingDataImporter
from rasa.shared.nlu.constants import INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.training_data import TrainingData
from rasa.validator import Validator
from sklearn.model_selection import StratifiedKFold

from bot.nlu.normalise import plain
from bot.trainer.models.rasa_side.faults import DataFault, refuse_broken_files
from bot.trainer.models.rasa_side.files import fresh
from bot.trainer.models.rasa_side.memory import Progress
from bot.trainer.models.rasa_side.reading import Reader

CONFIG, DOMAIN, DATA = "config.yml", "domain", "data"
SEED = 11
_MOST_FINDINGS = 50
_NOT_OF_DATA = ("Slot auto-fill has been removed",)  # what Rasa says of itself whatever the data are
_QUOTED = re.compile(r"'(.+?)'", re.DOTALL)
_COMPONENTS = {
    "SmsIntentClassifier": "learning meanings",
    "RulePolicy": "learning rules",
    "RegexEntityExtractor": "learning patterns",
}


def words(text: str) -> str:
    """A text as the sentence encoders see it."""
    return plain(text) or " "


def train(out: Path, name: str, progress: Progress) -> Dict[str, Any]:
    """OUT/NAME.tar.gz, whole or not at all; what it was made of. Raises DataFault and what Rasa raises."""
    clock = _Phases(progress)
    with _said() as said:
        clock.enter("reading the data")
        importer = data_of()
        examples = [one for one in importer.get_nlu_data().intent_examples if one.get(TEXT)]
        clock.enter("checking the data")
        findings = check(importer, said)
        clock.enter("training")
        with tempfile.TemporaryDirectory(prefix=".new-", dir=out) as folder:
            with _phases_of_rasa(clock):
                made = _graph(importer, TrainingType.BOTH, folder, name)
            os.replace(made, out / f"{name}.tar.gz")
    return {
        "examples": len(examples),
        "intents": dict(sorted(Counter(one.get(INTENT) for one in examples).items())),
        "findings": findings,
        "seconds": clock.ended(),
    }


def data_of() -> TrainingDataImporter:
    """Raises DataFault where there is nothing to learn from, and what Rasa raises of a broken file."""
    refuse_broken_files(DATA, DOMAIN)
    importer = TrainingDataImporter.load_from_config(CONFIG, DOMAIN, [DATA])
    if importer.get_domain().is_empty() or importer.get_stories().is_empty() or not importer.get_nlu_data().intent_examples:
        raise DataFault("a domain, rules and messages are needed; one of them is missing")
    return importer


def check(importer: TrainingDataImporter, said: List[warnings.WarningMessage]) -> List[Dict[str, Any]]:
    """What `rasa data validate` and the reading of the files had to say. Raises DataFault for what must not be trained."""
    validator = Validator.from_importer(importer)
    known = set(validator.domain.intents)
    for example in validator.intents.intent_examples:
        intent = example.get(INTENT)
        if intent not in known:
            place = where(example.get(TEXT))
            raise DataFault(f"the intent '{intent}' is not in the domain", *(place or (None, None)))
    with _at_level("rasa", logging.WARNING):
        sound = all(
            [
                validator.verify_domain_validity(),
                validator.verify_actions_in_stories_rules(),
                validator.verify_forms_in_stories_rules(),
                validator.verify_form_slots(),
                validator.verify_slot_mappings(),
                validator.verify_intents(),
                validator.verify_nlu(),
                validator.verify_story_structure(),
            ]
        )
    texts = dict.fromkeys(str(one.message) for one in said if issubclass(one.category, UserWarning))
    findings = [_finding(text) for text in texts if not text.startswith(_NOT_OF_DATA)]
    if not sound:
        raise DataFault(findings[-1]["text"] if findings else "rasa data validate found the domain or the rules unsound")
    return findings[:_MOST_FINDINGS]


def where(text: str) -> Optional[Tuple[str, int]]:
    """File and line of a training message; entity marks in the file are looked through."""
    wanted = text.strip()
    for file in sorted(Path(DATA).rglob("*.yml")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.lstrip().startswith("- ") and _unmarked(line.lstrip()[2:].strip()) == wanted:
                return str(file), number
    return None


def _unmarked(line: str) -> str:
    return re.sub(r"\[([^\]]+)\](?:\([^)]*\)|\{[^}]*\})", r"\1", line)


def _finding(text: str) -> Dict[str, Any]:
    words = " ".join(text.split())
    quoted = _QUOTED.search(text)
    place = where(quoted.group(1)) if quoted else None
    return {"text": words[:400], **({"file": place[0], "line": place[1]} if place else {})}


# --- cross-validation ------------------------------------------------------------------------------------------------
class _Fold(TrainingDataImporter):
    """The messages of all folds but one, without stories."""

    def __init__(self, whole: TrainingDataImporter, data: TrainingData) -> None:
        self._whole = whole
        self._data = data

    def get_domain(self) -> Any:
        return self._whole.get_domain()

    def get_stories(self, exclusion_percentage: Optional[int] = None) -> StoryGraph:
        return StoryGraph([])

    def get_conversation_tests(self) -> StoryGraph:
        return StoryGraph([])

    def get_config(self) -> Dict[str, Any]:
        return self._whole.get_config()

    def get_config_file_for_auto_config(self) -> Optional[str]:
        return self._whole.get_config_file_for_auto_config()

    def get_nlu_data(self, language: Optional[str] = "en") -> TrainingData:
        return self._data


def cross_validate(folds: int, progress: Progress) -> Dict[str, Any]:
    importer = data_of()
    whole = importer.get_nlu_data()
    examples = [one for one in whole.intent_examples if one.get(TEXT) and not one.get(INTENT).startswith("EXTERNAL_")]
    labels = [one.get(INTENT) for one in examples]
    rarest = Counter(labels).most_common()[-1][1]
    if rarest < folds:
        raise DataFault(f"cross-validation in {folds} parts needs {folds} messages of each intent; one has {rarest}")
    heard: List[Optional[Dict[str, Any]]] = [None] * len(examples)
    parts = StratifiedKFold(folds, shuffle=True, random_state=SEED).split(examples, labels)
    with _said(), tempfile.TemporaryDirectory(prefix="desk-folds-") as folder:
        for number, (learned, tested) in enumerate(parts):
            phase = f"cross-validation, part {number + 1} of {folds}"
            progress(phase, number, folds)
            data = TrainingData(
                fresh([examples[place] for place in learned]),
                whole.entity_synonyms,
                whole.regex_features,
                whole.lookup_tables,
            )
            random.seed(SEED)
            made = _graph(_Fold(importer, data), TrainingType.NLU, folder, f"fold{number}")
            texts = [examples[place].get(TEXT) for place in tested]
            for place, one in zip(tested, Reader(Path(made)).read(texts, lambda *_: progress(phase, number, folds))):
                heard[place] = one
    return {
        "texts": [one.get(TEXT) for one in examples],
        "meant": labels,
        "languages": [_language(one.get(METADATA)) for one in examples],
        "heard": heard,
    }


def _language(metadata: Any) -> Optional[str]:
    found = (metadata or {}).get("intent") if isinstance(metadata, dict) else None
    return (found or {}).get("language") if isinstance(found, dict) else None


# --- around Rasa's trainer -------------------------------------------------------------------------------------------
class _Phases:
    """Passes phases on and counts the seconds of each."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._seconds: Dict[str, float] = {}
        self._phase = ""
        self._since = time.monotonic()

    def enter(self, phase: str) -> None:
        self._count()
        self._phase = phase
        self._progress(phase, 0, 0)

    def ended(self) -> Dict[str, float]:
        self._count()
        return {phase: round(seconds, 2) for phase, seconds in self._seconds.items()}

    def _count(self) -> None:
        now = time.monotonic()
        if self._phase:
            self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + now - self._since
        self._since = now


@contextlib.contextmanager
def _phases_of_rasa(clock: _Phases) -> Iterator[None]:
    """Rasa says in its log which component it starts to train."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said = re.match(r"Starting to train component '(\w+)'", record.getMessage())
            if said:
                clock.enter(_COMPONENTS.get(said.group(1), said.group(1)))

    log, listener = logging.getLogger("rasa.engine.training.hooks"), Listener()
    log.addHandler(listener)
    try:
        with _at_level(log.name, logging.INFO):
            yield
    finally:
        log.removeHandler(listener)


@contextlib.contextmanager
def _at_level(name: str, level: int) -> Iterator[None]:
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(level)
    try:
        yield
    finally:
        log.setLevel(before)


@contextlib.contextmanager
def _said() -> Iterator[List[warnings.WarningMessage]]:
    """The warnings of what runs inside, each once; NumPy's random state is left as it was found."""
    state = np.random.get_state()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
    np.random.set_state(state)


class _NoCache(GraphNodeHook):
    """In place of the hook that fingerprints and stores what each component made: that costs more than it could save here, and
    its keys know a component by its class alone, not by the code that the class calls.
    """

    def __init__(self, **_: Any) -> None:
        """Takes what Rasa's hook takes."""

    def on_before_node(self, *_: Any, **__: Any) -> Dict[str, Any]:
        return {}

    def on_after_node(self, *_: Any, **__: Any) -> None:
        return None


def _graph(importer: TrainingDataImporter, kind: TrainingType, folder: str, name: str) -> str:
    """Trains a whole model with Rasa's own graph; its file."""
    hook = graph_trainer.TrainingHook
    graph_trainer.TrainingHook = _NoCache
    try:
        return str(model_training._train_graph(importer, kind, folder, name, force_full_training=True).model)
    finally:
        graph_trainer.TrainingHook = hook
