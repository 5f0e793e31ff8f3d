"""An answer to choices: by number, by place, by title, by a word of one title; anything else is the driver's own words."""

from __future__ import annotations

import pytest

from bot.choices import meant_by_text
from bot.store.model import Option

PROBLEMS = [
    ("a.0", Option("Charging won't begin", "/session_not_starting")),
    ("a.1", Option("Cable or plug is stuck", "/connector_stuck")),
    ("a.2", Option("Talk to a person", "/talk_to_human")),
]
CABLES = [
    ("b.0", Option("Connector 1, J1772", '/provide_charger_id{"connector": 1}')),
    ("b.1", Option("Connector 2, CCS", '/provide_charger_id{"connector": 2}')),
]


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("2", "/connector_stuck"),
        ("#2", "/connector_stuck"),
        ("2.", "/connector_stuck"),
        ("option 2", "/connector_stuck"),
        ("the second one", "/connector_stuck"),
        ("the cable one", "/connector_stuck"),
        ("the second", "/connector_stuck"),
        ("la segunda", "/connector_stuck"),
        ("la deuxième", "/connector_stuck"),
        ("three", "/talk_to_human"),
        ("el último", "/talk_to_human"),
        ("stuck", "/connector_stuck"),
        ("the cable", "/connector_stuck"),
        ("Cable or plug is stuck!", "/connector_stuck"),
        ("person please", "/talk_to_human"),
        ("4", None),
        ("1043", None),
        ("no, 43", None),
        ("neither", None),
        ("my cable is stuck in the car since an hour", None),
        ("", None),
    ],
)
def test_what_an_answer_means(text: str, payload: str | None) -> None:
    found = meant_by_text(text, PROBLEMS)
    assert (found.payload if found else None) == payload


@pytest.mark.parametrize(("text", "connector"), [("ccs", 2), ("j1772", 1), ("1", 1), ("the first", 1), ("left", None)])
def test_a_cable_is_named_by_its_plug(text: str, connector: int | None) -> None:
    found = meant_by_text(text, CABLES)
    assert (found.payload if found else None) == (CABLES[connector - 1][1].payload if connector else None)


def test_without_choices_nothing_is_one() -> None:
    assert meant_by_text("1", []) is None
    assert meant_by_text("first", []) is None
