"""A command between its request and its end, as the engine has it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ocpp_bridge.model import Command


@dataclass(slots=True)
class UnderWay:
    """A command under way, as it is now. `kept`: as it was stored first; `done` is set at its end, and where it is none."""

    command: Command
    kept: asyncio.Future[Command]
    done: asyncio.Event


class EngineStopped(Exception):
    """The bridge ends before the command was begun: nothing was stored, nothing sent."""


class KeyKnown(Exception):
    """The idempotency key came before; `command` is what it was used for."""

    def __init__(self, command: Command) -> None:
        super().__init__(command.id)
        self.command = command
