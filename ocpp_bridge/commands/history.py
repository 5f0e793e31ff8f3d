"""The commands of late, in memory: what the gate looks at to say whether enough was done already.

A copy of what the store has, read from it at the start and kept up with every step of a command, so that a decision costs
no search. A command is here from the moment it is asked for; it goes when it is older than any rule looks back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from operator import attrgetter

from ocpp_bridge import safety
from ocpp_bridge.gate.data import HORIZON_S, LIMITS
from ocpp_bridge.model import Command

_AGE = attrgetter("created_at", "id")
LONGEST_S = max([HORIZON_S, *(limit.window_s for limit in LIMITS)])


class History:
    def __init__(self) -> None:
        self._by_charger: dict[str, dict[str, Command]] = {}
        self._by_driver: dict[str, dict[str, Command]] = {}
        self._by_age: dict[float, deque[Command]] = {}  # by how far the rules look back for an action, the oldest first

    def load(self, commands: Iterable[Command], now: datetime) -> None:
        """`commands`: the oldest first."""
        for command in commands:
            self.put(command, now)

    def put(self, command: Command, now: datetime) -> None:
        """A new command, or a step of a known one."""
        rows = self._by_charger.setdefault(command.charger, {})
        new = command.id not in rows
        rows[command.id] = command
        if command.actor.driver is not None:
            self._by_driver.setdefault(command.actor.driver, {})[command.id] = command
        if new:
            self._by_age.setdefault(safety.horizon_s(command.action), deque()).append(command)
            self._forget(now)

    def drop(self, command: Command) -> None:
        """A command that came to be none: its key was used before."""
        for index, key in ((self._by_charger, command.charger), (self._by_driver, command.actor.driver)):
            rows = index.get(key or "")
            if rows is not None:
                rows.pop(command.id, None)
                if not rows:
                    del index[key or ""]

    def of(self, charger: str, driver: str | None, since: datetime) -> list[Command]:
        """Commands to this charger, or of this driver to any, created since; the oldest first."""
        rows = self._by_charger.get(charger, {})
        if driver is not None:
            rows = {**rows, **self._by_driver.get(driver, {})}
        found = [command for command in rows.values() if command.created_at >= since]
        return sorted(found, key=_AGE)

    def _forget(self, now: datetime) -> None:
        for horizon_s, ages in self._by_age.items():
            oldest = now - timedelta(seconds=horizon_s)
            while ages and ages[0].created_at < oldest:
                self.drop(ages.popleft())
