"""The tap passes everything on in order, holds a call until it has looked, and loses a line when the other end does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from sandbox.conversations.tap import Tap

OCPP = [Subprotocol("ocpp1.6")]


class Sink:
    """Notes what it is told; `gate` holds every frame that is looked at."""

    def __init__(self) -> None:
        self.frames: list[tuple[bool, list[Any], bool]] = []
        self.lines = 0
        self.looked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def frame(self, charger: str, *, to_charger: bool, message: list[Any], look: bool) -> None:
        self.frames.append((to_charger, message, look))
        if look:
            self.looked.set()
            await self.gate.wait()

    async def line(self, charger: str) -> None:
        self.lines += 1


class Far:
    """A central system that says back what it hears, and lets only CL-1 in."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.authorizations: list[str | None] = []

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        assert connection.request is not None
        self.authorizations.append(connection.request.headers.get("Authorization"))
        try:
            async for message in connection:
                await connection.send(message)
        except ConnectionClosed:
            return

    def door(self, connection: ServerConnection, request: Request) -> Response | None:
        return None if request.path.endswith("/CL-1") else connection.respond(404, "unknown")


@pytest.fixture
async def far() -> AsyncIterator[tuple[Far, Tap, str]]:
    there = Far()
    async with serve(there.serve, "127.0.0.1", 0, subprotocols=OCPP, process_request=there.door) as server:
        tap = Tap(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp")
        url = await tap.start()
        yield there, tap, url
        await tap.close()


async def test_messages_pass_unchanged_and_in_order(far: tuple[Far, Tap, str]) -> None:
    there, tap, url = far
    sink = Sink()
    tap.listen("CL-1", sink)
    headers = {"Authorization": "Basic eA=="}
    async with connect(f"{url}/CL-1", subprotocols=OCPP, additional_headers=headers, proxy=None) as charger:
        assert charger.subprotocol == "ocpp1.6"
        sent = ['[2,"1","Heartbeat",{}]', '[3, "2", {"status":"Accepted"}]', "no json at all", '{"a":1}']
        for message in sent:
            await charger.send(message)
        assert [await charger.recv() for _ in sent] == sent
    assert there.authorizations == ["Basic eA=="]
    assert [message for to_charger, message, _ in sink.frames if not to_charger] == [
        [2, "1", "Heartbeat", {}],
        [3, "2", {"status": "Accepted"}],
    ]


async def test_a_call_to_the_charger_waits_until_its_state_was_read(far: tuple[Far, Tap, str]) -> None:
    there, tap, url = far
    sink = Sink()
    tap.listen("CL-1", sink)
    async with connect(f"{url}/CL-1", subprotocols=OCPP, proxy=None) as charger:
        sink.gate.clear()
        await there.connections[0].send('[2,"x","Reset",{"type":"Soft"}]')
        await asyncio.wait_for(sink.looked.wait(), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(charger.recv(), 0.1)
        sink.gate.set()
        assert await charger.recv() == '[2,"x","Reset",{"type":"Soft"}]'
    assert sink.frames[0] == (True, [2, "x", "Reset", {"type": "Soft"}], True)


async def test_a_charger_is_refused_as_the_central_system_refuses_it(far: tuple[Far, Tap, str]) -> None:
    _, _, url = far
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{url}/CL-2", subprotocols=OCPP, proxy=None)
    assert refused.value.response.status_code == 404


async def test_without_a_central_system_a_charger_is_told_to_come_back() -> None:
    tap = Tap("ws://127.0.0.1:9/ocpp")
    url = await tap.start()
    try:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{url}/CL-1", subprotocols=OCPP, proxy=None)
        assert refused.value.response.status_code == 503
    finally:
        await tap.close()


async def test_a_line_lost_on_one_side_is_lost_on_the_other(far: tuple[Far, Tap, str]) -> None:
    there, tap, url = far
    sink = Sink()
    tap.listen("CL-1", sink)
    charger = await connect(f"{url}/CL-1", subprotocols=OCPP, proxy=None)
    await charger.send("[]")
    await charger.recv()
    there.connections[0].transport.abort()
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(charger.recv(), 5)
    again = await connect(f"{url}/CL-1", subprotocols=OCPP, proxy=None)
    await again.send("[]")
    await again.recv()
    again.transport.abort()
    await asyncio.wait_for(there.connections[1].wait_closed(), 5)
    assert sink.lines >= 3
