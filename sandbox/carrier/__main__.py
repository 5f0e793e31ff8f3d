"""Starts the carrier: `python -m sandbox.carrier [--journal FILE]`. Ends on SIGTERM or Ctrl-C; without a journal it forgets everything then."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import structlog

from chargeline.clock import clock_from
from chargeline.logs import configure
from chargeline.settings import Settings, SettingsError
from sandbox.carrier import api
from sandbox.carrier.journal import append, read_journal
from sandbox.carrier.postman import Postman
from sandbox.carrier.signing import Account
from sandbox.carrier.world import World

log = structlog.get_logger("carrier")


def account_of(settings: Settings) -> Account:
    return Account(
        sid=settings.twilio_account_sid,
        token=settings.twilio_auth_token,
        number=settings.twilio_from_number,
        phone_number_id=settings.whatsapp_phone_number_id,
        access_token=settings.whatsapp_access_token,
        app_secret=settings.whatsapp_app_secret,
    )


async def run(settings: Settings, journal: Path | None = None) -> None:
    """Raises OSError where the port is taken."""
    random = Random()
    clock = clock_from(settings.clock_speed, settings.clock_epoch)
    postman = Postman(settings.url_of("bot"), random)
    own_url = f"http://127.0.0.1:{settings.carrier_port}"
    world = World(account_of(settings), settings.public_base_url, own_url, postman, clock, random)
    if journal is not None:
        world.remember(read_journal(journal))
        world.network.journal = partial(append, journal)
    app = api.build(world, random)
    server: Any = await app.create_server(  # Sanic leaves its server untyped
        settings.private_host, settings.carrier_port, return_asyncio_server=True, access_log=False
    )
    await server.startup()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    log.info("carrier_started", page=f"http://{settings.private_host}:{settings.carrier_port}/")
    try:
        await ended.wait()
    finally:
        await postman.close()
        server.close()
        await server.wait_closed()


def main() -> int:
    parser = argparse.ArgumentParser(prog="sandbox.carrier", description="A simulated carrier and two phones.")
    parser.add_argument("--journal", type=Path, help="file that keeps what was taken, also when this process is killed")
    journal = parser.parse_args().journal
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(f"carrier: {error}", file=sys.stderr)
        return 2
    configure("carrier", settings.log_format, settings.log_level)
    try:
        asyncio.run(run(settings, journal))
    except OSError as error:
        where = f"{settings.private_host}:{settings.carrier_port}"
        print(f"carrier: {where} cannot be listened on (CARRIER_PORT): {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
