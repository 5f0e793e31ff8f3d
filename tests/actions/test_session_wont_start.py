"""Every branch of the playbook: what is seen, what is done, and that nothing is claimed without its effect."""

from datetime import UTC, datetime
from typing import Any

import pytest

from actions.bridge import Actor
from actions.charging import BridgeClient
from actions.playbooks.session_wont_start import Turn, finished, look, next_key, start
from actions.playbooks.steps import Offer, duration_words, energy_words
from tests.actions.fake_bridge import FakeBridge, charger, connector, session

NOW = datetime(2026, 1, 1, 12, 12, tzinfo=UTC)
ADA = Turn(Actor("drv-ada", 1, "sms_a"), "in_1", "en")
CLAIMS = {"say_charging", "say_charging_no_energy", "say_already_charging", "say_already_charging_no_energy"}


@pytest.mark.parametrize(
    ("status", "said", "starts", "offer"),
    [
        ("Preparing", "say_starting", True, None),
        ("Available", "say_plug_not_seen", False, Offer.RETRY),
        ("Finishing", "say_finishing", False, Offer.RETRY),
        ("Reserved", "say_reserved", False, None),
        ("Unavailable", "say_unavailable", False, None),
        ("Faulted", "say_faulted", False, None),
        ("Charging", "say_busy_other", False, None),
        ("SuspendedEV", "say_suspended_car", False, None),
        ("SuspendedEVSE", "say_suspended_charger", False, None),
        (None, "say_status_unknown", False, Offer.RETRY),
    ],
)
async def test_each_state_of_the_plug_has_its_words(
    bridge: FakeBridge, chargers: BridgeClient, status: str | None, said: str, starts: bool, offer: Offer | None
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, status))
    seen = await look(chargers, "CL-1042", 1, "drv-ada", NOW)
    assert (seen.say.name, seen.start, seen.offer) == (said, starts, offer)


async def test_an_offline_charger_is_named_so_with_how_long(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", state="disconnected", since="2026-01-01T12:00:00Z")
    seen = await look(chargers, "CL-1042", None, "drv-ada", NOW)
    assert (seen.say.name, seen.say.values["since"], seen.start) == ("say_offline", "12 min", False)


async def test_an_offline_charger_that_never_connected_has_no_since(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", state="disconnected")
    assert (await look(chargers, "CL-1042", 1, "drv-ada", NOW)).say.name == "say_offline_since_unknown"


async def test_a_charger_that_is_not_booted_gets_no_start(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", boot={"status": "Pending"})
    seen = await look(chargers, "CL-1042", 1, "drv-ada", NOW)
    assert (seen.say.name, seen.start) == ("say_boot_pending", False)


async def test_a_fault_names_its_error(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Faulted", error_code="GroundFailure"))
    assert (await look(chargers, "CL-1042", 1, "drv-ada", NOW)).say.values["error"] == " (GroundFailure)"


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
    seen = await look(chargers, "CL-1042", 1, "drv-ada", NOW)
    assert (seen.say.name, seen.start) == (said, False)


async def test_a_verified_start_is_told_with_its_proof(bridge: FakeBridge, chargers: BridgeClient) -> None:
    outcome = await start(chargers, "CL-1042", 1, ADA)
    assert (outcome.say.name, outcome.say.values["energy"]) == ("say_charging", "12 Wh")
    [body] = bridge.bodies.values()
    assert (body["token"], body["idempotency_key"]) == ("tok_ada", "in_1:start:1")
    assert body["actor"] == {"driver": "drv-ada", "tier": 1, "conversation": "sms_a"}


@pytest.mark.parametrize(
    ("end", "said", "offer"),
    [
        ({"state": "rejected", "outcome": "rejected"}, "say_rejected", Offer.RETRY),
        ({"state": "rejected", "outcome": "not_supported"}, "say_not_supported", None),
        ({"state": "rejected", "outcome": "call_error"}, "say_charger_error", Offer.RETRY),
        ({"state": "rejected", "outcome": "invalid_answer"}, "say_charger_error", Offer.RETRY),
        ({"state": "timed_out", "outcome": "timed_out"}, "say_timed_out", Offer.RETRY),
        ({"state": "timed_out", "outcome": None}, "say_timed_out", Offer.RETRY),
        ({"state": "not_verified", "outcome": "accepted_no_effect"}, "say_accepted_no_effect", Offer.RETRY),
        ({"state": "not_verified", "outcome": "car_not_drawing"}, "say_car_not_drawing", None),
        ({"state": "not_verified", "outcome": "something_new"}, "say_outcome_unknown", Offer.RETRY),
    ],
)
async def test_each_end_without_a_session_is_told_and_never_as_charging(
    bridge: FakeBridge, chargers: BridgeClient, end: dict[str, Any], said: str, offer: Offer | None
) -> None:
    bridge.ends = [end]
    outcome = await start(chargers, "CL-1042", 1, ADA)
    assert (outcome.say.name, outcome.offer) == (said, offer)
    assert outcome.say.name not in CLAIMS
    assert len(bridge.commands) == 1, "nothing is started a second time on these"


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
    outcome = await start(chargers, "CL-1042", 1, ADA)
    assert (outcome.say.name, outcome.offer) == (said, Offer.PERSON)


async def test_a_start_that_is_under_way_already_is_named_so(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "refused", "refused": {"rule": "once", "why": "…"}}]
    assert (await start(chargers, "CL-1042", 1, ADA)).say.name == "say_refused_once"


async def test_a_session_elsewhere_is_named_with_its_charger(bridge: FakeBridge, chargers: BridgeClient) -> None:
    running = session("drv-ada", 10, charger="CL-1043")
    bridge.chargers["CL-1043"] = charger("1043", connector(1, "Charging", session=running))
    bridge.ends = [{"state": "refused", "refused": {"rule": "once", "why": "…"}}]
    outcome = await start(chargers, "CL-1042", 1, ADA)
    assert (outcome.say.name, outcome.say.values["other"]) == ("say_refused_once_session", "1043")


async def test_a_late_effect_behind_a_time_out_is_seen(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "timed_out", "then": {"status": "Charging", "session": session("drv-ada", 40)}}]
    assert (await start(chargers, "CL-1042", 1, ADA)).say.name == "say_already_charging"


@pytest.mark.parametrize(("energy", "said"), [(0.0, "say_car_not_drawing"), (25.0, "say_already_charging")])
async def test_a_car_that_drew_nothing_charges_only_once_energy_has_come(
    bridge: FakeBridge, chargers: BridgeClient, energy: float, said: str
) -> None:
    after = {"status": "Charging", "session": session("drv-ada", energy)}
    bridge.ends = [{"state": "not_verified", "outcome": "car_not_drawing", "then": after}]
    assert (await start(chargers, "CL-1042", 1, ADA)).say.name == said


async def test_a_lost_command_is_sent_once_more_when_nothing_runs(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "disconnected"}, {"state": "verified"}]
    assert (await start(chargers, "CL-1042", 1, ADA)).say.name == "say_charging"
    assert list(bridge.bodies) == ["in_1:start:1", "in_1:start:2"]


async def test_there_is_never_a_third_start(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "disconnected"}] * 5
    outcome = await start(chargers, "CL-1042", 1, ADA)
    assert outcome.say.name == "say_disconnected"
    assert len(bridge.commands) == 2


