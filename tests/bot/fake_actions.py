"""An action server that is scripted: takes hazards and words for cases, fails as told, remembers what it was sent."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from aiohttp import web


class FakeActions:
    """`faults`: what happens to the next posts, one each: "500", "404", "lost" (taken, the answer never comes), "nonsense"."""

    def __init__(self) -> None:
        self.hazards: list[dict[str, Any]] = []
        self.words: list[tuple[str, dict[str, Any]]] = []
        self.faults: deque[str] = deque()
        self.replies: list[dict[str, Any]] = [{"text": "Charger 1042 is out of service now."}]
        self.go_on: asyncio.Event | None = None
        self.url = ""
        self._port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/hazard", self._hazard)
        app.router.add_post("/v1/cases/{case}/messages", self._words)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    def said_to(self, case: str) -> list[str]:
        return [body["text"] for named, body in self.words if named == case]

    async def _hazard(self, request: web.Request) -> web.StreamResponse:
        self.hazards.append(await request.json())
        if self.go_on is not None:
            await self.go_on.wait()
        return self._fault(request) or web.json_response({"replies": self.replies})

    async def _words(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        failed = self._fault(request)
        if failed is None:
            self.words.append((request.match_info["case"], body))
        return failed or web.json_response({}, status=202)

    def _fault(self, request: web.Request) -> web.Response | None:
        assert request.headers["Authorization"] == "Bearer actions-key"
        fault = self.faults.popleft() if self.faults else ""
        if fault in {"500", "404"}:
            return web.Response(status=int(fault))
        if fault == "lost":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(text="[]", content_type="application/json") if fault == "nonsense" else None
