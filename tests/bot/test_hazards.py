"""Danger words at the front door: advice at once, the playbook told once, whatever else is down or in the way."""

from __future__ import annotations

import asyncio

import pytest

from bot.front_door import front_door
from chargeline.settings import Settings
from tests.bot.doors import ADA, EARS, FAST, Door, until
from tests.bot.fake_actions import FakeActions
from tests.bot.fake_carrier import FakeCarrier
from tests.bot.fake_rasa import FakeRasa, Turn

ADVICE = "Step away now"


async def test_advice_is_said_first_then_what_the_playbook_did_and_rasa_is_not_asked(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier, actions: FakeActions
) -> None:
    assert (await door.sms("theres smoke from 1042")).status_code == 200
    await until(lambda: len(carrier.taken) == 3, "advice, introduction, what was done")
    advice, intro, done = carrier.bodies(ADA)
    assert advice.startswith(ADVICE)
    assert "911" in advice
    assert "STOP" in intro
    assert done == "Charger 1042 is out of service now."
    (report,) = actions.hazards
    assert report.pop("conversation").startswith("sms_")
    assert report.pop("message_id").startswith("in_")
    assert report == {
        "driver": "drv-ada",
        "tier": 1,
        "channel": "sms",
        "language": "en",
        "charger_hint": None,
        "connector_hint": None,
        "text": "theres smoke from 1042",
        "followup": False,
    }
    await door.sms("ok I am away")
    await until(lambda: rasa.messages == ["ok I am away"], "the next words are the dialogue's again")
    assert rasa.asked[0][2]["first_contact"] is False


async def test_the_advice_is_said_in_the_language_of_the_words(door: Door, carrier: FakeCarrier) -> None:
    await door.sms("sale humo del cargador")
    await until(lambda: len(carrier.taken) == 3, "advice, introduction, what was done")
    assert carrier.bodies(ADA)[0].startswith("Aléjese ya")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        *(("smoke!!", "Step away"), ("theres a burning smell from the plug", "Step away")),
        *(("humo", "Aléjese"), ("huele a quemado el cable de la 1042", "Aléjese")),
        *(("fumée", "Éloignez-vous"), ("ca sent le brûlé pis y a des étincelles", "Éloignez-vous")),
    ],
)
async def test_a_stranger_in_danger_is_understood_and_answered_in_their_language(
    env: dict[str, str], carrier: FakeCarrier, words: str, advice: str
) -> None:
    stranger = "+16135550199"
    async with front_door(Settings.load(env), FAST, port=0) as port, Door.at(port) as door:
        await door.sms(words, sender=stranger)
        await until(lambda: len(carrier.bodies(stranger)) == 3, "advice, introduction, what was done")
    assert carrier.bodies(stranger)[0].startswith(advice)


async def test_danger_does_not_wait_for_a_turn_that_goes_on_nor_for_rasa(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier, actions: FakeActions
) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(lines=[{"text": "Looking at 1042."}], hold=hold)]
    await door.sms("1042")
    await until(lambda: len(carrier.taken) == 2, "a turn goes on")
    await door.sms("wait there is smoke")
    await until(lambda: len(carrier.taken) == 4, "advice and what was done, meanwhile")
    assert carrier.bodies(ADA)[2].startswith(ADVICE)
    hold.set()
    await rasa.stop()
    await door.sms("more smoke")
    await until(lambda: len(carrier.taken) == 6, "with Rasa down too")
    assert len(actions.hazards) == 2


@pytest.mark.parametrize("fault", ["500", "lost", "nonsense", "404"])
async def test_a_report_that_fails_is_repeated_under_its_id_until_it_is_taken(
    door: Door, carrier: FakeCarrier, actions: FakeActions, fault: str
) -> None:
    actions.faults.extend([fault, fault])
    await door.sms("smoke")
    await until(lambda: len(carrier.taken) == 3, "advice, introduction, what was done")
    assert len({report["message_id"] for report in actions.hazards}) == 1
    assert len(actions.hazards) == 3
    assert sum(body.startswith(ADVICE) for body in carrier.bodies(ADA)) == 1


async def test_a_driver_is_told_once_when_nobody_can_be_reached(
    door: Door, carrier: FakeCarrier, actions: FakeActions
) -> None:
    await actions.stop()
    await door.sms("smoke")
    await until(lambda: len(carrier.taken) == 3, "advice, introduction, that nobody was reached")
    assert carrier.bodies(ADA)[2].startswith("I could not reach our team")
    assert "+1 555 0100" in carrier.bodies(ADA)[2]
    await actions.start()
    await until(lambda: len(carrier.taken) == 4, "it went on trying")
    assert carrier.bodies(ADA)[3] == "Charger 1042 is out of service now."
    assert 'hazards_total{outcome="reported"} 1.0' in (await door.http.get("/metrics")).text


async def test_the_answer_to_a_question_about_a_hazard_goes_to_the_playbook_without_a_second_advice(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier, actions: FakeActions
) -> None:
    actions.replies = [{"text": "Which charger is it?", "custom": {"hazard": {"awaiting": "charger"}}}]
    await rasa.stop()
    await door.sms("smoke")
    await until(lambda: len(carrier.taken) == 3, "it asks")
    actions.replies = [{"text": "1042 is out of service now."}]
    await door.sms("1042")
    await until(lambda: len(carrier.taken) == 4, "and acts")
    assert [(report["text"], report["followup"]) for report in actions.hazards] == [("smoke", False), ("1042", True)]
    await rasa.start()
    await door.sms("thanks")
    await until(lambda: rasa.messages == ["thanks"], "the question is answered")


async def test_an_opted_out_number_gets_no_text_but_its_charger_is_looked_after(
    door: Door, carrier: FakeCarrier, actions: FakeActions
) -> None:
    await door.sms("STOP")
    await until(lambda: len(carrier.taken) == 1, "the confirmation")
    await door.sms("smoke")
    await until(lambda: len(actions.hazards) == 1, "the playbook is told")
    await door.sms("START")
    await until(lambda: len(carrier.taken) == 2, "opted in")
    assert not any(body.startswith(ADVICE) for body in carrier.bodies(ADA))


async def test_a_repeated_webhook_is_one_hazard(door: Door, carrier: FakeCarrier, actions: FakeActions) -> None:
    for _ in range(3):
        assert (await door.sms("smoke", sid="SM7")).status_code == 200
    await until(lambda: len(carrier.taken) == 3, "advice, introduction, what was done")
    await door.sms("hello")
    await until(lambda: len(carrier.taken) == 4, "the next answer")
    assert len(actions.hazards) == 1


async def test_a_front_door_that_starts_again_reports_what_its_last_run_could_not(
    env: dict[str, str], carrier: FakeCarrier, actions: FakeActions
) -> None:
    actions.go_on = asyncio.Event()
    async with front_door(Settings.load(env), FAST, port=0, ears=EARS) as port, Door.at(port) as door:
        await door.sms("smoke")
        await until(lambda: len(actions.hazards) == 1, "the playbook works")
        await until(lambda: len(carrier.taken) == 2, "the advice is out")
    actions.go_on.set()
    async with front_door(Settings.load(env), FAST, port=0, ears=EARS):
        await until(lambda: len(carrier.taken) == 3, "what was done")
    assert len({report["message_id"] for report in actions.hazards}) == 1
    assert [body.startswith(ADVICE) for body in carrier.bodies(ADA)] == [True, False, False]
