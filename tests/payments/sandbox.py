"""The stand-in in this process, over real HTTP, with handles on what happens inside."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from chargeline.clock import Clock, SystemClock
from sandbox.payments.api import build
from sandbox.payments.shelf import Object, Shelf
from sandbox.payments.world import World
from tests.payments import contract

SECRET = "whsec_test"


@dataclass
class Sandbox:
    """`complaints`: what Stripe's document does not allow of the requests so far."""

    url: str
    world: World
    http: httpx.AsyncClient
    complaints: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def running(
        cls, *, webhook_url: str = "", clock: Clock | None = None, path: Path | None = None
    ) -> AsyncIterator[Sandbox]:
        complaints: list[str] = []

        def check(method: str, url_path: str, params: dict[str, Any]) -> str | None:
            wrong = contract.complaint(method, url_path, params)
            if wrong is not None:
                complaints.append(wrong)
            return wrong

        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        world = World(
            Shelf(path),
            clock or SystemClock(),
            pages=url,
            webhook_url=webhook_url,
            webhook_secret=SECRET,
            check=check,
        )
        app = build(world)
        server: Any = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
        await server.startup()
        await server.before_start()
        await server.after_start()
        async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as http:
            try:
                yield cls(url, world, http, complaints)
            finally:
                server.close()
                await server.before_stop()
                for connection in list(server.connections):
                    connection.abort()
                await server.wait_closed()
                await server.after_stop()

    async def fault(self, kind: str, path: str = "/v1/", **more: Any) -> None:
        answer = await self.http.post("/sandbox/faults", json={"kind": kind, "path": path, **more})
        assert answer.status_code == 201, answer.text

    async def decline_next(self, code: str, advice: str | None = None) -> None:
        answer = await self.http.post("/sandbox/declines", json={"code": code, "advice": advice})
        assert answer.status_code == 201, answer.text

    async def pay(self, url: str, number: str = "4242424242424242", do: str = "pay") -> httpx.Response:
        """As the driver's browser does it on the page behind `url`."""
        return await self.http.post(url, content=f"number={number}&do={do}")

    def all(self, kind: str) -> list[Object]:
        return list(self.world.shelf.all(kind))

    def holds(self) -> list[Object]:
        return [one for one in self.all("payment_intent") if one["status"] == "requires_capture"]

    def taken(self) -> list[Object]:
        return [one for one in self.all("payment_intent") if one["status"] == "succeeded"]
