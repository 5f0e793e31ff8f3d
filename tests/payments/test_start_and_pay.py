"""One thread: price and hold, link, paid, started, told, receipt; and every way in which it does not come to that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actions.payments.ledger import State
from actions.playbooks.steps import Offer, Outcome
from tests.actions.fake_bridge import session
from tests.payments.made import order
from tests.payments.world import Line, line, words


@pytest.fixture
async def guest(tmp_path: Path) -> AsyncIterator[Line]:
    async with line(tmp_path) as opened:
        yield opened


async def started(guest: Line) -> None:
    """Paid and charging."""
    await guest.says()
    await guest.pay()
    guest.bridge.ends = [{"state": "verified", "outcome": "verified", "session": "ses_1"}]
    await guest.news()


@pytest.mark.parametrize("problem", ["payment_failed", "session_not_starting"])
async def test_a_guest_sees_price_and_hold_pays_and_charges_in_one_thread(guest: Line, problem: str) -> None:
    offered = await guest.says(problem)
    assert offered.said[-1] == "say_pay_offer"
    assert "0.26 CAD/kWh" in words(offered)
    assert "40.00 CAD" in words(offered)
    purchase = (await guest.store.find())[0]
    assert f"http://localhost:8080/pay/{purchase.id}" in words(offered)
    assert guest.bridge.commands == {}
    await guest.pay()
    guest.bridge.ends = [{"state": "verified", "outcome": "verified", "session": "ses_1"}]
    told = await guest.news()
    assert told.said == ["say_pay_received", "say_pay_charging"]
    assert told.outcome is Outcome.FIXED
    start = next(iter(guest.bridge.commands.values()))
    assert start["actor"]["tier"] == 1
    assert guest.bridge.paid == [{"driver": "guest:web_1", "payment": purchase.id}]
    assert (await guest.news()).said == []  # the second event about the same payment
    assert len(guest.bridge.commands) == 1


async def test_the_real_cost_is_taken_at_the_end_and_the_driver_gets_a_receipt(guest: Line) -> None:
    await started(guest)
    over = session("guest:web_1", 12_300, id="ses_1", state="ended", ended_at="2026-01-01T12:42:00Z")
    guest.bridge.ended = [over]
    await guest.settler.round()
    purchase = (await guest.store.find())[0]
    assert (purchase.state, purchase.captured) == (State.CAPTURED, 320)
    assert guest.told == [(f"ledger-{purchase.id}-captured", purchase.id)]
    receipt = await guest.news()
    assert receipt.said == ["say_pay_receipt"]
    assert "12.3 kWh for 3.20 CAD" in words(receipt)
    await guest.settler.round()
    assert len(guest.told) == 1
    assert [one["amount_received"] for one in guest.sandbox.taken()] == [320]


async def test_a_session_without_energy_costs_nothing(guest: Line) -> None:
    await started(guest)
    guest.bridge.ended = [session("guest:web_1", 0, id="ses_1", state="ended", ended_at="2026-01-01T12:42:00Z")]
    await guest.settler.round()
    assert guest.sandbox.holds() == []
    assert guest.sandbox.taken() == []
    assert (await guest.news()).said == ["say_pay_nothing_used"]


async def test_a_turn_that_is_repeated_after_a_crash_starts_once_and_says_the_same(guest: Line) -> None:
    await guest.says()
    await guest.pay()
    guest.bridge.ends = [{"state": "answered", "finished": False}]
    first = await guest.news()
    again = await guest.news(again=True)
    assert first.said == again.said == ["say_pay_received", "say_still_waiting"]
    assert len(guest.bridge.commands) == 1
    guest.bridge.finish("cmd_1", state="verified", outcome="verified", session="ses_1")
    assert (await guest.wakes("paid_start", command="cmd_1")).said == ["say_pay_charging"]
    assert (await guest.store.find())[0].state is State.CHARGING


async def test_who_pays_before_plugging_in_is_waited_for_and_let_go(tmp_path: Path) -> None:
    async with line(tmp_path, "Available") as guest:
        await guest.says()
        await guest.pay()
        told = await guest.news()
        assert told.said == ["say_pay_received", "say_pay_plug_in"]
        assert told.waiting == ["paid_plug"]
        gone = await guest.wakes("paid_plug", met=False)
        assert gone.said == ["say_pay_no_plug", "say_pay_released"]
        assert guest.sandbox.holds() == []


async def test_two_failed_starts_release_the_hold_and_the_first_keeps_it(guest: Line) -> None:
    await guest.says()
    await guest.pay()
    guest.bridge.ends = [{"state": "rejected", "outcome": "rejected"}, {"state": "rejected", "outcome": "rejected"}]
    first = await guest.news()
    assert first.said == ["say_pay_received", "say_rejected"]
    assert first.offer is Offer.RETRY
    assert len(guest.sandbox.holds()) == 1
    second = await guest.says()
    assert second.said == ["say_pay_no_start", "say_pay_released"]
    assert guest.sandbox.holds() == []
    assert len(guest.bridge.commands) == 2


async def test_a_charger_that_broke_meanwhile_gets_no_money(guest: Line) -> None:
    await guest.says()
    await guest.pay()
    guest.bridge.chargers["CL-1042"]["connectors"][0]["status"] = "Faulted"
    told = await guest.news()
    assert told.said[:3] == ["say_pay_received", "say_pay_not_here", "say_pay_released"]
    assert guest.sandbox.holds() == []
    assert guest.bridge.commands == {}


async def test_a_link_that_stands_is_given_again_and_one_that_ran_out_is_said_to_have(guest: Line) -> None:
    await guest.says()
    assert (await guest.says()).said == ["say_pay_again"]
    assert len(guest.sandbox.all("checkout.session")) == 1
    await guest.clock.advance(3600)
    guest.sandbox.world.lapse()
    told = await guest.news()
    assert (told.said, told.offer) == (["say_pay_lapsed"], Offer.RETRY)
    assert (await guest.says()).said == ["say_pay_offer"]


async def test_a_missed_webhook_is_found_by_the_ledger(guest: Line) -> None:
    await guest.says()
    await guest.pay()
    await guest.settler.round()
    purchase = (await guest.store.find())[0]
    assert guest.told == [(f"ledger-{purchase.id}-held", purchase.id)]
    guest.told.clear()
    await (
        guest.settler.read_missed()
    )  # no webhook goes out in this test, so nothing was delivered and nothing is pending
    assert all(payment == purchase.id for _, payment in guest.told)


async def test_a_hold_that_nobody_uses_is_released(guest: Line) -> None:
    await guest.says()
    await guest.pay()
    await guest.settler.round()
    await guest.clock.advance(21 * 60)
    await guest.settler.round()
    assert guest.sandbox.holds() == []
    assert (await guest.news()).said == ["say_pay_released"]


async def test_a_start_that_nobody_saw_end_is_found_and_charged(guest: Line) -> None:
    await guest.says()
    await guest.pay()
    await guest.settler.round()
    purchase = (await guest.store.find())[0]
    await guest.cashier.starting(purchase.id)  # and then the process died
    guest.bridge.chargers["CL-1042"]["connectors"][0]["session"] = session("guest:web_1", 50, id="ses_9")
    await guest.settler.round()
    assert ((await guest.store.find())[0].state, (await guest.store.find())[0].session) == (State.CHARGING, "ses_9")


@pytest.mark.parametrize("kind", ["lost_request", "lost_answer", "error_500", "error_429", "nonsense"])
async def test_a_payment_system_in_trouble_is_told_and_nothing_is_started(guest: Line, kind: str) -> None:
    await guest.sandbox.fault(kind, times=50)
    told = await guest.says()
    assert (told.said, told.offer) == (["say_pay_away"], Offer.PERSON)
    assert ("payment", "away") in told.tried
    guest.sandbox.world.faults.waiting.clear()
    assert (await guest.says()).said[-1] in ("say_pay_offer", "say_pay_again")
    await guest.pay()
    assert len(guest.sandbox.holds()) == 1


async def test_a_hold_that_cannot_be_released_now_is_said_so_and_released_later(guest: Line) -> None:
    await guest.says()
    await guest.pay()
    guest.bridge.chargers["CL-1042"]["connectors"][0]["status"] = "Faulted"
    purchase = (await guest.store.find())[0]
    await guest.cashier.settle(purchase.id)
    await guest.sandbox.fault("lost_request", "/v1/payment_intents", method="POST")
    told = await guest.news()
    assert "say_pay_release_later" in told.said
    assert ("release_hold", "away") in told.tried
    await guest.clock.advance(21 * 60)
    await guest.settler.round()
    assert guest.sandbox.holds() == []


async def test_no_price_no_link(tmp_path: Path) -> None:
    async with line(tmp_path) as guest:
        guest.bridge.chargers["CL-1042"]["connectors"][0]["tariff"] = None
        assert (await guest.says("session_not_starting")).said[-1] == "say_pay_no_price"
        assert (await guest.says()).said == ["say_payment_other_way"]
        assert guest.sandbox.all("checkout.session") == []


async def test_another_charger_gives_the_first_link_up(guest: Line) -> None:
    await guest.says()
    first = await guest.page()
    await guest.cashier.open_link(order("in_9", "CL-1043"))
    assert "expired" in (await guest.sandbox.pay(first)).text
    assert guest.sandbox.holds() == []
