"""What a trainer sees of a driver's words: nothing that says who wrote them, everything that says what is wrong."""

from __future__ import annotations

import pytest

from bot.masking import mask_people


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("call me at (613) 555-0142 pls", "call me at [number] pls"),
        ("+52 55 5555 0142 o al correo ana.ruiz@correo.example.mx", "[number] o al correo [email]"),
        ("06 39 98 01 42 merci", "[number] merci"),
        ("bob (at) example . com", "[email]"),
        ("im at 45.42153, -75.69719", "im at [place]"),
        ("My name is John Smith and 1042 wont go", "My name is [name] and 1042 wont go"),
        ("me llamo Ana Ruiz, no carga", "me llamo [name], no carga"),
        ("Hi this is Marie, the plug is stuck", "Hi this is [name], the plug is stuck"),
        ("plate ABC 1234 at charger 1042", "plate [plate] at charger 1042"),
        ("my license plate is 7XYZ123", "my license plate is [plate]"),
        ("im at 123 Main Street by the mall", "im at [address] by the mall"),
        ("au 45, rue de la Montagne", "au [address]"),
        ("see https://photos.example.com/abc?x=1", "see [link]"),
        ("card 4242 4242 4242 4242 declined", None),
    ],
)
def test_what_says_who_it_was_is_taken_out(said: str, seen: str | None) -> None:
    masked = mask_people(said)
    assert masked == seen if seen is not None else "4242 4242 4242" not in masked


@pytest.mark.parametrize(
    "said",
    [
        "charger 1042 is dead",
        "1042 1043 and 1044 are all dead",
        "CL-1042 left side, error E-17 since 10:45",
        "postal code K1A 0B6, exit 12 on the 401",
        "this is Not working",
        "je suis Coincé au 1042",
        "took $50.00 twice on 2026-11-27",
        "the plate on the charger says nothing",
    ],
)
def test_what_it_is_about_stays(said: str) -> None:
    assert mask_people(said) == said
