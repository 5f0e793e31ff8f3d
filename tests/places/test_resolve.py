"""Places as drivers write them: resolved, asked back, or said to be unknown."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from actions.places.resolve import Answer, Place, Vague, WhichOne, resolve
from actions.places.tables import cities, fold
from tests.nlu.examples import training
from tests.places.sites import sites

TABLE = [
    tuple(part.strip() for part in line.split("|"))
    for line in (Path(__file__).parent / "places.tsv").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


def resolved(said: str) -> Answer:
    return resolve(said.removeprefix("@"), sites(), asked=said.startswith("@"))


def told(answer: Answer) -> str:
    match answer:
        case Place():
            return answer.label
        case WhichOne():
            return "?" + ";".join(place.label for place in answer.candidates)
        case Vague():
            return f"!{answer.why}"


def fits(answer: Answer, wanted: str) -> bool:
    if wanted.startswith("?"):
        labels = [place.label for place in answer.candidates] if isinstance(answer, WhichOne) else []
        return len(labels) > 1 and all(any(one in label for label in labels) for one in wanted[1:].split(";"))
    return told(answer) == wanted or told(answer).split(",")[0] == wanted


@pytest.mark.parametrize(("said", "wanted"), TABLE, ids=[said for said, _ in TABLE])
def test_a_place_as_drivers_write_it(said: str, wanted: str) -> None:
    assert fits(resolved(said), wanted), told(resolved(said))


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(TABLE) >= 150


def test_a_pin_goes_before_all_words() -> None:
    found = resolve("im in kingston", sites(), pin=(44.1, -77.2))
    assert isinstance(found, Place)
    assert (found.latitude, found.longitude, found.kind) == (44.1, -77.2, "pin")


def test_no_word_that_drivers_use_for_other_things_is_a_town_written_wrongly() -> None:
    """Of the training messages about other things than places: "another" is not Anthem, "borne" not Boerne."""
    used = Counter(
        word
        for example in training()
        if example.intent not in ("provide_location", "find_charger")
        for word in set(fold(example.text).split())
    )
    often = [word for word, times in used.items() if times >= 25 and len(word) >= 5 and word not in cities()]
    taken = {word: found.label for word in often if isinstance(found := resolve(f"a {word} charger", []), Place)}
    assert taken == {}
