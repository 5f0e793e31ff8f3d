"""Connectors held for one token until a time: set, moved, ended by time or by a remote hand, and by the fault `reserved`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from chargeline.clock import Clock
from sandbox.connector import Connector, Reservation
from sandbox.faults import Faults
from sandbox.tasks import Tasks

FAULT_RESERVATION = 900_000  # the fault `reserved` holds connector n under this number plus n


class Reservations:
    """`changed` is called after a connector was held or freed."""

    def __init__(
        self,
        connectors: Mapping[int, Connector],
        *,
        clock: Clock,
        faults: Faults,
        tasks: Tasks,
        changed: Callable[[], None],
    ) -> None:
        self._connectors = connectors
        self._clock = clock
        self._faults = faults
        self._tasks = tasks
        self._changed = changed

    def hold(self, connector: Connector, reservation: Reservation) -> None:
        connector.reservation = reservation
        self._tasks.spawn(self._expire(connector, reservation), f"reservation {reservation.number}")
        self._changed()

    def count_down_again(self) -> None:
        """After a power cut: what is held is held until its time still."""
        for connector in self._connectors.values():
            if connector.reservation is not None:
                self.hold(connector, connector.reservation)

    def free(self, connector: Connector) -> None:
        """Takes the connector's reservation away."""
        gone, connector.reservation = connector.reservation, None
        if gone is not None and gone.number >= FAULT_RESERVATION:
            self._faults.clear("reserved")
        self._changed()

    def follow_fault(self) -> None:
        """The fault `reserved` has come, changed or gone."""
        fault = self._faults.get("reserved")
        for connector in self._connectors.values():
            if connector.reservation is not None and connector.reservation.number >= FAULT_RESERVATION:
                connector.reservation = None
            if fault is not None and fault.get("connector") in {None, connector.number}:
                number, until = FAULT_RESERVATION + connector.number, timedelta(seconds=fault["seconds"])
                self.hold(connector, Reservation(number, fault["token"], None, self._clock.now() + until))

    async def _expire(self, connector: Connector, reservation: Reservation) -> None:
        await self._clock.sleep((reservation.expires_at - self._clock.now()).total_seconds())
        if connector.reservation is reservation:
            self.free(connector)
