"""A driver says that money was taken or held wrongly: only what the payment system shows is told, and extra holds are let go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from actions.playbooks import money_asked
from actions.playbooks.steps import Offer
from tests.actions.fake_bridge import session
from tests.actions.playing import Played
from tests.payments.test_declines import app_pays, known_driver
from tests.payments.world import ADA, Line, line, played, words


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Line]:
    async with line(tmp_path, turn=ADA) as opened:
        known_driver(opened, "drv-ada")
        yield opened


async def asks(driver: Line, charger: str | None = "CL-1042") -> Played:
    about = replace(driver._next(), problem="billing_dispute_refund", charger_id=charger, connector=None)
    return await played(money_asked.run(driver.ports, about))


async def test_three_holds_become_one_and_the_two_are_counted_out(ada: Line) -> None:
    for _ in range(3):
        await app_pays(ada)
    told = await asks(ada)
    assert told.said == ["say_pay_holds", "say_pay_pending"]
    assert "released 2 of them, 80.00 CAD" in words(told)
    assert (len(ada.sandbox.holds()), ada.bridge.commands) == (1, {})
    assert (await asks(ada)).said == ["say_pay_pending"]


async def test_no_hold_is_let_go_while_a_session_runs(ada: Line) -> None:
    for _ in range(2):
        await app_pays(ada)
    ada.bridge.chargers["CL-1042"]["connectors"][0] |= {"status": "Charging", "session": session("drv-ada", 900)}
    assert (await asks(ada)).said == ["say_pay_pending"]
    assert len(ada.sandbox.holds()) == 2


async def test_taken_money_is_told_as_taken_and_not_paid_back(ada: Line) -> None:
    paid = await app_pays(ada)
    await ada.gateway.capture(paid["id"], 1200, "app")
    told = await asks(ada, None)  # the charger need not be named
    assert (told.said, told.offer) == (["say_pay_taken"], Offer.PERSON)
    assert "12.00 CAD" in words(told)
    assert ada.sandbox.all("refund") == []


async def test_declined_payments_are_told_to_have_taken_nothing(ada: Line) -> None:
    await ada.sandbox.decline_next("insufficient_funds")
    await app_pays(ada)
    assert (await asks(ada)).said == ["say_billing_nothing_taken"]


async def test_who_has_no_payment_here_hears_that_and_what_a_hold_is(ada: Line) -> None:
    assert (await asks(ada, "CL-1043")).said == ["say_billing_unseen"]


async def test_the_link_of_this_thread_is_looked_at_too(tmp_path: Path) -> None:
    async with line(tmp_path) as guest:
        await guest.says()
        assert (await asks(guest)).said == ["say_billing_unseen"]  # nothing was ever held on it
        await guest.pay()
        assert (await asks(guest)).said == ["say_pay_pending"]


async def test_a_payment_system_that_is_away_is_said_to_be(ada: Line) -> None:
    await ada.sandbox.fault("error_500", "/v1/customers", times=20)
    assert (await asks(ada)).said == ["say_billing_away"]
