"""What is Twilio's own: its two signatures, WhatsApp through it, statuses, and texts of one thought. Needs: test_needs.py."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from bot.channels.twilio import STATUS_PATH, WHATSAPP_PATH
from tests.bot.doors import PUBLIC_URL, TWILIO_TOKEN, new_sid, until
from tests.bot.fake_rasa import FakeRasa, Turn
from tests.channels.lines import ADA, Lines, open_lines

KEY_HEADER = "X-Twilio-Webhooks-Signature-Settings"


async def post(lines: Lines, path: str, fields: dict[str, str], headers: dict[str, str] | None = None, key: str = TWILIO_TOKEN) -> int:  # fmt: skip
    algorithm = "HMAC_SHA256" if headers else None
    signature = RequestValidator(key).compute_signature(f"{PUBLIC_URL}{path}", fields, algorithm)
    kind = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
    answer = await lines.door.http.post(path, content=urlencode(fields).encode(), headers={**kind, **(headers or {})})
    return answer.status_code


def text(body: str, sender: str = ADA, **more: str) -> dict[str, str]:
    return {"MessageSid": new_sid(), "From": sender, "To": "+15550000000", "Body": body, "NumMedia": "0", **more}


async def test_signature_by_shared_key_counts_only_with_its_own_algorithm(tmp_path: Path, rasa: FakeRasa) -> None:
    path, sha256 = "/webhooks/twilio/sms", {KEY_HEADER: "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    async with open_lines(tmp_path, rasa, TWILIO_WEBHOOK_KEY="shared") as lines:
        assert await post(lines, path, text("one"), sha256, key="shared") == 200
        assert await post(lines, path, text("two")) == 200  # those that the auth token signs still come
        assert await post(lines, path, text("x"), sha256, key=TWILIO_TOKEN) == 403
        assert await post(lines, path, text("x"), {KEY_HEADER: "key=k,algorithm=HMAC_MD5"}, key="shared") == 403
        await until(lambda: rasa.messages == ["one", "two"], "both schemes are taken")
    (tmp_path / "without").mkdir()
    async with open_lines(tmp_path / "without", rasa) as lines:
        assert await post(lines, path, text("x"), sha256, key="shared") == 403
        assert await post(lines, path, text("x"), sha256, key="") == 403


async def test_location_reaches_the_dialogue_with_its_coordinates(lines: Lines) -> None:
    fields = text("", "whatsapp:+16135550101", Latitude="45.42", Longitude="-75.69", Label="Rideau")
    assert await post(lines, "/webhooks/twilio/sms", fields) == 200
    await until(lambda: len(lines.rasa.asked) == 1, "the place is told")
    _, message, metadata = lines.rasa.asked[0]
    assert message == "/provide_location"
    assert metadata["location"] == {"latitude": 45.42, "longitude": -75.69, "name": "Rideau", "address": None}
    nowhere = text("here", "whatsapp:+16135550101", Latitude="nan", Longitude="999")
    assert await post(lines, "/webhooks/twilio/sms", nowhere) == 200
    await until(lambda: len(lines.rasa.asked) == 2, "a place that is none is left out")
    assert lines.rasa.asked[1][1:][0] == "here"


async def test_whatsapp_through_twilio_with_tokens_ids_and_numbered_choices(tmp_path: Path, rasa: FakeRasa) -> None:
    buttons = [{"title": "Left", "payload": "/left"}, {"title": "Right", "payload": "/right"}]
    rasa.plans = [Turn(lines=[{"text": "Which side?", "buttons": buttons}])]
    env = {"WHATSAPP_PHONE_NUMBER_ID": "", "TWILIO_WHATSAPP_NUMBER": "+15550000001"}
    async with open_lines(tmp_path, rasa, env=env) as lines:
        lines.world.network.heard[ADA] = lines.world.network.now()
        known = {"ExternalUserId": "CA.1349"}
        assert await post(lines, WHATSAPP_PATH, text("1042", "whatsapp:+16135550101", **known)) == 200
        await lines.hears("whatsapp", 2)
        assert lines.heard("whatsapp")[1] == "Which side?\n1 Left\n2 Right"
        assert rasa.asked[0][2]["driver"] == "drv-ada"
        assert await post(lines, WHATSAPP_PATH, text("2", "whatsapp:CA.1349")) == 200  # without the number now
        await until(lambda: rasa.messages[1:] == ["/right"], "the same conversation goes on")
        tapped = text("Left", "whatsapp:CA.1349", ButtonPayload="/restart", ButtonText="Left")
        assert await post(lines, WHATSAPP_PATH, tapped) == 200
        await until(lambda: rasa.messages[2:] == ["Left"], "a payload that we never offered is nothing but its title")
        assert await post(lines, WHATSAPP_PATH, text("hi", "whatsapp:nobody")) == 400


async def test_statuses_only_move_forward_and_wrong_ones_are_refused(lines: Lines) -> None:
    lines.world.postman.manners = lines.world.postman.manners.changed({"duplicate": 0.5})
    for _ in range(4):
        lines.sms("hi")
    await lines.hears("sms", 5)
    await until(lambda: lines.world.postman.under_way == 0, "all statuses have come, some twice, some late")
    await lines.metric('statuses_total{carrier="twilio",status="delivered"} 5.0')
    said = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    assert await post(lines, STATUS_PATH, said) == 204  # of a message that is not ours: nothing follows
    assert await post(lines, STATUS_PATH, {**said, "MessageSid": "../x"}) == 400
    assert (await lines.door.http.post(STATUS_PATH, content=b"a=b")).status_code in {403, 415}


async def test_what_did_not_arrive_is_sent_once_more_and_then_left(lines: Lines) -> None:
    lines.world.postman.manners = lines.world.postman.manners.changed({"undelivered": 1.0})
    lines.sms("hi")
    await lines.hears("sms", 4)
    assert sorted(lines.heard("sms")) == sorted(lines.heard("sms")[:2] * 2)
    await until(lambda: lines.world.postman.under_way == 0, "all statuses have come")
    await asyncio.sleep(0.3)
    assert len(lines.heard("sms")) == 4


async def test_quick_texts_of_one_thought_are_one_turn(tmp_path: Path, rasa: FakeRasa) -> None:
    async with open_lines(tmp_path, rasa, SETTLE_S="0.15") as lines:
        for part in ("hi", "im at 1042", "and it wont start"):
            lines.sms(part)
            await until(lambda: lines.world.postman.under_way == 0, "acknowledged")
        await lines.hears("sms", 2)
        assert rasa.messages == ["hi\nim at 1042\nand it wont start"]
        assert lines.heard("sms")[1].startswith("You said: hi")
        began = time.perf_counter()
        lines.sms("the screen is dark.")
        await lines.hears("sms", 3)
        assert time.perf_counter() - began < 1.0
        rasa.plans = [Turn(lines=[{"text": "Which?", "buttons": [{"title": "Left", "payload": "/left"}]}])]
        lines.sms("it has two cables")
        await lines.hears("sms", 4)
        lines.sms("1")
        lines.sms("please hurry")
        await lines.hears("sms", 6)
        assert sorted(rasa.messages[3:]) == ["/left", "please hurry"]


async def test_whatsapp_through_twilio_asks_for_the_place_in_words_since_there_is_no_button(
    tmp_path: Path, rasa: FakeRasa
) -> None:
    rasa.plans = [Turn(lines=[{"text": "Where are you?", "custom": {"request": "location"}}])]
    env = {"WHATSAPP_PHONE_NUMBER_ID": "", "TWILIO_WHATSAPP_NUMBER": "+15550000001"}
    async with open_lines(tmp_path, rasa, env=env) as lines:
        lines.world.network.heard[ADA] = lines.world.network.now()
        assert await post(lines, WHATSAPP_PATH, text("hola, near me", "whatsapp:+16135550101")) == 200
        said = (await lines.hears("whatsapp", 2))[1]
    assert said.splitlines()[0] == "Where are you?"
    assert "Ubicación" in said
