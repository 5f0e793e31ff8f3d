"""Each row of the decline table in a conversation: on the payment page and by a payment of the operator's app, in words that never
reveal a lost or stolen card or a suspicion; the same card is asked again only where the table says so.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from actions.bridge import Actor
from actions.payments.declines import Again, BadTable, Way, codes, read, ruling
from actions.playbooks.contact import Turn
from actions.playbooks.steps import Offer, Say
from tests.payments.world import ADA, TEXTS, Line, line, words

HIDDEN = ["fraudulent", "lost_card", "stolen_card", "merchant_blacklist", "pickup_card", "restricted_card"]
TELLS = re.compile(
    r"lost|stolen|fraud|suspic|black|robad|perdid|fraude|sospech|vol[ée]e?|perdue?|soup[cç]on", re.IGNORECASE
)
ROWS = sorted(code for code in codes() if code)


@pytest.fixture
async def guest(tmp_path: Path) -> AsyncIterator[Line]:
    async with line(tmp_path) as opened:
        yield opened


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Line]:
    """A driver whom the payment system knows, with a saved card; her account here is not accepted, so that money is what counts."""
    async with line(tmp_path, turn=ADA) as opened:
        opened.bridge.tokens["drv-ada"] = []
        known_driver(opened, "drv-ada")
        yield opened


def known_driver(opened: Line, driver: str) -> None:
    customer = opened.sandbox.world.shelf.new("customer", opened.sandbox.world.intents.now())
    method = opened.sandbox.world.intents.method("pm_card_visa")
    method["customer"] = customer["id"]
    customer.update(metadata={"driver": driver}, invoice_settings={"default_payment_method": method["id"]})


def tries_of(opened: Line) -> list[Any]:
    """Payments that were begun here, by no page."""
    return [one for one in opened.sandbox.all("payment_intent") if "payment" in one["metadata"]]


async def app_pays(ada: Line, method: str = "pm_card_visa", **metadata: str) -> Any:
    """The operator's app takes a payment for charger 1042."""
    customer = next(ada.sandbox.world.shelf.all("customer"))
    order = {
        "amount": 4000,
        "currency": "cad",
        "customer": customer["id"],
        "payment_method": method,
        "payment_method_types": ["card"],
        "capture_method": "manual",
        "confirm": True,
        "metadata": {"charger": "CL-1042", **metadata},
    }
    answer = await ada.sandbox.http.post(
        "/v1/payment_intents", content=form(order), headers={"Authorization": "Bearer sk_test_app"}
    )
    return answer.json()


def form(order: dict[str, Any], prefix: str = "") -> str:
    rows = []
    for name, value in order.items():
        key = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, dict):
            rows.append(form(value, key))
        elif isinstance(value, list):
            rows += [f"{key}[{number}]={one}" for number, one in enumerate(value)]
        else:
            rows.append(f"{key}={str(value).lower() if isinstance(value, bool) else value}")
    return "&".join(rows)


async def test_each_row_on_the_payment_page_tells_the_driver_and_the_page_still_stands(guest: Line) -> None:
    for number, code in enumerate(ROWS):
        guest.turn = Turn(Actor(f"guest:web_{number}", 0, f"web_{number}"), "in_1", "en", "web")
        guest.bridge.commands.clear()
        await guest.says()
        await guest.sandbox.decline_next(code)
        await guest.pay()
        failed = guest.sandbox.all("payment_intent")[0]
        told = await guest.news(failed["id"])
        rule = ruling(code)
        way = "say_pay_card_details" if rule.way is Way.CARD else "say_pay_other_card"
        assert told.said == [rule.say, way], code
        assert ("payment", "declined") in told.tried
        for language in TEXTS:
            assert not TELLS.search(words(told, language)), code
            assert code not in words(told, language)
        assert guest.bridge.commands == {}
        assert (await guest.news(failed["id"])).said == [], code  # once
        await guest.pay()
        assert len(guest.sandbox.holds()) == number + 1, code


async def test_each_row_of_the_apps_payment_is_told_and_tried_again_only_where_the_table_says(ada: Line) -> None:
    for number, code in enumerate(ROWS):
        driver = f"drv-{number}"
        ada.turn = Turn(Actor(driver, 1, f"sms_{number}"), "in_1", "en", "sms")
        ada.bridge.tokens[driver] = []
        ada.bridge.commands.clear()
        known_driver(ada, driver)
        await ada.sandbox.decline_next(code)
        await app_pays(ada)
        before = len(tries_of(ada))
        told = await ada.says()
        tries = len(tries_of(ada)) - before
        if ruling(code).again is Again.ONCE:
            assert told.said[:2] == ["say_pay_trying_again", "say_pay_charging"], code
            assert tries == 1, code
        else:
            assert told.said[0] == ruling(code).say, code
            assert told.said[1] == ("say_pay_new_card" if ruling(code).way is Way.CARD else "say_pay_offer"), code
            assert (tries, ada.bridge.commands) == (0, {}), code
        assert not TELLS.search(words(told)), code


