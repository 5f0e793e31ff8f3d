"""Session won't start, every branch: what is seen, what is done, and that nothing is claimed without its effect."""

from dataclasses import replace
from typing import Any

import pytest

from actions.charging import BridgeClient
from actions.playbooks.contact import advice
from actions.playbooks.start_charging import next_key
from actions.playbooks.steps import Offer, Outcome, Tried, duration_words, energy_words
from tests.actions.fake_bridge import FakeBridge, authorization, charger, connector, session
from tests.actions.playing import ADA, GUEST, NOW, contact, play, wake

NOT_STARTING = contact("session_not_starting")
ADA_LATER = replace(ADA, message_id="in_2")
CLAIMS = {"say_charging", "say_charging_no_energy", "say_already_charging", "say_already_charging_no_energy"}


@pytest.mark.parametrize(
    ("status", "said", "offer"),
    [
        ("Preparing", "say_starting", None),
        ("Available", "say_plug_not_seen_watched", Offer.RETRY),
        ("Finishing", "say_finishing_watched", Offer.RETRY),
        ("Reserved", "say_reserved", Offer.PERSON),
        ("Charging", "say_busy_other", Offer.PERSON),
        ("SuspendedEV", "say_suspended_car", Offer.PERSON),
        ("SuspendedEVSE", "say_suspended_charger", Offer.PERSON),
        (None, "say_status_unknown", Offer.RETRY),
    ],
)
async def test_each_state_of_the_plug_has_its_words(
    bridge: FakeBridge, chargers: BridgeClient, status: str | None, said: str, offer: Offer | None
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, status))
    played = await play(chargers, NOT_STARTING)
    assert (played.said[0], played.offer) == (said, offer)
    assert bool(bridge.commands) == (status == "Preparing")


