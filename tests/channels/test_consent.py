"""Opting out and in: keywords, free words in three languages, the ledger, and what may still go out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.consent import HELP, OPT_IN, OPT_OUT, asks_to_stop, keyword_kind
from bot.store.model import Channel, Kind
from bot.store.sqlite import SqliteStore
from tests.bot.doors import until
from tests.bot.fake_rasa import FakeRasa, Turn
from tests.channels.lines import ADA, BOB, Lines, open_lines
from tests.nlu.examples import LANGUAGES, training

SAID = [
    "please stop texting me",
    "Stop sending me messages!",
    "dont text me anymore",
    "take me off your list",
    "I don't want any more texts",
    "ya no me manden mensajes",
    "No me escriban más.",
    "dejen de escribirme",
    "quiero darme de baja",
    "quítenme de su lista",
    "arrêtez de m’écrire",
    "Ne m'envoyez plus de messages",
    "je veux plus recevoir vos textos",
    "désabonnez-moi svp",
]
NOT_SAID = [
    "stop the charge please",
    "it wont stop beeping",
    "don't stop texting me",
    "why did you stop texting me?",
    "text me when its done",
    "dont text me until its fixed",
    "the charger stopped and there are no messages on the screen",
    "how do i cancel my account",
    "unsubscribe me from the newsletter emails",
    "no puedo parar la carga",
    "arrêtez la recharge",
    "la borne n'envoie plus de courant",
]


@pytest.mark.parametrize("text", SAID)
def test_free_words_that_ask_for_no_more_messages_are_heard(text: str) -> None:
    assert asks_to_stop(text)


@pytest.mark.parametrize("text", NOT_SAID)
def test_words_about_the_charge_are_not_taken_for_it(text: str) -> None:
    assert not asks_to_stop(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_all_that_drivers_write_only_wishes_to_be_left_alone_are_heard(language: str) -> None:
    written = [one for one in training() if one.language == language]
    heard = {one for one in written if asks_to_stop(one.text)}
    assert {one.intent for one in heard} <= {"opt_out"}, sorted(one for one in heard if one.intent != "opt_out")
    wishes = [one for one in written if one.intent == "opt_out"]
    assert len(heard) >= len(wishes) * 0.4, "the patterns have gone deaf"


@pytest.mark.parametrize(
    ("words", "kind"), [("STOP Arrêt baja Désabonner", Kind.STOP), ("help AIDE ayuda Info", Kind.HELP)]
)
def test_keywords_in_three_languages(words: str, kind: Kind) -> None:
    for word in words.split():
        assert keyword_kind(f" {word}. ", opted_out=False) is kind, word
    for word in ("start", "ALTA", "sí", "oui", "Yes"):
        assert keyword_kind(word, opted_out=True) is Kind.RESUME
        assert keyword_kind(word, opted_out=False) is Kind.TEXT
    assert not OPT_OUT & OPT_IN and not OPT_OUT & HELP  # noqa: PT018 - one statement about three sets


async def test_stop_in_the_middle_of_a_charge_is_confirmed_once_and_then_nothing_goes_out(lines: Lines) -> None:
    hold = asyncio.Event()
    lines.rasa.plans = [Turn(lines=[{"text": "Starting it."}], hold=hold)]
    lines.sms("1042")
    await lines.hears("sms", 2)
    conversation = lines.rasa.asked[0][0]
    lines.sms("stop")
    await until(lambda: ADA in lines.world.network.blocked, "the carrier has acted on it")
    await lines.metric('received_total{channel="sms",kind="stop"} 1.0')
    hold.set()
    said = (await lines.hears("sms", 3))[2]
    assert "This did not end a charge" in said
    await lines.door.bridge(
        {"id": "evt_1", "type": "command.finished", "data": {"conversation": conversation}, "command": {"id": "cmd_1"}}
    )
    await lines.metric('turns_total{outcome="answered"} 2.0')
    lines.sms("are you there")
    await lines.metric('turns_total{outcome="suppressed"} 1.0')
    assert len(lines.heard("sms")) == 3
    lines.sms("START")
    assert "opted back in" in (await lines.hears("sms", 4))[3]


async def test_free_words_count_on_every_channel_and_the_ledger_has_the_proof(tmp_path: Path, rasa: FakeRasa) -> None:
    async with open_lines(tmp_path, rasa) as lines:
        message = lines.sms("please stop texting me")
        assert "opted out" in (await lines.hears("sms", 1))[0]
        lines.whatsapp("ya no me manden mensajes", BOB)
        await lines.hears("whatsapp", 1, BOB)
        await lines.door.terminal("ann", "c1", text="stop messaging me")
        await lines.metric('turns_total{outcome="opted_out"} 3.0')
        await lines.door.terminal("ann", "c2", text="stop")  # on a page it is about the charge
        await until(lambda: rasa.messages == ["stop"], "the dialogue hears it")
    store = SqliteStore(tmp_path / "var/bot.sqlite3")
    await store.open()
    (row,) = await store.consents(Channel.SMS, ADA)
    assert (row.words, row.source, row.opted_out) == ("please stop texting me", f"twilio:{message.id}", True)
    await store.close()


async def test_on_whatsapp_own_words_are_answered_after_a_stop_but_news_is_not_told(lines: Lines) -> None:
    lines.whatsapp("1042")
    await lines.hears("whatsapp", 2)
    conversation = lines.rasa.asked[0][0]
    lines.whatsapp("STOP")
    assert "opted out" in (await lines.hears("whatsapp", 3))[2]
    event = {"id": "evt_1", "type": "command.finished", "data": {"conversation": conversation}}
    await lines.door.bridge({**event, "command": {"id": "cmd_1"}})
    await lines.metric('turns_total{outcome="answered"} 2.0')
    lines.whatsapp("my cable is stuck")
    assert (await lines.hears("whatsapp", 4))[3] == "You said: my cable is stuck"
    lines.whatsapp("sí")  # an answer, on a line that is still heard
    assert (await lines.hears("whatsapp", 5))[4] == "You said: sí"
    lines.whatsapp("alta")
    assert "opted back in" in (await lines.hears("whatsapp", 6))[5]


async def test_the_dialogue_can_opt_a_driver_out_and_its_own_words_still_go_out(lines: Lines) -> None:
    lines.rasa.plans = [Turn(lines=[{"text": "Nothing more comes."}, {"custom": {"opt_out": True}}])]
    lines.sms("enough with you people")
    assert (await lines.hears("sms", 2))[1] == "Nothing more comes."
    lines.sms("hello")
    await lines.metric('turns_total{outcome="suppressed"} 1.0')
    assert len(lines.heard("sms")) == 2


async def test_a_number_that_the_carrier_has_blocked_is_noted_and_left_alone(lines: Lines) -> None:
    lines.world.network.blocked.add(BOB)
    lines.sms("hi", BOB)
    await lines.metric('deliveries_total{state="suppressed"}')
    assert lines.heard("sms", BOB) == []


async def test_danger_beside_the_wish_to_be_left_alone_is_danger(lines: Lines) -> None:
    lines.sms("stop texting me there is smoke")
    assert (await lines.hears("sms", 1))[0].startswith("Step away")


async def test_what_the_carrier_has_answered_itself_is_noted_and_answered_by_nobody_else(
    lines: Lines, tmp_path: Path
) -> None:
    """Twilio's Advanced Opt-Out: words of the operator's own choice, in any language, and texts of Twilio's."""
    for n, (word, kind) in enumerate((("AYUDA", "HELP"), ("BASTA", "STOP"), ("hello", ""), ("VOLVER", "START"))):
        fields = {"MessageSid": f"SM{n}", "From": ADA, "Body": word, **({"OptOutType": kind} if kind else {})}
        for _ in range(2):
            assert (await lines.door.signed(fields)).status_code == 200
    await lines.metric('turns_total{outcome="suppressed"} 1.0')
    lines.sms("1042")
    assert (await lines.hears("sms", 1))[-1] == "You said: 1042"
    assert lines.rasa.messages == ["1042"]
    store = SqliteStore(tmp_path / "var/bot.sqlite3")
    await store.open()
    rows = await store.consents(Channel.SMS, ADA)
    assert [(row.words, row.opted_out, row.source) for row in rows] == [
        ("BASTA", True, "twilio:SM1"),
        ("VOLVER", False, "twilio:SM3"),
    ]
    conversation = await store.conversation_for(Channel.SMS, ADA, "x", rows[0].at)
    texts = [entry.text for entry in await store.entries(conversation.id, 0, 20)]
    assert texts[:4] == ["AYUDA", "BASTA", "hello", "VOLVER"]
    await store.close()
