"""All simulated chargers of a network: built from the plan, started, found by id, put back to the start; scenarios are played here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

import structlog

from chargeline.clock import Clock
from sandbox.charger import Charger, Scene
from sandbox.events import EventLog
from sandbox.plan import NetworkPlan
from sandbox.reporter import NotPossible
from sandbox.scenarios import Scenario, Set, Step
from sandbox.store import Store
from sandbox.tasks import Tasks

log = structlog.get_logger(__name__)

SETTLE_REAL_S, LOOK_REAL_S = 30.0, 0.05


class World:
    def __init__(self, plan: NetworkPlan, url: str, clock: Clock, store: Store | None = None) -> None:
        """Each charger has randomness of its own, from the network's seed and its id: one more charger changes no other.

        `store`: where they keep what survives a power cut.
        """
        self.plan = plan
        self.clock = clock
        self.events = EventLog(clock)
        self.scenario: Scenario | None = None
        self._tasks = Tasks("world")
        self.chargers: Mapping[str, Charger] = {
            each.id: Charger(
                each,
                url,
                plan.garage,
                clock=clock,
                rng=Random(f"{plan.seed}:{each.id}"),
                events=self.events,
                store=store,
            )
            for each in plan.chargers
        }

    def start(self) -> None:
        for charger in self.chargers.values():
            charger.start()

    async def close(self) -> None:
        await self._tasks.close()
        await asyncio.gather(*(charger.close() for charger in self.chargers.values()))

    async def back_to_start(self, only: Charger | None = None) -> None:
        """All of them, or `only` one: the others go on. A scenario ends with the whole."""
        if only is None:
            await self._tasks.close()
            self.scenario = None
        chargers = [only] if only is not None else list(self.chargers.values())
        await asyncio.gather(*(charger.back_to_start() for charger in chargers))

    async def play(self, scenario: Scenario) -> None:
        """Sets the beginning of a scenario up; its steps follow by themselves. What was played before ends."""
        await self._tasks.close()
        self.scenario = scenario
        log.info("scenario", name=scenario.name, chargers=len(scenario.chargers), steps=len(scenario.steps))
        wanted: dict[str, Scene] = {each.charger: each for each in scenario.chargers}
        standing = []
        for name, charger in self.chargers.items():
            other: Scene = charger.plan if scenario.others == "as_they_are" else Set(name)
            standing.append(charger.stand_as(wanted.get(name, other)))
        await asyncio.gather(*standing)
        for each in scenario.chargers:
            if each.local_list is not None:
                self.chargers[each.charger].station.tokens.update(1, dict(each.local_list), full=True, limit=1000)
        self._tasks.spawn(self._steps(scenario), "steps")

    async def _steps(self, scenario: Scenario) -> None:
        """The clock of the steps begins when the chargers are back: a fast clock must not leave them behind."""
        for _ in range(int(SETTLE_REAL_S / LOOK_REAL_S)):
            if (missing := await self.not_ready()) is None:
                break
            await asyncio.sleep(LOOK_REAL_S)
        else:
            log.warning("scenario_begins_without_all", missing=missing)
        began = self.clock.monotonic()
        for step in scenario.steps:
            await self.clock.sleep(began + step.at_s - self.clock.monotonic())
            await self._do(step)

    async def _do(self, step: Step) -> None:
        charger = self.chargers[step.charger]
        try:
            match step.do:
                case "plug":
                    charger.plug(step.connector, self.plan.garage.car(step.car))
                case "unplug":
                    charger.unplug(step.connector, car_unlocked=step.car_unlocked)
                case "swipe":
                    await charger.swipe(step.connector, step.token)
                case "fault":
                    charger.faults.set(step.fault, step.params, frozenset(charger.station.connectors))
                case "mend":
                    charger.faults.clear(step.fault)
        except NotPossible as error:  # noted in the event log; the rest of the scenario goes on
            log.warning("step_not_possible", charger=step.charger, do=step.do, why=str(error))

    async def not_ready(self) -> str | None:
        """None when all chargers that should be are connected and booted, else who is missing."""
        missing = [name for name, each in self.chargers.items() if each.should_be_ready and not each.ready]
        return f"not connected and booted yet: {', '.join(missing)}" if missing else None
