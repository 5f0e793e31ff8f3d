"""The Sanic app: every route of docs/contracts.md, thin over the engine, the picture and the store."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml
from sanic import HTTPResponse, Request, Sanic
from sanic.response import raw

from chargeline.clock import Clock
from chargeline.settings import Settings
from chargeline.web import add_health, install_problem_details, json_response
from ocpp_bridge.api import commands, diagnosis, provisioning, reads, watches
from ocpp_bridge.api.keys import Keys
from ocpp_bridge.commands.engine import Engine
from ocpp_bridge.events import EventLog
from ocpp_bridge.knocks import Knocks
from ocpp_bridge.metrics import Metrics
from ocpp_bridge.picture import Picture
from ocpp_bridge.recorder import Recorder
from ocpp_bridge.server.connection import Connection
from ocpp_bridge.store.base import BridgeStore
from ocpp_bridge.watches import Watches

App = Sanic[Any, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with."""

    settings: Settings
    clock: Clock
    store: BridgeStore
    picture: Picture
    engine: Engine
    watches: Watches
    metrics: Metrics
    keys: Keys
    connection_of: Callable[[str], Connection | None]
    recorder: Recorder
    events: EventLog
    knocks: Knocks


def make_app(services: Services, ready: Callable[[], Awaitable[str | None]], *, alone: bool = False) -> App:
    # A name of its own each time: Sanic keeps apps by name, and tests make several in one process.
    app: App = Sanic(f"ocpp_bridge_{secrets.token_hex(4)}", configure_logging=False)
    app.config.REQUEST_MAX_SIZE = 32 * 1024 * 1024  # an import of a whole network; other routes take 64 KiB
    app.config.RESPONSE_TIMEOUT = 24 * 3600  # a reader of events stays; every other route bounds its own time
    app.config.MOTD = False
    app.config.TOUCHUP = (
        alone  # it takes unused hooks out of Sanic's own code, which works for one app in a process only
    )
    install_problem_details(app)
    add_health(app, ready)
    document = yaml.safe_load(files("ocpp_bridge.api").joinpath("openapi.yaml").read_text(encoding="utf-8"))

    @app.get("/v1/openapi.json", name="openapi")
    async def openapi(request: Request) -> HTTPResponse:
        return json_response(document)

    @app.get("/metrics", name="metrics")
    async def metrics(request: Request) -> HTTPResponse:
        return raw(services.metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")

    reads.add_routes(app, services)
    diagnosis.add_routes(app, services)
    commands.add_routes(app, services)
    watches.add_routes(app, services)
    provisioning.add_routes(app, services)
    return app