async def test_the_plug_is_watched_for_in_place_of_asking(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Available"))
    assert (await play(chargers, NOT_STARTING)).waiting == ["plug_seen"]
    [watch] = bridge.watches
    assert (watch["charger"], watch["connector"], watch["until"]) == ("CL-1042", 1, "status:Preparing")
    assert watch["data"] == {"conversation": "sms_a", "language": "en", "purpose": "plug_seen"}


async def test_what_cannot_be_watched_is_not_promised(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Available"))
    bridge.watching = False
    assert (await play(chargers, NOT_STARTING)).said == ["say_plug_not_seen"]


async def test_the_plug_that_came_is_started_without_a_word(bridge: FakeBridge, chargers: BridgeClient) -> None:
    played = await wake(chargers, NOT_STARTING, "plug_seen")
    assert (played.said, played.outcome) == (["say_plug_seen", "say_charging"], Outcome.FIXED)


async def test_a_plug_that_never_came_leads_elsewhere(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Available"))
    played = await wake(chargers, NOT_STARTING, "plug_seen", met=False)
    assert played.said == ["say_plug_still_not_seen", "say_next_none"]
    assert bridge.commands == {}


async def test_a_wake_that_came_too_late_is_silent(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Charging", session=session("drv-ada", 10)))
    assert (await wake(chargers, NOT_STARTING, "plug_seen")).steps == []


async def test_a_turn_that_was_cut_off_goes_on_with_its_own_start(bridge: FakeBridge, chargers: BridgeClient) -> None:
    """Killed between the act and its words: run again, the session is there and dry, and the start says what came of it."""
    began = {**session("drv-ada", None), "power_w": None}
    then = {"status": "Charging", "session": began}
    bridge.ends = [{"state": "verified", "outcome": "verified", "session": began["id"], "then": then}]
    first = await play(chargers, NOT_STARTING)
    assert first.said[-1] == "say_charging"
    again = await play(chargers, NOT_STARTING)
    assert again.said == ["say_charging"]
    assert len(bridge.commands) == 1


@pytest.mark.parametrize(
    ("status", "driver", "energy", "said"),
    [
        ("Charging", "drv-ada", 850.0, "say_already_charging"),
        ("Charging", "drv-ada", None, "say_already_charging_no_energy"),
        ("Preparing", "drv-ada", None, "say_session_open"),
        ("SuspendedEV", "drv-ada", 850.0, "say_suspended_car"),
        ("SuspendedEVSE", "drv-ada", 0, "say_suspended_charger"),
        ("Charging", "drv-bob", 850.0, "say_busy_other"),
        ("Charging", None, 850.0, "say_busy_other"),
    ],
)
async def test_a_running_session_is_told_as_whose_it_is(
    bridge: FakeBridge, chargers: BridgeClient, status: str, driver: str, energy: float | None, said: str
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, status, session=session(driver, energy)))
    played = await play(chargers, NOT_STARTING)
    assert played.said == [said]
    assert bridge.commands == {}


async def test_a_verified_start_is_told_with_its_proof(bridge: FakeBridge, chargers: BridgeClient) -> None:
    played = await play(chargers, NOT_STARTING)
    assert played.said == ["say_starting", "say_charging"]
    assert (played.values["energy"], played.outcome) == ("12 Wh", Outcome.FIXED)
    [body] = bridge.bodies.values()
    assert (body["token"], body["idempotency_key"]) == ("tok_ada", "in_1:start:1")
    assert body["actor"] == {"driver": "drv-ada", "tier": 1, "conversation": "sms_a"}


@pytest.mark.parametrize(
    ("end", "said", "offer"),
    [
        ({"state": "rejected", "outcome": "rejected"}, "say_rejected", Offer.RETRY),
        ({"state": "rejected", "outcome": "not_supported"}, "say_not_supported", Offer.PERSON),
        ({"state": "rejected", "outcome": "call_error"}, "say_charger_error", Offer.RETRY),
        ({"state": "rejected", "outcome": "invalid_answer"}, "say_charger_error", Offer.RETRY),
        ({"state": "timed_out", "outcome": "timed_out"}, "say_timed_out", Offer.RETRY),
        ({"state": "timed_out", "outcome": None}, "say_timed_out", Offer.RETRY),
        ({"state": "not_verified", "outcome": "accepted_no_effect"}, "say_accepted_no_effect", Offer.RETRY),
        ({"state": "not_verified", "outcome": "car_not_drawing"}, "say_car_not_drawing", Offer.PERSON),
        ({"state": "not_verified", "outcome": "no_energy"}, "say_no_energy", Offer.PERSON),
        ({"state": "not_verified", "outcome": "something_new"}, "say_outcome_unknown", Offer.RETRY),
    ],
)
async def test_each_end_without_a_session_is_told_and_never_as_charging(
    bridge: FakeBridge, chargers: BridgeClient, end: dict[str, Any], said: str, offer: Offer | None
) -> None:
    bridge.ends = [end]
    played = await play(chargers, NOT_STARTING)
    assert (played.said[1], played.offer) == (said, offer)
    assert not CLAIMS & set(played.said)
    assert len(bridge.commands) == 1, "nothing is started a second time on these"


REJECTED = {"state": "rejected", "outcome": "rejected"}
FAILED_BEFORE = (Tried("start", "cmd_0", "rejected"), NOW)


async def test_the_second_failure_is_worth_one_restart(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [REJECTED, {"state": "sent", "finished": False}]
    played = await play(chargers, contact("session_not_starting", tried=[FAILED_BEFORE]))
    assert played.said == ["say_starting", "say_rejected_now", "say_restarting"]
    assert (played.tried[-1], played.waiting) == (("reset", None), ["reset"])


async def test_a_restart_that_did_not_help_leads_elsewhere_or_to_a_person(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    bridge.ends = [REJECTED]
    again = contact("session_not_starting", tried=[FAILED_BEFORE, (Tried("reset", "cmd_r", "verified"), NOW)])
    played = await play(chargers, again)
    assert played.said == ["say_starting", "say_rejected_again", "say_next_none"]
    assert (played.outcome, played.offer) == (Outcome.NOT_FIXED, Offer.PERSON)


async def test_nothing_is_restarted_beside_a_charging_neighbour(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bob = connector(2, "Charging", session=session("drv-bob", 500, connector=2))
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Preparing"), bob)
    bridge.ends = [REJECTED]
    played = await play(chargers, contact("session_not_starting", tried=[FAILED_BEFORE]))
    assert played.said == ["say_starting", "say_rejected_again", "say_next_none"]
    assert [body["action"] for body in bridge.bodies.values()] == ["start"]


async def test_a_start_that_ends_late_counts_as_the_second_failure(bridge: FakeBridge, chargers: BridgeClient) -> None:
    """Noted while it was open, ended by its watch: two failures are two, and nobody replugs twice."""
    bridge.ends = [{"state": "answered", "finished": False}]
    first = await play(chargers, contact("session_not_starting", turn=GUEST))
    assert first.said[-1] == "say_still_waiting"
    bridge.finish("cmd_1", state="not_verified", outcome="accepted_no_effect")
    tried = [(Tried("start", "cmd_0", "accepted_no_effect"), NOW), (Tried("start", "cmd_1", None), NOW)]
    told = await wake(chargers, contact("session_not_starting", turn=GUEST, tried=tried), "start", command="cmd_1")
    assert told.said == ["say_accepted_nothing", "say_next_none"]


async def test_a_line_lost_at_the_start_is_told_and_its_return_watched(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    gone = {"then_connection": {"state": "disconnected", "since": None}}
    bridge.ends = [{"state": "disconnected", "outcome": "disconnected", **gone}]
    played = await play(chargers, NOT_STARTING)
    assert played.said == ["say_starting", "say_disconnected_watched", "say_next_none"]
    assert played.waiting == ["returned"]


async def test_a_plug_that_comes_when_the_driver_charges_elsewhere_is_not_theirs(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    busy = connector(1, "Charging", session=session("drv-ada", 500, charger="CL-1043"))
    bridge.chargers["CL-1043"] = charger("1043", busy)
    assert (await wake(chargers, NOT_STARTING, "plug_seen")).steps == []
    assert bridge.commands == {}


async def test_unplugging_is_asked_for_once(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Finishing"))
    first = await play(chargers, NOT_STARTING)
    assert first.said == ["say_finishing_watched"]
    advised = [(step, NOW) for step in first.steps if isinstance(step, Tried)]
    again = await play(chargers, contact("session_not_starting", tried=advised))
    assert again.said == ["say_still_finishing", "say_next_none"]


async def test_the_meter_is_asked_before_a_session_is_called_dry(bridge: FakeBridge, chargers: BridgeClient) -> None:
    dry = {**session("drv-ada", None), "power_w": None}
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Charging", session=dry))
    bridge.meter = {"energy_wh": 640, "power_w": 6900}
    played = await play(chargers, NOT_STARTING)
    assert (played.said, played.values["energy"]) == (["say_already_charging"], "640 Wh")
    assert bridge.triggers == [("CL-1042", "MeterValues", 1)]


async def test_who_has_replugged_is_not_asked_to(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "rejected", "outcome": "rejected"}]
    bridge.chargers["CL-1043"] = charger("1043", connector(1, "Available"))
    bridge.around = ["CL-1043"]
    played = await play(chargers, contact("session_not_starting", reported=["replugged"]))
    assert played.said == ["say_starting", "say_rejected_now", "say_restarting"], "once, before anybody is sent away"
    again = [(Tried("reset", "cmd_r", "not_verified"), NOW)]
    bridge.ends = [REJECTED]
    about = contact("session_not_starting", turn=ADA_LATER, reported=["replugged"], tried=again)
    elsewhere = await play(chargers, about)
    assert elsewhere.said == ["say_starting", "say_rejected_now", "say_next_site"]
    assert elsewhere.outcome is Outcome.REDIRECTED


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("no-start-on-trouble", "say_refused_no_start_on_trouble"),
        ("no-free-energy", "say_refused_no_free_energy"),
        ("own-session-only", "say_no_token"),
        ("rate", "say_refused_rate"),
        ("boot-pending", "say_refused_boot_pending"),
        ("hazard-first", "say_refused_hazard_first"),
        ("fresh-eyes", "say_refused_fresh_eyes"),
        ("a-rule-of-tomorrow", "say_refused"),
    ],
)
async def test_a_refusal_of_the_gate_is_told_by_its_rule(
    bridge: FakeBridge, chargers: BridgeClient, rule: str, said: str
) -> None:
    bridge.ends = [{"state": "refused", "refused": {"rule": rule, "why": "…"}}]
    played = await play(chargers, NOT_STARTING)
    assert (played.said[1], played.offer) == (said, Offer.PERSON)


async def test_a_start_that_is_under_way_already_is_named_so(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "refused", "refused": {"rule": "once", "why": "…"}}]
    assert (await play(chargers, NOT_STARTING)).said[1] == "say_refused_once"


async def test_a_session_elsewhere_is_named_and_may_be_finished(bridge: FakeBridge, chargers: BridgeClient) -> None:
    running = session("drv-ada", 10, charger="CL-1043")
    bridge.chargers["CL-1043"] = charger("1043", connector(1, "Charging", session=running))
    bridge.ends = [{"state": "refused", "refused": {"rule": "once", "why": "…"}}]
    played = await play(chargers, NOT_STARTING)
    assert (played.said[1], played.values["other"]) == ("say_refused_once_session", "1043")
    assert played.offer is Offer.FINISH


async def test_a_late_effect_behind_a_time_out_is_seen(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "timed_out", "then": {"status": "Charging", "session": session("drv-ada", 40)}}]
    assert (await play(chargers, NOT_STARTING)).said[1] == "say_already_charging"


@pytest.mark.parametrize(("energy", "said"), [(0.0, "say_car_not_drawing"), (25.0, "say_already_charging")])
async def test_a_car_that_drew_nothing_charges_only_once_energy_has_come(
    bridge: FakeBridge, chargers: BridgeClient, energy: float, said: str
) -> None:
    after = {"status": "Charging", "session": session("drv-ada", energy)}
    bridge.ends = [{"state": "not_verified", "outcome": "car_not_drawing", "then": after}]
    assert (await play(chargers, NOT_STARTING)).said[1] == said


async def test_a_lost_command_is_sent_once_more_when_nothing_runs(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "disconnected"}, {"state": "verified"}]
    assert (await play(chargers, NOT_STARTING)).said[-1] == "say_charging"
    assert list(bridge.bodies) == ["in_1:start:1", "in_1:start:2"]


async def test_there_is_never_a_third_start(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "disconnected"}] * 5
    assert "say_disconnected" in (await play(chargers, NOT_STARTING)).said
    assert len(bridge.commands) == 2


@pytest.mark.parametrize(
    "then", [{"status": "Charging", "session": session("drv-ada")}, {"status": "Available"}, {"status": "Faulted"}]
)
async def test_a_lost_command_is_not_repeated_when_the_state_has_moved_on(
    bridge: FakeBridge, chargers: BridgeClient, then: dict[str, Any]
) -> None:
    bridge.ends = [{"state": "disconnected", "then": then}]
    await play(chargers, NOT_STARTING)
    assert len(bridge.commands) == 1


async def test_an_open_end_is_watched_and_told_later(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "answered", "finished": False}]
    played = await play(chargers, NOT_STARTING)
    assert (played.said[-1], played.waiting) == ("say_still_waiting", ["start"])
    assert bridge.watches[0]["data"] == {"conversation": "sms_a", "language": "en", "purpose": "start"}
    assert (await wake(chargers, NOT_STARTING, "start", command="cmd_1")).said == []
    bridge.finish("cmd_1", state="verified")
    assert (await wake(chargers, NOT_STARTING, "start", command="cmd_1")).said == ["say_charging"]


async def test_a_repeated_turn_starts_nothing_again(bridge: FakeBridge, chargers: BridgeClient) -> None:
    for _ in range(2):
        await play(chargers, NOT_STARTING)
    assert len(bridge.commands) == 1


async def test_blocked_tokens_start_nothing(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.tokens["drv-ada"][0]["status"] = "Blocked"
    assert (await play(chargers, NOT_STARTING)).said[-1] == "say_card_blocked"
    assert bridge.commands == {}


async def test_a_card_that_was_refused_a_moment_ago_is_talked_about(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.tokens["drv-ada"][0]["status"] = "Expired"
    bridge.authorizations, bridge.causes = [authorization("Expired")], ["token_expired"]
    assert (await play(chargers, NOT_STARTING)).said == ["say_card_expired"]


async def test_a_guest_charges_only_where_the_operator_lets_guests(bridge: FakeBridge, chargers: BridgeClient) -> None:
    assert (await play(chargers, contact("session_not_starting", turn=GUEST))).said[-1] == "say_charging"
    bridge.guests = False
    later = contact("session_not_starting", turn=GUEST)
    assert (await play(chargers, later)).said[-1] == "say_refused_no_free_energy"


async def test_a_charger_with_danger_on_it_is_never_started(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Unavailable"))
    bridge.hold = "hazard"
    assert (await play(chargers, NOT_STARTING)).said[0] == "say_hazard_hold"
    assert bridge.commands == {}


def test_keys_of_further_attempts() -> None:
    assert next_key("in_1:start:1") == "in_1:start:2"
    assert next_key("in_1:start:2") is None
    assert next_key("free text") is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "1 min"), (59, "1 min"), (60, "1 min"), (7200, "2 h"), (200000, "2 days")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_energy_in_words() -> None:
    assert energy_words(12) == "12 Wh"
    assert energy_words(12345) == "12.3 kWh"


async def test_a_transaction_that_nobody_has_authorised_is_a_plug_that_waits(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    """On OCPP 2 some chargers begin one as the plug goes in (TxStartPoint EVConnected): it is no session of another driver."""
    plugged = {**session(None, None), "power_w": None, "token_last4": ""}
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Preparing", session=plugged))
    played = await play(chargers, NOT_STARTING)
    assert played.said[0] == "say_starting"
    assert played.outcome is Outcome.FIXED


async def test_a_driver_who_has_pushed_the_plug_in_twice_is_sent_on(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Available"), connector(2, "Unavailable"))
    bridge.chargers["CL-1043"] = charger("1043", connector(1, "Available"))
    bridge.around = ["CL-1043"]
    told = [(advice("say_plug_not_seen"), NOW)] * 2
    assert (await play(chargers, contact("session_not_starting", tried=told[:1]))).said == ["say_plug_not_seen_watched"]
    played = await play(chargers, contact("session_not_starting", tried=told))
    assert played.said[0] == "say_plug_still_not_seen"
    assert played.outcome in (Outcome.REDIRECTED, Outcome.NOT_FIXED)


async def test_a_meter_that_stands_still_leads_somewhere_else(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "not_verified", "outcome": "no_energy"}]
    assert (await play(chargers, NOT_STARTING)).said == ["say_starting", "say_no_energy", "say_next_none"]


async def test_who_asks_again_while_the_meter_stands_still_is_sent_on_too(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    dry = {**session("drv-ada", 0), "power_w": 0}
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Charging", session=dry))
    bridge.causes = ["no_energy"]
    assert (await play(chargers, NOT_STARTING)).said == ["say_no_energy", "say_next_none"]
