"""A card that does not work: what reached us decides; no token is made valid, no list touched, only own tokens start."""

import pytest

from actions.charging import BridgeClient
from actions.playbooks.steps import Offer
from tests.actions.fake_bridge import FakeBridge, authorization, charger, connector, session
from tests.actions.playing import GUEST, contact, play

CARD = contact("rfid_failed")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Blocked", "say_card_blocked"),
        ("Expired", "say_card_expired"),
        ("NoCredit", "say_card_no_credit"),
        ("NotAtThisLocation", "say_card_not_here"),
    ],
)
async def test_a_refused_card_is_told_its_reason_and_starts_nothing(
    bridge: FakeBridge, chargers: BridgeClient, answer: str, said: str
) -> None:
    bridge.tokens["drv-ada"][0]["status"] = answer
    bridge.authorizations = [authorization(answer)]
    played = await play(chargers, CARD)
    assert (played.said, played.offer) == ([said], Offer.PERSON)
    assert played.values.get("last4", "AD01") == "AD01"
    assert bridge.commands == {}


async def test_no_card_seen_is_started_from_here_with_the_own_card(bridge: FakeBridge, chargers: BridgeClient) -> None:
    assert (await play(chargers, CARD)).said == ["say_card_not_read", "say_charging"]
    [body] = bridge.bodies.values()
    assert body["token"] == "tok_ada"


async def test_a_strangers_card_is_never_named_and_the_own_one_is_used(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    bridge.authorizations = [authorization("Invalid", own=False)]
    played = await play(chargers, CARD)
    assert played.said == ["say_card_unknown_own", "say_charging"]
    assert "9999" not in played.values.values()


async def test_accepted_by_us_and_refused_there_is_tried_from_here(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.authorizations, bridge.causes = [authorization("Accepted")], ["refused_by_charger"]
    assert (await play(chargers, CARD)).said == ["say_card_charger_refused", "say_charging"]
    assert {body["action"] for body in bridge.bodies.values()} == {"start"}


async def test_an_old_session_is_shown_and_its_end_offered(bridge: FakeBridge, chargers: BridgeClient) -> None:
    old = session("drv-ada", 4200, charger="CL-1043")
    bridge.chargers["CL-1043"] = charger("1043", connector(1, "Charging", session=old))
    bridge.authorizations = [authorization("ConcurrentTx")]
    played = await play(chargers, CARD)
    assert (played.said, played.values["other"], played.offer) == (["say_card_busy"], "1043", Offer.FINISH)
    assert bridge.commands == {}


async def test_an_unknown_visitor_is_told_that_no_card_is_known(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.guests = False
    bridge.authorizations = [authorization("Invalid", own=False)]
    assert (await play(chargers, contact("rfid_failed", turn=GUEST))).said == ["say_card_unknown"]
    bridge.authorizations = []
    assert (await play(chargers, contact("rfid_failed", turn=GUEST))).said == ["say_card_no_account"]


async def test_without_a_plug_the_start_waits_for_it(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Available"))
    played = await play(chargers, CARD)
    assert (played.said, played.waiting) == (["say_card_plug_first"], ["plug_seen"])
    assert bridge.commands == {}


async def test_a_charger_without_a_line_is_playbook_three(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", state="disconnected")
    assert (await play(chargers, CARD)).said[0] == "say_offline_since_unknown_watched"
