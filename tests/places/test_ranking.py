"""Properties of the ranking, over generated chargers."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from actions.places.plugs import Wanted
from actions.places.ranking import FRESH_S, Candidate, Stall, Tier, rank
from chargeline.geo import distance_m

STATUSES = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
)
PLUGS = ("J1772", "CCS", "NACS", "CHAdeMO", None)

stalls = st.builds(
    Stall,
    connector=st.integers(1, 4),
    plug=st.sampled_from(PLUGS),
    max_kw=st.one_of(st.none(), st.sampled_from([7.2, 11.5, 50.0, 150.0, 350.0])),
    status=st.one_of(st.none(), st.sampled_from(STATUSES)),
    session_s=st.one_of(st.none(), st.floats(0, 40_000)),
)
candidates = st.builds(
    Candidate,
    id=st.text("ABC0123456789", min_size=1, max_size=6),
    label=st.just("1042"),
    site=st.just("A site"),
    latitude=st.floats(44, 46),
    longitude=st.floats(-77, -75),
    connected=st.booleans(),
    stalls=st.lists(stalls, min_size=1, max_size=3).map(tuple),
    broken=st.booleans(),
    heard_s=st.one_of(st.none(), st.floats(0, 5_000)),
    delivered_s=st.one_of(st.none(), st.floats(0, 1_000_000)),
    failures=st.integers(0, 4),
    open_cases=st.integers(0, 2),
    price_per_kwh=st.one_of(st.none(), st.floats(0, 1)),
    is_open=st.one_of(st.none(), st.booleans()),
)
networks = st.lists(candidates, max_size=12, unique_by=lambda one: one.id)
wants = st.builds(
    Wanted,
    st.frozensets(st.sampled_from(["J1772", "CCS", "NACS", "CHAdeMO"]), max_size=2),
    st.sampled_from([None, "fast", "slow"]),
)


def free_and_fitting(one: Candidate, wanted: Wanted) -> bool:
    return any(stall.status == "Available" and wanted.fits(stall.plug, stall.max_kw) for stall in one.stalls)


@given(networks, wants)
def test_a_charger_that_is_free_and_fits_is_above_every_one_that_is_not(
    network: list[Candidate], wanted: Wanted
) -> None:
    states = [free_and_fitting(option.charger, wanted) for option in rank(network, 45, -76, wanted)]
    assert states == sorted(states, reverse=True)


@given(networks, wants)
def test_nothing_broken_closed_away_or_without_the_plug_is_offered(network: list[Candidate], wanted: Wanted) -> None:
    for option in rank(network, 45, -76, wanted):
        assert not option.charger.broken
        assert option.charger.connected
        assert option.charger.is_open is not False
        assert wanted.fits(option.stall.plug, option.stall.max_kw)
        assert option.stall in option.charger.stalls
        assert option.stall.status not in ("Faulted", "Unavailable") or option.stall.session_s is not None


@given(networks, wants)
def test_what_is_called_free_now_was_heard_just_now_and_delivers(network: list[Candidate], wanted: Wanted) -> None:
    for option in rank(network, 45, -76, wanted):
        if option.tier is Tier.FREE:
            assert option.charger.heard_s is not None
            assert option.charger.heard_s <= FRESH_S
            assert option.charger.failures < 2
            assert option.charger.open_cases == 0
            assert option.free_in_s is None
        if option.tier is Tier.BUSY:
            assert option.free_in_s is not None


@given(networks, wants, st.randoms())
def test_the_order_they_come_in_makes_no_difference(
    network: list[Candidate], wanted: Wanted, chance: random.Random
) -> None:
    shuffled = list(network)
    chance.shuffle(shuffled)
    assert rank(network, 45, -76, wanted) == rank(shuffled, 45, -76, wanted)


@given(networks, wants)
def test_of_two_that_differ_only_in_distance_the_nearer_is_first(network: list[Candidate], wanted: Wanted) -> None:
    for one in network:
        far = Candidate(
            **{name: getattr(one, name) for name in one.__slots__}
            | {"id": f"{one.id}-far", "latitude": one.latitude + 5}
        )
        found = [option.charger.id for option in rank([far, one], 45, -76, wanted)]
        assert found in ([], [one.id, far.id])


@settings(max_examples=200)
@given(st.floats(-85, 85), st.floats(-180, 180), st.floats(-85, 85), st.floats(-180, 180))
def test_distances_are_symmetric(a: float, b: float, c: float, d: float) -> None:
    assert abs(distance_m(a, b, c, d) - distance_m(c, d, a, b)) < 1e-3


def test_a_charger_where_people_lately_failed_is_no_first_choice_though_it_is_nearer() -> None:
    free = (Stall(1, "CCS", 150.0, "Available"),)
    near = Candidate("near", "1", "", 45.0, -76.0, True, free, heard_s=5, failures=3)
    far = Candidate("far", "2", "", 45.1, -76.0, True, free, heard_s=5, delivered_s=60)
    assert [option.charger.id for option in rank([near, far], 45, -76, Wanted())] == ["far", "near"]
