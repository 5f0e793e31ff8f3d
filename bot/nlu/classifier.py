"""Intent classifier: logistic regression over word counts, character counts and the sentence embedding.

Rasa's own leaves raw counts to swamp the unit-length embedding and cannot set C. Here each kind of feature is brought to
unit length first. Stored as plain arrays (.npz, no pickle) and evaluated with numpy.
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
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

_FILE = "intent_classifier.npz"


class NoTrainingData(ValueError):
    """There are fewer than two intents with examples; nothing can be told apart."""


def features_of(message: Message) -> csr_matrix:
    """One row: the sparse counts at unit length, then the dense embedding (which has unit length already)."""
    blocks = []
    for features in (message.get_sparse_features(TEXT)[1], message.get_dense_features(TEXT)[1]):
        if features is not None:
            blocks.append(normalize(csr_matrix(features.features, dtype=np.float64)))
    return hstack(blocks, format="csr")


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class SmsIntentClassifier(IntentClassifier, GraphComponent):
    """`C` is the inverse strength of regularisation; 30 measured best on messages phrased differently from the training data."""

    @classmethod
    def required_components(cls) -> List[type]:
        return [Featurizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {"C": 30.0, "max_iter": 1000, "ranking_length": LABEL_RANKING_LENGTH}

    def __init__(self, config: Dict[Text, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = {**self.get_default_config(), **config}
        self._model_storage = model_storage
        self._resource = resource
        self._labels: List[Text] = []
        self._weights = np.zeros((0, 0))
        self._bias = np.zeros(0)

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
        intents = [example.get(INTENT) for example in examples]
        if len(set(intents)) < 2:
            raise NoTrainingData("the training data needs examples of at least two intents")
        model = LogisticRegression(
            C=self._config["C"], max_iter=self._config["max_iter"], class_weight="balanced", random_state=0
        )
        model.fit(vstack([features_of(example) for example in examples]), intents)
        self._labels = [str(label) for label in model.classes_]
        self._weights, self._bias = _one_row_each(model.coef_, model.intercept_)
        with self._model_storage.write_to(self._resource) as folder:
            np.savez_compressed(folder / _FILE, labels=self._labels, weights=self._weights, bias=self._bias)
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
        return component

    def process(self, messages: List[Message]) -> List[Message]:
        for message in messages:
            if not message.get(TEXT):
                continue
            ranking = [
                {"name": self._labels[index], "confidence": float(confidence)}
                for index, confidence in self._ranked(message)
            ]
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking[: self._config["ranking_length"]], add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        self.process(training_data.training_examples)
        return training_data

    def _ranked(self, message: Message) -> List[Tuple[int, float]]:
        scores = features_of(message) @ self._weights.T + self._bias
        powers = np.exp(scores[0] - scores[0].max())
        confidences = powers / powers.sum()
        return [(int(index), confidences[index]) for index in np.argsort(-confidences)]


def _is_said(example: Message) -> bool:
    """False for events of other processes: they arrive by name and must never be understood from what a driver writes."""
    return bool(example.get(TEXT)) and not (example.get(INTENT) or "EXTERNAL_").startswith("EXTERNAL_")


def _one_row_each(weights: np.ndarray, bias: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """scikit-learn keeps a single row where there are two classes; give each class its own, so softmax is right for both."""
    if weights.shape[0] == 1:
        return np.vstack([np.zeros_like(weights), weights]), np.concatenate([np.zeros_like(bias), bias])
    return weights, bias
