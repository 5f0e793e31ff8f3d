"""A central system, a way to build chargers that dial it, and a clock that runs 60 times as fast."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from random import Random
from typing import Any

import pytest

from chargeline.clock import FastClock
from sandbox.car import Garage
from sandbox.charger import Charger
from sandbox.connector import ConnectorPlan
from sandbox.plan import ChargerPlan, ModelPlan, Site
from tests.sandbox.central import Central

SPEED = 60.0
GARAGE = Garage(
    {
        "small": {"battery_kwh": 40, "max_ac_kw": 7.2, "max_dc_kw": 50},
        "nearly full": {"battery_kwh": 1, "max_ac_kw": 7.2},
    }
)
Build = Callable[..., Charger]


@pytest.fixture
async def central() -> AsyncIterator[Central]:
    central = Central()
    await central.open()
    yield central
    await central.close()
    assert central.violations == []


@pytest.fixture
async def build(central: Central) -> AsyncIterator[Build]:
    """`build(connectors=…, cars={1: "small"}, faults={…}, start=True)` → a charger `CL-1`."""
    built: list[Charger] = []

    def make(
        *,
        connectors: int = 1,
        cars: Mapping[int, Any] | None = None,
        faults: Mapping[str, Mapping[str, Any]] | None = None,
        swiped: Mapping[int, str] | None = None,
        plug: str = "J1772",
        max_kw: float = 7.2,
        tethered: bool = True,
        evses: Mapping[int, int] | None = None,
        password: str | None = None,
        start: bool = True,
        **model: Any,
    ) -> Charger:
        plan = ChargerPlan(
            id="CL-1",
            label="1",
            site=Site("site-1", "Test Yard", 45.0, -75.0, "Testville"),
            vendor="Northgate",
            model_name="Kerb 7",
            model=ModelPlan(**{"reboot_s": 5.0, **model}),
            connectors=tuple(
                ConnectorPlan(n, (evses or {}).get(n, n), plug, max_kw, tethered) for n in range(1, connectors + 1)
            ),
            password=password,
            cars=cars or {},
            swiped=swiped or {},
            faults=faults or {},
        )
        charger = Charger(plan, central.url, GARAGE, clock=FastClock(SPEED, time.time()), rng=Random(7))
        built.append(charger)
        if start:
            charger.start()
        return charger

    yield make
    for charger in built:
        await charger.close()
