"""The stand-in behaves as Stripe documents it, seen through Stripe's own client; its requests pass Stripe's own OpenAPI document."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import stripe

from chargeline.clock import SystemClock
from sandbox.payments.cards import METHODS
from sandbox.payments.events import signature
from sandbox.payments.shelf import Shelf
from tests.payments import contract
from tests.payments.sandbox import SECRET, Sandbox

HOLD: dict[str, Any] = {"amount": 4000, "currency": "cad", "capture_method": "manual", "confirm": True}


async def hold(client: stripe.StripeClient, method: str = "pm_card_visa", key: str | None = None, **more: Any) -> Any:
    params = {**HOLD, "payment_method": method, "payment_method_types": ["card"], **more}
    return await client.v1.payment_intents.create_async(params, {"idempotency_key": key} if key else None)


async def link(client: stripe.StripeClient, **more: Any) -> Any:
    price = {"currency": "cad", "unit_amount": 4000, "product_data": {"name": "Charging at 1042"}}
    params = {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "payment_intent_data": {"capture_method": "manual", "metadata": {"payment": "pay_1"}},
        "success_url": "https://example.com/done",
        "cancel_url": "https://example.com/left",
        "metadata": {"payment": "pay_1"},
        **more,
    }
    return await client.v1.checkout.sessions.create_async(params)


async def test_a_hold_is_captured_in_part_and_the_rest_is_released(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    held = await hold(client)
    assert (held.status, held.amount_capturable) == ("requires_capture", 4000)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 4001})
    taken = await client.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 1250})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 1250, 0)
    with pytest.raises(stripe.InvalidRequestError) as again:
        await client.v1.payment_intents.cancel_async(held.id)
    assert again.value.code == "payment_intent_unexpected_state"
    assert sandbox.complaints == []


async def test_a_refund_is_never_more_than_what_was_taken(client: stripe.StripeClient) -> None:
    held = await hold(client)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.refunds.create_async({"payment_intent": held.id})
    await client.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 1000})
    await client.v1.refunds.create_async({"payment_intent": held.id, "amount": 400, "reason": "requested_by_customer"})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.refunds.create_async({"payment_intent": held.id, "amount": 700})
    rest = await client.v1.refunds.create_async({"payment_intent": held.id})
    assert rest.amount == 600


DECLINES = {
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", None),
    "pm_card_chargeDeclinedProcessingError": ("processing_error", "processing_error"),
    "pm_card_radarBlock": ("card_declined", "fraudulent"),
}


@pytest.mark.parametrize("method", DECLINES)
async def test_each_test_card_is_declined_as_documented(client: stripe.StripeClient, method: str) -> None:
    with pytest.raises(stripe.CardError) as refused:
        await hold(client, method)
    error = refused.value.error
    assert error is not None
    assert (error.code, getattr(error, "decline_code", None)) == DECLINES[method]
    assert error.payment_intent is not None
    kept = await client.v1.payment_intents.retrieve_async(error.payment_intent.id)
    assert kept.status == "requires_payment_method"
    assert kept.last_payment_error is not None


async def test_a_bank_that_wants_a_check_refuses_without_the_cardholder(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        await hold(client, "pm_card_authenticationRequired", off_session=True)
    assert refused.value.code == "authentication_required"
    waiting = await hold(client, "pm_card_authenticationRequired")
    assert waiting.status == "requires_action"
    await sandbox.http.post(waiting.next_action.redirect_to_url.url, content="do=confirm")
    assert (await client.v1.payment_intents.retrieve_async(waiting.id)).status == "requires_capture"


async def test_a_key_replays_its_first_answer_also_a_decline_and_refuses_another_request(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    first, second = await hold(client, key="k1"), await hold(client, key="k1")
    assert first.id == second.id
    with pytest.raises(stripe.IdempotencyError):
        await hold(client, key="k1", amount=4100)
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await hold(client, "pm_card_visa_chargeDeclined", key="k2")
    with pytest.raises(stripe.InvalidRequestError):
        await hold(client, key="k3", amount=0)  # refused before it began: the key is still free
    assert (await hold(client, key="k3")).status == "requires_capture"
    assert len(sandbox.all("payment_intent")) == 3


async def test_a_request_whose_answer_is_lost_was_carried_out_once(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    await sandbox.fault("lost_answer", "/v1/payment_intents")
    with pytest.raises(stripe.APIConnectionError):
        await hold(client, key="k1")
    assert (await hold(client, key="k1")).status == "requires_capture"
    assert len(sandbox.holds()) == 1


@pytest.mark.parametrize(("kind", "carried_out"), [("error_500", 0), ("error_500_after", 1)])
async def test_a_500_is_replayed_under_its_key(
    client: stripe.StripeClient, sandbox: Sandbox, kind: str, carried_out: int
) -> None:
    await sandbox.fault(kind, "/v1/payment_intents")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            await hold(client, key="k1")
    assert len(sandbox.holds()) == carried_out


async def test_too_many_requests_and_nonsense_have_errors_of_their_own(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    await sandbox.fault("error_429")
    with pytest.raises(stripe.RateLimitError):
        await client.v1.events.list_async()
    await sandbox.fault("nonsense")
    with pytest.raises(stripe.APIError):
        await client.v1.events.list_async()


async def test_a_page_is_paid_after_a_decline_and_then_closed(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    session = await link(client)
    refused = await sandbox.pay(session.url, "4000000000009995")
    assert "insufficient funds" in refused.text
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).payment_intent is None
    paid = await sandbox.pay(session.url)
    assert paid.headers["location"] == "https://example.com/done"
    now = await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent"]})
    assert (now.status, now.payment_intent.status) == ("complete", "requires_capture")
    assert now.payment_intent.metadata["payment"] == "pay_1"
    assert "has been paid" in (await sandbox.pay(session.url)).text
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.checkout.sessions.expire_async(session.id)
    kinds = [one["type"] for one in reversed(sandbox.all("event"))]
    assert kinds[-2:] == ["payment_intent.amount_capturable_updated", "checkout.session.completed"]
    assert "payment_intent.payment_failed" in kinds


async def test_a_page_that_is_left_stays_open_and_one_that_is_expired_takes_nothing(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    session = await link(client, expires_at=int(time.time()) + 1800)
    left = await sandbox.pay(session.url, do="leave")
    assert left.headers["location"] == "https://example.com/left"
    await client.v1.checkout.sessions.expire_async(session.id)
    assert "expired" in (await sandbox.pay(session.url)).text
    assert sandbox.holds() == []


async def test_a_card_is_saved_for_a_customer(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = await client.v1.customers.create_async({"metadata": {"driver": "drv-ada"}})
    found = await client.v1.customers.search_async({"query": "metadata['driver']:'drv-ada'"})
    assert [one.id for one in found.data] == [customer.id]
    session = await client.v1.checkout.sessions.create_async(
        {"mode": "setup", "currency": "cad", "customer": customer.id, "success_url": "https://example.com/done"}
    )
    assert session.url is not None
    await sandbox.pay(session.url, "5555555555554444")
    cards = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [one.card.last4 for one in cards.data if one.card] == ["4444"]
    await client.v1.customers.update_async(
        customer.id, {"invoice_settings": {"default_payment_method": cards.data[0].id}}
    )
    assert sandbox.complaints == []


async def test_what_is_not_in_stripes_document_is_refused(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    for wrong in ({"capture_method": "manul"}, {"bogus": "1"}, {"amount": "abc"}):
        with pytest.raises(stripe.InvalidRequestError):
            await hold(client, **wrong)
    assert len(sandbox.complaints) == 3


def test_the_document_knows_nested_keys() -> None:
    fine = {"mode": "payment", "line_items": [{"quantity": "1", "price_data": {"currency": "cad", "unit_amount": "5"}}]}
    assert contract.complaint("POST", "/v1/checkout/sessions", fine) is None
    assert (
        contract.complaint("POST", "/v1/checkout/sessions", {"payment_intent_data": {"capture": "manual"}}) is not None
    )
    assert contract.complaint("POST", "/v1/payment_intent", {}) is not None


async def test_state_outlives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "payments.sqlite3"
    async with Sandbox.running(path=file) as first:
        first.world.intents.create(4000, "cad", metadata={})
        first.world.shelf.save()
    again = Shelf(file)
    assert [one["amount"] for one in again.all("payment_intent")] == [4000]
    again.close()


def test_a_webhook_is_signed_as_stripes_client_verifies_it() -> None:
    body = json.dumps({"id": "evt_1", "object": "event", "type": "x", "data": {"object": {}}})
    now = int(SystemClock().now().timestamp())
    stripe.Webhook.construct_event(body, signature(SECRET, now, body), SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature("other", now, body), SECRET)


def test_every_test_method_stands_for_a_test_card() -> None:
    assert set(DECLINES) <= set(METHODS)
