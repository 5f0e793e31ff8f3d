"""All simulated chargers of a network: built from the plan, started, found by id, put back to the start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

from chargeline.clock import Clock
from sandbox.charger import Charger
from sandbox.events import EventLog
from sandbox.plan import NetworkPlan


class World:
    def __init__(self, plan: NetworkPlan, url: str, clock: Clock) -> None:
        """Each charger has randomness of its own, from the network's seed and its id: one more charger changes no other."""
        self.plan = plan
        self.events = EventLog(clock)
        self.chargers: Mapping[str, Charger] = {
            each.id: Charger(
                each, url, plan.garage, clock=clock, rng=Random(f"{plan.seed}:{each.id}"), events=self.events
            )
            for each in plan.chargers
        }

    def start(self) -> None:
        for charger in self.chargers.values():
            charger.start()

    async def close(self) -> None:
        await asyncio.gather(*(charger.close() for charger in self.chargers.values()))

    async def back_to_start(self, only: Charger | None = None) -> None:
        """All of them, or `only` one: the others go on."""
        chargers = [only] if only is not None else list(self.chargers.values())
        await asyncio.gather(*(charger.back_to_start() for charger in chargers))

    async def not_ready(self) -> str | None:
        """None when all chargers that should be are connected and booted, else who is missing."""
        missing = [name for name, each in self.chargers.items() if each.should_be_ready and not each.ready]
        return f"not connected and booted yet: {', '.join(missing)}" if missing else None
