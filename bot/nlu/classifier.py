"""Intent classifier: kernel ridge regression over counted words and letters and the sentence embeddings (see kernel.py).

Measured on messages held out of training, this beat DIET, logistic regression and linear support vectors, in seconds of
training instead of minutes. Confidences are softmax over the scores, with the one temperature that fits held-out messages
best, so that a threshold means something. Stored as plain arrays (.npz, no pickle).
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Text

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers import LABEL_RANKING_LENGTH
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.special import log_softmax

from bot.nlu import kernel
from bot.nlu.counts import Counts
from bot.nlu.tokenizer import heard

_FILE = "intent_classifier.npz"


class NoTrainingData(ValueError):
    """There are fewer than two intents with examples; nothing can be told apart."""


def embeddings_of(messages: List[Message]) -> Dict[Text, np.ndarray]:
    """Rows of unit length by the featurizer that made them; only of those that made one for every message."""
    found: Dict[Text, List[np.ndarray]] = {}
    for message in messages:
        for feature in message.features:
            if feature.attribute == TEXT and feature.type == FEATURE_TYPE_SENTENCE and feature.is_dense():
                found.setdefault(feature.origin, []).append(feature.features[0])
    rows = {kind: np.vstack(each) for kind, each in sorted(found.items()) if len(each) == len(messages)}
    return {
        kind: (each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float32) for kind, each in rows.items()
    }


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class SmsIntentClassifier(IntentClassifier, GraphComponent):
    """`ridge` holds the weights small, `width` is how fast nearness of embeddings falls off, `shares` what each featurizer's
    embedding weighs against the counts, by its alias, `axes` to how many directions it is cut (all; the last ones tell nothing
    apart and cost time and memory). `wary` names intents that are never to be missed: one that is at least so likely changes
    places with the likeliest, at the likeliest's confidence.
    """

    @classmethod
    def required_components(cls) -> List[type]:
        return [Featurizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {
            "ridge": 0.7,
            "width": 1.0,
            "shares": {},
            "axes": {},
            "wary": {},
            "ranking_length": LABEL_RANKING_LENGTH,
        }

    def __init__(self, config: Dict[Text, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = {**self.get_default_config(), **config}
        self._model_storage = model_storage
        self._resource = resource
        self._labels: List[Text] = []
        self._counts = Counts.learn(["nothing"])
        self._counted = np.zeros((0, 0), dtype=np.float32)  # weights of counted pieces
        self._weights = np.zeros((0, 0), dtype=np.float32)  # weights of the messages that were learned
        self._axes: Dict[Text, np.ndarray] = {}  # what of each kind of embedding is looked at
        self._learned: Dict[Text, np.ndarray] = {}  # their embeddings, along these
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
        """Raises ValueError for numbers that are not above 0."""
        merged = {**cls.get_default_config(), **config}
        numbers = {"ridge": merged["ridge"], "width": merged["width"], **merged["shares"]}
        numbers.update({**merged["axes"], **merged["wary"]})
        for name, value in numbers.items():
            if float(value) <= 0:
                raise ValueError(f"SmsIntentClassifier: {name} must be above 0")

    def train(self, training_data: TrainingData) -> Resource:
        examples = [example for example in training_data.intent_examples if _is_said(example)]
        intents = np.array([example.get(INTENT) for example in examples])
        if len(set(intents)) < 2:
            raise NoTrainingData("the training data needs examples of at least two intents")
        texts = [heard(example) for example in examples]
        self._labels = sorted({str(intent) for intent in intents})
        self._counts = Counts.learn(texts)
        counted = self._counts.rows(texts)
        whole = embeddings_of(examples)
        self._axes = {
            kind: kernel.axes_of(whole[kind], int(number))
            for kind, number in self._config["axes"].items()
            if kind in whole
        }
        self._learned = self._along(whole)
        alike = kernel.likeness(counted, self._learned, self._shares(), self._config["width"])
        targets = kernel.targets_of(intents, self._labels)
        fitted = kernel.fit(alike, targets, self._config["ridge"])
        self._sharpness = kernel.sharpness_of(fitted.left_out, targets.argmax(axis=1))
        self._weights = fitted.weights
        self._counted = np.ascontiguousarray(counted.T @ fitted.weights, dtype=np.float32)
        with self._model_storage.write_to(self._resource) as folder:
            np.savez_compressed(
                folder / _FILE,
                labels=self._labels,
                counted=self._counted,
                weights=self._weights,
                sharpness=self._sharpness,
                # Half precision: a hundredth of what two paraphrases differ by, and half the file.
                **{f"learned_{kind}": rows.astype(np.float16) for kind, rows in self._learned.items()},
                **{f"axes_{kind}": axes for kind, axes in self._axes.items()},
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
            component._counted = arrays["counted"]
            component._weights = arrays["weights"]
            # Column by column: what every message is multiplied with is then read straight through, in half the time.
            component._learned = {
                kind: np.asfortranarray(rows, dtype=np.float32) for kind, rows in _named(arrays, "learned_").items()
            }
            component._axes = _named(arrays, "axes_")
            component._sharpness = float(arrays["sharpness"])
            component._counts = Counts.restore(arrays)
        return component

    def process(self, messages: List[Message]) -> List[Message]:
        said = [message for message in messages if message.get(TEXT)]
        for message, confidences in zip(said, self._confidences(said), strict=True):
            self._put_first(confidences)
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
        # Of one precision with the weights: a product of two is made of a copy of all of them, for every message.
        counted = self._counts.rows([heard(message) for message in messages]).astype(np.float32)
        scores = counted @ self._counted
        shares, now = self._shares(), self._along(embeddings_of(messages))
        for kind, rows in self._learned.items():
            near = kernel.nearness(now[kind], rows, self._config["width"])
            scores += np.float32(shares[kind]) * (near @ self._weights)
        return np.exp(log_softmax(self._sharpness * scores, axis=1))

    def _put_first(self, confidences: np.ndarray) -> None:
        for intent, least in self._config["wary"].items():
            if intent in self._labels and confidences[self._labels.index(intent)] >= least:
                both = [self._labels.index(intent), int(confidences.argmax())]
                confidences[both] = confidences[both[::-1]]

    def _along(self, embeddings: Dict[Text, np.ndarray]) -> Dict[Text, np.ndarray]:
        """Whole where the configuration did not say to how many directions."""
        return {
            kind: kernel.along(rows, self._axes[kind]) if kind in self._axes else rows
            for kind, rows in embeddings.items()
        }

    def _shares(self) -> Dict[Text, float]:
        """By the embeddings that were learned; 1 for one that the configuration does not name."""
        return {kind: float(self._config["shares"].get(kind, 1.0)) for kind in self._learned}


def _named(arrays: Mapping[Text, np.ndarray], kind: Text) -> Dict[Text, np.ndarray]:
    """Those whose name begins so, by the rest of it."""
    return {name[len(kind) :]: arrays[name] for name in arrays if name.startswith(kind)}


def _is_said(example: Message) -> bool:
    """False for events of other processes: they arrive by name and must never be understood from what a driver writes."""
    return bool(example.get(TEXT)) and not (example.get(INTENT) or "EXTERNAL_").startswith("EXTERNAL_")
