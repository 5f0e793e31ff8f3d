"""The event stream: in order, filtered, read on where a reader stopped, over restarts, and honest about gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from chargeline.clock import SystemClock
from ocpp_bridge.events import EventLog
from ocpp_bridge.model import Event
from tests.ocpp_bridge.conftest import Running


class Reader:
    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> dict[str, Any]:
        """The next event's data, with its SSE name and id checked against it."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(5):
            async for line in self._lines:
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    break
        data: dict[str, Any] = orjson.loads(fields["data"])
        if "id" in fields:
            assert (fields["event"], int(fields["id"])) == (data["type"], data["seq"])
        else:
            data["type"] = fields["event"]
        return data


@asynccontextmanager
async def stream(running: Running, query: str = "", **headers: str) -> AsyncIterator[Reader]:
    async with running.api.stream("GET", f"/v1/events{query}", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        assert (await anext(lines)).startswith((":", "event: gap"))
        yield Reader(lines)


async def test_events_come_in_order_and_are_read_on_after_a_break(running: Running) -> None:
    async with stream(running) as reader, running.charger() as charger:
        await charger.boot("Preparing")
        await charger.send("Authorize", idTag="TAGADA")
        await charger.start("TAGADA")
        found = [await reader.next() for _ in range(4)]
    assert [row["type"] for row in found] == [
        "charger.connected",
        "charger.booted",
        "connector.status",
        "authorization",
    ]
    assert [row["seq"] for row in found] == [1, 2, 3, 4]
    assert "TAGADA" not in str(found)
    async with stream(running, **{"Last-Event-ID": "4"}) as reader:
        assert (await reader.next())["type"] == "session.started"
        assert (await reader.next())["type"] == "charger.disconnected"
    async with stream(running, "?after=1&type=connector.status") as reader:
        assert (await reader.next())["status"] == "Preparing"


async def test_events_are_filtered_by_charger_and_kind(running: Running) -> None:
    async with (
        stream(running, "?charger=CL-1042&type=connector.status,command.finished") as reader,
        running.charger("CL%209") as other,
        running.charger() as charger,
    ):
        await other.boot("Faulted")
        await charger.boot("Faulted")
        await running.start()
        first, second = await reader.next(), await reader.next()
    assert (first["type"], first["charger"], first["status"]) == ("connector.status", "CL-1042", "Faulted")
    assert (second["type"], second["command"]["state"]) == ("command.finished", "refused")
    assert "actor" not in second["command"]


async def test_a_status_that_did_not_change_is_no_event(running: Running) -> None:
    async with stream(running, "?type=connector.status") as reader, running.charger() as charger:
        for status in ("Available", "Available", "Preparing"):
            await charger.status(status)
        assert [(await reader.next())["status"] for _ in range(2)] == ["Available", "Preparing"]


async def test_the_log_outlives_the_bridge(launch: Any) -> None:
    first: Running = await launch()
    async with first.charger() as charger:
        await charger.boot()
    await first.bridge.stop()
    second: Running = await launch()
    async with stream(second, "?after=0") as reader:
        seen = [await reader.next() for _ in range(3)]
        assert [row["seq"] for row in seen] == [1, 2, 3]
        async with second.charger():
            rows = [await reader.next()]
            while rows[-1]["type"] != "charger.connected":
                rows.append(await reader.next())
        assert rows[-1]["seq"] == 3 + len(rows)


async def test_a_number_from_another_life_is_told_as_a_gap(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot()
    async with running.api.stream("GET", "/v1/events?after=999999") as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "event: gap"


@pytest.mark.parametrize("query", ["?after=x", "?after=-1"])
async def test_bad_numbers_are_named(running: Running, query: str) -> None:
    response = await running.api.get(f"/v1/events{query}")
    assert (response.status_code, response.json()["type"]) == (400, "urn:chargeline:bad-argument")


class FailingStore:
    """Fails a few times, then keeps."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.kept: list[Event] = []

    async def last_event(self) -> int:
        return 0

    async def add_events(self, events: list[Event], keep: int) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise OSError("the disk is full")
        self.kept += events


async def test_a_store_that_fails_delays_events_and_harms_nobody() -> None:
    store = FailingStore(1)
    events = EventLog(store, SystemClock())  # type: ignore[arg-type]  # the part of a store that the log uses
    await events.start()
    for number in range(3):
        events.add("charger.booted", "CL-1", {"n": number})
    await asyncio.wait_for(events.beyond(2), 5)
    events.add("charger.booted", "CL-1", {"n": 3})
    await events.stop()
    assert [(row.seq, row.data["n"]) for row in store.kept] == [(1, 0), (2, 1), (3, 2), (4, 3)]
    assert store.kept[0].at <= datetime.now(UTC)
