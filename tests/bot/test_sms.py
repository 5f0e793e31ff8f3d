"""SMS from webhook to carrier, over real HTTP on both sides."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.front_door import front_door
from chargeline.settings import Settings
from tests.bot.doors import ADA, FAST, PUBLIC_URL, Door, new_sid, settings_env, until
from tests.bot.fake_carrier import FakeCarrier
from tests.bot.fake_rasa import FakeRasa, Turn

BOB = "+16135550102"


async def test_a_text_is_answered_by_text_after_the_introduction(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    answer = await door.sms("charger 1042 wont start")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/xml"
    assert answer.text.endswith("<Response></Response>")
    await until(lambda: len(carrier.taken) == 2, "two texts go out")
    intro, reply = carrier.bodies(ADA)
    assert "Volt" in intro
    assert "HELP" in intro
    assert "STOP" in intro
    assert "automated" in intro
    assert reply == "You said: charger 1042 wont start"
    conversation, _, metadata = rasa.asked[0]
    assert conversation.startswith("sms_")
    assert "613555" not in conversation
    assert metadata["message_id"].startswith("in_")
    assert {key: value for key, value in metadata.items() if key != "message_id"} == {
        "channel": "sms",
        "language": "en",
        "driver": "drv-ada",
        "tier": 1,
        "charger_hint": None,
        "connector_hint": None,
        "location": None,
        "first_contact": True,
    }
    await door.sms("hello?")
    await until(lambda: len(carrier.taken) == 3, "the second answer, without another introduction")
    assert rasa.asked[1][2]["first_contact"] is False


async def test_an_unknown_number_is_a_guest_who_may_not_charge(door: Door, rasa: FakeRasa) -> None:
    await door.sms("hi", sender=BOB)
    await until(lambda: len(rasa.asked) == 1, "Rasa is asked")
    conversation, _, metadata = rasa.asked[0]
    assert metadata["driver"] == f"guest:{conversation}"
    assert metadata["tier"] == 0


async def test_a_guest_may_charge_where_the_operator_lets_guests_start(
    env: dict[str, str], rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    async with front_door(Settings.load({**env, "GUEST_STARTS": "on"}), FAST, port=0) as port, Door.at(port) as door:
        await door.sms("hi", sender=BOB)
        await until(lambda: len(rasa.asked) == 1, "Rasa is asked")
    assert rasa.asked[0][2]["tier"] == 1


async def test_a_repeated_message_is_acknowledged_and_dropped(door: Door, rasa: FakeRasa, carrier: FakeCarrier) -> None:
    sid = new_sid()
    answers = await asyncio.gather(*(door.sms("once", sid=sid) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    await door.sms("twice")
    await until(lambda: len(carrier.taken) == 3, "introduction and two answers")
    assert rasa.messages == ["once", "twice"]


async def test_messages_are_answered_in_their_order_and_never_two_at_once(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    for number in range(8):
        await door.sms(f"message number {number}")
    await until(lambda: len(carrier.taken) == 9, "all are answered")
    assert rasa.messages == [f"message number {number}" for number in range(8)]
    assert carrier.bodies(ADA)[1:] == [f"You said: message number {number}" for number in range(8)]
    assert set(rasa.most_at_once.values()) == {1}


async def test_one_slow_conversation_does_not_hold_up_another(door: Door, rasa: FakeRasa, carrier: FakeCarrier) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(lines=[{"text": "one moment"}], hold=hold)]
    await door.sms("slow")
    await until(lambda: carrier.bodies(ADA)[1:] == ["one moment"], "the first reply comes while its turn goes on")
    await door.sms("quick", sender=BOB)
    await until(lambda: len(carrier.bodies(BOB)) == 2, "the other driver is answered")
    hold.set()


async def test_forged_and_malformed_webhooks_are_refused_and_store_nothing(door: Door, rasa: FakeRasa) -> None:
    form = "MessageSid=SM1&From=%2B16135550101&Body=hi"
    assert (await door.form(form)).status_code == 403
    assert (await door.form(form, {"X-Twilio-Signature": "AAAA"})).status_code == 403
    assert (await door.form(b"\xff\xfe=1")).status_code == 400
    assert (await door.form("Body=%ff%fe")).status_code == 400
    assert (await door.form("&".join(f"a{number}=1" for number in range(400)))).status_code == 400
    assert (await door.form("Body=" + "x" * 70000)).status_code == 413
    assert (await door.form("Body=" + "x" * 200000)).status_code == 413
    assert (await door.form("{}", {"Content-Type": "application/json"})).status_code == 415
    assert (await door.sms("hi", sender="whoever")).status_code == 400
    assert (await door.sms(None)).status_code == 400
    assert (await door.signed({"From": ADA, "Body": "hi"})).status_code == 400
    assert (await door.http.get("/webhooks/twilio/sms")).status_code == 405
    refused = await door.form(form)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:chargeline:bad-signature"
    metrics = (await door.http.get("/metrics")).text
    assert 'chargeline_bot_refused_total{channel="sms",reason="bad-signature"}' in metrics
    assert "chargeline_bot_received_total{" not in metrics
    assert rasa.asked == []


async def test_a_signature_over_the_url_with_its_port_is_accepted(door: Door) -> None:
    answer = await door.signed(
        {"MessageSid": new_sid(), "From": ADA, "Body": "hi", "FromCity": ""},
        url=f"{PUBLIC_URL}:443/webhooks/twilio/sms",
    )
    assert answer.status_code == 200


async def test_without_configuration_sms_says_that_it_is_off(tmp_path: Path, rasa: FakeRasa) -> None:
    env = settings_env(tmp_path, rasa.url, "http://127.0.0.1:1")
    env["TWILIO_ACCOUNT_SID"] = ""
    async with front_door(Settings.load(env), FAST, port=0) as port, Door.at(port) as door:
        answer = await door.sms("hi")
    assert answer.status_code == 503
    assert "TWILIO_ACCOUNT_SID" in answer.json()["detail"]


async def test_a_leading_slash_is_text_and_a_card_number_reaches_nobody(door: Door, rasa: FakeRasa) -> None:
    await door.sms(" / /restart my charger")
    await door.sms("my card is 4111-1111-1111-1111")
    await until(lambda: len(rasa.asked) == 2, "Rasa is asked")
    assert rasa.messages[0] == "restart my charger"
    assert "4111" not in str(rasa.asked)


async def test_a_picture_without_words_is_answered_kindly_and_not_given_to_rasa(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    assert (await door.sms("", NumMedia="1", MediaUrl0="https://api.twilio.com/x")).status_code == 200
    await until(lambda: len(carrier.taken) == 2, "introduction and answer")
    assert "in words" in carrier.bodies(ADA)[1]
    assert rasa.asked == []


async def test_choices_are_numbered_and_a_number_or_title_picks_one(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    def choices(*titles: str) -> list[dict[str, str]]:
        return [{"title": title, "payload": f'/inform{{"side":"{title}"}}'} for title in titles]

    asking = [
        {"text": "Which side?", "buttons": choices("Left side", "Stop")},
        {"text": "Or:", "buttons": choices("No")},
    ]
    rasa.plans = [Turn(lines=asking)]
    await door.sms("1042")
    await until(lambda: len(carrier.taken) == 3, "both questions")
    assert carrier.bodies(ADA)[1:] == ["Which side?\n1 Left side\n2 Finish", "Or:\n3 No"]
    assert not any("/inform" in body for body in carrier.bodies(ADA))
    await door.sms("2.")
    await until(lambda: len(rasa.asked) == 2, "the number is an answer")
    assert rasa.messages[1] == '/inform{"side":"Stop"}'
    await door.sms("3")
    await until(lambda: len(rasa.asked) == 3, "the question has passed")
    assert rasa.messages[2] == "3"
    rasa.plans = [Turn(lines=asking)]
    await door.sms("again")
    await door.sms("LEFT side!")
    await until(lambda: len(rasa.asked) == 5, "the title is an answer")
    assert rasa.messages[4] == '/inform{"side":"Left side"}'


async def test_after_stop_nothing_goes_out_but_one_confirmation_until_start(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(lines=[{"text": "working on it"}], hold=hold)]
    await door.sms("1042 is stuck")
    await until(lambda: len(carrier.taken) == 2, "introduction and first reply")
    conversation = rasa.asked[0][0]
    carrier.faults.extend(["500"] * 3)
    await door.sms(" Stop. ")
    await door.sms("stop")
    hold.set()
    await until(lambda: len(carrier.taken) == 3, "the confirmation")
    assert "opted out" in carrier.bodies(ADA)[2]
    assert "end a charge" in carrier.bodies(ADA)[2]
    await door.sms("are you there")
    await door.sms("help")
    event = {
        "id": "evt_1",
        "type": "command.finished",
        "data": {"conversation": conversation},
        "command": {"id": "cmd_1"},
    }
    assert (await door.bridge(event)).status_code == 202
    await until(lambda: len(rasa.asked) == 2, "news of the charger still reaches the dialogue")
    assert rasa.messages[1].startswith("/EXTERNAL")

    async def turn_ended() -> bool:
        return 'turns_total{outcome="answered"} 2.0' in (await door.http.get("/metrics")).text

    await until(turn_ended, "its reply is stored, and held back for good")
    await door.sms("Start")
    await until(lambda: len(carrier.taken) == 4, "the confirmation of START")
    assert "opted back in" in carrier.bodies(ADA)[3]
    await door.sms("thanks")
    await until(lambda: len(carrier.taken) == 5, "and answers go out again")
    assert carrier.bodies(ADA)[4] == "You said: thanks"
    assert rasa.messages == ["1042 is stuck", rasa.messages[1], "thanks"]


async def test_help_is_answered_by_the_front_door_and_yes_is_a_word(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    await door.sms("HELP")
    await until(lambda: len(carrier.taken) == 1, "the help text")
    assert "+1 555 0100" in carrier.bodies(ADA)[0]
    await door.sms("Yes")
    await door.sms("START")
    await until(lambda: len(rasa.asked) == 2, "words are for Rasa")
    assert rasa.messages == ["Yes", "START"]


@pytest.mark.parametrize("fault", ["500", "429", "lost-after", "lost-before"])
async def test_carrier_trouble_neither_loses_nor_doubles_a_text(door: Door, carrier: FakeCarrier, fault: str) -> None:
    carrier.faults.extend(["", fault, fault])
    await door.sms("one")
    await door.sms("two")
    await until(lambda: len(carrier.taken) >= 3, "all go out")
    metric = 'chargeline_bot_deliveries_total{state="sent"} 3.0'

    async def settled() -> bool:
        return metric in (await door.http.get("/metrics")).text

    await until(settled, "all are known to be sent")
    assert carrier.bodies(ADA)[1:] == ["You said: one", "You said: two"]


async def test_the_same_sentence_twice_is_two_texts_also_when_one_is_in_doubt(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    rasa.answer = lambda message: [{"text": "OK"}]
    carrier.faults.extend(["", "", "lost-before"])
    await door.sms("one")
    await door.sms("two")
    await until(lambda: carrier.bodies(ADA)[1:] == ["OK", "OK"], "the second OK is not taken for the first")


async def test_a_send_that_cannot_be_looked_up_is_left_and_the_next_goes_on(door: Door, carrier: FakeCarrier) -> None:
    carrier.list_works = False
    carrier.faults.extend(["", "lost-after"])
    await door.sms("one")
    await door.sms("two")
    await until(lambda: len(carrier.taken) == 3, "the next text goes out")
    assert 'state="unknown"} 1.0' in (await door.http.get("/metrics")).text
    assert carrier.bodies(ADA)[1:] == ["You said: one", "You said: two"]


async def test_a_number_that_the_carrier_calls_opted_out_gets_nothing_more(
    door: Door, rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    carrier.faults.append("21610")
    await door.sms("one")

    async def suppressed() -> bool:
        return 'state="suppressed"} 1.0' in (await door.http.get("/metrics")).text

    await until(suppressed, "the reply is held back")
    assert carrier.taken == []
    assert len(carrier.attempts) == 1
