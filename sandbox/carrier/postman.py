"""Brings the carrier's webhooks to the bot: signed, sometimes twice, sometimes late, again until they are taken."""

from __future__ import annotations

import asyncio
from random import Random

import aiohttp
import structlog

from sandbox.carrier.manners import Manners
from sandbox.carrier.signing import Post

log = structlog.get_logger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=15.0, sock_connect=5.0)
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class Postman:
    def __init__(self, url: str, random: Random) -> None:
        """`url`: where the bot really listens; what is signed may name another address."""
        self.url = url
        self._random = random
        self._http = aiohttp.ClientSession(timeout=_TIMEOUT, connector=aiohttp.TCPConnector(limit=200))
        self._tasks: set[asyncio.Task[None]] = set()
        self.acknowledged_s: list[float] = []
        self.manners = Manners()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    @property
    def under_way(self) -> int:
        return len(self._tasks)

    def deliver(self, post: Post, *, after_s: float = 0.0, twice: bool = False) -> None:
        self._start(self._bring(post, after_s))
        if twice:
            self._start(self._bring(post, after_s + self._random.random() * 0.5))

    def from_phone(self, post: Post) -> None:
        """A driver's message, with the manners of the moment."""
        late = self.manners.held_s if self._random.random() < self.manners.reorder else 0.0
        self.deliver(post, after_s=late, twice=self._random.random() < self.manners.duplicate)

    def _start(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring(self, post: Post, after_s: float) -> None:
        await asyncio.sleep(after_s)
        for pause in (*_PAUSES_S, None):
            began = asyncio.get_running_loop().time()
            try:
                async with self._http.post(self.url + post.url_path, data=post.body, headers=post.headers) as answer:
                    await answer.read()
                    if answer.status < 300:
                        self.acknowledged_s.append(asyncio.get_running_loop().time() - began)
                        return
                    log.warning("webhook_not_taken", path=post.url_path.partition("?")[0], status=answer.status)
                    if answer.status < 500 and answer.status != 429:
                        return  # it will never be taken
            except (aiohttp.ClientError, TimeoutError) as error:
                log.warning("webhook_not_delivered", path=post.url_path.partition("?")[0], why=repr(error))
            if pause is not None:
                await asyncio.sleep(pause)
        log.error("webhook_given_up", path=post.url_path.partition("?")[0])
