"""The outbox's rules: the 24 hours of WhatsApp, error codes, doubt without a list, and how fast messages may go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.carrier import MOST_ASKED_S, retry_after_s
from bot.channels.carrier_errors import Then, known_codes, rule_of
from bot.channels.carriers import templates_from
from bot.pace import BURST, Pace
from bot.settling import belonging, looks_unfinished, wait_s
from bot.store.model import Item, Kind
from chargeline.settings import Settings, SettingsError
from sandbox.carrier.network import Line
from tests.bot.doors import PUBLIC_URL, until
from tests.bot.fake_rasa import FakeRasa
from tests.channels.lines import ADA, TUNING, Lines, carrier_at, env_for, open_lines

NEWS = {"type": "command.finished", "command": {"id": "cmd_1"}}


async def a_day_later(lines: Lines) -> str:
    """The conversation, after a day on the carrier's side: it says 131047 whatever our clock says."""
    lines.whatsapp("1042")
    await lines.hears("whatsapp", 2)
    lines.world.network.heard[ADA] -= timedelta(hours=25)
    return lines.rasa.asked[0][0]


async def test_news_after_a_day_goes_out_in_the_template_of_its_language(lines: Lines) -> None:
    conversation = await a_day_later(lines)
    lines.rasa.answer = lambda message: [{"text": "Charging has ended.\n12 kWh."}]
    await lines.door.bridge({**NEWS, "id": "evt_1", "data": {"conversation": conversation}})
    await lines.hears("whatsapp", 3)
    sent = lines.messages("whatsapp")[2]
    assert (sent.template, sent.text) == (True, "Charging has ended. 12 kWh.")
    lines.whatsapp("thanks")
    await lines.hears("whatsapp", 4)
    assert not lines.messages("whatsapp")[3].template


async def test_without_a_template_such_news_ends_as_failed_and_the_next_answer_goes_out(
    tmp_path: Path, rasa: FakeRasa
) -> None:
    async with open_lines(tmp_path, rasa, WHATSAPP_TEMPLATES="") as lines:
        conversation = await a_day_later(lines)
        await lines.door.bridge({**NEWS, "id": "evt_1", "data": {"conversation": conversation}})
        await lines.metric('deliveries_total{state="failed"} 1.0')
        lines.whatsapp("hello")
        assert (await lines.hears("whatsapp", 3))[2] == "You said: hello"


@pytest.mark.parametrize("fault", ["lost-after", "lost-before"])
async def test_a_send_in_doubt_is_settled_by_its_status_where_there_is_no_list(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    faults = iter(["", fault])
    monkeypatch.setattr("sandbox.carrier.manners.Manners.failure", lambda *_: next(faults, None) or None)
    lines.whatsapp("one")
    await lines.hears("whatsapp", 2)
    lines.whatsapp("two")
    await lines.hears("whatsapp", 3)
    await asyncio.sleep(TUNING.sends.status_s)
    assert lines.heard("whatsapp")[1:] == ["You said: one", "You said: two"]


async def test_both_lines_of_a_driver_are_conversations_of_their_own(lines: Lines) -> None:
    lines.sms("by text")
    lines.whatsapp("by app")
    assert (await lines.hears("sms", 2))[1] == "You said: by text"
    assert (await lines.hears("whatsapp", 2))[1] == "You said: by app"
    assert len({sender for sender, _, _ in lines.rasa.asked}) == 2


async def test_what_carriers_refuse_by_their_own_tables_would_show(tmp_path: Path, rasa: FakeRasa) -> None:
    """Requests of ours that the recorded field tables do not allow get a 400 of the carrier; none does."""
    async with carrier_at() as (_, url):
        assert "v23.0" in env_for(tmp_path, rasa.url, url)["WHATSAPP_API_URL"]
    async with open_lines(tmp_path, rasa) as lines:
        rasa.answer = lambda message: [{"text": "x" * 5000}, {"text": "é" * 1700, "buttons": [{"title": "t" * 300, "payload": "/p"}]}]  # fmt: skip
        lines.sms("a")
        lines.whatsapp("b")
        await lines.hears("sms", 3)
        await lines.hears("whatsapp", 3)
        assert 'state="failed"' not in (await lines.door.http.get("/metrics")).text


def test_error_codes_say_what_happens_next() -> None:
    wanted = {"21610": Then.OPT_OUT, "30003": Then.ONCE, "30004": Then.FAIL, "30005": Then.ONCE, "30006": Then.FAIL}
    wanted |= {"30007": Then.FILTERED, "30008": Then.ONCE, "63016": Then.WINDOW, "20429": Then.SLOW_DOWN}
    assert {code: rule_of("twilio", code).then for code in wanted} == wanted
    assert rule_of("meta", "131047").then is Then.WINDOW
    assert rule_of("meta", "130429").then is Then.SLOW_DOWN
    for carrier in ("twilio", "meta"):
        assert all(rule.means for rule in known_codes(carrier).values())
        for odd in (None, "", "99999999", "x", "²"):
            assert rule_of(carrier, odd).then is Then.FAIL


def test_templates_are_read_by_language_and_a_mistake_is_named() -> None:
    given_ = Settings(whatsapp_templates="en=news/en_US, es=HX0123456789abcdef0123456789abcdef")
    assert templates_from(given_) == {"en": "news/en_US", "es": "HX0123456789abcdef0123456789abcdef"}
    with pytest.raises(SettingsError, match="WHATSAPP_TEMPLATES"):
        templates_from(Settings(whatsapp_templates="news"))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 2)), max_size=120))
