"""Promises kept: when a watched command is finished, the front door is told, signed, until it acknowledges.

Every promise is a row in the store before it is given; the event id is made with it, so a post that is repeated after a
crash is the same event. Back-off doubles from one second to ten minutes; after 24 hours it is given up, and logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson
import structlog

from chargeline.clock import Clock
from ocpp_bridge.api.shapes import command_json
from ocpp_bridge.metrics import Metrics
from ocpp_bridge.model import Command, Watch
from ocpp_bridge.store.base import BridgeStore

log = structlog.get_logger(__name__)
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 600.0
GIVEN_UP_AFTER = timedelta(hours=24)
POST_TIMEOUT_S = 10.0
PARALLEL = 8


def signature(secret: str, body: bytes, at: datetime) -> str:
    """`t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`"""
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def retry_delay_s(attempts: int) -> float:
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * (1 << min(attempts, 16)))


def event_body(watch: Watch, command: Command) -> dict[str, Any]:
    return {
        "id": watch.event,
        "type": "command.finished",
        "at": command.finished_at,
        "watch": watch.id,
        "data": watch.data,
        "command": command_json(command),
    }


class Watches:
    def __init__(self, store: BridgeStore, url: str, secret: str, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._url = f"{url}/webhooks/bridge"
        self._secret = secret
        self._clock = clock
        self._metrics = metrics
        self._by_command: dict[str, list[Watch]] = {}
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
        kept = await self._store.add_watch(watch)
        if kept.id == watch.id:
            await self._take_up(watch)
        return kept

    async def _take_up(self, watch: Watch) -> None:
        self._by_command.setdefault(watch.command, []).append(watch)
        command = await self._store.command(watch.command)  # after the entry above: an end in between is not missed
        if command is not None and command.finished:
            self.finished(command)

    def finished(self, command: Command) -> None:
        for watch in self._by_command.pop(command.id, []):
            task = asyncio.create_task(self._deliver(watch, command), name=watch.id)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, watch: Watch, command: Command) -> None:
        body = orjson.dumps(event_body(watch, command))
        finished_at = command.finished_at or self._clock.now()
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
                log.error("watch_given_up", watch=watch.id, command=command.id, attempts=watch.attempts)
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