@pytest.mark.parametrize("code", HIDDEN)
def test_what_is_hidden_reads_word_for_word_like_a_plain_refusal(code: str) -> None:
    for advice in (None, "do_not_try_again", "try_again_later", "confirm_card_data"):
        assert ruling(code, advice).say == ruling("generic_decline").say
        assert ruling(code, advice).again is Again.NEVER


def test_a_code_that_nobody_knows_is_a_plain_refusal() -> None:
    assert ruling("something_new") == ruling(None) == ruling("generic_decline")


def test_the_networks_advice_wins_over_the_table() -> None:
    assert ruling("processing_error", "do_not_try_again").again is Again.NEVER
    assert ruling("insufficient_funds", "confirm_card_data").way is Way.CARD


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"unknown": "nowhere"}, "nowhere"),
        ({"codes": {"x": "nowhere"}}, "nowhere"),
        ({"groups": {"bank": {"say": "rumour", "again": "never", "way": "link"}}}, "rumour"),
        ({"groups": {"bank": {"say": "bank", "again": "always", "way": "link"}}}, "always"),
    ],
)
def test_a_table_with_a_mistake_says_where(change: dict[str, Any], names: str) -> None:
    document = yaml.safe_load(Path("actions/payments/declines.yml").read_text("utf-8"))
    with pytest.raises(BadTable, match=names):
        read({**document, **change})


async def test_a_second_trouble_at_the_new_attempt_leads_to_the_link(ada: Line) -> None:
    await ada.sandbox.decline_next("processing_error")
    await app_pays(ada)
    await ada.sandbox.decline_next("insufficient_funds")
    told = await ada.says()
    assert told.said == ["say_pay_trying_again", "say_decline_funds", "say_pay_offer"]
    again = await ada.says()
    assert "say_pay_charging" not in again.said
    assert len(tries_of(ada)) == 1


async def test_an_attempt_whose_answer_was_lost_is_found_and_no_second_hold_is_made(ada: Line) -> None:
    await ada.sandbox.decline_next("try_again_later")
    await app_pays(ada)
    await ada.sandbox.fault("lost_answer", "/v1/payment_intents", method="POST")
    assert (await ada.says()).said == ["say_pay_trying_again", "say_pay_away"]
    assert (await ada.says()).said == ["say_pay_charging"]
    assert len(ada.sandbox.holds()) == 1


async def test_several_holds_become_one_and_the_rest_is_told(ada: Line) -> None:
    for _ in range(3):
        await app_pays(ada)
    told = await ada.says()
    assert told.said[:2] == ["say_pay_holds", "say_pay_pending"]
    assert "released 2 of them, 80.00 CAD" in words(told)
    assert len(ada.sandbox.holds()) == 1


async def test_pending_and_taken_are_told_apart(ada: Line) -> None:
    paid = await app_pays(ada)
    assert "pending, not charged" in words(await ada.says())
    await ada.gateway.capture(paid["id"], 1500, "app")
    taken = await ada.says()
    assert (taken.said, taken.offer) == (["say_pay_taken"], Offer.PERSON)
    assert "15.00 CAD" in words(taken)


async def test_a_bank_that_wants_a_confirmation_gets_its_page(ada: Line) -> None:
    await app_pays(ada, "pm_card_authenticationRequired")
    told = await ada.says()
    assert told.said == ["say_decline_check", "say_pay_confirm"]
    assert f"{ada.sandbox.url}/bank/" in words(told)


async def test_a_payment_at_another_charger_is_not_taken_for_this_one(ada: Line) -> None:
    await ada.sandbox.decline_next("expired_card")
    await app_pays(ada, charger="CL-1043")
    assert (await ada.says()).said == ["say_pay_offer"]


async def test_a_new_card_is_saved_and_used_from_then_on(ada: Line) -> None:
    await ada.sandbox.decline_next("expired_card")
    await app_pays(ada)
    told = await ada.says()
    url = next(step.values["url"] for step in told.steps if isinstance(step, Say) and "url" in step.values)
    await ada.sandbox.pay(url, "5555555555554444")
    page = ada.sandbox.all("checkout.session")[0]["id"]
    assert await ada.gateway.finish_card(page) == "4444"
    customer = next(ada.sandbox.world.shelf.all("customer"))
    assert await ada.gateway.saved_card(customer["id"]) == customer["invoice_settings"]["default_payment_method"]
