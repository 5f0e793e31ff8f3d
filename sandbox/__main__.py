"""Starts the simulated network: `python -m sandbox [--scenario NAME]`. Ends on SIGTERM or Ctrl-C; its chargers then lose their sockets."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import structlog

from chargeline.clock import clock_from
from chargeline.logs import configure
from chargeline.settings import Settings, SettingsError
from sandbox import api, scenarios
from sandbox.plan import BUILT_IN, BadNetwork, load
from sandbox.store import Store, StoreUnusable
from sandbox.world import World

log = structlog.get_logger("sandbox")


def csms_url(settings: Settings) -> str:
    """Where the chargers dial: the setting, else this machine's bridge."""
    return settings.sandbox_csms_url or f"ws://127.0.0.1:{settings.ocpp_port}/ocpp"


async def run(settings: Settings, scenario_name: str | None = None) -> None:
    """Raises BadNetwork, UnknownScenario, BadScenario, StoreUnusable, or OSError where the port is taken."""
    plan = load(Path(settings.sandbox_network) if settings.sandbox_network else BUILT_IN)
    scenario = scenarios.load(scenario_name, plan) if scenario_name is not None else None
    clock = clock_from(settings.clock_speed, settings.clock_epoch)
    store = Store(settings.var / "sandbox" / "network.sqlite3")
    world = World(plan, csms_url(settings), clock, store)
    app = api.build(world)
    try:
        server: Any = await app.create_server(  # Sanic leaves its server untyped
            settings.private_host, settings.sandbox_port, return_asyncio_server=True, access_log=False
        )
        await server.startup()
    except OSError:
        await world.close()
        store.close(orderly=store.orderly)  # nothing has happened
        raise
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    world.start()
    if scenario is not None:
        await world.play(scenario)
    log.info(
        "sandbox_started",
        chargers=len(world.chargers),
        csms=csms_url(settings),
        page=f"http://{settings.private_host}:{settings.sandbox_port}/",
        clock_speed=settings.clock_speed,
    )
    try:
        await ended.wait()
    finally:
        await world.close()
        store.close(orderly=ended.is_set())
        server.close()
        await server.wait_closed()


def main() -> int:
    parser = argparse.ArgumentParser(prog="sandbox", description="Simulated chargers over real OCPP sockets.")
    parser.add_argument("--scenario", metavar="NAME", help=f"begin with one of: {', '.join(scenarios.names())}")
    scenario = parser.parse_args().scenario
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    configure("sandbox", settings.log_format, settings.log_level)
    try:
        asyncio.run(run(settings, scenario))
    except (BadNetwork, scenarios.BadScenario, StoreUnusable) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    except scenarios.UnknownScenario as error:
        print(f"sandbox: {error.args[0]}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{settings.private_host}:{settings.sandbox_port}"
        print(f"sandbox: {where} cannot be listened on (SANDBOX_PORT): {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
