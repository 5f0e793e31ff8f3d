"""Watches (tell me when) and events (tell me everything): how others learn of what happens at chargers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
from sanic import HTTPResponse, Request

from chargeline.ids import new_id
from chargeline.web import Problem, json_object, json_response
from ocpp_bridge.api.reading import argument, number, text_field, whole_field
from ocpp_bridge.api.reads import charger_or_404
from ocpp_bridge.conditions import CONDITIONS
from ocpp_bridge.events import BATCH
from ocpp_bridge.model import Event, Watch
from ocpp_bridge.watches import TooManyWatches

if TYPE_CHECKING:
    from ocpp_bridge.api.app import App, Services

LARGEST_DATA = 2048
LONGEST_WATCH_S = 24 * 3600.0
DEFAULT_WATCH_S = 1800.0
KEEP_ALIVE_S = 15.0  # real time: a comment line for whatever sits between
HIGHEST_SEQ = 2**53


def add_routes(app: App, services: Services) -> None:
    keys, store, watches, events = services.keys, services.store, services.watches, services.events

    @app.post("/v1/watches", name="watch")
    async def watch(request: Request) -> HTTPResponse:
        keys.require(request, "driver")
        body = json_object(request)
        wanted = await _watch(body, services)
        try:
            kept = await watches.add(wanted)
        except TooManyWatches:
            raise Problem(429, "too-many-watches", "Too many chargers are watched already.") from None
        return json_response({"id": kept.id}, 201)

    @app.get("/v1/watches/<watch_id:str>", name="watch_state")
    async def watch_state(request: Request, watch_id: str) -> HTTPResponse:
        keys.require(request, "driver")
        return json_response(_watch_json(_or_404(await store.watch(watch_id))))

    @app.delete("/v1/watches/<watch_id:str>", name="cancel_watch")
    async def cancel_watch(request: Request, watch_id: str) -> HTTPResponse:
        keys.require(request, "driver")
        return json_response(_watch_json(await watches.cancel(_or_404(await store.watch(watch_id)))))

    @app.get("/v1/events", name="events")
    async def stream(request: Request) -> None:
        keys.require(request, "read")
        after = int(_after(request, events.last))
        charger, kinds = argument(request, "charger"), _kinds(request)
        response = await request.respond(
            content_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        oldest = await events.oldest()
        if after > events.last or 0 < after < oldest - 1:
            # The reader was away for longer than is kept, or comes from another store: it must read the state anew.
            await response.send(f'event: gap\ndata: {{"oldest": {oldest}, "newest": {events.last}}}\n\n')
            after = min(after, events.last)
        await response.send(f": {events.last}\n\n")
        while True:
            newest = events.last
            while rows := await events.read(after, charger):
                text = "".join(_event_text(row) for row in rows if not kinds or row.type in kinds)
                if text:
                    await response.send(text)
                after = rows[-1].seq
                if len(rows) < BATCH:
                    break
            after = max(after, newest)
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):  # wait_for can swallow that the reader has gone
                    await events.beyond(after)
            except TimeoutError:
                await response.send(": \n\n")


def _event_text(event: Event) -> str:
    data = {"seq": event.seq, "type": event.type, "at": event.at, "charger": event.charger, **event.data}
    return f"id: {event.seq}\nevent: {event.type}\ndata: {orjson.dumps(data).decode()}\n\n"


def _after(request: Request, newest: int) -> float:
    """Where to read on from: what the reader saw last, else from now on."""
    given = request.headers.get("last-event-id") or argument(request, "after")
    return number(given, "after", newest, 0, HIGHEST_SEQ)


def _kinds(request: Request) -> frozenset[str]:
    return frozenset(filter(None, (argument(request, "type") or "").split(",")))


def _or_404(watch: Watch | None) -> Watch:
    if watch is None:
        raise Problem(404, "unknown-watch", "There is no such watch.")
    return watch


def _watch_json(watch: Watch) -> dict[str, Any]:
    return {
        "id": watch.id,
        "state": watch.state,
        "command": watch.command or None,
        "charger": watch.charger,
        "connector": watch.connector,
        "until": watch.until,
        "ended": watch.ended,
        "created_at": watch.created_at,
        "expires_at": watch.expires_at,
        "finished_at": watch.finished_at,
        "attempts": watch.attempts,
        "data": watch.data,
    }


async def _watch(body: dict[str, Any], services: Services) -> Watch:
    data = body.get("data", {})
    if not isinstance(data, dict) or len(orjson.dumps(data)) > LARGEST_DATA:
        raise Problem(422, "bad-watch", f"data must be an object of at most {LARGEST_DATA} bytes.")
    now = services.clock.now()
    key = text_field(body, "idempotency_key", longest=128, slug="bad-watch", required=False)
    watch_id, event_id = new_id("wat", now), new_id("evt", now)
    if (body.get("command") is None) == (body.get("charger") is None):
        raise Problem(422, "bad-watch", "Say what to watch: a command, or a charger and until.")
    if body.get("command") is not None:
        command = text_field(body, "command", longest=64, slug="bad-watch") or ""
        if await services.store.command(command) is None:
            raise Problem(404, "unknown-command", "There is no such command.")
        return Watch(watch_id, event_id, command, data, now, key)
    charger = charger_or_404(services.picture, text_field(body, "charger", longest=48, slug="bad-watch") or "")
    until = text_field(body, "until", longest=40, slug="bad-watch")
    if until not in CONDITIONS:
        raise Problem(422, "bad-watch", f"until must be one of {', '.join(CONDITIONS)}.")
    connector = whole_field(body, "connector", "bad-watch") if body.get("connector") is not None else None
    within_s = number(body.get("within_s"), "within_s", DEFAULT_WATCH_S, 1, LONGEST_WATCH_S)
    return Watch(
        watch_id,
        event_id,
        "",
        data,
        now,
        key,
        charger=charger.id,
        connector=connector,
        until=until,
        expires_at=now + timedelta(seconds=within_s),
    )
