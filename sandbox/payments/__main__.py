"""`python -m sandbox.payments`: the stand-in for Stripe on PRIVATE_HOST:PAYMENTS_PORT; its webhooks go to the front door."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import structlog

from chargeline.clock import clock_from
from chargeline.logs import configure
from chargeline.settings import Settings, SettingsError
from sandbox.payments.api import build
from sandbox.payments.shelf import Shelf
from sandbox.payments.world import World

log = structlog.get_logger("payments")


def seed(world: World, drivers_file: str) -> None:
    """A customer with a saved card for each driver of the sandbox's network, once."""
    known = {one["metadata"].get("driver") for one in world.shelf.all("customer")}
    for row in json.loads(Path(drivers_file).read_text("utf-8")):
        driver = row["driver_id"]
        if driver in known:
            continue
        customer = world.shelf.new("customer", world.intents.now(), name=row.get("name"), email=None)
        method = world.intents.method("pm_card_visa")
        method["customer"] = customer["id"]
        customer.update(metadata={"driver": driver}, invoice_settings={"default_payment_method": method["id"]})
        world.shelf.put(customer)
        world.shelf.put(method)
    world.shelf.save()


async def run(settings: Settings) -> None:
    """Raises OSError where the port is taken."""
    clock = clock_from(settings.clock_speed, settings.clock_epoch)
    shelf = Shelf(settings.var / "payments-sandbox.sqlite3")
    world = World(
        shelf,
        clock,
        pages=f"http://localhost:{settings.payments_port}",
        webhook_url=f"{settings.url_of('bot')}/webhooks/stripe",
        webhook_secret=settings.stripe_signing_secret,
    )
    if settings.drivers_file:
        seed(world, settings.drivers_file)
    app = build(world)
    server: Any = await app.create_server(  # Sanic leaves its server untyped
        settings.private_host, settings.payments_port, return_asyncio_server=True, access_log=False
    )
    await server.startup()
    await server.before_start()
    await server.after_start()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    log.info("payments_started", url=f"http://{settings.private_host}:{settings.payments_port}/")
    try:
        await ended.wait()
    finally:
        server.close()
        await server.before_stop()
        await server.wait_closed()
        await server.after_stop()


def main() -> int:
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(f"payments: {error}", file=sys.stderr)
        return 2
    configure("payments", settings.log_format, settings.log_level)
    try:
        asyncio.run(run(settings))
    except OSError as error:
        where = f"{settings.private_host}:{settings.payments_port}"
        print(f"payments: {where} cannot be listened on (PAYMENTS_PORT): {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
