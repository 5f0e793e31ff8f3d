"""Payments at the front door: webhooks verified over the raw body, stored once, any order; links; card numbers that are typed."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.stripe_events import is_signed
from bot.front_door import front_door
from bot.pan import mask_cards
from chargeline.settings import Settings
from sandbox.payments.events import signature
from tests.bot.doors import EARS, FAST, Door, settings_env
from tests.bot.fake_actions import FakeActions
from tests.bot.fake_carrier import FakeCarrier
from tests.bot.fake_rasa import FakeRasa

SECRET = "whsec_front_door"


@pytest.fixture
async def rasa() -> AsyncIterator[FakeRasa]:
    fake = FakeRasa()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def env(tmp_path: Path, rasa: FakeRasa) -> AsyncIterator[dict[str, str]]:
    carrier, actions = FakeCarrier(), FakeActions()
    await carrier.start()
    await actions.start()
    keys = {"STRIPE_API_KEY": "sk_test_x", "STRIPE_WEBHOOK_SECRET": SECRET, "ACTIONS_KEY": "actions-key"}
    yield {**settings_env(tmp_path, rasa.url, carrier.url, actions.url), **keys}
    await carrier.stop()
    await actions.stop()


@pytest.fixture
async def door(env: dict[str, str]) -> AsyncIterator[Door]:
    async with front_door(Settings.load(env), FAST, port=0, ears=EARS) as port, Door.at(port) as opened:
        yield opened


async def conversation_of(door: Door, rasa: FakeRasa) -> str:
    await door.terminal("ada", "c1", text="hello")
    await door.transcript("/terminal/ada/events", lambda entries: any("You said" in one["text"] for one in entries))
    return rasa.asked[-1][0]


def event(kind: str, conversation: str, number: int = 1, **thing: Any) -> dict[str, Any]:
    metadata = {"payment": "pay_1", "conversation": conversation}
    about = {"id": "pi_1", "object": "payment_intent", "metadata": metadata, **thing}
    return {"id": f"evt_{number}", "object": "event", "type": kind, "data": {"object": about}}


async def post(door: Door, body: bytes, header: str | None = None, at: float | None = None) -> httpx.Response:
    signed = signature(SECRET, int(at or time.time()), body.decode())
    return await door.http.post("/webhooks/stripe", content=body, headers={"Stripe-Signature": header or signed})


async def test_an_event_is_a_turn_once_however_often_and_in_whatever_order_it_comes(door: Door, rasa: FakeRasa) -> None:
    conversation = await conversation_of(door, rasa)
    bodies = [
        orjson.dumps(event(kind, conversation, number))
        for number, kind in enumerate(["payment_intent.amount_capturable_updated", "payment_intent.payment_failed"])
    ]
    for body in [*bodies, *reversed(bodies), *bodies]:
        assert (await post(door, body)).status_code in (200, 202)
    await door.terminal("ada", "c2", text="bye")
    await door.transcript("/terminal/ada/events", lambda entries: any("bye" in one["text"] for one in entries[1:]))
    news = [message for message in rasa.messages if message.startswith("/EXTERNAL_payment_news")]
    assert news == ['/EXTERNAL_payment_news{"payment":"pay_1","payment_intent":"pi_1"}'] * 2


async def test_what_is_not_signed_is_refused_and_what_nobody_is_told_of_is_acknowledged(
    door: Door, rasa: FakeRasa
) -> None:
    conversation = await conversation_of(door, rasa)
    body = orjson.dumps(event("payment_intent.succeeded", conversation))
    assert (await post(door, body, header="t=1,v1=00")).status_code == 403
    assert (await post(door, body, header="nonsense")).status_code == 403
    assert (await post(door, body, at=time.time() - 400)).status_code == 403
    changed = body.replace(b"pay_1", b"pay_2")
    assert (await post(door, changed, header=signature(SECRET, int(time.time()), body.decode()))).status_code == 403
    assert (await post(door, orjson.dumps(event("customer.created", conversation)))).json() == {"status": "ignored"}
    assert (await post(door, orjson.dumps(event("payment_intent.succeeded", "web_nobody")))).status_code == 202
    for wrong in (b"[]", b"{}", b"not json", b'{"id":"evt_1"}', b'{"id":"evt_1","data":{"object":7}}'):
        assert (await post(door, wrong)).status_code == 400, wrong
    assert not any(message.startswith("/EXTERNAL") for message in rasa.messages)


async def test_the_ledger_tells_news_of_its_own_with_the_right_key_only(door: Door, rasa: FakeRasa) -> None:
    conversation = await conversation_of(door, rasa)
    body = {"id": "ledger-pay_1-held", "conversation": conversation, "payment": "pay_1", "intent": None}
    assert (await door.http.post("/v1/payments/events", json=body)).status_code == 401
    key = {"Authorization": "Bearer actions-key"}
    answers = [(await door.http.post("/v1/payments/events", json=body, headers=key)).status_code for _ in range(2)]
    assert answers == [202, 200]
    assert (await door.http.post("/v1/payments/events", json={"id": "x"}, headers=key)).status_code == 422


async def test_the_page_after_paying_claims_nothing_and_an_unknown_link_is_no_page(door: Door) -> None:
    page = await door.http.get("/pay/return?lang=fr&paid=1")
    assert page.status_code == 200
    assert "Merci" in page.text
    assert (await door.http.get("/pay/return?lang=xx")).status_code == 200
    assert (await door.http.get("/pay/pay_unknown")).status_code in (404, 503)
    assert (await door.http.get("/pay/..%2fx")).status_code == 404


def test_a_signature_under_either_secret_counts_while_one_is_rolled() -> None:
    body, now = b'{"id":"evt_1"}', 1_700_000_000
    good = signature(SECRET, now, body.decode())
    both = good.replace(",v1=", ",v1=" + "0" * 64 + ",v1=")
    assert is_signed(both, SECRET, body, now)
    assert not is_signed(good, "", body, now)


@given(st.text(max_size=200))
def test_no_header_breaks_the_check(header: str) -> None:
    assert not is_signed(header, SECRET, b"{}", 1_700_000_000)


# ---- card numbers


def card_number(randomly: random.Random) -> str:
    """16 digits with the right check digit."""
    digits = [4, *(randomly.randrange(10) for _ in range(14))]
    for last in range(10):
        total = sum(
            (digit * 2 - 9 * (digit > 4)) if place % 2 == 0 else digit for place, digit in enumerate([*digits, last])
        )
        if total % 10 == 0:
            return "".join(map(str, [*digits, last]))
    raise AssertionError


NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def spelled(number: str, way: int) -> str:
    groups = [number[at : at + 4] for at in range(0, 16, 4)]
    return [
        number,
        " ".join(groups),
        "-".join(groups),
        ".".join(groups),
        " ".join(number),
        "\n".join(number),
        "  -  ".join(groups),
        "\u00a0".join(groups),
        " ".join(NUMBER_WORDS[int(digit)] for digit in number),
        f"my card is {' '.join(groups)} exp 12/34 cvc 987",
    ][way % 10]


def all_bytes(folder: Path) -> bytes:
    """Stores and their journals, pictures, logs: every file of the front door."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_two_hundred_card_numbers_leave_no_trace_in_stores_logs_or_the_dialogue(
    door: Door, rasa: FakeRasa, env: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    randomly = random.Random(6)
    numbers = [card_number(randomly) for _ in range(200)]
    for at, number in enumerate(numbers):
        name = f"driver{at % 20}"
        answer = await door.terminal(name, f"c{at}", text=spelled(number, at))
        while answer.status_code == 429:
            await door.transcript(f"/terminal/{name}/events", lambda entries: len(entries) > 3)
            answer = await door.terminal(name, f"c{at}", text=spelled(number, at))
        assert answer.status_code == 202, answer.text
    for at in range(20):
        await door.transcript(
            f"/terminal/driver{at}/events", lambda entries: sum(e["author"] == "driver" for e in entries) >= 10
        )
    kept = all_bytes(Path(env["VAR_DIR"]))
    out, err = capfd.readouterr()
    asked = "\n".join(message for _, message, _ in rasa.asked)
    events = str(dict(rasa.events))
    everything = kept.decode("utf-8", "replace") + out + err + asked + events
    for number in numbers:
        assert number not in everything
        assert number[:12] not in everything
        for broken in range(9):
            assert spelled(number, broken) not in everything
    assert "987" not in asked
    said = await door.transcript("/terminal/driver0/events", lambda entries: len(entries) > 2)
    assert any("removed the card number" in one["text"] for one in said)
    assert "/payment_failed" in rasa.messages


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("4242 4242 4242 4242 exp 12/34 cvc 123", "[card ending 4242] exp [date removed] cvc [code removed]"),
        ("cvv: 1234 for my amex", "cvv: [code removed] for my amex"),
        (
            "4242424242424242, valid until 12-2034, code 999, at 1042",
            "[card ending 4242], valid until [date removed], code [code removed], at 1042",
        ),
        ("tarjeta 4242.4242.4242.4242 vence 01/29", "tarjeta [card ending 4242] vence [date removed]"),
        ("charger 1042, 12/34 of the time, error 123", "charger 1042, 12/34 of the time, error 123"),
        ("call 613 555 0123 about charger 1042", "call 613 555 0123 about charger 1042"),
        (
            "one two three four five six seven eight nine ten eleven",
            "one two three four five six seven eight nine ten eleven",
        ),
    ],
)
def test_what_stands_beside_a_card_goes_too_and_nothing_else(typed: str, kept: str) -> None:
    assert mask_cards(typed) == kept
    assert mask_cards(kept) == kept
