"""A payment sandbox on a port of its own, whose every request is judged by Stripe's document, and Stripe's own client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import stripe

from tests.payments.sandbox import Sandbox
from tests.stores.fixtures import mongo_stand_in

__all__ = ["mongo_stand_in"]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.running() as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[stripe.StripeClient]:
    http = stripe.AIOHTTPClient(timeout=30)
    yield stripe.StripeClient(
        "sk_test_ours",
        base_addresses={"api": sandbox.url},
        http_client=http,
        stripe_version="2026-05-27.dahlia",
        max_network_retries=0,
    )
    await http.close_async()
