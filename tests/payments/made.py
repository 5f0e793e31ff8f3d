"""Purchases, orders and a cashier for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from actions.bridge import Tariff
from actions.payments.cashier import Cashier, Order, Terms
from actions.payments.gateway import Gateway
from actions.payments.ledger import Purchase
from actions.payments.store import LedgerStore
from chargeline.clock import Clock

NOW = datetime(2026, 3, 1, 12, 0, 0, 250000, tzinfo=UTC)
TARIFF = Tariff("CAD", price_per_kwh=0.26)
TERMS = Terms(4000, 500, 2700.0, "http://localhost:8080")


def purchase(number: int = 1, **more: Any) -> Purchase:
    made = Purchase(
        id=f"pay_{number}",
        conversation="web_1",
        driver="guest:web_1",
        language="en",
        charger="CL-1042",
        label="1042",
        connector=1,
        tariff={"currency": "CAD", "price_per_kwh": 0.26},
        hold=4000,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **more)


def order(message: str = "in_1", charger: str = "CL-1042", **more: Any) -> Order:
    made = Order(message, "web_1", "guest:web_1", "en", charger, charger.removeprefix("CL-"), 1, TARIFF)
    return replace(made, **more)


def cashier(store: LedgerStore, gateway: Gateway, clock: Clock, terms: Terms = TERMS) -> Cashier:
    return Cashier(store, gateway, clock, terms)
