"""The same holds, captures, declines, pages and refunds against Stripe's own test mode: opt-in, with STRIPE_TEST_KEY=sk_test_….

What it shows is that the stand-in and Stripe agree where Chargeline relies on them. Nothing else in these tests reaches Stripe.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actions.payments.cashier import Cashier
from actions.payments.gateway import Declined, KeySpent, PaymentsRefused, StripeGateway
from actions.payments.ledger import State
from actions.payments.store import SqliteLedger
from chargeline.clock import SystemClock
from tests.payments.made import TERMS, order
from tests.payments.test_stand_in import DECLINES

KEY = os.environ.get("STRIPE_TEST_KEY", "")
pytestmark = [
    pytest.mark.skipif(not KEY.startswith(("sk_test_", "rk_test_")), reason="STRIPE_TEST_KEY has no Stripe test key"),
    pytest.mark.slow,
]


@pytest.fixture
async def gateway() -> AsyncIterator[StripeGateway]:
    opened = StripeGateway(KEY)
    yield opened
    await opened.close()


def key() -> str:
    return f"session:live-{secrets.token_hex(8)}:test:1"


def hold(method: str = "pm_card_visa", **more: Any) -> dict[str, Any]:
    return {
        "amount": 4000,
        "currency": "cad",
        "payment_method": method,
        "payment_method_types": ["card"],
        "capture_method": "manual",
        "confirm": True,
        **more,
    }


async def test_a_hold_is_captured_in_part_refunded_and_never_twice(gateway: StripeGateway) -> None:
    held = await gateway.hold(hold(), key())
    assert (held.status, held.capturable) == ("requires_capture", 4000)
    taken = await gateway.capture(held.id, 1250, key())
    assert (taken.status, taken.received) == ("succeeded", 1250)
    with pytest.raises(PaymentsRefused):
        await gateway.capture(held.id, 100, key())
    assert await gateway.refund(held.id, 300, "m1", key()) == 300
    assert await gateway.refunds(held.id) == {"m1": 300}


async def test_a_hold_is_released(gateway: StripeGateway) -> None:
    held = await gateway.hold(hold(), key())
    assert (await gateway.cancel(held.id, "abandoned", key())).status == "canceled"


@pytest.mark.parametrize("method", DECLINES)
async def test_each_test_card_is_declined_as_the_stand_in_declines_it(gateway: StripeGateway, method: str) -> None:
    with pytest.raises(Declined) as refused:
        await gateway.hold(hold(method), key())
    code, decline = DECLINES[method]
    assert refused.value.code == (decline or code)


async def test_a_key_replays_and_refuses_another_request(gateway: StripeGateway) -> None:
    same = key()
    first, second = await gateway.hold(hold(), same), await gateway.hold(hold(), same)
    assert first.id == second.id
    with pytest.raises(KeySpent):
        await gateway.hold(hold(amount=4100), same)
    await gateway.cancel(first.id, "abandoned", key())


async def test_a_page_is_made_found_again_and_closed(gateway: StripeGateway, tmp_path: Path) -> None:
    store = SqliteLedger(tmp_path / "payments.sqlite3")
    await store.open()
    cashier = Cashier(store, gateway, SystemClock(), TERMS)
    purchase = await cashier.open_link(order(f"in_{secrets.token_hex(6)}"))
    assert purchase.url is not None
    assert (await gateway.page(purchase.checkouts[0])).status == "open"
    assert (await cashier.release(purchase.id)).state is State.LAPSED
    assert (await gateway.page(purchase.checkouts[0])).status == "expired"
    await store.close()


async def test_events_can_be_read(gateway: StripeGateway) -> None:
    assert isinstance(await gateway.missed_events(datetime.now(UTC) - timedelta(hours=1)), list)
