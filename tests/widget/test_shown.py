"""What replies show beside their words: made by the action server, drawn by the widget."""

from __future__ import annotations

import yaml

from actions.dialogue.speech import _GOES_ON_S, shown_beside
from actions.places.ranking import Candidate, Option, Stall, Tier
from actions.playbooks.nearby import cards
from actions.playbooks.steps import Say
from chargeline.processes import ROOT


def test_whatever_goes_on_after_its_words_is_a_response_that_exists() -> None:
    texts = yaml.safe_load((ROOT / "domain/responses/en.yml").read_text("utf-8"))["texts"]
    assert set(_GOES_ON_S) <= set(texts)
    assert shown_beside(Say("say_resetting")) == {"kind": "progress", "within_s": 180}
    assert shown_beside(Say("say_charging")) is None


def test_chargers_near_the_driver_are_cards_with_what_is_known_of_them() -> None:
    stalls = (
        Stall(1, "CCS1", 150.0, "Available"),
        Stall(2, "CCS1", 150.0, "Charging"),
        Stall(3, None, None, "Available"),
    )
    one = Candidate("CL-1050", "1050", "Glebe Market", 45.4, -75.7, True, stalls, price_per_kwh=0.59)
    shown = cards([Option(one, stalls[0], Tier.FREE, 640.4)])
    assert shown["kind"] == "chargers"
    (card,) = shown["chargers"]
    assert card.pop("map_url").startswith("https://")
    assert card == {
        "id": "CL-1050",
        "name": "1050 Glebe Market",
        "distance_m": 640,
        "plugs": ["CCS1 150 kW"],
        "free": 2,
        "price": "0.59/kWh",
    }
