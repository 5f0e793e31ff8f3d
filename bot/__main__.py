"""`python -m bot`: the front door. Ends cleanly on SIGTERM or Ctrl-C; a setting or port that cannot be used is one line and exit code 1."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys

import uvloop

from bot.drivers import DriversFileError
from bot.front_door import front_door
from bot.identity.embeds import EmbedsFileError
from chargeline.imports import note_missing_modules
from chargeline.logs import configure
from chargeline.mongo import PyMongoError
from chargeline.serving import CannotListen
from chargeline.settings import Settings, SettingsError
from chargeline.sqlite import SchemaTooNew


async def _serve(settings: Settings) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with front_door(settings):
        await ended.wait()


def main() -> int:
    try:
        note_missing_modules()
        settings = Settings.load()
        configure("bot", settings.log_format, settings.log_level)
        uvloop.run(_serve(settings))
    except (SettingsError, DriversFileError, EmbedsFileError, SchemaTooNew, CannotListen) as error:
        print(f"bot: {error}", file=sys.stderr)
    except (OSError, sqlite3.Error) as error:
        print(f"bot: the store under {settings.var} cannot be used: {error}", file=sys.stderr)
    except PyMongoError as error:
        print(f"bot: MongoDB cannot be reached: {error}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
