"""Puts the front door together: store, inbox, turns, outbox and the HTTP side, started and ended in the right order."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from sanic import HTTPResponse, Request, Sanic
from sanic.response import raw

from bot.actions_client import ActionsClient
from bot.asking import Asking, Limits
from bot.channels import bridge, desk, links, stripe_events, terminal, traffic, twilio, web, web_pages, whatsapp
from bot.channels import pictures as pictures_page
from bot.channels.carriers import carriers_from, paces_from, templates_from
from bot.channels.guard import note_unrouted
from bot.channels.web_live import LiveSessions
from bot.drivers import load_drivers
from bot.feed import Feed
from bot.forwarding import Forwarding, ForwardLimits
from bot.hazards import HazardLimits, Hazards
from bot.hearing import Ears, Hearing, real_ears
from bot.identity.callers import Callers
from bot.identity.embeds import load_embeds
from bot.identity.ended import EndedSessions, MongoEnded, SqliteEnded
from bot.inbox import Inbox
from bot.lanes import Lanes
from bot.media import Pictures
from bot.metrics import Metrics
from bot.outbox import Outbox, SendLimits
from bot.rasa_client import RasaClient
from bot.replies import Replies
from bot.sayings import Sayings
from bot.settling import Settling
from bot.statuses import Statuses
from bot.store.base import BotStore
from bot.store.model import Lane
from bot.store.mongo import MongoStore
from bot.store.sqlite import SqliteStore
from bot.turns import Turns
from chargeline import mongo
from chargeline.clock import Clock, SystemClock, clock_from
from chargeline.serving import listener, serving
from chargeline.settings import Settings
from chargeline.web import Problem, install_problem_details, json_response

log = structlog.get_logger(__name__)

_MAX_REQUEST = whatsapp.MAX_BODY + 65536  # each route has its own, smaller limit
_LANES = 500  # conversations looked after at one time; calls to Rasa and the carrier are bounded apart


@dataclass(frozen=True, slots=True)
class Tuning:
    """What tests shorten."""

    turns: Limits = field(default_factory=Limits)
    sends: SendLimits = field(default_factory=SendLimits)
    hazards: HazardLimits = field(default_factory=HazardLimits)
    forwards: ForwardLimits = field(default_factory=ForwardLimits)


def store_from(settings: Settings) -> BotStore:
    if settings.mongodb_url:
        return MongoStore(mongo.connect(settings.mongodb_url, settings.mongodb_database))
    return SqliteStore(settings.var / "bot.sqlite3")


@asynccontextmanager
async def front_door(
    settings: Settings, tuning: Tuning | None = None, *, port: int | None = None, ears: Ears | None = None
) -> AsyncIterator[int]:
    """The running front door; yields its port. Raises CannotListen, DriversFileError, EmbedsFileError, SchemaTooNew."""
    tuning = tuning or Tuning()
    ears = ears or real_ears()
    clock = clock_from(settings.clock_speed, settings.clock_epoch)
    wall = SystemClock()
    drivers = load_drivers(settings.drivers_file, guest_starts=settings.guest_starts)
    embeds = load_embeds(settings.embeds_file)
    async with AsyncExitStack() as stack:
        store = store_from(settings)
        await store.open()
        stack.push_async_callback(store.close)
        metrics, feed = Metrics(), Feed()
        rasa = RasaClient(settings.url_of("rasa"), settings.rasa_token, wait_s=tuning.turns.turn_s + 10)
        stack.push_async_callback(rasa.close)

        actions = ActionsClient(settings.url_of("actions"), settings.actions_key)
        stack.push_async_callback(actions.close)

        lanes: dict[str, Lanes] = {}

        def wake(lane: str, conversation: str | None = None) -> None:
            if lane in lanes:
                lanes[lane].wake(conversation)

        sayings = Sayings(settings.operator_name, settings.operator_phone, settings.emergency_number)
        # Without an address of its own the front door cannot be reached from a phone; the sandbox's phones are here.
        link_base = settings.public_base_url if settings.public_url or settings.carrier_sandboxed else ""
        replies = Replies(store, feed, metrics, clock.now, lambda conversation: wake("outbox", conversation), link_base)
        hearing = Hearing(store, drivers, ears)
        carriers = carriers_from(settings)
        for carrier in set(carriers.values()):
            stack.push_async_callback(carrier.close)
        pictures = Pictures(settings.var / "media", carriers)
        asking = Asking(
            store=store,
            rasa=rasa,
            replies=replies,
            sayings=sayings,
            metrics=metrics,
            wall=wall,
            limits=tuning.turns,
        )
        turns = Turns(
            store=store,
            asking=asking,
            hearing=hearing,
            replies=replies,
            drivers=drivers,
            sayings=sayings,
            feed=feed,
            metrics=metrics,
            clock=clock,
            wall=wall,
            limits=tuning.turns,
            wake=wake,
            settling=Settling(store, clock, settings.settle_s),
            pictures=pictures,
            carriers=carriers,
        )
        hazards = Hazards(
            store=store,
            actions=actions,
            hearing=hearing,
            replies=replies,
            drivers=drivers,
            sayings=sayings,
            feed=feed,
            metrics=metrics,
            clock=clock,
            wall=wall,
            limits=tuning.hazards,
            wake=wake,
        )
        forwarding = Forwarding(
            store=store,
            actions=actions,
            feed=feed,
            metrics=metrics,
            clock=clock,
            wall=wall,
            limits=tuning.forwards,
            wake=wake,
        )
        workers = {
            Lane.TALK: turns.work_through,
            Lane.HAZARD: hazards.work_through,
            Lane.DESK: forwarding.work_through,
        }
        for lane, work in workers.items():
            lanes[lane] = Lanes(lane, partial(store.waiting, lane=lane), work, parallel=_LANES)
        if carriers:
            outbox = Outbox(
                store=store,
                carriers=carriers,
                paces=paces_from(settings),
                templates=templates_from(settings),
                metrics=metrics,
                clock=clock,
                wall=wall,
                limits=tuning.sends,
            )
            lanes["outbox"] = Lanes("outbox", store.undelivered, outbox.work_through, parallel=_LANES)
        inbox = Inbox(store=store, feed=feed, metrics=metrics, clock=clock, danger=ears.danger, new_item=wake)

        ended = ended_from(settings, wall)
        await ended.open()
        stack.push_async_callback(ended.close)
        live = LiveSessions(settings.url_of("bridge"), settings.bridge_read_key)
        stack.push_async_callback(live.close)
        key = _session_key(settings)
        callers = Callers(key, embeds, settings.public_base_url, ended, metrics, wall)

        app = _app(settings, store, inbox, feed, metrics, rasa, clock)
        statuses = Statuses(store, metrics, wall, tuning.sends.again_s, lambda: wake("outbox"))
        app.blueprint(stripe_events.blueprint(settings, inbox, metrics, clock, actions))
        app.blueprint(twilio.blueprint(settings, inbox, statuses, metrics))
        app.blueprint(whatsapp.blueprint(settings, inbox, statuses, metrics))
        app.blueprint(links.blueprint())
        app.blueprint(pictures_page.blueprint(settings.operator_key, store, pictures))
        app.blueprint(web_pages.blueprint(settings, key, callers, wall))
        app.blueprint(web.blueprint(settings, callers, embeds, store, inbox, feed, drivers, live, metrics, clock, wall))
        app.blueprint(desk.blueprint(settings.operator_key, store, replies, drivers, feed))
        app.blueprint(traffic.blueprint(settings.traffic_key, store, drivers, clock))
        bound = listener(settings.host, settings.bot_port if port is None else port)
        await stack.enter_async_context(serving(app, bound, feed.close))  # open event streams would hold it open
        running = [asyncio.create_task(lane.run(), name=name) for name, lane in lanes.items()]

        async def end_lanes() -> None:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

        stack.push_async_callback(end_lanes)
        listening: int = bound.getsockname()[1]
        log.info("front_door_open", host=settings.host, port=listening)
        yield listening
        log.info("front_door_closing")


def ended_from(settings: Settings, wall: Clock) -> EndedSessions:
    if settings.mongodb_url:
        return MongoEnded(mongo.connect(settings.mongodb_url, settings.mongodb_database))
    return SqliteEnded(settings.var / "web.sqlite3", wall)


def _session_key(settings: Settings) -> bytes:
    """What visitors' sessions are signed with."""
    if settings.web_session_key:
        return settings.web_session_key.encode()
    log.warning("web_session_key_missing", effect="visitors' sessions end with this process; set WEB_SESSION_KEY")
    return secrets.token_bytes(32)


