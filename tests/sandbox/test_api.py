"""The sandbox's HTTP API and page over a real HTTP server, its chargers on a real central system."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sanic import Sanic

from chargeline.clock import FastClock
from sandbox import api
from sandbox.plan import load
from sandbox.world import World
from tests.sandbox.central import Central
from tests.sandbox.conftest import SPEED


@pytest.fixture
async def world(central: Central) -> AsyncIterator[World]:
    central.tokens |= {"TOK-ADA-0001": "Accepted", "TOK-FARID-0006": "Accepted", "TOK-CARLA-0003": "Blocked"}
    plan = load()
    # The strict central system speaks 1.6 only: quirks would break it, and one newer charger shows that it is not waited for.
    some = [
        each for each in plan.chargers if each.id in {"CL-1042", "CL-1043", "CL-1044", "CL-3001", "CL-3002", "CL-2051"}
    ]
    world = World(replace(plan, chargers=tuple(some)), central.url, FastClock(SPEED, time.time()))
    yield world
    await world.close()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    Sanic.test_mode = True
    listener = socket.create_server(("127.0.0.1", 0))
    app = api.build(world, f"sandbox-{id(world)}")
    server: Any = await app.create_server(sock=listener, return_asyncio_server=True)
    await server.startup()
    port = listener.getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client
    server.close()
    await server.wait_closed()


async def _ready(http: httpx.AsyncClient, central: Central) -> None:
    for _ in range(100):
        if (await http.get("/readyz")).status_code == 200:
            return
        await asyncio.sleep(0.1)
    raise AssertionError((await http.get("/readyz")).text)


async def test_ready_when_all_that_should_be_are_booted(
    http: httpx.AsyncClient, world: World, central: Central
) -> None:
    assert (await http.get("/healthz")).status_code == 200
    before = await http.get("/readyz")
    assert (before.status_code, before.json()["type"]) == (503, "urn:chargeline:not-ready")
    world.start()
    await _ready(http, central)
    chargers = {each["id"]: each for each in (await http.get("/v1/chargers")).json()["chargers"]}
    assert chargers["CL-1042"]["connected"]
    assert chargers["CL-1042"]["connectors"][0]["status"] == "Preparing"
    assert not chargers["CL-1044"]["connected"]
    assert chargers["CL-2051"]["version_refused"]
    assert not chargers["CL-2051"]["connected"]
    assert chargers["CL-3002"]["connectors"][0]["error_code"] == "EVCommunicationError"


async def test_a_driver_plugs_swipes_and_leaves(http: httpx.AsyncClient, world: World, central: Central) -> None:
    world.start()
    await _ready(http, central)
    at = "/v1/chargers/CL-3001"
    plugged = await http.post(f"{at}/plug", json={"connector": 1, "car": {"kind": "family", "soc": 20}})
    assert plugged.json()["connectors"][0]["status"] == "Preparing"
    assert (await http.post(f"{at}/plug", json={"connector": 1})).json()["type"] == "urn:chargeline:not-possible"
    refused = await http.post(f"{at}/swipe", json={"connector": 1, "token": "TOK-CARLA-0003"})
    assert refused.json()["status"] == "Blocked"
    swiped = await http.post(f"{at}/swipe", json={"connector": 1, "token": "TOK-ADA-0001"})
    assert swiped.json()["status"] == "Accepted"
    await central.expect("StatusNotification", status="Charging", connectorId=1)
    assert "TOK-ADA" not in (await http.get(at)).text
    unplugged = await http.post(f"{at}/unplug", json={"connector": 1})
    assert unplugged.json()["connectors"][0]["car"] is None
    await central.expect("StopTransaction", reason="EVDisconnected")


async def test_faults_are_set_and_taken_away(http: httpx.AsyncClient, world: World) -> None:
    at = "/v1/chargers/CL-1042/faults"
    broken = await http.put(f"{at}/faulted", json={"error_code": "GroundFailure"})
    assert broken.json()["connectors"][0]["status"] == "Faulted"
    assert (await http.put(f"{at}/silent")).json()["faults"]["silent"] == {}
    assert (await http.delete(f"{at}/faulted")).json()["connectors"][0]["status"] == "Preparing"
    assert (await http.delete(f"{at}/faulted")).status_code == 200
    names = [row["name"] for row in (await http.get("/v1/faults")).json()["faults"]]
    assert {"start_rejected", "accepted_then_nothing", "offline", "silent", "faulted", "slow_answers"} <= set(names)


async def test_reset_puts_all_back(http: httpx.AsyncClient, world: World, central: Central) -> None:
    world.start()
    await _ready(http, central)
    await http.post("/v1/chargers/CL-1042/unplug", json={})
    await http.delete("/v1/chargers/CL-1043/faults/start_rejected")
    await http.put("/v1/chargers/CL-1043/faults/faulted", json={})
    assert (await http.post("/v1/reset")).status_code == 200
    await _ready(http, central)
    chargers = {each["id"]: each for each in (await http.get("/v1/chargers")).json()["chargers"]}
    assert chargers["CL-1042"]["connectors"][0]["car"]["kind"] == "family"
    assert list(chargers["CL-1043"]["faults"]) == ["start_rejected"]


async def test_a_whole_site_is_broken_or_none_of_it(http: httpx.AsyncClient, world: World) -> None:
    at = "/v1/sites/site-ottawa-1/faults"
    broken = (await http.put(f"{at}/power_out", json={"seconds": 600})).json()["chargers"]
    assert {each["id"] for each in broken} == {"CL-1042", "CL-1043", "CL-1044"}
    assert all("power_out" in each["faults"] for each in broken)
    mended = (await http.delete(f"{at}/power_out")).json()["chargers"]
    assert not any("power_out" in each["faults"] for each in mended)
    assert (await http.put(f"{at}/faulted", json={"connector": 2})).json()["type"] == "urn:chargeline:bad-fault"
    assert not world.chargers["CL-1042"].faults.has("faulted")


async def test_what_happened_can_be_read_on_from_where_one_was(http: httpx.AsyncClient, world: World) -> None:
    await http.put("/v1/chargers/CL-1042/faults/silent")
    first = (await http.get("/v1/events", params={"charger": "CL-1042", "type": "fault"})).json()
    assert (first["events"][-1]["name"], first["lost"]) == ("silent", 0)
    await http.post("/v1/chargers/CL-1042/unplug", json={})
    more = (await http.get("/v1/events", params={"after": first["next"]})).json()["events"]
    assert [row["type"] for row in more] == ["state", "act"]
    newest = (await http.get("/v1/events", params={"newest": "1", "limit": "1", "charger": "CL-1042"})).json()
    assert newest["events"][0]["what"] == "unplug"


async def test_one_charger_is_put_back_and_the_others_go_on(http: httpx.AsyncClient, world: World) -> None:
    for each in ("CL-1042", "CL-1043"):
        await http.put(f"/v1/chargers/{each}/faults/silent")
    assert (await http.post("/v1/reset?charger=CL-1042")).status_code == 200
    assert not world.chargers["CL-1042"].faults.has("silent")
    assert world.chargers["CL-1043"].faults.has("silent")


async def test_scenarios_are_listed_and_played(http: httpx.AsyncClient, world: World) -> None:
    text = "help: One car.\nchargers:\n  CL-3001:\n    cars: {2: compact}\n"
    played = await http.post("/v1/scenarios", json={"yaml": text})
    assert played.json() == {"playing": "given", "help": "One car.", "steps": 0}
    assert world.chargers["CL-3001"].station.connectors[2].car is not None
    assert world.chargers["CL-1043"].faults.all() == {}
    listed = (await http.get("/v1/scenarios")).json()
    assert listed["playing"] == "given"
    wrong = await http.post("/v1/scenarios", json={"yaml": "help: x\nchargers:\n  CL-0: {}"})
    assert wrong.json()["detail"].startswith("scenario:3: chargers.CL-0:")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug"),
    [
        ("GET", "/v1/chargers/CL-0", None, 404, "unknown-charger"),
        ("POST", "/v1/chargers/CL-0/plug", b"{}", 404, "unknown-charger"),
        ("POST", "/v1/chargers/CL-1042/plug", b"{", 400, "not-json"),
        ("POST", "/v1/chargers/CL-1042/plug", b"[]", 400, "not-an-object"),
        ("POST", "/v1/chargers/CL-1042/plug", b'{"connector": 2}', 422, "unknown-connector"),
        ("POST", "/v1/chargers/CL-1042/plug", b'{"connector": true}', 422, "unknown-connector"),
        ("POST", "/v1/chargers/CL-1042/plug", b'{"conector": 1}', 422, "bad-request"),
        ("POST", "/v1/chargers/CL-1042/plug", b'{"car": "tank"}', 422, "bad-car"),
        ("POST", "/v1/chargers/CL-1042/plug", b'{"car": [1]}', 422, "bad-car"),
        ("POST", "/v1/chargers/CL-3001/unplug", b"{}", 409, "not-possible"),
        ("POST", "/v1/chargers/CL-1042/swipe", b"{}", 422, "bad-token"),
        ("POST", "/v1/chargers/CL-1042/swipe", b'{"token": "123456789012345678901"}', 422, "bad-token"),
        ("PUT", "/v1/chargers/CL-1042/faults/gremlins", b"{}", 422, "unknown-fault"),
        ("DELETE", "/v1/chargers/CL-1042/faults/gremlins", None, 422, "unknown-fault"),
        ("PUT", "/v1/chargers/CL-1042/faults/offline", b'{"seconds": "long"}', 422, "bad-fault"),
        ("PUT", "/v1/chargers/CL-1042/faults/faulted", b'{"connector": 4}', 422, "bad-fault"),
        ("PUT", "/v1/sites/nowhere/faults/offline", b"{}", 404, "unknown-site"),
        ("GET", "/v1/events?charger=CL-0", None, 404, "unknown-charger"),
        ("GET", "/v1/events?after=-1", None, 422, "bad-request"),
        ("GET", "/v1/events?limit=99999", None, 422, "bad-request"),
        ("GET", "/v1/events?type=gossip", None, 422, "bad-request"),
        ("POST", "/v1/scenarios", b'{"name": "drought"}', 404, "unknown-scenario"),
        ("POST", "/v1/scenarios", b"{}", 422, "bad-request"),
        ("POST", "/v1/scenarios", b'{"yaml": "help: ["}', 422, "bad-scenario"),
        ("POST", "/v1/reset?charger=CL-0", None, 404, "unknown-charger"),
        ("GET", "/v1/nothing", None, 404, "not-found"),
        ("DELETE", "/v1/reset", None, 405, "method-not-allowed"),
    ],
)
async def test_what_cannot_be_done_is_said(
    http: httpx.AsyncClient, method: str, path: str, body: bytes | None, status: int, slug: str
) -> None:
    answer = await http.request(method, path, content=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:chargeline:{slug}")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_foreign_page_cannot_break_chargers(http: httpx.AsyncClient, world: World) -> None:
    refused = await http.put("/v1/chargers/CL-1042/faults/silent", headers={"Origin": "https://elsewhere.example"})
    assert refused.status_code == 403
    assert not world.chargers["CL-1042"].faults.has("silent")
    own = await http.put("/v1/chargers/CL-1042/faults/silent", headers={"Origin": str(http.base_url)})
    assert own.status_code == 200


async def test_the_page_comes_with_its_parts_and_from_nowhere_else(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert "simulated chargers" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for part in ("/page.css", "/page.js"):
        assert part in page.text
        answer = await http.get(part)
        assert answer.status_code == 200
        assert "://" not in answer.text