def test_no_second_has_more_than_the_rate_and_no_number_more_than_its_share(steps: list[tuple[str, float]]) -> None:
    pace, now = Pace(20.0, 1.0), 0.0
    gone: list[tuple[float, str]] = []
    for number, pause in steps:
        now += pause
        gone.append((now + pace.wait_s(number, now), number))
    for at, number in gone:
        mine = [other for other, name in gone if name == number and at <= other < at + 5]
        assert len(mine) <= BURST + 5 + 1


def test_a_carrier_that_asks_for_a_pause_gets_it_from_everybody() -> None:
    pace = Pace(1000.0, 1000.0)
    assert pace.wait_s("a", 5.0) == 0
    pace.pause(8.0)
    assert pace.wait_s("b", 5.0) == pytest.approx(3.0)
    assert pace.wait_s("c", 9.0) == 0


def item(number: int, text: str, at: float, kind: Kind = Kind.TEXT) -> Item:
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    return Item(id=f"in_{number}", conversation="sms_1", number=number, source=f"s{number}", kind=kind, text=text, received_at=when)  # fmt: skip


def test_only_words_that_came_soon_after_one_another_belong_together() -> None:
    items = [item(1, "hi", 0), item(2, "my plug", 1), item(3, "is stuck", 3), item(4, "hello?", 30)]
    assert belonging(items, [False] * 4) == 3
    assert belonging(items, [False, True, False, False]) == 1
    assert belonging([items[0], item(2, "stop", 1, Kind.STOP)], [False, False]) == 1
    assert belonging([item(n, "x" * 500, 0) for n in range(5)], [False] * 5) == 3


def test_the_usual_text_waits_shortly_an_unfinished_one_longer() -> None:
    assert wait_s(["the charger is dead"], 0.1, 0.4) == pytest.approx(0.3)
    for text in ("hi", "Bonjour", "im at 1042 and", "plugged in,", "el cargador no sirve porque"):
        assert looks_unfinished(text)
        assert wait_s([text], 0.0, 0.4) == pytest.approx(2.0)
    assert wait_s(["1042"], 3.0, 0.4) == 0


async def test_pictures_by_sms_come_only_from_the_carrier_itself(lines: Lines) -> None:
    fields = {"MessageSid": "SM1", "From": ADA, "Body": "", "NumMedia": "1"}
    evil = {"MediaUrl0": "http://169.254.169.254/latest", "MediaContentType0": "image/png"}
    assert (await lines.door.signed({**fields, **evil})).status_code == 200
    await lines.hears("sms", 2)
    assert "kept" not in lines.heard("sms")[1]
    await until(lambda: lines.rasa.asked == [], "nothing was asked")


