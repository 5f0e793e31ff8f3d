"""`python -m bot.trainer`: the trainers' desk. Ends cleanly on SIGTERM or Ctrl-C; what cannot be used is one line and exit code 1."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys

from bot.trainer.app import desk
from bot.trainer.signin import KeysError
from chargeline.logs import configure
from chargeline.serving import CannotListen
from chargeline.settings import Settings, SettingsError
from chargeline.sqlite import SchemaTooNew


async def _serve(settings: Settings) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with desk(settings):
        await ended.wait()


def main() -> int:
    try:
        settings = Settings.load()
        configure("desk", settings.log_format, settings.log_level)
        asyncio.run(_serve(settings))
    except (SettingsError, KeysError, CannotListen, SchemaTooNew) as error:
        print(f"desk: {error}", file=sys.stderr)
    except (OSError, sqlite3.Error) as error:
        print(f"desk: {settings.var} cannot be used: {error}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
