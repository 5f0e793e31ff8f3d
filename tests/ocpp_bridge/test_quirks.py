"""Quirks are data: every shipped row can be used, rows that fit are joined, and a wrong row is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ocpp_bridge import quirks
from ocpp_bridge.commands.windows import default_windows
from ocpp_bridge.model import Boot, Charger, Connector
from ocpp_bridge.versions.places import number_of, place_of


def booted(vendor: str, model: str = "X", firmware: str = "1") -> Boot:
    return Boot("CL", "Accepted", datetime(2026, 1, 1, tzinfo=UTC), vendor, model, firmware)


def test_shipped_rows_fit_by_what_the_charger_said_of_itself() -> None:
    assert quirks.of(booted("ABB", "Terra AC")).applied_to(default_windows()).reset_soft_s == 420
    assert quirks.of(booted("ABB", "Other")) == quirks.NONE
    assert quirks.of(booted("FoxESS Ltd")).available_with_cable
    assert quirks.of(None) == quirks.NONE


def test_rows_are_joined_and_the_later_one_wins() -> None:
    text = """
    [[quirk]]
    about = "a"
    match = { vendor = "acme*" }
    windows = { call_timeout_s = 60, stop_ended_s = 90 }
    [[quirk]]
    about = "b"
    match = { vendor = "ACME", firmware = "2.*" }
    windows = { stop_ended_s = 120 }
    """
    rows = quirks.parse(text)
    assert quirks.of(booted("Acme", firmware="2.1"), rows).windows == {"call_timeout_s": 60, "stop_ended_s": 120}
    assert quirks.of(booted("Acme", firmware="1.0"), rows).windows["stop_ended_s"] == 90


@pytest.mark.parametrize(
    "row",
    [
        'about = "x"',
        'match = { vendor = "a" }',
        'about = "x"\nmatch = { serial = "a" }',
        'about = "x"\nmatch = { vendor = "a" }\nodd = true',
        'about = "x"\nmatch = { vendor = "a" }\nwindows = { forever_s = 1 }',
    ],
)
def test_a_row_that_cannot_be_used_is_named(row: str) -> None:
    with pytest.raises(quirks.QuirkProblem, match="quirk 1"):
        quirks.parse(f"[[quirk]]\n{row}")


@pytest.mark.parametrize("given", [(), (Connector(1, 1), Connector(2, 1), Connector(3, 2))])
def test_numbers_and_places_are_each_others_inverse(given: tuple[Connector, ...]) -> None:
    charger = Charger("CL", "1", "s", given)
    places = [(evse, local) for evse in range(1, 5) for local in range(1, 4)]
    numbers = [number_of(charger, *place) for place in places]
    assert len(set(numbers)) == len(numbers)
    assert [place_of(charger, number) for number in numbers] == places
