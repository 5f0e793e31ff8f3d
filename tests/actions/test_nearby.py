"""A charger near the driver: where they are, what is told, what is held or watched, and that nothing is invented."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actions.charging import BridgeClient
from actions.places.search import Search, search_of
from actions.playbooks import nearby
from actions.playbooks.contact import Contact, Wake
from actions.playbooks.steps import Offer, Outcome, Say
from tests.actions.fake_bridge import FakeBridge, Row, charger, connector, session
from tests.actions.playing import GUEST, Played, all_of, contact, ports

SITES = [
    {
        "id": "s1",
        "name": "Canal Quarter P2",
        "address": "150 Canal Row",
        "city": "Ottawa, ON",
        "latitude": 45.4245,
        "longitude": -75.6927,
    },
    {"id": "s2", "name": "Limestone Harbour Lot", "city": "Kingston, ON", "latitude": 44.2298, "longitude": -76.4809},
]


def placed(label: str, away: float, *connectors: Row, **more: object) -> Row:
    """A charger so many degrees north of Ottawa's site, heard a moment ago, that delivered this morning."""
    row = charger(label, *connectors)
    row["connection"]["last_frame_age_s"] = 20.0
    return row | {
        "latitude": 45.4245 + away,
        "longitude": -75.6927,
        "lately": {"delivered_at": "2026-01-01T08:00:00Z", "failures": 0},
        **more,
    }


@pytest.fixture
def network(bridge: FakeBridge) -> FakeBridge:
    bridge.sites = list(SITES)
    rows = [
        placed("2001", 0.01, connector(1, "Charging", session=session("drv-bob", charger="CL-2001"))),
        placed("2002", 0.02, connector(1, "Available")),
        placed("2003", 0.03, connector(1, "Faulted")),
        placed("2004", 0.04, connector(1, "Available")),
    ]
    for row in rows:
        bridge.chargers[row["id"]] = row
    bridge.around = [row["id"] for row in rows]
    return bridge


def looking(words: str, **search: object) -> Contact:
    return replace(contact("find_charger", None, None), search=Search(words=words, **search))  # type: ignore[arg-type]


async def run(chargers: BridgeClient, of: Contact) -> Played:
    return await all_of(nearby.run(ports(chargers), of))


async def test_free_ones_near_a_town_are_listed_the_nearest_first(network: FakeBridge, chargers: BridgeClient) -> None:
    played = await run(chargers, looking("any charger near ottawa?"))
    assert played.said == ["say_near_list"]
    assert played.values["place"] == "Ottawa, ON"
    assert [row.split()[0] for row in played.values["list"].splitlines()] == ["2002", "2004"]
    assert "45.44450,-75.69270" in played.values["link"]
    assert (played.outcome, played.offer) == (Outcome.REDIRECTED, Offer.KEEP)
    assert played.end.search is not None
    assert played.end.search.option == ("CL-2002", 1)


async def test_who_says_no_place_is_asked_and_the_plug_is_remembered(
    network: FakeBridge, chargers: BridgeClient
) -> None:
    played = await run(chargers, looking("where is a j1772 charger"))
    assert (played.said, played.end.asks_place) == (["say_find_where"], True)
    assert played.end.search is not None
    kept = search_of(played.end.search.kept())
    assert kept.wanted.plugs == {"J1772"}
    again = await run(chargers, looking("ottawa", asked=True, wanted=kept.wanted))
    assert again.said == ["say_near_list"]


async def test_who_stands_at_a_charger_is_not_asked(network: FakeBridge, chargers: BridgeClient) -> None:
    of = replace(contact("find_charger", "CL-2002", 1), search=Search(words="where else can i charge"))
    played = await run(chargers, of)
    assert [row.split()[0] for row in played.values["list"].splitlines()] == ["2004"]


async def test_an_ambiguous_town_is_asked_back_with_coordinates_behind_the_choices(
    network: FakeBridge, chargers: BridgeClient
) -> None:
    played = await run(chargers, looking("im in springfield"))
    [say] = [step for step in played.steps if isinstance(step, Say)]
    assert say.name == "say_which_place"
    assert len(say.choices) == 3
    assert all('"location": "' in choice.payload for choice in say.choices)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("somewhere in ontario", "say_place_region"),
        ("i am on the 401 at exit 600", "say_place_highway"),
        ("kingston jamaica", "say_place_outside"),
    ],
)
async def test_what_is_no_place_to_measure_from_is_said(
    network: FakeBridge, chargers: BridgeClient, words: str, said: str
) -> None:
    assert (await run(chargers, looking(words))).said == [said]


