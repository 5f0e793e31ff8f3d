"""Processes of the storm: `python -m tests.channels.parts rasa|bot PORT`. The bot is the real one with shorter waits."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.front_door import front_door
from chargeline.logs import configure
from chargeline.settings import Settings
from tests.bot.fake_rasa import FakeRasa
from tests.channels.lines import STORM_TUNING


@asynccontextmanager
async def scripted_rasa(port: int) -> AsyncIterator[None]:
    rasa = FakeRasa()
    rasa._port = port
    await rasa.start()
    yield
    await rasa.stop()


async def main(part: str, port: int) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    if part == "rasa":
        async with scripted_rasa(port):
            await ended.wait()
    else:
        settings = Settings.load()
        configure("bot", settings.log_format, settings.log_level)
        async with front_door(settings, STORM_TUNING, port=port):
            await ended.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
