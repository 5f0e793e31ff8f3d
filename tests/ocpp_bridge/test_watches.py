"""Watches of chargers: met at once, met later, met for a moment only, expired, cancelled, and after a restart."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.test_api import FrontDoor


async def watch(running: Running, **body: Any) -> str:
    response = await running.api.post("/v1/watches", json={"charger": "CL-1042", **body})
    assert response.status_code == 201, response.text
    found: str = response.json()["id"]
    return found


async def told(door: FrontDoor) -> dict[str, Any]:
    _, body = await asyncio.wait_for(door.posts.get(), 5)
    found: dict[str, Any] = orjson.loads(body)
    return found


async def test_what_is_true_already_is_told_at_once(launch: Any) -> None:
    async with FrontDoor(failures=0) as door:
        running: Running = await launch(bot_url=door.url)
        async with running.charger() as charger:
            await charger.boot("Available")
            watched = await watch(running, until="free", connector=1, data={"conversation": "sms_1"})
            event = await told(door)
    assert (event["type"], event["watch"], event["data"]) == ("watch.met", watched, {"conversation": "sms_1"})
    assert (event["until"], event["connector"]) == ("free", 1)
    assert event["charger"]["connectors"][0]["status"] == "Available"


async def test_a_return_is_told_when_it_comes(launch: Any) -> None:
    async with FrontDoor(failures=0) as door:
        running: Running = await launch(bot_url=door.url)
        watched = await watch(running, until="connected", idempotency_key="w")
        assert await watch(running, until="connected", idempotency_key="w") == watched
        assert door.posts.empty()
        async with running.charger():
            assert (await told(door))["watch"] == watched
        await asyncio.sleep(0.05)
        assert door.posts.empty()
        assert (await running.api.get(f"/v1/watches/{watched}")).json()["ended"] == "met"


async def test_a_status_that_lasts_a_moment_is_not_missed(launch: Any) -> None:
    async with FrontDoor(failures=0) as door:
        running: Running = await launch(bot_url=door.url)
        async with running.charger() as charger:
            await charger.boot("Available")
            await watch(running, until="status:Preparing", connector=1)
            for status in ("Preparing", "Available"):
                row = {"connectorId": 1, "status": status, "errorCode": "NoError"}
                await charger.raw([2, f"x{status}", "StatusNotification", row])
            assert (await told(door))["charger"]["connectors"][0]["status"] == "Preparing"


async def test_charging_means_a_running_transaction_that_draws(launch: Any) -> None:
    async with FrontDoor(failures=0) as door:
        running: Running = await launch(bot_url=door.url)
        async with running.charger() as charger:
            await charger.boot("Preparing")
            await watch(running, until="charging", connector=1)
            await charger.start("TAGADA")
            await charger.status("SuspendedEV")
            assert door.posts.empty()
            await charger.status("Charging")
            assert (await told(door))["until"] == "charging"


async def test_time_that_runs_out_is_told_too(launch: Any) -> None:
    async with FrontDoor(failures=0) as door:
        running: Running = await launch(bot_url=door.url)
        await watch(running, until="connected", within_s=1)
        assert (await told(door))["type"] == "watch.expired"


async def test_a_cancelled_watch_is_not_told(launch: Any) -> None:
    async with FrontDoor(failures=0) as door:
        running: Running = await launch(bot_url=door.url)
        watched = await watch(running, until="connected")
        assert (await running.api.delete(f"/v1/watches/{watched}")).json()["state"] == "cancelled"
        async with running.charger() as charger:
            await charger.boot()
            assert (await running.api.get(f"/v1/watches/{watched}")).json()["state"] == "cancelled"
        assert door.posts.empty()


async def test_a_watch_outlives_the_bridge_and_what_it_saw_outlives_the_moment(launch: Any) -> None:
    first: Running = await launch()  # its front door cannot be reached
    waiting = await watch(first, until="status:Faulted")
    met = await watch(first, until="connected", charger="CL%209".replace("%20", " "))
    async with first.charger("CL%209"):
        for _ in range(100):
            if (await first.api.get(f"/v1/watches/{met}")).json()["ended"] == "met":
                break
            await asyncio.sleep(0.02)
    await first.bridge.stop()
    async with FrontDoor(failures=0) as door:
        second: Running = await launch(bot_url=door.url)
        event = await told(door)  # though the charger is gone again
        assert (event["watch"], event["type"]) == (met, "watch.met")
        assert event["charger"]["connection"]["state"] == "connected"
        async with second.charger() as charger:
            await charger.boot("Faulted")
            assert (await told(door))["watch"] == waiting


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({}, 422, "bad-watch"),
        ({"charger": "CL-1042"}, 422, "bad-watch"),
        ({"charger": "CL-1042", "until": "happy"}, 422, "bad-watch"),
        ({"charger": "CL-1042", "until": "free", "connector": 0}, 422, "bad-watch"),
        ({"charger": "CL-1042", "until": "free", "within_s": 0}, 400, "bad-argument"),
        ({"charger": "CL-1042", "until": "free", "command": "cmd_1"}, 422, "bad-watch"),
        ({"charger": "CL-404", "until": "free"}, 404, "unknown-charger"),
    ],
)
async def test_bad_watches_are_named(running: Running, body: dict[str, Any], status: int, slug: str) -> None:
    response = await running.api.post("/v1/watches", json=body)
    assert (response.status_code, response.json()["type"]) == (status, f"urn:chargeline:{slug}")
    assert (await running.api.get("/v1/watches/wat_nope")).status_code == 404
