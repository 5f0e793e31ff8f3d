"""The intent classifier: learns, is stored and comes back the same, is calibrated on what it did not see; its parts are exact."""

# ruff: noqa: PT009, PT027 - unittest's own assertions: there is no pytest in the Rasa environment

import tempfile
import unittest
from pathlib import Path

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix

from bot.nlu import kernel
from bot.nlu.classifier import NoTrainingData, SmsIntentClassifier
from bot.nlu.featurizer import SentenceFeaturizer
from bot.nlu.minilm import VOCABULARY, EnglishSentenceFeaturizer
from bot.nlu.tokenizer import SmsTokenizer
from bot.nlu.wordpiece import WordPieces

CONTEXT = ExecutionContext(GraphSchema({}), "test")
LEARNED = {
    "stuck": [
        "the plug is stuck",
        "cant pull the cable out",
        "handle wont come off",
        "el cable no sale",
        "la prise est prise",
    ],
    "pay": ["my card was declined", "visa does not work", "payment refused", "no pasa mi tarjeta", "paiement refusé"],
    "bye": ["bye", "see you later", "good night", "adios", "à la prochaine"],
}
CONFIG = {"shares": {"every_language": 2, "english": 1.5}, "axes": {"english": 10}}


def pipeline():
    tokenizer = SmsTokenizer(SmsTokenizer.get_default_config())
    both = [
        kind({**kind.get_default_config(), "alias": alias}, alias)
        for kind, alias in ((SentenceFeaturizer, "every_language"), (EnglishSentenceFeaturizer, "english"))
    ]

    def featurized(messages):
        messages = tokenizer.process(messages)
        for featurizer in both:
            messages = featurizer.process(messages)
        return messages

    return featurized


class Classifier(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.featurized = staticmethod(pipeline())
        cls.folder = tempfile.TemporaryDirectory()
        cls.storage = LocalModelStorage(Path(cls.folder.name))
        cls.resource = Resource("classifier")
        cls.made = SmsIntentClassifier.create(CONFIG, cls.storage, cls.resource, CONTEXT)
        messages = [Message({TEXT: text, INTENT: intent}) for intent, texts in LEARNED.items() for text in texts]
        # What other processes send arrives by name, and must never be understood from what a driver writes.
        messages.append(Message({TEXT: "/EXTERNAL_x", INTENT: "EXTERNAL_x"}))
        cls.made.train(TrainingData(cls.featurized(messages)))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def ranked(self, classifier, text):
        [message] = classifier.process(self.featurized([Message({TEXT: text})]))
        return message.get("intent_ranking")

    def test_a_message_in_other_words_is_understood(self):
        for text, intent in (
            ("cannot get this plug out", "stuck"),
            ("credit card declined", "pay"),
            ("bonne nuit", "bye"),
        ):
            self.assertEqual(self.ranked(self.made, text)[0]["name"], intent)

    def test_confidences_are_a_distribution_over_the_intents_that_drivers_can_mean(self):
        ranking = self.ranked(self.made, "hmm")
        self.assertEqual({each["name"] for each in ranking}, set(LEARNED))
        self.assertAlmostEqual(sum(each["confidence"] for each in ranking), 1.0, places=5)
        self.assertEqual(ranking, sorted(ranking, key=lambda each: -each["confidence"]))

    def test_an_intent_that_must_not_be_missed_comes_first_when_it_is_likely_enough(self):
        text = "visa, but the plug"
        plain = self.ranked(self.made, text)
        for least, first in ((plain[1]["confidence"] * 0.9, plain[1]["name"]), (0.99, plain[0]["name"])):
            config = {**CONFIG, "wary": {plain[1]["name"]: least}}
            wary = SmsIntentClassifier.load(config, self.storage, self.resource, CONTEXT)
            ranking = self.ranked(wary, text)
            self.assertEqual(ranking[0]["name"], first)
            self.assertAlmostEqual(ranking[0]["confidence"], plain[0]["confidence"], places=2)

    def test_what_is_stored_comes_back_the_same(self):
        loaded = SmsIntentClassifier.load(CONFIG, self.storage, self.resource, CONTEXT)
        for text in ("plug", "no pasa la visa", "👋", "?"):
            for was, now in zip(self.ranked(self.made, text), self.ranked(loaded, text), strict=True):
                self.assertEqual(was["name"], now["name"])
                self.assertAlmostEqual(was["confidence"], now["confidence"], places=2)

    def test_a_message_without_words_is_answered_too(self):
        for text in (" ", "\u200b", "…", "x" * 4000):
            self.assertEqual(len(self.ranked(self.made, text)), len(LEARNED))

    def test_one_intent_alone_is_refused(self):
        with self.assertRaises(NoTrainingData):
            self.made.train(TrainingData([Message({TEXT: "hi", INTENT: "greet"})]))

    def test_a_ridge_of_nothing_is_refused(self):
        with self.assertRaises(ValueError):
            SmsIntentClassifier.validate_config({"ridge": 0})


class Kernel(unittest.TestCase):
    def test_left_out_scores_are_those_of_a_model_that_never_saw_the_message(self):
        generator = np.random.default_rng(5)
        counts = csr_matrix(generator.random((24, 6)))
        embeddings = generator.normal(size=(24, 4)).astype(np.float32)
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        alike = kernel.likeness(counts, {"a": embeddings}, {"a": 2.0}, 1.0)
        targets = kernel.targets_of(np.array(["x", "y", "z"] * 8), ["x", "y", "z"])
        fitted = kernel.fit(alike.copy(), targets, 0.8)
        rest = np.arange(1, 24)
        without = kernel.fit(alike[np.ix_(rest, rest)].copy(), targets[rest], 0.8)
        np.testing.assert_allclose(fitted.left_out[0], alike[0, rest] @ without.weights, atol=1e-3)
        np.testing.assert_allclose(alike @ fitted.weights + 0.8 * fitted.weights, targets, atol=1e-3)

    def test_sharpness_makes_sure_scores_surer_and_unsure_ones_less_sure(self):
        right = np.array([0, 1] * 20)
        good = np.where(np.eye(2)[right] > 0, 1.0, -1.0)
        half_wrong = good.copy()
        half_wrong[:16] *= -1
        self.assertGreater(kernel.sharpness_of(good, right), kernel.sharpness_of(half_wrong, right))


class Pieces(unittest.TestCase):
    def test_words_fall_into_the_longest_known_pieces(self):
        pieces = WordPieces(VOCABULARY)
        names = VOCABULARY.read_text("utf-8").splitlines()
        said = [names[number] for number in pieces.numbers("Unpluggable, l'été!", 64)]
        self.assertEqual(said[0], "[CLS]")
        self.assertEqual(said[-1], "[SEP]")
        self.assertEqual("".join(each.replace("##", "") for each in said[1:-1]), "unpluggable,l'ete!")

    def test_no_text_is_longer_than_the_limit(self):
        self.assertEqual(len(WordPieces(VOCABULARY).numbers("plug " * 500, 64)), 64)


if __name__ == "__main__":
    unittest.main()
