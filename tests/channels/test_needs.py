"""Need by need, what the channels that come with Rasa get wrong, right on both of our lines; all of it through HTTP.

Where a need is one of WhatsApp alone it is shown for Meta and for Twilio. Each test is named after its need: signature, dedupe, one
reply one message, Spanish, media only, location, button ids, 429, a slow carrier, STOP, "/restart", and what was absent altogether:
statuses, templates, lists, opt-out, business-scoped ids, other tenants' messages, metadata, typing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from twilio.request_validator import SIGNATURE_SETTINGS_HEADER, RequestValidator

from bot.channels.twilio import PATH, STATUS_PATH, WHATSAPP_PATH
from bot.channels.whatsapp import PATH as META_PATH
from sandbox.carrier.network import Line
from sandbox.carrier.signing import Post, meta_message, meta_post, sms_fields, twilio_post
from tests.bot.doors import PUBLIC_URL, new_sid, until
from tests.bot.fake_rasa import FakeRasa, Turn
from tests.channels.lines import ACCOUNT, ADA, BOB, Lines, open_lines
from tests.channels.test_whatsapp import JPEG

LINES: tuple[Line, ...] = ("sms", "whatsapp")
WA_ADA = f"whatsapp:{ADA}"
BY_TWILIO = {"WHATSAPP_PHONE_NUMBER_ID": "", "TWILIO_WHATSAPP_NUMBER": "+15550000001"}
NEWS = {"type": "command.finished", "command": {"id": "cmd_1"}}


def inbound(lines: Lines, line: Line, text: str, number: str = ADA) -> Post:
    """The webhook of a message that the phone has sent, as its carrier signs it."""
    message = lines.world._message(line, number, text, outbound=False)
    lines.world.network.from_phone(message)
    if line == "sms":
        return twilio_post(ACCOUNT, PUBLIC_URL, PATH, sms_fields(ACCOUNT, message, None))
    content = {"type": "text", "text": {"body": text}}
    return meta_post(ACCOUNT, META_PATH, meta_message(message, lines.world.user_of(number), content))


async def bring(lines: Lines, post: Post, **changed: Any) -> int:
    body, headers = changed.get("body", post.body), {**post.headers, **changed.get("headers", {})}
    path = changed.get("path", post.url_path)
    return (await lines.door.http.post(path, content=body, headers=headers)).status_code


async def by_twilio(lines: Lines, fields: dict[str, str], path: str = WHATSAPP_PATH) -> int:
    """A message of WhatsApp, or a status, that comes through Twilio."""
    whole = {"MessageSid": new_sid(), "To": "whatsapp:+15550000001", "NumMedia": "0", **fields}
    return await bring(lines, twilio_post(ACCOUNT, PUBLIC_URL, path, whole))


def stored(folder: Path) -> dict[str, int]:
    """How many rows each table of the store has."""
    with sqlite3.connect(folder / "var/bot.sqlite3") as db:
        tables = ("conversations", "inbox", "entries", "consent")
        return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


SHARED_KEY = "the shared key"
BY_KEY = {SIGNATURE_SETTINGS_HEADER: "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}


def by_shared_key(post: Post) -> Post:
    """The same form signed by Twilio's newer scheme."""
    fields = dict(parse_qsl(post.body.decode(), keep_blank_values=True))
    signature = RequestValidator(SHARED_KEY).compute_signature(f"{PUBLIC_URL}{post.url_path}", fields, "HMAC_SHA256")
    return Post(post.url_path, post.body, {**post.headers, **BY_KEY, "X-Twilio-Signature": signature})


