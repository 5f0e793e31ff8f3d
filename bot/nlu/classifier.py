"""Intent classifier: linear support vectors over counted words and letters and the sentence embedding.

Measured on messages phrased differently from the training data, this beat DIET and logistic regression, in seconds of
training instead of minutes. Confidences are softmax over the distances, with the one temperature that fits messages held
out of training best, so that a threshold means something. Stored as plain arrays (.npz, no pickle).
"""

from __future__ import annotations

from typing import Any, Dict, List, Text, Tuple

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers import LABEL_RANKING_LENGTH
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.constants import TOKENS_NAMES
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, hstack
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from bot.nlu.counts import Counts

_FILE = "intent_classifier.npz"
_FOLDS = 3
_SHARPEST = 20.0  # bounds of the temperature's inverse
_BLUNTEST = 0.5


class NoTrainingData(ValueError):
    """There are fewer than two intents with examples; nothing can be told apart."""


def words_of(message: Message) -> Text:
    return " ".join(token.text for token in message.get(TOKENS_NAMES[TEXT]))


def rows_of(messages: List[Message], counts: Counts) -> csr_matrix:
    """Counts of the normalised words, then the sentence embedding where the pipeline makes one."""
    blocks = [counts.rows([words_of(message) for message in messages])]
    dense = [message.get_dense_features(TEXT)[1] for message in messages]
    if all(features is not None for features in dense):
        blocks.append(csr_matrix(normalize(np.vstack([features.features for features in dense]).astype(np.float64))))
    return hstack(blocks, format="csr")


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class SmsIntentClassifier(IntentClassifier, GraphComponent):
    """`C` is the inverse strength of regularisation."""

    @classmethod
    def required_components(cls) -> List[type]:
        return [Featurizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {"C": 1.0, "ranking_length": LABEL_RANKING_LENGTH}

    def __init__(self, config: Dict[Text, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = {**self.get_default_config(), **config}
        self._model_storage = model_storage
        self._resource = resource
        self._labels: List[Text] = []
        self._counts = Counts.learn(["nothing"])
        self._weights = np.zeros((0, 0), dtype=np.float32)
        self._bias = np.zeros(0)
        self._sharpness = 1.0

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SmsIntentClassifier:
        return cls(config, model_storage, resource)

    @classmethod
    def validate_config(cls, config: Dict[Text, Any]) -> None:
        """Raises ValueError for a C that is not above 0."""
        if float(config.get("C", 1.0)) <= 0:
            raise ValueError("SmsIntentClassifier: C must be above 0")

    def train(self, training_data: TrainingData) -> Resource:
        examples = [example for example in training_data.intent_examples if _is_said(example)]
        intents = np.array([example.get(INTENT) for example in examples])
        if len(set(intents)) < 2:
            raise NoTrainingData("the training data needs examples of at least two intents")
        self._counts = Counts.learn([words_of(example) for example in examples])
        rows = rows_of(examples, self._counts)
        self._sharpness = _sharpness(rows, intents, self._config["C"])
        model = _fit(rows, intents, self._config["C"])
        self._labels = [str(label) for label in model.classes_]
        weights, self._bias = _one_row_each(model.coef_, model.intercept_)
        self._weights = np.ascontiguousarray(weights.T, dtype=np.float32)
        with self._model_storage.write_to(self._resource) as folder:
            np.savez_compressed(
                folder / _FILE,
                labels=self._labels,
                weights=self._weights,
                bias=self._bias,
                sharpness=self._sharpness,
                **self._counts.arrays(),
            )
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> SmsIntentClassifier:
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder, np.load(folder / _FILE, allow_pickle=False) as arrays:
            component._labels = [str(label) for label in arrays["labels"]]
            component._weights = arrays["weights"]
            component._bias = arrays["bias"]
            component._sharpness = float(arrays["sharpness"])
            component._counts = Counts.restore(arrays)
        return component

    def process(self, messages: List[Message]) -> List[Message]:
        said = [message for message in messages if message.get(TEXT)]
        for message, confidences in zip(said, self._confidences(said), strict=True):
            ranking = [
                {"name": self._labels[index], "confidence": float(confidences[index])}
                for index in np.argsort(-confidences)
            ]
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking[: self._config["ranking_length"]], add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        self.process(training_data.training_examples)
        return training_data

    def _confidences(self, messages: List[Message]) -> np.ndarray:
        if not messages:
            return np.zeros((0, len(self._labels)))
        scores = rows_of(messages, self._counts) @ self._weights + self._bias
        return np.exp(log_softmax(self._sharpness * scores, axis=1))


def _fit(rows: csr_matrix, intents: np.ndarray, strength: float) -> LinearSVC:
    return LinearSVC(C=strength, class_weight="balanced", random_state=0).fit(rows, intents)


def _sharpness(rows: csr_matrix, intents: np.ndarray, strength: float) -> float:
    """What the scores are to be multiplied by: the value that makes held-out messages most likely. 1 where there are too few."""
    if min(np.unique(intents, return_counts=True)[1]) < _FOLDS:
        return 1.0
    scores, wanted = [], []
    for learned, held_out in StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(rows, intents):
        model = _fit(rows[learned], intents[learned], strength)
        weights, bias = _one_row_each(model.coef_, model.intercept_)
        scores.append(rows[held_out] @ weights.T + bias)
        wanted.append(np.searchsorted(model.classes_, intents[held_out]))
    every, right = np.vstack(scores), np.concatenate(wanted)

    def unlikeliness(sharpness: float) -> float:
        return float(-log_softmax(sharpness * every, axis=1)[np.arange(len(right)), right].mean())

    return float(minimize_scalar(unlikeliness, bounds=(_BLUNTEST, _SHARPEST), method="bounded").x)


def _is_said(example: Message) -> bool:
    """False for events of other processes: they arrive by name and must never be understood from what a driver writes."""
    return bool(example.get(TEXT)) and not (example.get(INTENT) or "EXTERNAL_").startswith("EXTERNAL_")


def _one_row_each(weights: np.ndarray, bias: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """scikit-learn keeps a single row where there are two classes; give each class its own, so softmax is right for both."""
    if weights.shape[0] == 1:
        return np.vstack([-weights, weights]), np.concatenate([-bias, bias])
    return weights, bias
