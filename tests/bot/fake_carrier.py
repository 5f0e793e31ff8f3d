"""A Twilio that is scripted: takes messages, lists them, fails as told."""

from __future__ import annotations

import asyncio
import itertools
from base64 import b64encode
from collections import deque
from datetime import UTC, datetime
from email.utils import format_datetime

from aiohttp import web


class FakeCarrier:
    """`faults`: what happens to the next sends, one each: "500", "429", "21610", "lost-after" (taken, the answer never comes),
    "lost-before" (not taken, the connection breaks), "hold" (taken, the answer waits for `go_on`)."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.attempts: list[tuple[str, str]] = []
        self.listed = 0
        self.list_works = True
        self.faults: deque[str] = deque()
        self.go_on = asyncio.Event()
        self.url = ""
        self._messages: list[dict[str, str]] = []
        self._numbers = itertools.count(1)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/2010-04-01/Accounts/AC0/Messages.json", self._send)
        app.router.add_get("/2010-04-01/Accounts/AC0/Messages.json", self._list)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self.go_on.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def bodies(self, number: str) -> list[str]:
        return [body for to, body in self.taken if to == number]

    async def _send(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Basic " + b64encode(b"AC0:twilio-token").decode()
        form = await request.post()
        to, body = str(form["To"]), str(form["Body"])
        self.attempts.append((to, body))
        fault = self.faults.popleft() if self.faults else ""
        if fault in {"500", "429"}:
            return web.json_response({"code": 20429}, status=int(fault), headers={"Retry-After": "0"})
        if fault == "21610":
            return web.json_response({"code": 21610, "message": "unsubscribed"}, status=400)
        if fault == "lost-before":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        sid = f"SM{next(self._numbers):032x}"
        self.taken.append((to, body))
        self._messages.insert(
            0,
            {
                "sid": sid,
                "to": to,
                "body": body,
                "date_created": format_datetime(datetime.now(UTC)),
                "status": "queued",
            },
        )
        if fault == "lost-after":
            assert request.transport is not None
            request.transport.abort()
        if fault == "hold":
            await self.go_on.wait()
        return web.json_response({"sid": sid}, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        self.listed += 1
        if not self.list_works:
            return web.Response(status=500)
        found = [message for message in self._messages if message["to"] == request.query["To"]]
        return web.json_response({"messages": found[: int(request.query["PageSize"])]})