@pytest.mark.parametrize("scheme", ["twilio by token", "twilio by shared key", "meta"])
async def test_signature_whatever_it_does_not_cover_is_refused_and_leaves_a_trace_only(
    tmp_path: Path, rasa: FakeRasa, scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line: Line = "whatsapp" if scheme == "meta" else "sms"
    header = "X-Hub-Signature-256" if scheme == "meta" else "X-Twilio-Signature"
    async with open_lines(tmp_path, rasa, TWILIO_WEBHOOK_KEY=SHARED_KEY) as lines:
        post, other = (inbound(lines, line, text) for text in ("hi", "another"))
        if scheme == "twilio by shared key":
            post, other = by_shared_key(post), by_shared_key(other)
            assert await bring(lines, post, headers={SIGNATURE_SETTINGS_HEADER: "algorithm=HMAC_SHA1"}) == 403
        without = {name: value for name, value in post.headers.items() if name != header}
        assert await bring(lines, Post(post.url_path, post.body, without)) == 403
        assert await bring(lines, post, headers={header: other.headers[header]}) == 403  # of another message
        assert await bring(lines, post, body=post.body.replace(b"hi", b"ho")) == 403
        assert await bring(lines, post, body=post.body + (b"&Extra=1" if line == "sms" else b" ")) == 403
        assert await bring(lines, post, headers={header: post.headers[header].upper() + "x"}) == 403
        assert await bring(lines, post, headers={header: b"\xff\xfe"}) == 403
        if line == "sms":
            assert await bring(lines, post, path=f"{PATH}?x=1") == 403  # the signature covers the URL
            assert await bring(lines, post, path=STATUS_PATH) == 403
        assert stored(tmp_path) == {"conversations": 0, "inbox": 0, "entries": 0, "consent": 0}
        assert rasa.asked == []
        said = capsys.readouterr().out.splitlines()
        traces = [row for row in said if "webhook_refused" in row and "bad-signature" in row]
        assert len(traces) >= 6
        assert all("sha256=" in row and ADA not in row for row in traces)
        assert await bring(lines, post) == 200
        await lines.hears(line, 2)
        assert await bring(lines, post) == 200  # a replay is acknowledged, and is nothing new
        assert stored(tmp_path)["inbox"] == 1


@pytest.mark.parametrize("line", LINES)
async def test_dedupe_a_message_that_comes_again_at_once_and_later_is_answered_once(lines: Lines, line: Line) -> None:
    post = inbound(lines, line, "once")
    assert set(await asyncio.gather(*(bring(lines, post) for _ in range(6)))) == {200}
    await lines.hears(line, 2)
    assert await bring(lines, post) == 200
    assert await bring(lines, inbound(lines, line, "twice")) == 200
    assert (await lines.hears(line, 3))[1:] == ["You said: once", "You said: twice"]
    assert lines.rasa.messages == ["once", "twice"]


@pytest.mark.parametrize("line", LINES)
async def test_one_reply_is_one_message_and_shows_no_intent(lines: Lines, line: Line) -> None:
    buttons = [{"title": "Great", "payload": "/mood_great"}, {"title": "Bad", "payload": "/mood_unhappy"}]
    lines.rasa.plans = [Turn(lines=[{"text": "Line one.\n\nHow are you?", "buttons": buttons}])]
    await bring(lines, inbound(lines, line, "hi"))
    await lines.hears(line, 2)
    sent = lines.messages(line)[1]
    if line == "sms":
        assert sent.text == "Line one.\n\nHow are you?\n1 Great\n2 Bad"
    else:
        assert sent.shape is not None
        assert [one["reply"]["title"] for one in sent.shape["interactive"]["action"]["buttons"]] == ["Great", "Bad"]
        assert sent.text == "Line one.\n\nHow are you?"
    assert "mood" not in str(sent)
    assert len(lines.heard(line)) == 2


@pytest.mark.parametrize("line", LINES)
async def test_spanish_letters_arrive_as_they_were_written_both_ways(lines: Lines, line: Line) -> None:
    lines.rasa.answer = lambda message: [{"text": "¡Sí! ¿El año próximo? Número 5 está en el andén."}]
    await bring(lines, inbound(lines, line, "¡Hola! ¿Está libre el de la señal?"))
    said = (await lines.hears(line, 2))[1]
    assert lines.rasa.messages == ["¡Hola! ¿Está libre el de la señal?"]
    assert said.startswith("¡S")
    assert "@" not in said
    assert "año" in said
    if line == "whatsapp":
        assert "está en el andén" in said


@pytest.mark.parametrize("line", LINES)
async def test_media_only_is_answered_kindly_and_the_picture_kept(lines: Lines, tmp_path: Path, line: Line) -> None:
    lines.world.text(line, ADA, "", (JPEG, "image/jpeg"))
    assert "kept the picture" in (await lines.hears(line, 2))[1]
    lines.world.text(line, ADA, "", (b"OggS" * 20, "audio/ogg"))
    assert "in words" in (await lines.hears(line, 3))[2]
    assert lines.rasa.asked == []
    assert [path.read_bytes() for path in (tmp_path / "var/media").iterdir()] == [JPEG]


@pytest.mark.parametrize("by", ["meta", "twilio"])
async def test_location_reaches_the_dialogue_with_its_coordinates(tmp_path: Path, rasa: FakeRasa, by: str) -> None:
    async with open_lines(tmp_path, rasa, env=BY_TWILIO if by == "twilio" else {}) as lines:
        if by == "meta":
            lines.world.share_place(ADA, -45.42, 75.69, "Rideau")
        else:
            pin = {"From": WA_ADA, "Body": "", "Latitude": "-45.42", "Longitude": "75.69", "Label": "Rideau"}
            assert await by_twilio(lines, pin) == 200
        await until(lambda: len(rasa.asked) == 1, "the place is told")
    _, message, metadata = rasa.asked[0]
    assert message == "/provide_location"
    place = metadata["location"]
    assert (place["latitude"], place["longitude"], place["name"]) == (-45.42, 75.69, "Rideau")


@pytest.mark.parametrize("by", ["button", "list", "twilio button", "twilio list"])
async def test_button_id_a_tap_is_the_choice_whatever_its_title_would_mean(
    tmp_path: Path, rasa: FakeRasa, by: str
) -> None:
    rasa.plans = [Turn(lines=[{"text": "Which?", "buttons": [{"title": "STOP it", "payload": "/finish"}]}])]
    async with open_lines(tmp_path, rasa, env=BY_TWILIO if "twilio" in by else {}) as lines:
        said = {"From": WA_ADA, "Body": "1042"}
        assert (
            await (by_twilio(lines, said) if "twilio" in by else bring(lines, inbound(lines, "whatsapp", "1042")))
            == 200
        )
        await until(lambda: len(rasa.asked) == 1, "asked")
        token = (await offered(lines, rasa.asked[0][0]))[0]
        if "twilio" in by:
            field = "ListId" if "list" in by else "ButtonPayload"
            assert await by_twilio(lines, {"From": WA_ADA, "Body": "STOP it", field: token}) == 200
        else:
            lines.world.tap(ADA, token, "STOP it", row=by == "list")
        await until(lambda: rasa.messages[1:] == ["/finish"], "the choice, not its words")


async def offered(lines: Lines, conversation: str) -> list[str]:
    found: list[str] = []

    async def tokens() -> bool:
        entries = (await lines.door.desk("GET", conversation)).json()["entries"]
        found[:] = [f"{entry['id']}.{n}" for entry in entries for n in range(len(entry.get("choices") or []))]
        return bool(found)

    await until(tokens, "choices are offered")
    return found


@pytest.mark.parametrize("line", LINES)
async def test_error_429_is_waited_out_and_nothing_is_lost_doubled_or_out_of_order(lines: Lines, line: Line) -> None:
    lines.world.postman.manners = lines.world.postman.manners.changed({"fail": 0.5, "retry_after_s": 0})
    for n in range(8):
        assert await bring(lines, inbound(lines, line, f"message {n}")) == 200
    await lines.hears(line, 9)
    await asyncio.sleep(0.3)  # what would come twice comes now
    assert lines.heard(line)[1:] == [f"You said: message {n}" for n in range(8)]


@pytest.mark.parametrize("line", LINES)
async def test_slow_carrier_holds_up_neither_webhooks_nor_health_nor_the_other_carrier(
    lines: Lines, line: Line
) -> None:
    lines.world.postman.manners = lines.world.postman.manners.changed({"answer_s": 4.0})
    assert await bring(lines, inbound(lines, line, "hi")) == 200
    await until(lambda: len(lines.rasa.asked) == 1, "a send is under way")
    took = []
    for _ in range(10):
        began = time.perf_counter()
        assert await bring(lines, inbound(lines, line, "still there?", BOB)) == 200
        assert (await lines.door.http.get("/healthz")).status_code == 200
        took.append(time.perf_counter() - began)
    assert sorted(took)[5] < 1.0


async def test_stop_is_the_end_of_texts_and_never_small_talk(lines: Lines) -> None:
    for word in ("STOP", "stop", "Stop."):
        await bring(lines, inbound(lines, "sms", word))
    said = await lines.hears("sms", 1)
    await until(lambda: lines.world.postman.under_way == 0, "everything has come")
    await bring(lines, inbound(lines, "sms", "hello?"))
    await lines.metric('turns_total{outcome="suppressed"} 3.0')
    assert len(lines.heard("sms")) == 1
    assert "opted out" in said[0]
    assert "START" in said[0]
    assert lines.rasa.asked == []


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("typed", ["/restart", " / /restart", "\u200b/restart", "//restart"])
async def test_a_typed_slash_is_words(lines: Lines, line: Line, typed: str) -> None:
    await bring(lines, inbound(lines, line, typed))
    await until(lambda: lines.rasa.messages == ["restart"], "no intent was run")


@pytest.mark.parametrize("line", LINES)
async def test_status_callbacks_move_forward_only_twice_late_or_in_any_order(lines: Lines, line: Line) -> None:
    lines.world.postman.manners = lines.world.postman.manners.changed({"duplicate": 0.5})
    for n in range(3):
        await bring(lines, inbound(lines, line, f"hi {n}"))
    await lines.hears(line, 4)
    await until(lambda: lines.world.postman.under_way == 0, "all statuses have come, some twice, some late")
    carrier, last = ("twilio", "delivered") if line == "sms" else ("meta", "read")
    await lines.metric(f'statuses_total{{carrier="{carrier}",status="{last}"}} 4.0')


@pytest.mark.parametrize("by", ["meta", "twilio"])
async def test_templates_carry_news_after_a_day_in_the_drivers_language(
    tmp_path: Path, rasa: FakeRasa, by: str
) -> None:
    template = {"meta": "en=news/en_US,es=noticias/es_MX", "twilio": f"en=HX{'0' * 32},es=HX{'1' * 32}"}[by]
    env = {**(BY_TWILIO if by == "twilio" else {}), "WHATSAPP_TEMPLATES": template}
    async with open_lines(tmp_path, rasa, env=env) as lines:
        if by == "meta":
            await bring(lines, inbound(lines, "whatsapp", "hola"))
        else:
            lines.world.network.heard[ADA] = lines.world.network.now()
            assert await by_twilio(lines, {"From": WA_ADA, "Body": "hola"}) == 200
        await lines.hears("whatsapp", 2)
        del lines.world.network.heard[ADA]  # more than a day ago, by the carrier's clock
        rasa.answer = lambda message: [{"text": "Terminó la carga."}]
        news = {**NEWS, "id": "evt_1", "data": {"conversation": rasa.asked[0][0]}}
        await lines.door.bridge(news)
        await lines.hears("whatsapp", 3)
        sent = lines.messages("whatsapp")[2]
        assert sent.template
        if by == "twilio":
            assert f"HX{'1' * 32}" in sent.text
        else:
            assert sent.shape is not None
            assert sent.shape["template"]["name"] == "noticias"
        assert "Terminó la carga." in sent.text


async def test_lists_of_up_to_ten_rows_by_meta_and_numbers_elsewhere(lines: Lines) -> None:
    buttons = [{"title": f"Charger {n}", "payload": f"/pick{n}"} for n in range(10)]
    lines.rasa.answer = lambda message: [{"text": "Which one?", "buttons": buttons}] if message == "hi" else []
    await bring(lines, inbound(lines, "whatsapp", "hi"))
    await bring(lines, inbound(lines, "sms", "hi"))
    await lines.hears("whatsapp", 2)
    await lines.hears("sms", 2)
    shape = lines.messages("whatsapp")[1].shape
    assert shape is not None
    assert len(shape["interactive"]["action"]["sections"][0]["rows"]) == 10
    assert lines.heard("sms")[1].splitlines()[1:] == [f"{n + 1} Charger {n}" for n in range(10)]


@pytest.mark.parametrize("by", ["meta", "twilio"])
async def test_business_scoped_id_is_the_person_with_a_number_without_one_and_with_a_new_one(
    tmp_path: Path, rasa: FakeRasa, by: str
) -> None:
    user = "CA.13491208655302741918"

    async def write(lines: Lines, text: str, phone: str | None) -> None:
        if by == "twilio":
            sender = f"whatsapp:{phone or user}"
            assert await by_twilio(lines, {"From": sender, "Body": text, "ExternalUserId": user}) == 200
            return
        message = {"from_user_id": user, "id": f"wamid.{new_sid()}", "timestamp": "5", "type": "text"}
        message |= {"text": {"body": text}, **({"from": phone.lstrip("+")} if phone else {})}  # type: ignore[dict-item]
        assert await bring(lines, meta_post(ACCOUNT, META_PATH, {"messages": [message]})) == 200

    def asked(count: int) -> bool:
        return len(rasa.asked) == count

    async with open_lines(tmp_path, rasa, env=BY_TWILIO if by == "twilio" else {}) as lines:
        for n, phone in enumerate((None, ADA, None, "+16135550188")):
            await write(lines, f"text {n}", phone)
            await until(partial(asked, n + 1), "answered")
    assert len({sender for sender, _, _ in rasa.asked}) == 1
    assert [metadata["driver"] for _, _, metadata in rasa.asked][:2] == [f"guest:{rasa.asked[0][0]}", "drv-ada"]
    assert rasa.asked[3][2]["tier"] == 0  # the new number is nobody's that the operator knows


async def test_tenant_messages_of_another_number_or_account_are_not_ours(lines: Lines, tmp_path: Path) -> None:
    foreign = inbound(lines, "whatsapp", "for somebody else")
    body = foreign.body.replace(ACCOUNT.phone_number_id.encode(), b"999999999")
    other = meta_post(ACCOUNT, META_PATH, {})
    digest = hmac.new(ACCOUNT.app_secret.encode(), body, hashlib.sha256).hexdigest()
    assert await bring(lines, other, body=body, headers={"X-Hub-Signature-256": f"sha256={digest}"}) == 200
    await lines.metric('refused_total{channel="whatsapp",reason="unread-part"}')
    assert stored(tmp_path)["inbox"] == 0


@pytest.mark.parametrize("line", LINES)
async def test_metadata_says_who_where_and_in_which_language(lines: Lines, line: Line) -> None:
    await bring(lines, inbound(lines, line, "hola 1042"))
    await until(lambda: len(lines.rasa.asked) == 1, "asked")
    conversation, _, metadata = lines.rasa.asked[0]
    assert metadata["channel"] == line
    assert (metadata["driver"], metadata["tier"], metadata["language"]) == ("drv-ada", 1, "es")
    assert metadata["first_contact"] is True
    assert "613555" not in conversation + metadata["message_id"]


@pytest.mark.parametrize("by", ["meta", "twilio"])
async def test_typing_is_shown_on_whatsapp_until_the_answer_comes(tmp_path: Path, rasa: FakeRasa, by: str) -> None:
    rasa.plans = [Turn(fault="raise")]  # the first attempt says nothing
    async with open_lines(tmp_path, rasa, env=BY_TWILIO if by == "twilio" else {}) as lines:
        network = lines.world.network
        message = lines.world._message("whatsapp", ADA, "is 1042 free", outbound=False)
        if by == "twilio":
            message.id = new_sid()
        network.from_phone(message)
        if by == "meta":
            content = {"type": "text", "text": {"body": message.text}}
            value = meta_message(message, lines.world.user_of(ADA), content)
            await bring(lines, meta_post(ACCOUNT, META_PATH, value))
        else:
            await by_twilio(lines, {"From": WA_ADA, "Body": message.text, "MessageSid": message.id})
        await until(lambda: message.status == "read" or network.is_typing(ADA), "the driver sees that we write")
        await lines.hears("whatsapp", 2)
        assert not network.is_typing(ADA)


async def test_parts_that_are_wrong_in_their_coding_size_or_kind_are_refused_with_a_reason(
    lines: Lines, tmp_path: Path
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    json = {"Content-Type": "application/json"}
    for path, headers, body, status in (
        (PATH, form, b"Body=%ff%fe", 400),
        (PATH, form, b"\xff\xfe=1", 400),
        (PATH, json, b"{}", 415),
        (PATH, form, b"Body=" + b"x" * 70_000, 413),
        (PATH, form, b"Body=" + b"x" * 4 * 2**20, 413),
        (META_PATH, json, b"x" * (3 * 2**20 + 1), 413),
        (META_PATH, json, b"x" * 4 * 2**20, 413),
        (META_PATH, json, b"\xff\xfe", 403),
        ("/webhooks/nobody", json, b"{}", 404),
    ):
        try:
            answer = await lines.door.http.post(path, content=body, headers=headers)
        except httpx.TransportError:  # hung up on while it was still sending, which is fair with so much
            assert len(body) > 4 * 2**20 - 10
            continue
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path
    for urlencoded in ({"a": "1"}, {"MessageSid": "SM1"}):
        signed = twilio_post(ACCOUNT, PUBLIC_URL, PATH, urlencoded)
        assert (await bring(lines, signed)) == 400, urlencode(urlencoded)
    metrics = (await lines.door.http.get("/metrics")).text
    assert sum(float(row.rsplit(" ", 1)[1]) for row in metrics.splitlines() if "bot_refused_total{" in row) == 11
    assert stored(tmp_path) == {"conversations": 0, "inbox": 0, "entries": 0, "consent": 0}
