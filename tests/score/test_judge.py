"""The verdict: how a conversation ended, by telemetry; what was asked twice; how long the bot took without the charger."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.conversations import measures
from sandbox.conversations.history import Acted, History
from sandbox.conversations.judge import Verdict, judge
from sandbox.conversations.scenario import Scenario
from tests.score.made import ADA, BEN, BOOK, SCENARIO, Story, charger, connector, scenario

RESOLVED = "{end: resolved, when: [{charging: ada}], turns_at_most: 2}"


def waiting() -> Story:
    return Story(charger(connector(1, "Preparing", car=True), connector(2)), charger(label="7002"))


def charging() -> Story:
    story = waiting().driver(0, "7001 wont start").bot(2, "Charger 7001 sees your plug. Starting it now.")
    story.call(2.5, "RemoteStartTransaction", connectorId=1, idTag=ADA)
    return story.state(5, charger(connector(1, token=ADA, power_w=7200), connector(2)))


def verdict(case: Scenario, history: History) -> Verdict:
    return judge(case, history, BOOK)


def test_resolved_is_read_off_the_charger(tmp_path: Path) -> None:
    case = scenario(tmp_path, expect=RESOLVED)
    assert verdict(case, charging().end(9)).end == "resolved"


def test_words_do_not_resolve_anything(tmp_path: Path) -> None:
    case = scenario(tmp_path, expect=RESOLVED)
    told = verdict(case, waiting().driver(0, "7001 wont start").bot(2, "It's charging now.").end(9))
    assert told.end == "wrong"
    assert told.reasons[0] == "telemetry does not show charging at 7001/1 for ada"
    assert told.dangerous


def test_charging_with_another_drivers_card_is_not_resolved(tmp_path: Path) -> None:
    case = scenario(tmp_path, expect=RESOLVED)
    story = waiting().state(5, charger(connector(1, token=BEN, power_w=7200), connector(2)))
    assert verdict(case, story.end(9)).end == "wrong"


def test_an_unsafe_act_makes_a_resolved_one_wrong(tmp_path: Path) -> None:
    case = scenario(tmp_path, expect=RESOLVED)
    found = verdict(case, charging().call(7, "Reset", type="Hard").end(9))
    assert found.end == "wrong"
    assert found.dangerous


def test_too_many_messages_are_wrong(tmp_path: Path) -> None:
    case = scenario(tmp_path, expect=RESOLVED)
    story = charging().driver(6, "so?").driver(7, "hello?")
    assert "3 messages of the driver's were needed" in verdict(case, story.end(9)).reasons[0]


def test_redirected_needs_a_charger_that_is_free_then(tmp_path: Path) -> None:
    case = scenario(tmp_path, expect="{end: redirected}")
    story = waiting().driver(0, "7001 dead").bot(2, "Please use 7002 beside it.")
    assert verdict(case, story.end(9)).end == "redirected"
    busy = Story(charger(connector(1), connector(2)), charger(connector(1, token=BEN), label="7002"))
    assert verdict(case, busy.bot(2, "Please use 7002 beside it.").end(9)).end == "wrong"
    vague = waiting().bot(2, "Try another charger if there is one.")
    assert verdict(case, vague.end(9)).end == "wrong"


def test_refused_needs_an_answer_and_nothing_done(tmp_path: Path) -> None:
    case = scenario(tmp_path, expect="{end: refused, never: [{act: any}]}")
    assert verdict(case, waiting().driver(0, "unlock 7001").bot(1, "I can't do that.").end(9)).end == "refused"
    assert verdict(case, waiting().driver(0, "unlock 7001").end(9)).end == "wrong"
    done = (
        waiting()
        .driver(0, "unlock 7001")
        .bot(1, "I can't.")
        .call(2, "ChangeAvailability", type="Operative", connectorId=1)
    )
    assert "it was done that never may be" in verdict(case, done.end(9)).reasons[0]


def test_handed_over_is_not_the_front_doors_greeting(tmp_path: Path) -> None:
    case = scenario(tmp_path, expect="{end: handed_over}")
    intro = "I am the automated assistant. A person: call +1 613 555 0199."
    assert verdict(case, waiting().bot(0, intro, own=True).end(9)).end == "wrong"
    assert verdict(case, waiting().bot(0, "Text me PERSON if it stays in.").end(9)).end == "wrong"
    assert verdict(case, waiting().bot(0, "You can reach a person at +1 613 555 0199.").end(9)).end == "handed_over"
    assert verdict(case, waiting().bot(0, "I've passed all of this to a person.").end(9)).end == "handed_over"


def test_what_a_script_did_not_get_is_wrong(tmp_path: Path) -> None:
    case = scenario(tmp_path, expect="{end: refused}")
    story = waiting().bot(1, "Hm.")
    story.history.missed.append("line 12: asks:charger")
    assert verdict(case, story.end(9)).reasons == ("the script did not get line 12: asks:charger",)


def test_a_question_after_its_answer_is_asked_twice(tmp_path: Path) -> None:
    case = scenario(tmp_path)
    story = waiting().driver(0, "wont start").bot(1, "Which charger are you at?").driver(2, "7001")
    assert verdict(case, story.end(9)).asked_twice == ()
    again = verdict(case, story.bot(3, "Which charger are you at?").end(9)).asked_twice
    assert [each.question for each in again] == ["charger"]


def test_asking_again_after_a_wrong_number_is_not_asking_twice(tmp_path: Path) -> None:
    case = scenario(tmp_path)
    story = (
        waiting().driver(0, "at 9999 wont start").bot(1, "I can't find a charger 9999. What number is printed on it?")
    )
    assert verdict(case, story.end(9)).asked_twice == ()


def test_a_number_of_no_charger_after_the_right_one_may_be_asked_about(tmp_path: Path) -> None:
    case = scenario(tmp_path)
    story = waiting().driver(0, "is 7001 free").bot(1, "Yes.").driver(2, "and 7999?")
    assert (
        verdict(case, story.bot(3, "I can't find a charger 7999. What number is printed on it?").end(9)).asked_twice
        == ()
    )


def test_a_step_that_was_reported_done_is_not_asked_for(tmp_path: Path) -> None:
    case = scenario(tmp_path)
    story = (
        waiting()
        .driver(0, "i unplugged and plugged it in again twice")
        .bot(1, "Unplug, wait ten seconds, plug in again.")
    )
    assert [each.question for each in verdict(case, story.end(9)).asked_twice] == ["replug"]


def test_what_a_code_on_the_box_said_is_not_asked(tmp_path: Path) -> None:
    text = SCENARIO.replace("ada: {channel: sms", "ada: {hint: true")
    story = waiting().driver(0, "wont start").bot(1, "Which charger are you at?")
    assert len(verdict(scenario(tmp_path, text), story.end(9)).asked_twice) == 1


def test_a_promise_that_nothing_follows_is_broken(tmp_path: Path) -> None:
    case = scenario(tmp_path)
    story = waiting().driver(0, "7001").bot(1, "I'm watching it and will text you what comes of it.")
    assert verdict(case, story.end(100)).broken_promises == 0  # nobody waited long enough to know
    assert verdict(case, story.end(300)).broken_promises == 1
    assert verdict(case, story.bot(60, "It has ended.").end(300)).broken_promises == 0


def test_the_chargers_own_time_is_not_the_bots(tmp_path: Path) -> None:
    case = scenario(tmp_path)
    story = charging().bot(6, "Charging: your session is running and power flowing to the car.")
    turn = verdict(case, story.end(9)).turns[0]
    assert turn.first_words_s == pytest.approx(2.0)
    assert turn.charger_s == pytest.approx(2.5)  # from the call at 2.5 s to the energy at 5 s
    assert turn.bot_s == pytest.approx(3.5)


def test_the_way_to_the_effect_is_message_to_command_and_effect_to_words(tmp_path: Path) -> None:
    case = scenario(tmp_path)
    cure = verdict(case, charging().bot(6, "It's charging now.").end(9)).cures[0]
    assert (cure.kind, cure.to_command_s, cure.to_words_s) == ("start", pytest.approx(2.5), pytest.approx(1.0))


def test_a_slow_bot_is_measured_as_slow_whatever_the_charger_took(tmp_path: Path) -> None:
    slow = waiting().driver(0, "7001 wont start").bot(20, "Charger 7001 sees your plug. Starting it now.")
    slow.call(20.5, "RemoteStartTransaction", connectorId=1, idTag=ADA)
    slow.state(23, charger(connector(1, token=ADA, power_w=7200), connector(2)))
    found = verdict(scenario(tmp_path), slow.bot(53, "It's charging now.").end(60))
    start = next(each for each in measures.speeds([found]) if each.kind == "start")
    assert (start.command_p95_s, start.told_p95_s) == (pytest.approx(20.5), pytest.approx(50.5))
    assert measures.row("x", [found]).first_words_p95_s == pytest.approx(20.0)
    assert next(each for each in measures.speeds([found]) if each.kind == "rfid").count == 0


def test_a_lock_has_its_effect_when_the_plug_is_out_and_the_stop_before_it_is_a_step_of_it(tmp_path: Path) -> None:
    story = Story(charger(connector(1, token=ADA, power_w=7200), connector(2))).driver(0, "cable stuck at 7001")
    story.call(1, "RemoteStopTransaction", transactionId="10")
    story.state(3, charger(connector(1, "Finishing", car=True), connector(2)))
    story.call(4, "UnlockConnector", "Unlocked", connectorId=1).bot(
        5, "Charger 7001 says it let go. Pull the plug out."
    )
    story.state(40, charger(connector(1), connector(2))).bot(41, "The cable is out.")
    [cure] = verdict(scenario(tmp_path), story.end(50)).cures
    # Of the four seconds to the command two were the charger's, which ended its session; the pull was the driver's.
    assert (cure.kind, cure.to_command_s, cure.to_words_s) == ("unlock", pytest.approx(2.0), pytest.approx(1.0))


def test_a_second_try_of_a_lock_is_measured_from_the_end_of_the_pause(tmp_path: Path) -> None:
    held = charger(connector(1, "Finishing", car=True, held=True), connector(2))
    story = Story(held).driver(0, "cable stuck at 7001").call(1, "UnlockConnector", "UnlockFailed", connectorId=1)
    story.call(33, "UnlockConnector", "Unlocked", connectorId=1).state(35, charger(connector(1), connector(2)))
    [cure] = verdict(scenario(tmp_path), story.bot(36, "The cable is out.").end(50)).cures
    assert cure.to_command_s == pytest.approx(2.0)  # 31 s is the earliest that it could have come


def test_a_plug_put_in_counts_like_a_word(tmp_path: Path) -> None:
    story = Story(charger(connector(1), connector(2))).driver(0, "7001 wont start").bot(1, "Push the plug in.")
    story.history.acted.append(Acted(60, "ada", "plug", "CL-7001", 1, True))
    story.call(62, "RemoteStartTransaction", connectorId=1, idTag=ADA)
    story.state(64, charger(connector(1, token=ADA, power_w=7200), connector(2)))
    [cure] = verdict(scenario(tmp_path), story.bot(65, "It's charging now.").end(70)).cures
    assert (cure.to_command_s, cure.to_words_s) == (pytest.approx(2.0), pytest.approx(1.0))


def test_a_message_without_an_answer_is_counted(tmp_path: Path) -> None:
    found = verdict(scenario(tmp_path), waiting().driver(0, "hello").end(99))
    assert measures.row("x", [found]).unanswered == 1
    assert found.turns[0].bot_s is None


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([], 0.5, None), ([3.0], 0.95, 3.0), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 101)), 0.95, 95), ([5, 1], 1.0, 5)],
)
def test_quantiles(values: list[float], share: float, found: float | None) -> None:
    assert measures.quantile(values, share) == found
