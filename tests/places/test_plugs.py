"""Plugs and cars in drivers' words."""

from __future__ import annotations

import pytest

from actions.places.plugs import wanted


@pytest.mark.parametrize(
    ("said", "plugs"),
    [
        ("tesla plug near me", {"NACS"}),
        ("any ccs around?", {"CCS"}),
        ("i need the big one", {"CCS"}),
        ("J-1772 please", {"J1772"}),
        ("where's a cha de mo", {"CHAdeMO"}),
        ("not the tesla one, a j1772", {"J1772"}),
        ("where can i charge my bolt", {"J1772", "CCS"}),
        ("fast charger for my 2023 leaf", {"CHAdeMO"}),
        ("2026 leaf, level 3", {"NACS"}),
        ("ioniq 5 2025", {"NACS"}),
        ("i drive an ioniq 5", {"J1772", "CCS"}),
        ("tesla with a ccs adapter", {"NACS", "CCS"}),
        ("rav4 prime", {"J1772"}),
        ("une prise tesla svp", {"NACS"}),
        ("borne rapide pour ma leaf", {"CHAdeMO"}),
        ("busco conector de tesla", {"NACS"}),
        ("el grande, para mi id4", {"CCS"}),
        ("my car is electric", set()),
        ("near the maple leaf", set()),
    ],
)
def test_what_fits(said: str, plugs: set[str]) -> None:
    assert set(wanted(said).plugs) == plugs


def test_a_car_without_a_fast_inlet_is_sent_where_it_can_charge() -> None:
    prime = wanted("fast charger for my rav4 prime")
    assert (prime.plugs, prime.speed, prime.car) == ({"J1772"}, None, "rav4 prime")


def test_speed() -> None:
    assert wanted("quick charger?").speed == "fast"
    assert wanted("any level 2").speed == "slow"
    assert not wanted("fast one").fits("J1772", 7.2)
    assert wanted("fast one").fits("CCS", 50.0)