def _app(
    settings: Settings, store: BotStore, inbox: Inbox, feed: Feed, metrics: Metrics, rasa: RasaClient, clock: Clock
) -> Sanic[Any, Any]:
    # A name of its own each time: Sanic keeps a registry, and tests open several front doors in one process.
    app: Sanic[Any, Any] = Sanic(f"bot-{secrets.token_hex(4)}", configure_logging=False)
    app.config.REQUEST_MAX_SIZE = _MAX_REQUEST
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.MOTD = False
    if settings.web_proxies:
        app.config.PROXIES_COUNT = settings.web_proxies
    app.config.TOUCHUP = False  # it rewrites Sanic's own code once a process, so a second app (tests) would not start
    install_problem_details(app)

    note_unrouted(app, metrics)
    app.blueprint(bridge.blueprint(settings.bridge_webhook_secret, inbox, metrics, clock))
    app.blueprint(terminal.blueprint(settings.terminal_key, store, inbox, feed))

    @app.get("/healthz", name="healthz")
    async def healthz(request: Request) -> HTTPResponse:
        return json_response({"status": "ok"})

    @app.get("/readyz", name="readyz")
    async def readyz(request: Request) -> HTTPResponse:
        """Ready is who can store a message. A Rasa that is down is told apart: messages wait for it."""
        try:
            await store.check()
        except Exception as error:  # whichever engine it is, what it raises means: not ready
            log.warning("store_not_ready", why=repr(error))
            raise Problem(503, "not-ready", "The store cannot be used.") from error
        return json_response({"status": "ready", "store": "ok", "rasa": "up" if await rasa.is_up() else "down"})

    @app.get("/metrics", name="metrics")
    async def exposition(request: Request) -> HTTPResponse:
        backlog = await store.backlog()
        metrics.waiting_items.set(backlog.items)
        metrics.waiting_deliveries.set(backlog.deliveries)
        return raw(metrics.exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")

    return app
