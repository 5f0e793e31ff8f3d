"""Watches a command for its effect, to the end of its window, and has the charger asked for the messages that would tell."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from chargeline.clock import Clock
from ocpp_bridge import quirks
from ocpp_bridge.commands.base import Ask, Pending, Seen
from ocpp_bridge.commands.facts import Facts
from ocpp_bridge.commands.kinds import KINDS
from ocpp_bridge.commands.waiting import wait_for
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command
from ocpp_bridge.picture import Picture
from ocpp_bridge.server.connection import Connection
from ocpp_bridge.versions.base import Request

log = structlog.get_logger(__name__)
ASK_TIMEOUT_S = 5.0  # for a trigger on the way to an effect: it must not keep the line from a command
MOST_ASKS = 24  # for one command
AT_ONCE_S = 0.05  # an effect within this comes with the answer

Planned = dict[tuple[str, int | None, int], Ask | None]  # what was to be asked so far, None once it was


class Watcher:
    def __init__(
        self,
        picture: Picture,
        facts: Facts,
        connection_of: Callable[[str], Connection | None],
        clock: Clock,
        windows: Windows,
    ) -> None:
        self._picture = picture
        self._facts = facts
        self._connection_of = connection_of
        self._clock = clock
        self._windows = windows
        self._asking: set[asyncio.Task[None]] = set()

    def windows_of(self, charger: str) -> Windows:
        return quirks.of(self._picture.live(charger).boot).applied_to(self._windows)

    async def judged(self, command: Command) -> Pending | Seen:
        """What can be said now."""
        kind = KINDS[command.action]
        view = await self._facts.view(command, with_sessions=kind.reads_sessions)
        return kind.judge(command, view, self.windows_of(command.charger))

    async def watch(
        self, command: Command, otherwise: Seen | None, keep: Callable[[Command], Awaitable[Command]]
    ) -> Seen:
        """The end. `otherwise` is the end where nothing at all has shown. `keep` stores the command as it is; an effect that
        comes with the answer does not wait for it: a kill in that moment is as one before the answer."""
        planned: Planned = {}
        with self._picture.live(command.charger).listening() as changed:
            verdict = await self._seen(command, changed, planned, self._clock.monotonic() + AT_ONCE_S)
            if isinstance(verdict, Pending):
                await keep(command)
                verdict = await self._seen(command, changed, planned, math.inf)
        assert isinstance(verdict, Seen)
        late = otherwise is not None and otherwise.outcome == "scheduled"
        if otherwise is not None and (late or not verdict.effect) and verdict.state != "verified":
            return otherwise
        return verdict

    async def _seen(
        self, command: Command, changed: asyncio.Event, planned: Planned, deadline: float
    ) -> Pending | Seen:
        """Looks at every change, until there is an end or the deadline (monotonic) has passed."""
        while True:
            changed.clear()
            verdict = await self.judged(command)
            if isinstance(verdict, Seen):
                return verdict
            until = self._ask_for(command, verdict, planned)
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return verdict
            await wait_for(changed, min(left, (until - self._clock.now()).total_seconds() + 0.001), self._clock)

    async def stop(self) -> None:
        for task in list(self._asking):
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _ask_for(self, command: Command, pending: Pending, planned: Planned) -> datetime:
        """Triggers what is due of the messages that would tell; returns when to look again."""
        until, now = pending.until, self._clock.now()
        for wanted in pending.asks[:MOST_ASKS]:
            ask = planned.setdefault(wanted.key, wanted)
            if ask is None:
                continue
            if ask.at > now:
                until = min(until, ask.at)
                continue
            planned[ask.key] = None
            connection = self._connection_of(command.charger)
            if connection is not None:
                charger, version = self._picture.charger(command.charger), connection.version
                request = version.trigger(ask.message, version.place(charger, ask.connector) if ask.connector else None)
                task = asyncio.create_task(self._ask(connection, request), name=f"{command.id}-ask")
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
        return until

    async def _ask(self, connection: Connection, request: Request) -> None:
        outcome = await connection.call(request, ASK_TIMEOUT_S)  # what counts is the message that follows, if it does
        log.debug("asked", charger=connection.charger, action=request.action, outcome=type(outcome).__name__)
