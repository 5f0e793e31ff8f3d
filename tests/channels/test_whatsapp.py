"""WhatsApp by Meta, from webhook to message, over real HTTP on both sides."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from bot.channels.whatsapp import PATH
from sandbox.carrier.signing import meta_post
from tests.bot.doors import until
from tests.bot.fake_rasa import FakeRasa, Turn
from tests.channels.lines import ACCOUNT, ADA, BOB, Lines, open_lines

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 400


async def post(lines: Lines, body: bytes, signature: str | None = None) -> httpx.Response:
    digest = hmac.new(ACCOUNT.app_secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signature or f"sha256={digest}"}
    return await lines.door.http.post(PATH, content=body, headers=headers)


async def tell(lines: Lines, *values: dict[str, Any]) -> httpx.Response:
    """Several parts in one batch, as Meta does it."""
    batch = orjson.loads(meta_post(ACCOUNT, PATH, {}).body)
    change = batch["entry"][0]["changes"][0]
    changes = [{**change, "value": {**change["value"], **value}} for value in values]
    return await post(lines, orjson.dumps({**batch, "entry": [{"id": "WABA", "changes": changes}]}))


def text_from(number: str, wamid: str, text: str, at: int = 100, user: str | None = None) -> dict[str, Any]:
    message = {"id": wamid, "timestamp": str(at), "type": "text", "text": {"body": text}, "from": number.lstrip("+")}
    return {"messages": [{**message, **({"from_user_id": user} if user else {})}]}


async def test_the_webhook_proves_itself_to_meta_only_with_the_right_word(lines: Lines) -> None:
    ask = {"hub.mode": "subscribe", "hub.verify_token": "our-word", "hub.challenge": "1158201444"}
    answer = await lines.door.http.get(PATH, params=ask)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "guess"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"}):
        assert (await lines.door.http.get(PATH, params={**ask, **wrong})).status_code == 403
    script = {**ask, "hub.challenge": "<script>"}
    assert (await lines.door.http.get(PATH, params=script)).status_code == 400


async def test_a_message_is_answered_once_and_the_driver_known_by_number(lines: Lines) -> None:
    lines.world.postman.manners = lines.world.postman.manners.changed({"duplicate": 1.0})
    lines.whatsapp("1042 wont start")
    intro, reply = await lines.hears("whatsapp", 2)
    assert "automated" in intro
    assert reply == "You said: 1042 wont start"
    conversation, _, metadata = lines.rasa.asked[0]
    assert conversation.startswith("wa_")
    assert "613555" not in conversation
    assert (metadata["channel"], metadata["driver"], metadata["tier"]) == ("whatsapp", "drv-ada", 1)
    await until(lambda: lines.world.postman.under_way == 0, "everything was delivered")
    assert len(lines.rasa.asked) == 1
    assert lines.heard("sms") == []


async def test_a_driver_without_a_number_is_answered_by_the_business_scoped_id(lines: Lines) -> None:
    user = lines.world.user_of(BOB)
    lines.world.network.heard[BOB] = lines.world.network.now()
    await tell(lines, {"messages": [{"from_user_id": user, "id": "wamid.1", "timestamp": "5", "type": "text",
                                     "text": {"body": "hi"}}]})  # fmt: skip
    await lines.hears("whatsapp", 2, BOB)
    assert lines.messages("whatsapp", BOB)[0].shape is not None
    assert lines.messages("whatsapp", BOB)[0].shape["recipient"] == user
    assert lines.rasa.asked[0][2]["tier"] == 0
    lines.whatsapp("now with my number", BOB)
    await lines.hears("whatsapp", 3, BOB)
    assert len({sender for sender, _, _ in lines.rasa.asked}) == 1
    assert lines.messages("whatsapp", BOB)[-1].shape["to"] == BOB


async def test_a_batch_is_taken_in_the_order_of_writing_and_a_bad_part_spoils_nothing(lines: Lines) -> None:
    lines.world.network.heard[ADA] = lines.world.network.now()
    answer = await tell(
        lines,
        text_from(ADA, "wamid.3", "third", at=30),
        text_from(ADA, "wamid.1", "first", at=10),
        {"messages": [{"id": 5}, "x", None, {"id": "wamid.x", "from": "not a number", "type": "text"}]},
        {"messages": "none", "statuses": [3, {"id": "wamid.1"}]},
        {"metadata": {"phone_number_id": "somebody else's"}, **text_from(ADA, "wamid.9", "not for us")},
        text_from(ADA, "wamid.2", "second", at=20),
    )
    assert answer.status_code == 200
    await until(lambda: len(lines.rasa.asked) == 3, "three are answered")
    assert lines.rasa.messages == ["first", "second", "third"]
    await lines.metric('refused_total{channel="whatsapp",reason="unread-part"}')


async def test_up_to_three_choices_are_buttons_more_are_a_list_and_a_tap_carries_a_token(lines: Lines) -> None:
    def choices(count: int) -> list[dict[str, str]]:
        return [{"title": f"Charger {n}", "payload": f'/pick{{"n":{n}}}'} for n in range(count)]

    lines.rasa.plans = [Turn(lines=[{"text": "Which one?", "buttons": choices(count)}]) for count in (3, 7, 12)]
    lines.whatsapp("1042")
    await lines.hears("whatsapp", 2)
    shape = lines.messages("whatsapp")[1].shape
    assert shape is not None
    buttons = shape["interactive"]["action"]["buttons"]
    assert [each["reply"]["title"] for each in buttons] == ["Charger 0", "Charger 1", "Charger 2"]
    assert "/pick" not in orjson.dumps(shape).decode()
    lines.world.tap(ADA, buttons[1]["reply"]["id"], "Charger 1")
    await lines.hears("whatsapp", 3)
    assert lines.rasa.messages[1] == '/pick{"n":1}'
    listed = lines.messages("whatsapp")[2].shape
    assert listed is not None
    rows = listed["interactive"]["action"]["sections"][0]["rows"]
    assert len(rows) == 7
    lines.whatsapp("more")
    await lines.hears("whatsapp", 4)
    assert lines.heard("whatsapp")[3].endswith("\n12 Charger 11")
    lines.world.tap(ADA, rows[0]["id"], "Charger 0")  # of a question that has passed
    lines.world.tap(ADA, "/restart", "never offered")
    await until(lambda: len(lines.rasa.asked) == 5, "both are words now")
    assert lines.rasa.messages[3:] == ["Charger 0", "never offered"]


async def test_a_reply_that_asks_for_the_place_shows_metas_button_and_the_pin_reaches_rasa(lines: Lines) -> None:
    lines.rasa.plans = [
        Turn(lines=[{"text": "Where are you?"}, {"text": "Share it.", "custom": {"request": "location"}}])
    ]
    lines.whatsapp("charger near me")
    await lines.hears("whatsapp", 3)
    shape = lines.messages("whatsapp")[2].shape
    assert shape is not None
    assert shape["interactive"]["action"] == {"name": "send_location"}
    lines.world.share_place(ADA, 45.4254, -75.6919, "Rideau\u0000 4111 1111 1111 1111")
    await until(lambda: len(lines.rasa.asked) == 2, "the place is told")
    _, message, metadata = lines.rasa.asked[1]
    assert message == "/provide_location"
    assert metadata["location"]["latitude"] == pytest.approx(45.4254)
    assert "4111 1111" not in metadata["location"]["name"]


async def test_a_picture_is_kept_for_the_person_and_a_voice_note_answered_kindly(lines: Lines) -> None:
    lines.world.text("whatsapp", ADA, "", (JPEG, "image/jpeg"))
    assert "kept the picture" in (await lines.hears("whatsapp", 2))[1]
    lines.world.text("whatsapp", ADA, "", (b"OggS", "audio/ogg"))
    assert "in words" in (await lines.hears("whatsapp", 3))[2]
    lines.world.text("whatsapp", ADA, "", (b"<script>", "image/png"))
    assert "kept" not in (await lines.hears("whatsapp", 4))[3]
    assert lines.rasa.asked == []
    lines.world.text("whatsapp", ADA, "look at this plug", (JPEG, "image/jpeg"))
    await lines.hears("whatsapp", 5)
    conversation = lines.rasa.asked[0][0]
    entries = (await lines.door.desk("GET", conversation)).json()["entries"]
    pictures = [entry["media"] for entry in entries if entry.get("media")]
    assert len(pictures) == 4
    answer = await lines.door.desk("GET", f"{conversation}/media/{pictures[0][0]['id']}")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/jpeg", JPEG)
    assert (await lines.door.desk("GET", f"{conversation}/media/{pictures[2][0]['id']}")).status_code == 404
    assert (await lines.door.desk("GET", f"wa_other/media/{pictures[0][0]['id']}")).status_code == 404
    assert (await lines.door.desk("GET", f"{conversation}/media/x", key="guess")).status_code == 403


async def test_reactions_are_not_answered_and_unknown_types_kindly(lines: Lines) -> None:
    await tell(lines, {"messages": [{"id": "wamid.r", "from": "16135550101", "timestamp": "1", "type": "reaction"}]})
    lines.world.network.heard[ADA] = lines.world.network.now()
    await tell(lines, {"messages": [{"id": "wamid.u", "from": "16135550101", "timestamp": "2", "type": "hologram"}]})
    assert "no words" in (await lines.hears("whatsapp", 2))[1]


async def test_forged_oversized_and_wrongly_encoded_posts_are_refused_and_store_nothing(lines: Lines) -> None:
    good = meta_post(ACCOUNT, PATH, text_from(ADA, "wamid.1", "hi")).body
    for signature in ("none", "sha256=", "sha256=" + "0" * 64, "sha1=abc"):
        assert (await post(lines, good, signature)).status_code == 403
    forged = good.replace(b"hi", b"ho")
    digest = hmac.new(ACCOUNT.app_secret.encode(), good, hashlib.sha256).hexdigest()
    assert (await post(lines, forged, f"sha256={digest}")).status_code == 403
    assert (await post(lines, b"{not json")).status_code == 400
    assert (await post(lines, b"[1]")).status_code == 400
    assert (await post(lines, b'{"entry": "\xff\xfe"}')).status_code == 400
    assert (await post(lines, b'"' + b"x" * (3 * 2**20) + b'"')).status_code == 413
    for odd in (b"{}", b'{"entry": 5}', b'{"entry": [{"changes": [null, {"field": "messages", "value": []}]}]}'):
        assert (await post(lines, odd)).status_code == 200
    metrics = (await lines.door.http.get("/metrics")).text
    assert 'refused_total{channel="whatsapp",reason="bad-signature"}' in metrics
    assert "chargeline_bot_received_total{" not in metrics
    assert lines.rasa.asked == []


async def test_without_configuration_it_says_what_is_missing(tmp_path: Path, rasa: FakeRasa) -> None:
    async with open_lines(tmp_path, rasa, WHATSAPP_PHONE_NUMBER_ID="") as lines:
        answer = await post(lines, b"{}")
    assert answer.status_code == 503
    assert "WHATSAPP_PHONE_NUMBER_ID" in answer.json()["detail"]
