"""A lock that was asked and is still watched: told at once, not asked twice, tried once more when its time is over."""

from datetime import timedelta

from actions.charging import BridgeClient
from actions.playbooks.steps import Offer, Outcome, Tried
from tests.actions.fake_bridge import FakeBridge, charger, connector, session
from tests.actions.playing import NOW, contact, play, wake

STUCK = contact("connector_stuck")
OPEN = {"state": "answered", "answer": "Unlocked", "finished": False}
FAILED = {"state": "not_verified", "outcome": "accepted_no_effect"}


def socketed(bridge: FakeBridge) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Finishing", tethered=False))
    bridge.ended = [{**session("drv-ada", 900), "state": "ended", "ended_at": "2026-01-01T12:02:00Z"}]


async def test_a_lock_that_says_it_opened_is_told_at_once(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge)
    bridge.ends = [OPEN]
    played = await play(chargers, STUCK)
    assert (played.said, played.waiting) == (["say_unlocking", "say_unlock_pull"], ["unlock"])
    assert next(iter(bridge.bodies.values()))["wait_s"] <= 2


async def test_still_stuck_while_it_is_watched_gets_other_advice_and_no_second_command(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    socketed(bridge)
    bridge.ends = [OPEN]
    await play(chargers, STUCK)
    again = await play(chargers, contact("connector_stuck", tried=[(Tried("unlock", "cmd_1", None), NOW)]))
    assert (again.said, again.offer) == (["say_unlock_says_open"], Offer.PERSON)
    assert len(bridge.commands) == 1


async def test_after_two_tries_a_word_of_the_driver_is_enough_for_a_person(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    socketed(bridge)
    bridge.ends = [OPEN]
    await play(chargers, STUCK)
    tried = [(Tried("unlock", "cmd_0", "accepted_no_effect"), NOW), (Tried("unlock", "cmd_1", None), NOW)]
    played = await play(chargers, contact("connector_stuck", tried=tried))
    assert (played.said, played.outcome) == (["say_stuck_still"], Outcome.HANDED_OVER)


async def test_when_its_time_is_over_the_lock_is_tried_once_more(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge)
    bridge.ends = [OPEN, OPEN]
    await play(chargers, STUCK)
    bridge.finish("cmd_1", **FAILED)
    two_minutes_ago = NOW - timedelta(seconds=120)
    tried = [(Tried("unlock", "cmd_1", None), two_minutes_ago)]
    later = contact("connector_stuck", tried=tried, turn_id="in_2")
    played = await wake(chargers, later, "unlock", command="cmd_1")
    assert played.said == ["say_unlock_once_more", "say_unlock_pull"]
    assert len(bridge.commands) == 2


async def test_who_is_locked_in_gets_a_person_after_the_first_try(bridge: FakeBridge, chargers: BridgeClient) -> None:
    socketed(bridge)
    bridge.ends = [FAILED]
    played = await play(chargers, contact("connector_stuck", reported=["distress"]))
    assert (played.said, played.outcome) == (["say_unlocking", "say_stuck_still"], Outcome.HANDED_OVER)
    assert played.end.handoff
