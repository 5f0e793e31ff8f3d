"""Promises kept: when a watched command is finished, or a charger is as a watch waits for it to be, the front door is told,
signed, until it acknowledges.

Every promise is a row in the store before it is given; the event id is made with it, so a post that is repeated after a
crash is the same event. Back-off doubles from one second to ten minutes; after 24 hours it is given up, and logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx
import orjson
import structlog

from chargeline.clock import Clock
from ocpp_bridge.api.shapes import charger_json, command_json
from ocpp_bridge.commands.waiting import wait_for
from ocpp_bridge.conditions import CONDITIONS
from ocpp_bridge.metrics import Metrics
from ocpp_bridge.model import Command, Watch
from ocpp_bridge.picture import Picture
from ocpp_bridge.store.base import BridgeStore

log = structlog.get_logger(__name__)
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 600.0
GIVEN_UP_AFTER = timedelta(hours=24)
POST_TIMEOUT_S = 10.0
PARALLEL = 8
MOST_WAITING = 20_000
LOOK_EVERY_S = 5.0


def signature(secret: str, body: bytes, at: datetime) -> str:
    """`t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`"""
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def retry_delay_s(attempts: int) -> float:
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * (1 << min(attempts, 16)))


def command_event(watch: Watch, command: Command) -> dict[str, Any]:
    return {
        "id": watch.event,
        "type": "command.finished",
        "at": command.finished_at,
        "watch": watch.id,
        "data": watch.data,
        "command": command_json(command),
    }


def charger_event(watch: Watch) -> dict[str, Any]:
    """`watch.met` or `watch.expired`, with the charger as it was at that moment."""
    return {
        "id": watch.event,
        "type": f"watch.{watch.ended}",
        "at": watch.finished_at,
        "watch": watch.id,
        "data": watch.data,
        "connector": watch.connector,
        "until": watch.until,
        "charger": watch.told,
    }


class TooManyWatches(Exception):
    """As many chargers are watched as this bridge will watch at once."""


class Watches:
    def __init__(
        self, store: BridgeStore, picture: Picture, url: str, secret: str, clock: Clock, metrics: Metrics
    ) -> None:
        self._store = store
        self._picture = picture
        self._url = f"{url}/webhooks/bridge"
        self._secret = secret
        self._clock = clock
        self._metrics = metrics
        self._by_command: dict[str, list[Watch]] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}  # watches of chargers whose moment has not come
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(PARALLEL)
        self._client = httpx.AsyncClient(timeout=clock.real_seconds(POST_TIMEOUT_S))

    async def start(self) -> None:
        """Takes up what a previous run promised."""
        for watch in await self._store.waiting_watches():
            await self._take_up(watch)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def add(self, watch: Watch) -> Watch:
        """Keeps the promise durably, or returns the one with its key. Raises TooManyWatches."""
        if watch.charger is not None and len(self._waiting) >= MOST_WAITING:
            raise TooManyWatches
        kept = await self._store.add_watch(watch)
        if kept.id == watch.id:
            await self._take_up(watch)
        return kept

    async def cancel(self, watch: Watch) -> Watch:
        """Ends a watch whose moment has not come; one that has is told all the same."""
        task = self._waiting.pop(watch.id, None)
        if task is None:
            return await self._store.watch(watch.id) or watch
        task.cancel()
        cancelled = replace(watch, state="cancelled", finished_at=self._clock.now())
        await self._store.save_watch(cancelled)
        return cancelled

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _take_up(self, watch: Watch) -> None:
        if watch.charger is not None:
            if watch.ended is None:
                self._waiting[watch.id] = self._spawn(watch.id, self._wait_and_tell(watch))
            else:
                self._spawn(watch.id, self._deliver(watch, charger_event(watch)))
            return
        self._by_command.setdefault(watch.command, []).append(watch)
        command = await self._store.command(watch.command)  # after the entry above: an end in between is not missed
        if command is not None and command.finished:
            self.finished(command)

    def finished(self, command: Command) -> None:
        for watch in self._by_command.pop(command.id, []):
            done = replace(watch, finished_at=command.finished_at or self._clock.now())
            self._spawn(watch.id, self._deliver(done, command_event(watch, command)))

    # ---- watches of chargers

    async def _wait_and_tell(self, watch: Watch) -> None:
        try:
            ended = await self._moment(watch)
        finally:
            self._waiting.pop(watch.id, None)
        await self._store.save_watch(ended)  # before the first post: what came true stays true
        log.info("watch_ended", watch=watch.id, charger=watch.charger, until=watch.until, how=ended.ended)
        await self._deliver(ended, charger_event(ended))

    async def _moment(self, watch: Watch) -> Watch:
        """Waits until the charger is as wished, or the time is up. Looks at every change, so that no short moment is
        missed, and now and then for conditions that come true by time alone."""
        assert watch.charger is not None
        assert watch.until is not None
        assert watch.expires_at is not None
        live, met = self._picture.live(watch.charger), asyncio.Event()
        seen: list[Watch] = []

        def look() -> None:
            now = self._clock.now()
            if not seen and CONDITIONS[watch.until or ""](live, watch.connector, now):
                seen.append(self._ended(watch, "met", now))
                met.set()

        live.observers.add(look)
        try:
            look()
            while not seen:
                left = (watch.expires_at - self._clock.now()).total_seconds()
                if left <= 0:
                    return self._ended(watch, "expired", self._clock.now())
                await wait_for(met, min(left, LOOK_EVERY_S), self._clock)
                look()
        finally:
            live.observers.discard(look)
        return seen[0]

    def _ended(self, watch: Watch, how: Literal["met", "expired"], now: datetime) -> Watch:
        charger = self._picture.charger(watch.charger or "")
        shown = charger_json(charger, self._picture, now) if charger is not None else {"id": watch.charger}
        told = orjson.loads(orjson.dumps(shown))  # times as text, as the store and the post want them
        return replace(watch, ended=how, finished_at=now, told=told)

    # ---- telling

    async def _deliver(self, watch: Watch, event: dict[str, Any]) -> None:
        body = orjson.dumps(event)
        finished_at = watch.finished_at or self._clock.now()
        if watch.next_at is not None:
            await self._clock.sleep((watch.next_at - self._clock.now()).total_seconds())
        while True:
            if await self._post(watch, body):
                await self._store.save_watch(replace(watch, state="delivered", attempts=watch.attempts + 1))
                return
            now = self._clock.now()
            delay = retry_delay_s(watch.attempts)
            watch = replace(watch, attempts=watch.attempts + 1, next_at=now + timedelta(seconds=delay))
            if now - finished_at > GIVEN_UP_AFTER:
                log.error("watch_given_up", watch=watch.id, attempts=watch.attempts)
                self._metrics.event_posted("given_up")
                await self._store.save_watch(replace(watch, state="given_up"))
                return
            await self._store.save_watch(watch)
            await self._clock.sleep(delay)

    async def _post(self, watch: Watch, body: bytes) -> bool:
        headers = {
            "Content-Type": "application/json",
            "Chargeline-Signature": signature(self._secret, body, self._clock.now()),
        }
        try:
            async with self._slots:
                response = await self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            log.info("event_not_posted", watch=watch.id, attempts=watch.attempts, why=type(error).__name__)
            self._metrics.event_posted("unreachable")
            return False
        self._metrics.event_posted("ok" if response.is_success else "refused")
        if not response.is_success:
            log.warning("event_refused", watch=watch.id, status=response.status_code, attempts=watch.attempts)
        return response.is_success