async def test_a_pin_needs_no_words(network: FakeBridge, chargers: BridgeClient) -> None:
    assert (await run(chargers, looking("", pin=(45.42, -75.69)))).said == ["say_near_you_list"]


async def test_nothing_free_is_a_guess_and_said_to_be_one(network: FakeBridge, chargers: BridgeClient) -> None:
    network.around = ["CL-2001", "CL-2003"]
    played = await run(chargers, looking("ottawa"))
    assert played.said == ["say_near_busy"]
    assert played.values["guess"]
    assert played.offer is Offer.KEEP


async def test_an_old_status_is_said_to_be_old(network: FakeBridge, chargers: BridgeClient) -> None:
    network.chargers["CL-2002"]["connection"]["last_frame_age_s"] = 3600.0
    network.around = ["CL-2002"]
    played = await run(chargers, looking("ottawa"))
    assert (played.said, played.values["age"]) == (["say_near_old"], "60 min")


async def test_only_chargers_with_the_plug_are_named(network: FakeBridge, chargers: BridgeClient) -> None:
    played = await run(chargers, looking("chademo in ottawa"))
    assert (played.said, played.values) == (["say_near_none_fits"], {"plugs": "CHAdeMO"})


async def test_a_driver_with_an_account_has_it_held(network: FakeBridge, chargers: BridgeClient) -> None:
    of = looking("yes", option=("CL-2002", 1))
    played = await all_of(nearby.keep(ports(chargers), of))
    assert played.said == ["say_holding", "say_held"]
    [body] = network.bodies.values()
    assert (body["action"], body["connector"], body["token"], body["minutes"]) == ("reserve", 1, "tok_ada", 15)


async def test_a_hold_that_fails_is_not_claimed_and_the_charger_is_watched(
    network: FakeBridge, chargers: BridgeClient
) -> None:
    network.ends = [{"state": "rejected", "outcome": "rejected"}]
    played = await all_of(nearby.keep(ports(chargers), looking("yes", option=("CL-2002", 1))))
    assert (played.said[-1], played.waiting) == ("say_not_held_watching", ["taken"])


async def test_a_guest_gets_a_watch(network: FakeBridge, chargers: BridgeClient) -> None:
    of = replace(contact("find_charger", None, None, turn=GUEST), search=Search(option=("CL-2002", 1)))
    played = await all_of(nearby.keep(ports(chargers), of))
    assert (played.said, played.waiting) == (["say_watching_free"], ["taken"])
    assert network.commands == {}


async def test_a_busy_one_is_watched_until_it_is_free(network: FakeBridge, chargers: BridgeClient) -> None:
    played = await all_of(nearby.keep(ports(chargers), looking("yes", option=("CL-2001", 1))))
    assert (played.said, played.waiting) == (["say_watching_busy"], ["freed"])
    assert network.watches[-1]["until"] == "free"


async def test_when_it_gets_free_the_driver_is_told(network: FakeBridge, chargers: BridgeClient) -> None:
    of = contact("find_charger", "CL-2002", 1)
    assert (await all_of(nearby.woken(ports(chargers), of, Wake("freed", True)))).said == ["say_now_free"]
    of = contact("find_charger", "CL-2001", 1)
    assert (await all_of(nearby.woken(ports(chargers), of, Wake("freed", False)))).said == ["say_still_busy"]


async def test_when_somebody_takes_it_the_next_one_is_named(network: FakeBridge, chargers: BridgeClient) -> None:
    of = contact("find_charger", "CL-2001", 1)
    played = await all_of(nearby.woken(ports(chargers), of, Wake("taken", True)))
    assert played.said == ["say_taken", "say_near_list"]


async def test_the_driver_who_takes_it_hears_nothing(network: FakeBridge, chargers: BridgeClient) -> None:
    network.chargers["CL-2001"]["connectors"][0]["session"]["driver"] = "drv-ada"
    of = contact("find_charger", "CL-2001", 1)
    assert (await all_of(nearby.woken(ports(chargers), of, Wake("taken", True)))).said == []


def test_what_a_slot_holds_that_is_none_is_forgotten() -> None:
    for kept in (None, "x", {"place": "here"}, {"place": {"label": "a"}}, {"option": [1]}, {"plugs": 3}):
        assert search_of(kept) == Search()
