"""Connector stuck: own session only, stop before unlock, the lock twice half a minute apart, and never a reset."""

from datetime import timedelta
from typing import Any

import pytest

from actions.charging import BridgeClient
from actions.playbooks.steps import Offer, Outcome, Tried
from tests.actions.fake_bridge import FakeBridge, charger, connector, session
from tests.actions.playing import NOW, contact, play, wake

STUCK = contact("connector_stuck")


def socketed(bridge: FakeBridge, status: str = "Finishing", **more: Any) -> None:
    bridge.ended = [{**session("drv-ada", 900), "state": "ended", "ended_at": "2026-01-01T12:02:00Z"}]
    bridge.chargers["CL-1042"] = charger("1042", connector(1, status, tethered=False, **more))


def actions(bridge: FakeBridge) -> list[str]:
    return [body["action"] for body in bridge.bodies.values()]


async def test_the_own_session_is_ended_before_anything_is_unlocked(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge, "Charging", session=session("drv-ada", 900))
    bridge.ends = [{"state": "verified"}, {"state": "verified", "then": {"status": "Available"}}]
    played = await play(chargers, STUCK)
    assert actions(bridge) == ["stop", "unlock"]
    assert (played.said[-1], played.outcome) == ("say_unlocked_free", Outcome.FIXED)


async def test_a_session_that_does_not_end_is_never_unlocked(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge, "Charging", session=session("drv-ada", 900))
    bridge.ends = [{"state": "not_verified", "outcome": "accepted_no_effect"}]
    played = await play(chargers, STUCK)
    assert (actions(bridge), played.said[-1]) == (["stop"], "say_stuck_not_ended")


async def test_a_lock_is_not_promised_to_whom_no_session_there_was(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge)
    bridge.ended = []
    played = await play(chargers, STUCK)
    assert (played.said, played.outcome) == (["say_unlock_refused"], Outcome.HANDED_OVER)
    assert bridge.commands == {}


@pytest.mark.parametrize("row", [{"session": session("drv-bob", 900)}, {"session": None}])
async def test_a_strangers_session_is_not_touched(
    bridge: FakeBridge, chargers: BridgeClient, row: dict[str, Any]
) -> None:
    socketed(bridge, "Charging", **row)
    played = await play(chargers, STUCK)
    assert (played.said, played.offer) == (["say_stuck_not_yours"], Offer.PERSON)
    assert bridge.commands == {}


async def test_a_tethered_cable_has_no_lock_to_open(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Finishing"))
    played = await play(chargers, STUCK)
    assert (played.said, played.waiting) == (["say_stuck_car_holds"], ["pulled"])
    assert bridge.commands == {}


async def test_advice_that_did_not_help_is_a_persons_turn(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Finishing"))
    again = contact("connector_stuck", tried=[(Tried("advice", None, "given"), NOW)])
    played = await play(chargers, again)
    assert (played.said, played.outcome) == (["say_stuck_still"], Outcome.HANDED_OVER)


async def test_no_lock_is_a_normal_answer(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge)
    bridge.ends = [{"state": "rejected", "outcome": "not_supported"}]
    assert (await play(chargers, STUCK)).said == ["say_unlocking", "say_stuck_car_holds"]


async def test_unlocked_is_an_answer_and_no_free_plug(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge)
    bridge.ends = [{"state": "answered", "finished": False, "answer": "Unlocked"}]
    played = await play(chargers, STUCK)
    assert (played.said, played.waiting, played.outcome) == (["say_unlocking", "say_unlock_pull"], ["unlock"], None)
    bridge.finish("cmd_1", state="verified", outcome="verified")
    assert (await wake(chargers, STUCK, "unlock", command="cmd_1")).said == ["say_unlocked_free"]


async def test_the_lock_is_tried_again_after_half_a_minute_and_then_a_person(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    socketed(bridge)
    bridge.ends = [{"state": "rejected", "outcome": "rejected", "answer": "UnlockFailed"}] * 2
    first = await play(chargers, STUCK)
    assert (first.said[-1], first.waiting) == ("say_unlock_retry", ["unlock_again"])
    assert (bridge.watches[0]["until"], bridge.watches[0]["within_s"]) == ("free", 31)
    bridge.commands.clear()  # the wake is another turn, with a key of its own
    later = contact("connector_stuck", tried=[(Tried("unlock", "cmd_0", "rejected"), NOW - timedelta(seconds=31))])
    second = await wake(chargers, later, "unlock_again", met=False)
    assert (second.said, second.outcome) == (["say_unlock_failed"], Outcome.HANDED_OVER)


async def test_a_driver_who_asks_within_the_half_minute_waits(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge)
    asked = contact("connector_stuck", tried=[(Tried("unlock", "cmd_0", "rejected"), NOW - timedelta(seconds=10))])
    assert (await play(chargers, asked)).said == ["say_unlock_soon"]
    assert bridge.commands == {}


async def test_there_is_no_third_try(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge)
    before = [(Tried("unlock", f"cmd_{n}", "rejected"), NOW - timedelta(minutes=n + 1)) for n in (8, 9)]
    assert (await play(chargers, contact("connector_stuck", tried=before))).said == ["say_unlock_failed"]
    assert bridge.commands == {}


async def test_the_plug_that_came_out_in_the_half_minute_is_told(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge, "Available")
    assert (await wake(chargers, STUCK, "unlock_again")).said == ["say_unlocked_free"]


async def test_what_the_gate_refuses_is_a_persons(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge)
    bridge.ends = [{"state": "refused", "refused": {"rule": "own-session-only", "why": "…"}}]
    played = await play(chargers, STUCK)
    assert (played.said[-1], played.outcome) == ("say_unlock_refused", Outcome.HANDED_OVER)
    assert played.end.handoff


@pytest.mark.parametrize(
    ("state", "said"), [("disconnected", "say_stuck_offline"), ("connected", "say_stuck_not_seen")]
)
async def test_what_cannot_be_opened_from_here_is_told(
    bridge: FakeBridge, chargers: BridgeClient, state: str, said: str
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Available", tethered=False), state=state)
    assert (await play(chargers, STUCK)).said == [said]
