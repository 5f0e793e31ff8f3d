"""The stranger of the fault `neighbour_charges`: comes with a car, shows a card, charges beside the driver, and goes with the fault."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from sandbox.car import Garage
from sandbox.station import Station
from sandbox.tasks import Tasks

log = structlog.get_logger(__name__)

STRANGERS_CAR = {"soc": 20}


class Neighbour:
    """`at` is the connector of the stranger's car. `swipe(connector, token)` holds a card to the reader once the charger can ask."""

    def __init__(
        self, station: Station, garage: Garage, tasks: Tasks, swipe: Callable[[int, str], Coroutine[Any, Any, None]]
    ) -> None:
        self.at: int | None = None
        self._station = station
        self._garage = garage
        self._tasks = tasks
        self._swipe = swipe

    def follow_fault(self) -> None:
        """The fault has come, changed or gone."""
        station = self._station
        if self.at is not None:
            connector, self.at = station.connectors[self.at], None
            if connector.car is not None:
                station.unplug(connector.number, car_unlocked=True)
        fault = station.faults.get("neighbour_charges")
        if fault is None:
            return
        free = [number for number, each in station.connectors.items() if each.car is None]
        number = fault.get("connector") or (free[-1] if free else None)
        if number is None or station.connectors[number].car is not None:
            log.warning("no_place_for_neighbour", charger=station.charger)
            return
        self.at = number
        station.plug(number, self._garage.car(STRANGERS_CAR))
        self._tasks.spawn(self._swipe(number, fault["token"]), "neighbour")
