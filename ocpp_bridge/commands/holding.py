"""Holds: connectors that are out of service on purpose, put by `inoperative` and ended by an operator's `operative`."""

from __future__ import annotations

from typing import Literal

from chargeline.clock import Clock
from ocpp_bridge.model import Command, Hold
from ocpp_bridge.picture import Picture
from ocpp_bridge.store.base import BridgeStore


class Holding:
    def __init__(self, store: BridgeStore, picture: Picture, clock: Clock) -> None:
        self._store = store
        self._picture = picture
        self._clock = clock

    async def put(self, command: Command) -> None:
        reason: Literal["hazard", "operator"] = "hazard" if command.hazard else "operator"
        number = command.connector or 0
        hold = Hold(command.charger, number, reason, self._clock.now(), command.id, command.actor.driver)
        live = self._picture.live(command.charger)
        standing = live.holds.get(number)
        if standing is not None and standing.reason == "hazard":
            return  # an operator's own does not replace it
        await self._store.put_hold(hold)
        live.holds[number] = hold
        live.changed()  # a command that waits for its turn at the store must know

    async def let_go(self, command: Command) -> None:
        """An operator's operative took effect: the connector is back in service on purpose."""
        number = command.connector or 0
        await self._store.drop_holds(command.charger, number)
        holds = self._picture.live(command.charger).holds
        for held in [held for held in holds if number in (0, held)]:
            del holds[held]
