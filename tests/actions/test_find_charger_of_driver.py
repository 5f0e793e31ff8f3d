"""Which charger and cable: found out where possible, asked where not, given up after two answers that fit nothing."""

from actions.charging import BridgeClient
from actions.playbooks.find_charger_of_driver import Found, Heard, Known, find, takes_a_moment
from tests.actions.fake_bridge import FakeBridge, charger, connector, session


def ids(found: Found) -> tuple[str | None, int | None, bool]:
    return found.charger.id if found.charger else None, found.connector, found.done


async def test_the_number_in_the_first_message_is_enough(chargers: BridgeClient) -> None:
    assert ids(await find(chargers, Heard("1042 wont start"), Known())) == ("CL-1042", 1, True)


async def test_nothing_known_is_a_question(chargers: BridgeClient) -> None:
    assert ids(await find(chargers, Heard("my car wont charge"), Known())) == (None, None, False)


async def test_the_qr_link_answers_the_question(chargers: BridgeClient) -> None:
    assert ids(await find(chargers, Heard("wont start", hint="CL-1042"), Known())) == ("CL-1042", 1, True)


async def test_what_the_driver_says_counts_more_than_the_qr_link(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1043"] = charger("1043")
    heard = Heard("no, 1043", names_charger=True, hint="CL-1042")
    assert ids(await find(chargers, heard, Known(charger_id="CL-1042", connector=1))) == ("CL-1043", 1, True)


async def test_a_worn_qr_code_is_no_dead_end(chargers: BridgeClient) -> None:
    assert ids(await find(chargers, Heard("wont start", hint="CL-0000"), Known())) == (None, None, False)


async def test_a_number_in_passing_does_not_hide_the_known_charger(chargers: BridgeClient) -> None:
    heard = Heard("been here since 1530 nothing", hint="CL-1042")
    assert ids(await find(chargers, heard, Known())) == ("CL-1042", 1, True)


async def test_a_number_that_fits_nothing_is_said_and_asked_again_then_given_up(chargers: BridgeClient) -> None:
    known = Known(asked="charger_id")
    first = await find(chargers, Heard("9999"), known)
    assert (first.said, first.tries, first.done) == ("9999", 1, False)
    second = await find(chargers, Heard("8888"), Known(asked="charger_id", tries=1))
    assert (second.tries, second.done) == (2, False)
    third = await find(chargers, Heard("7777"), Known(asked="charger_id", tries=2))
    assert (third.charger, third.done) == (None, True)


async def test_several_that_fit_are_offered(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-2042"] = charger("2042")
    found = await find(chargers, Heard("042", names_charger=True), Known())
    assert [one.id for one in found.candidates] == ["CL-1042", "CL-2042"]
    assert not found.done


async def test_an_exact_number_wins_over_longer_ones_that_end_with_it(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    bridge.chargers["CL-42"] = charger("42")
    assert ids(await find(chargers, Heard("charger 42"), Known())) == ("CL-42", 1, True)


async def test_a_tapped_choice_is_taken_as_it_is(chargers: BridgeClient) -> None:
    heard = Heard("", names_charger=True, chosen_charger="CL-1042")
    assert ids(await find(chargers, heard, Known(asked="charger_id"))) == ("CL-1042", 1, True)


async def test_the_only_plug_that_is_seen_is_the_drivers(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Available"), connector(2, "Preparing"))
    assert ids(await find(chargers, Heard("1042"), Known())) == ("CL-1042", 2, True)
    assert ids(await find(chargers, Heard("1042 left side"), Known())) == ("CL-1042", 2, True)


async def test_two_plugs_are_a_question_that_a_word_answers(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Preparing"), connector(2, "Preparing"))
    assert ids(await find(chargers, Heard("1042"), Known())) == ("CL-1042", None, False)
    asked = Known(charger_id="CL-1042", asked="connector")
    assert ids(await find(chargers, Heard("right"), asked)) == ("CL-1042", 2, True)
    assert ids(await find(chargers, Heard("2"), asked)) == ("CL-1042", 2, True)
    unclear = await find(chargers, Heard("dunno"), asked)
    assert (unclear.tries, unclear.done) == (1, False)


async def test_no_plug_seen_anywhere_needs_no_question(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1), connector(2))
    assert ids(await find(chargers, Heard("1042"), Known())) == ("CL-1042", 1, True)


async def test_a_neighbours_session_is_not_taken_for_the_drivers(bridge: FakeBridge, chargers: BridgeClient) -> None:
    busy = connector(1, "Charging", session=session("drv-bob"))
    bridge.chargers["CL-1042"] = charger("1042", busy, connector(2))
    assert ids(await find(chargers, Heard("1042", driver="drv-ada"), Known())) == ("CL-1042", 2, True)


async def test_the_drivers_own_session_tells_the_cable(bridge: FakeBridge, chargers: BridgeClient) -> None:
    own = connector(1, "Charging", session=session("drv-ada"))
    bridge.chargers["CL-1042"] = charger("1042", own, connector(2))
    assert ids(await find(chargers, Heard("1042", driver="drv-ada"), Known())) == ("CL-1042", 1, True)


async def test_an_offline_charger_needs_no_cable(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1), connector(2), state="disconnected")
    assert ids(await find(chargers, Heard("1042"), Known())) == ("CL-1042", None, True)


async def test_an_old_state_is_worth_a_word_before_it_is_asked_for(bridge: FakeBridge, chargers: BridgeClient) -> None:
    assert not takes_a_moment(await find(chargers, Heard("1042"), Known()))
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Preparing", status_age_s=900.0))
    assert takes_a_moment(await find(chargers, Heard("1042"), Known()))
    bridge.chargers["CL-1042"] |= {"connection": {"state": "disconnected", "since": None}}
    assert not takes_a_moment(await find(chargers, Heard("1042"), Known()))