@pytest.mark.parametrize(
    "then", [{"status": "Charging", "session": session("drv-ada")}, {"status": "Available"}, {"status": "Faulted"}]
)
async def test_a_lost_command_is_not_repeated_when_the_state_has_moved_on(
    bridge: FakeBridge, chargers: BridgeClient, then: dict[str, Any]
) -> None:
    bridge.ends = [{"state": "disconnected", "then": then}]
    await start(chargers, "CL-1042", 1, ADA)
    assert len(bridge.commands) == 1


async def test_an_open_end_is_watched_and_told_later(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.ends = [{"state": "answered", "finished": False}]
    outcome = await start(chargers, "CL-1042", 1, ADA)
    assert outcome.say.name == "say_still_waiting"
    assert bridge.watches[0]["data"] == {"conversation": "sms_a", "language": "en"}
    assert await finished(chargers, "cmd_1", ADA) is None
    bridge.finish("cmd_1", state="verified")
    later = await finished(chargers, "cmd_1", ADA)
    assert later is not None
    assert later.say.name == "say_charging"


async def test_a_repeated_turn_starts_nothing_again(bridge: FakeBridge, chargers: BridgeClient) -> None:
    first, second = [await start(chargers, "CL-1042", 1, ADA) for _ in range(2)]
    assert first == second
    assert len(bridge.commands) == 1


async def test_blocked_tokens_start_nothing(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.tokens["drv-ada"][0]["status"] = "Blocked"
    assert (await start(chargers, "CL-1042", 1, ADA)).say.name == "say_no_token"
    assert bridge.commands == {}


async def test_a_guest_charges_only_where_the_operator_lets_guests(bridge: FakeBridge, chargers: BridgeClient) -> None:
    guest = Turn(Actor("guest:web_1", 0, "web_1"), "in_1", "en")
    assert (await start(chargers, "CL-1042", 1, guest)).say.name == "say_charging"
    bridge.guests = False
    assert (await start(chargers, "CL-1042", 1, guest)).say.name == "say_refused_no_free_energy"


def test_keys_of_further_attempts() -> None:
    assert next_key("in_1:start:1") == "in_1:start:2"
    assert next_key("in_1:start:2") is None
    assert next_key("free text") is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "less than a minute"), (59, "less than a minute"), (60, "1 min"), (7200, "2 h"), (200000, "2 days")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_energy_in_words() -> None:
    assert energy_words(12) == "12 Wh"
    assert energy_words(12345) == "12.3 kWh"
