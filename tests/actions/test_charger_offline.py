"""Offline or unavailable: four different things, each told and treated as what it is."""

from typing import Any

import pytest

from actions.bridge import Actor
from actions.charging import BridgeClient
from actions.playbooks.contact import Turn
from actions.playbooks.steps import Offer, Outcome, Tried
from tests.actions.fake_bridge import FakeBridge, charger, connector, session
from tests.actions.playing import GUEST, NOW, contact, play, wake

OFFLINE = contact("charger_offline")


def actions(bridge: FakeBridge) -> list[str]:
    return [body["action"] for body in bridge.bodies.values()]


async def test_no_line_is_said_watched_and_leads_elsewhere(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", state="disconnected", since="2026-01-01T12:00:00Z")
    bridge.chargers["CL-1043"] = charger("1043", connector(1, "Available"), site={"name": "Elgin"}, latitude=45.43)
    bridge.around = ["CL-1042", "CL-1043"]
    played = await play(chargers, OFFLINE)
    assert played.said == ["say_offline_watched", "say_next_near"]
    assert (played.values["since"], played.values["distance"]) == ("12 min", "1.1 km")
    assert (bridge.watches[0]["until"], played.outcome) == ("connected", Outcome.REDIRECTED)
    assert bridge.commands == {}


async def test_a_charger_that_never_connected_has_no_since(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", state="disconnected")
    bridge.watching = False
    assert (await play(chargers, OFFLINE)).said == ["say_offline_since_unknown", "say_next_none"]


async def test_one_that_dropped_a_moment_ago_is_waited_for(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", state="returning")
    assert (await play(chargers, OFFLINE)).said == ["say_returning"]


async def test_one_that_is_expected_back_is_waited_for_before_it_is_called_offline(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Preparing"), state="returning")
    bridge.back = charger("1042", connector(1, "Preparing"))
    played = await play(chargers, contact("session_not_starting"))
    assert played.said == ["say_starting", "say_charging"]


async def test_a_charger_that_gives_no_status_when_asked_is_called_silent(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    row = charger("1042", connector(1, "Preparing", status_age_s=90.0))
    bridge.chargers["CL-1042"] = row
    row["connection"]["last_frame_age_s"] = 40.0
    assert (await play(chargers, contact("session_not_starting"))).said[0] == "say_silent"
    row["connection"]["last_frame_age_s"] = 0.5  # it said that it cannot be asked: that is an answer
    assert (await play(chargers, contact("session_not_starting"))).said[0] == "say_starting"


async def test_a_whole_site_is_called_so_and_nothing_is_reset(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", state="disconnected")
    bridge.gone, bridge.causes = ["CL-1042", "CL-1043"], ["site_offline"]
    assert (await play(chargers, OFFLINE)).said[0] == "say_site_offline"
    assert bridge.commands == {}


@pytest.mark.parametrize(("status", "said"), [("Preparing", "say_back_plugged"), ("Available", "say_back_unplugged")])
async def test_the_return_is_told_and_a_start_takes_the_drivers_word(
    bridge: FakeBridge, chargers: BridgeClient, status: str, said: str
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, status))
    played = await wake(chargers, OFFLINE, "returned")
    assert (played.said, played.offer) == ([said], Offer.START)
    assert bridge.commands == {}, "after a long wait another car may stand there"


async def test_one_that_stays_away_is_told_too(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", state="disconnected")
    assert (await wake(chargers, OFFLINE, "returned", met=False)).said == ["say_not_back", "say_next_none"]


@pytest.mark.parametrize(
    ("row", "causes", "hold", "said"),
    [
        ({}, ["charger_silent"], None, "say_silent"),
        ({"boot": {"status": "Pending"}}, [], None, "say_boot_pending"),
        ({}, [], "hazard", "say_hazard_hold"),
        ({"connectors": [connector(1, "Unavailable")]}, [], "operator", "say_unavailable"),
    ],
)
async def test_what_is_not_ours_to_mend_is_said_and_leads_elsewhere(
    bridge: FakeBridge, chargers: BridgeClient, row: dict[str, Any], causes: list[str], hold: str | None, said: str
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", **({} if "connectors" in row else row))
    if "connectors" in row:
        bridge.chargers["CL-1042"]["connectors"] = row["connectors"]
    bridge.causes, bridge.hold = causes, hold
    played = await play(chargers, OFFLINE)
    assert played.said == [said, "say_next_none"]
    assert bridge.commands == {}


async def test_unavailable_by_nobodys_wish_is_made_operative_and_started(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Unavailable"))
    bridge.ends = [{"state": "verified", "then": {"status": "Preparing"}}, {"state": "verified"}]
    played = await play(chargers, OFFLINE)
    assert actions(bridge) == ["operative", "start"]
    assert played.said == ["say_making_operative", "say_operative", "say_charging"]


async def test_what_stays_unavailable_is_not_called_back_in_service(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Unavailable"))
    bridge.ends = [{"state": "verified"}]
    played = await play(chargers, OFFLINE)
    assert played.said == ["say_making_operative", "say_operative_failed", "say_next_none"]


async def test_a_fault_is_reset_once_watched_and_then_charged(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Faulted", error_code="InternalError"))
    bridge.ends = [{"state": "sent", "finished": False}, {"state": "verified"}]
    first = await play(chargers, OFFLINE)
    assert (first.said, first.waiting) == (["say_resetting"], ["reset"])
    [body] = bridge.bodies.values()
    assert (body["action"], body["kind"]) == ("reset", "soft")
    bridge.finish("cmd_1", state="verified")
    bridge.chargers["CL-1042"]["connectors"][0]["status"] = "Preparing"
    woken = await wake(chargers, OFFLINE, "reset", command="cmd_1")
    assert woken.said == ["say_reset_back", "say_charging"]


async def test_a_restart_that_did_not_cure_is_not_called_one(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Faulted"))
    bridge.ends = [{"state": "not_verified", "outcome": "still_faulted"}]
    assert (await play(chargers, OFFLINE)).said == ["say_resetting", "say_reset_not_back", "say_next_none"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([connector(1, "Faulted"), connector(2, "Charging", session=session("drv-bob"))], "say_reset_neighbour"),
        ([connector(1, "Faulted", error_code="GroundFailure")], "say_faulted"),
    ],
)
async def test_a_fault_that_a_reset_may_not_or_cannot_cure_leads_elsewhere(
    bridge: FakeBridge, chargers: BridgeClient, rows: list[dict[str, Any]], said: str
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", *rows)
    assert (await play(chargers, OFFLINE)).said[0] == said
    assert bridge.commands == {}


async def test_nobody_resets_twice_nor_a_stranger_at_all(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Faulted"))
    again = contact("charger_offline", tried=[(Tried("reset", "cmd_0", "still_faulted"), NOW)])
    for about in (again, contact("charger_offline", turn=GUEST)):
        assert (await play(chargers, about)).said[0] == "say_faulted"
    assert bridge.commands == {}


async def test_a_charger_called_dead_that_sees_the_plug_is_started(bridge: FakeBridge, chargers: BridgeClient) -> None:
    assert (await play(chargers, OFFLINE)).said == ["say_starting", "say_charging"]


async def test_an_unknown_person_changes_nothing(bridge: FakeBridge, chargers: BridgeClient) -> None:
    nobody = Turn(Actor("drv-eve", 0, "sms_e"), "in_1", "en")
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Unavailable"))
    assert (await play(chargers, contact("charger_offline", turn=nobody))).said[0] == "say_unavailable"
    assert bridge.commands == {}