@pytest.mark.parametrize("line", ["sms", "whatsapp"])
async def test_a_gateways_error_is_a_doubt_and_what_was_taken_is_not_sent_again(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    faults = iter([None, "502-after", None])
    monkeypatch.setattr("sandbox.carrier.manners.Manners.failure", lambda *_: next(faults, None))
    for text in ("one", "two"):
        (lines.sms if line == "sms" else lines.whatsapp)(text)
    await lines.hears(line, 3)
    await asyncio.sleep(TUNING.sends.status_s)
    assert sorted(lines.heard(line)[1:]) == ["You said: one", "You said: two"]


async def test_what_did_not_reach_a_phone_goes_at_once_when_its_driver_writes_again(
    tmp_path: Path, rasa: FakeRasa
) -> None:
    patient = replace(TUNING, sends=replace(TUNING.sends, again_s=3600.0))
    async with open_lines(tmp_path, rasa, tuning=patient) as lines:
        manners = lines.world.postman.manners
        lines.world.postman.manners = manners.changed({"undelivered": 1.0})
        lines.sms("one")
        await lines.metric('delivery_retries_total{reason="status"} 2.0')
        lines.world.postman.manners = manners
        lines.sms("two")
        await lines.hears("sms", 5)
        assert lines.heard("sms")[2:] == [*lines.heard("sms")[:2], "You said: two"]


async def test_a_carrier_cannot_ask_for_more_patience_than_a_driver_has() -> None:
    assert retry_after_s("2") == 2.0
    assert retry_after_s("864000") == MOST_ASKED_S
    for odd in ("", "-1", "1.5", "²", "Fri, 27 Nov 2026 00:00:00 GMT", "9" * 400):
        assert retry_after_s(odd) is None


CARD = ("4111 1111", "1111 1111")


@pytest.mark.parametrize("settle_s", ["0", "0.3"])
async def test_a_card_number_over_several_texts_is_kept_nowhere(tmp_path: Path, rasa: FakeRasa, settle_s: str) -> None:
    async with open_lines(tmp_path, rasa, SETTLE_S=settle_s) as lines:
        for text in CARD:
            lines.sms(text)
            await until(lambda: lines.world.postman.under_way == 0, "acknowledged")
        await until(lambda: "/payment_failed" in rasa.messages, "it was meant as a payment")
        await until(lambda: any("removed the card number" in text for text in lines.heard("sms")), "the driver is told")
        entries = (await lines.door.desk("GET", rasa.asked[0][0])).json()["entries"]
        written = [entry["text"] for entry in entries if entry["author"] == "driver"]
        assert written == ["[part of a card number]", "[card ending 1111]"]
    if settle_s != "0":
        assert rasa.messages == ["/payment_failed"]
    for path in (tmp_path / "var").glob("bot.sqlite3*"):
        assert b"1111 1111" not in path.read_bytes() or settle_s == "0"


@pytest.mark.parametrize("line", ["sms", "whatsapp"])
async def test_the_way_to_a_charger_is_a_short_link_of_ours_that_leads_there(lines: Lines, line: Line) -> None:
    way = "https://www.google.com/maps/dir/?api=1&destination=45.42541,-75.69191"
    lines.rasa.answer = lambda message: [{"text": f"Free now near you: 1042\nMap: {way}"}]
    (lines.sms if line == "sms" else lines.whatsapp)("near me")
    link = (await lines.hears(line, 2))[1].rpartition(" ")[2]
    assert link == f"{PUBLIC_URL}/m/45.4254,-75.6919"
    answer = await lines.door.http.get(link.removeprefix(PUBLIC_URL))
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        way.replace("45.42541,-75.69191", "45.4254,-75.6919"),
    )
    assert (await lines.door.http.get("/m/evil.example")).status_code == 404


async def test_a_messaging_service_sends_and_its_lost_answers_are_looked_up(
    tmp_path: Path, rasa: FakeRasa, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([None, "lost-after"])
    monkeypatch.setattr("sandbox.carrier.manners.Manners.failure", lambda *_: next(faults, None))
    env = {"TWILIO_FROM_NUMBER": f"MG{'0' * 32}", "PUBLIC_URL": ""}
    async with open_lines(tmp_path, rasa, env=env) as lines:
        fields = {"MessageSid": "SM1", "From": ADA, "Body": "hi"}
        url = f"{lines.door.http.base_url}".rstrip("/") + "/webhooks/twilio/sms"
        assert (await lines.door.signed(fields, url=url)).status_code == 200
        await lines.hears("sms", 2)
        await asyncio.sleep(0.3)
        assert len(lines.heard("sms")) == 2
