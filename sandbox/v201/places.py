"""EVSEs and connectors: the sandbox numbers connectors over the whole charger, OCPP 2 within their EVSE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox.connector import ConnectorPlan
from sandbox.frames import Payload


@dataclass(frozen=True, slots=True)
class Place:
    number: int
    evse: int
    connector: int  # within the EVSE, from 1

    def json(self) -> Payload:
        return {"id": self.evse, "connectorId": self.connector}


class Places:
    def __init__(self, plans: Iterable[ConnectorPlan]) -> None:
        self._places: dict[int, Place] = {}
        counts: dict[int, int] = {}
        for plan in plans:
            counts[plan.evse] = counts.get(plan.evse, 0) + 1
            self._places[plan.number] = Place(plan.number, plan.evse, counts[plan.evse])

    @property
    def by_number(self) -> Mapping[int, Place]:
        return self._places

    @property
    def evses(self) -> list[int]:
        return sorted({place.evse for place in self._places.values()})

    def numbers(self, evse: int, connector: int | None = None) -> list[int]:
        """The sandbox's numbers of an EVSE's connectors, or of one of them; none where there is no such place."""
        return [
            place.number
            for place in self._places.values()
            if place.evse == evse and connector in {None, place.connector}
        ]
