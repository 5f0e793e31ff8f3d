"""The training data: enough of each intent in each language, nothing twice, nothing of the test set in it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.nlu.examples import BLIND, DEVELOPMENT, LANGUAGES, ROOT, Example, development, training

MANY = ("session_not_starting", "payment_failed", "charger_offline", "connector_stuck", "rfid_failed", "safety_hazard")
LEAST = {"en": 60, "es": 30, "fr": 30}
LEAST_OF_MANY = {"en": 150, "es": 70, "fr": 70}
LEAST_OUTSIDE = 400
ALIKE = 0.9  # share of letter triples that two messages have in common
_NUMBER = re.compile(r"\d+")


def plain(text: str) -> str:
    """Lower case letters and single spaces, numbers made alike, without accents and marks."""
    kept = unicodedata.normalize("NFKD", _NUMBER.sub("0", re.sub("['’]", "", text.lower())))
    letters = "".join(
        character if character.isalnum() else " " for character in kept if not unicodedata.combining(character)
    )
    return " ".join(letters.split())


def near_pairs(examples: list[Example]) -> Iterator[tuple[Example, Example]]:
    """Pairs that share nearly all their letter triples; short messages only where they are equal. Bare numbers and places differ
    in nothing else.
    """
    examples = [one for one in examples if one.intent not in ("provide_charger_id", "provide_location")]
    shapes = [plain(one.text) if len(plain(one.text)) > 2 else one.text for one in examples]
    triples = [frozenset(shape[at : at + 3] for at in range(max(1, len(shape) - 2))) for shape in shapes]
    how_common = Counter(triple for each in triples for triple in each)
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for index, own in enumerate(triples):
        # Two that share nine tenths share one of the rarest few: only those need to be looked up.
        rarest = sorted(own, key=lambda triple: (how_common[triple], triple))[: len(own) - int(ALIKE * len(own)) + 1]
        for other in sorted({before for triple in rarest for before in seen[triple]}):
            both = triples[other]
            long_enough = min(len(own), len(both)) >= 15
            if shapes[other] == shapes[index] or (long_enough and len(own & both) >= ALIKE * len(own | both)):
                yield examples[other], examples[index]
        for triple in rarest:
            seen[triple].append(index)


def intents() -> list[str]:
    core = yaml.safe_load((ROOT / "tests/nlu/dev/en.yml").read_text("utf-8"))
    return sorted({block["intent"] for block in core["nlu"] if "intent" in block})


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_intent_has_enough_messages(language: str) -> None:
    counts = Counter(one.intent for one in training() if one.language == language)
    least = {name: LEAST_OF_MANY[language] if name in MANY else LEAST[language] for name in intents()}
    assert {name: counts[name] for name, wanted in least.items() if counts[name] < wanted} == {}
    assert set(counts) == set(least)


def test_out_of_scope_has_enough_messages() -> None:
    assert sum(one.intent == "out_of_scope" for one in training()) >= LEAST_OUTSIDE


def test_no_two_training_messages_are_nearly_the_same() -> None:
    assert [(one.text, two.text) for one, two in near_pairs(training())] == []


def test_no_message_has_two_meanings() -> None:
    meanings: defaultdict[str, set[str]] = defaultdict(set)
    for one in training():
        meanings[one.text.lower()].add(one.intent)
    assert {text: names for text, names in meanings.items() if len(names) > 1} == {}


@pytest.mark.parametrize("folder", [DEVELOPMENT, BLIND], ids=["dev", "blind"])
def test_no_message_of_a_test_set_is_in_the_training_data(folder: Path) -> None:
    held_out = [one for file in sorted(folder.glob("*.yml")) for one in development(file.stem, folder)]
    # One word, or two, is nobody's own: "hi", "thank you", "FIRE".
    mine = {plain(one.text) for one in held_out if len(plain(one.text)) > 20}
    assert [one.text for one in training() if plain(one.text) in mine] == []


def test_near_pairs_are_found() -> None:
    one = Example("the plug on 1042 is stuck in my car and i cant leave", "connector_stuck", "en")
    two = Example("The plug on 2231 is stuck in my car, and I can't leave", "connector_stuck", "en")
    other = Example("the plug on my car is fine but the screen of 1042 is black", "charger_offline", "en")
    assert list(near_pairs([one, other, two])) == [(one, two)]
