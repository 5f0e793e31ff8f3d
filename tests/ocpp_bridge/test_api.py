"""The HTTP API over real HTTP: keys, searches, bad input, the document that describes it, the promised events."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest

from ocpp_bridge.watches import retry_delay_s
from tests.ocpp_bridge.conftest import NETWORK, Running, listener, url_of
from tests.ocpp_bridge.test_store_contract import command, session

START = {"action": "start", "connector": 1, "token": "TAGADA", "actor": {"tier": 1}, "idempotency_key": "k"}


async def test_keys_open_what_their_scope_says(running: Running) -> None:
    async with httpx.AsyncClient(base_url=str(running.api.base_url)) as nobody:
        assert (await nobody.get("/v1/chargers")).status_code == 401
        wrong = {"Authorization": "Bearer wrong"}
        assert (await nobody.get("/v1/chargers", headers=wrong)).status_code == 401
        read = {"Authorization": "Bearer key-read"}
        assert (await nobody.get("/v1/chargers", headers=read)).status_code == 200
        response = await nobody.get("/v1/tokens?driver=drv-ada", headers=read)
        assert (response.status_code, response.headers["content-type"]) == (403, "application/problem+json")
    assert (await running.api.post("/v1/import", json=NETWORK)).status_code == 403
    imported = await running.operator.post("/v1/import", json=NETWORK)
    assert imported.json() == {"imported": {"sites": 1, "chargers": 3, "tokens": 4}}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("code=1042", ["CL-1042"]),
        ("code=cl 1O42", ["CL-1042"]),
        ("code=CL-lO42", ["CL-1042"]),
        ("code=42", ["CL-1042"]),
        ("code=9", ["CL 9"]),
        ("code=--", []),
        ("code=5555", []),
        ("plug=CCS1", ["CL-1042"]),
        ("near=45.43,-75.69&radius_km=5&limit=1", ["CL 9"]),
        ("near=0,0", []),
        ("available=true", []),
    ],
)
async def test_chargers_are_found_as_a_driver_would_name_them(running: Running, query: str, found: list[str]) -> None:
    response = await running.api.get(f"/v1/chargers?{query}")
    assert [charger["id"] for charger in response.json()["chargers"]] == found


async def test_what_each_charger_delivered_lately_is_told_where_it_is_asked_for(running: Running) -> None:
    store, now = running.bridge._store, datetime.now(UTC)
    flowed, idle = now - timedelta(hours=3), now - timedelta(hours=1)
    for number, (at, energy) in enumerate([(flowed, 5000.0), (idle, 20.0)]):
        ended: dict[str, Any] = {"state": "ended", "ended_at": at, "meter_stop_wh": energy}
        await store.add_session(session(number, charger="CL-1042", opened_at=at, started_at=at, **ended))
    failed: dict[str, Any] = {"charger": "CL-1042", "state": "not_verified"}
    for number, (hours, changes) in enumerate([(4, {}), (2, {}), (1, {"action": "stop"}), (30, {})]):
        await store.add_command(command(number, **{**failed, "created_at": now - timedelta(hours=hours), **changes}))
    found = (await running.api.get("/v1/chargers?lately=true")).json()["chargers"]
    lately = {row["id"]: row["lately"] for row in found}
    assert datetime.fromisoformat(lately["CL-1042"]["delivered_at"]) == flowed
    assert lately["CL-1042"]["failures"] == 1
    assert lately["CL 9"] == {"delivered_at": None, "failures": 0}
    assert "lately" not in (await running.api.get("/v1/chargers")).json()["chargers"][0]


@pytest.mark.parametrize("query", ["near=here", "near=91,0", "limit=0", "limit=x", "available=maybe", "radius_km=nan"])
async def test_bad_arguments_are_named(running: Running, query: str) -> None:
    response = await running.api.get(f"/v1/chargers?{query}")
    assert (response.status_code, response.json()["type"]) == (400, "urn:chargeline:bad-argument")


@pytest.mark.parametrize(
    ("change", "status", "slug"),
    [
        ({"action": "explode"}, 422, "bad-command"),
        ({"action": None}, 422, "bad-command"),
        ({"connector": "1"}, 422, "bad-command"),
        ({"connector": 0}, 422, "bad-command"),
        ({"token": ""}, 422, "bad-command"),
        ({"actor": "ada"}, 422, "bad-command"),
        ({"idempotency_key": None}, 422, "bad-command"),
        ({"wait_s": 900}, 400, "bad-argument"),
    ],
)
async def test_bad_commands_are_named(running: Running, change: dict[str, Any], status: int, slug: str) -> None:
    response = await running.api.post("/v1/chargers/CL-1042/commands", json={**START, **change})
    assert (response.status_code, response.json()["type"]) == (status, f"urn:chargeline:{slug}")


async def test_bodies_that_are_no_json_objects_are_named(running: Running) -> None:
    for body in (b"", b"{", b"[]", b"null", b"[" * 10_000):
        response = await running.api.post("/v1/chargers/CL-1042/commands", content=body)
        assert response.status_code == 400
    response = await running.api.post("/v1/chargers/CL-404/commands", json=START)
    assert (response.status_code, response.json()["type"]) == (404, "urn:chargeline:unknown-charger")
    assert (await running.api.get("/v1/commands/cmd_nope")).status_code == 404
    assert (await running.api.get("/v1/sessions/ses_nope")).status_code == 404
    assert (await running.api.get("/v1/nothing")).status_code == 404


async def test_a_charger_id_with_a_space_is_reached_by_its_encoded_path(running: Running) -> None:
    async with running.charger("CL%209") as charger:
        await charger.boot()
        assert (await running.api.get("/v1/chargers/CL%209")).json()["connection"]["state"] == "connected"


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"chargers": [{"label": "x"}]}, "document.chargers[0].id"),
        ({"chargers": [{"id": "a/b"}]}, "document.chargers[0].id"),
        ({"chargers": [{"id": "a", "connectors": [{"connector": 0}]}]}, "document.chargers[0].connectors[0].connector"),
        ({"sites": {}}, "document.sites"),
        ({"cars": []}, "document: one of"),
        ({"sites": [{"id": "s", "name": "S", "latitude": 100}]}, "document.sites[0].latitude"),
        ({"tokens": [{"id": "t", "driver": "d", "expires_at": "soon"}]}, "document.tokens[0].expires_at"),
    ],
)
async def test_an_import_with_a_fault_says_where_and_changes_nothing(
    running: Running, document: dict[str, Any], where: str
) -> None:
    response = await running.operator.post("/v1/import", json=document)
    assert (response.status_code, response.json()["type"]) == (422, "urn:chargeline:bad-import")
    assert response.json()["detail"].startswith(where)


async def test_what_a_charger_does_against_its_version_can_be_read_by_operators(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot()
        for _ in range(2):
            await charger.send("Authorize", idTag="TAGADA", connectorId=1)
    rows = (await running.operator.get("/v1/chargers/CL-1042/deviations")).json()["deviations"]
    [row] = [row for row in rows if row["action"] == "Authorize"]
    assert (row["kind"], row["detail"], row["count"]) == ("schema", "additionalProperties at connectorId", 2)
    assert (row["model"], row["firmware"]) == ("One", "1.0")
    assert (await running.api.get("/v1/chargers/CL-1042/deviations")).status_code == 403


async def test_one_id_token_is_found_by_its_id(running: Running) -> None:
    found = (await running.api.get("/v1/tokens/tagold")).json()
    assert (found["driver"], found["status"]) == ("drv-ada", "Expired")
    assert (await running.api.get("/v1/tokens/NOBODY")).status_code == 404


async def test_the_document_describes_every_route_and_what_they_answer(running: Running) -> None:
    document = (await running.api.get("/v1/openapi.json")).json()
    described = {
        (path, method.upper()) for path, row in document["paths"].items() for method in row if method != "parameters"
    }
    expected = {
        ("/healthz", "GET"),
        ("/readyz", "GET"),
        ("/metrics", "GET"),
        ("/v1/openapi.json", "GET"),
        ("/v1/chargers", "GET"),
        ("/v1/chargers/{charger_id}", "GET"),
        ("/v1/chargers/{charger_id}/deviations", "GET"),
        ("/v1/chargers/{charger_id}/diagnosis", "GET"),
        ("/v1/chargers/{charger_id}/variables", "GET"),
        ("/v1/authorizations", "GET"),
        ("/v1/chargers/{charger_id}/refresh", "POST"),
        ("/v1/chargers/{charger_id}/commands", "POST"),
        ("/v1/commands/{command_id}", "GET"),
        ("/v1/sessions", "GET"),
        ("/v1/sessions/{session_id}", "GET"),
        ("/v1/tokens", "GET"),
        ("/v1/tokens/{token_id}", "GET"),
        ("/v1/sites", "GET"),
        ("/v1/guest-tokens", "POST"),
        ("/v1/paid-tokens", "POST"),
        ("/v1/watches", "POST"),
        ("/v1/watches/{watch_id}", "GET"),
        ("/v1/watches/{watch_id}", "DELETE"),
        ("/v1/events", "GET"),
        ("/v1/import", "POST"),
        ("/v1/chargers/{charger_id}/credentials", "POST"),
        ("/v1/pending-chargers", "GET"),
        ("/v1/pending-chargers/{charger_id}", "DELETE"),
        ("/v1/pending-chargers/{charger_id}/accept", "POST"),
    }
    assert described == expected
    assert running.bridge._api is not None
    routes = running.bridge._api.app.router.routes
    served = {(re.sub(r"<(\w+):\w+>", r"{\1}", route.uri), verb) for route in routes for verb in route.methods}
    assert {row for row in served if row[1] not in {"HEAD", "OPTIONS"}} == expected
    async with running.charger() as charger:
        await charger.boot("Faulted")
        await charger.start("TAGADA")
        shown = (await running.api.get("/v1/chargers/CL-1042")).json()
        refused = await running.start()
    for name, value in (("Charger", shown), ("Command", refused)):
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema_rs.Draft202012Validator(schema).validate(value)


async def test_metrics_count_what_happened(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot()
        text = (await running.api.get("/metrics")).text
    assert "bridge_chargers_connected 1.0" in text
    assert 'bridge_charger_calls_total{action="BootNotification",result="ok"} 1.0' in text


async def test_refresh_asks_for_one_connector_then_for_all(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        fresh = await quick.api.post("/v1/chargers/CL-1042/refresh", json={"connector": 1, "max_age_s": 60})
        assert fresh.json()["connectors"][0]["status_source"] == "pushed"
        await charger.no_request(0.05)
        body = {"connector": 1, "max_age_s": 0}
        asked = asyncio.create_task(quick.api.post("/v1/chargers/CL-1042/refresh", json=body))
        first = await charger.expect_request("TriggerMessage", {"status": "Accepted"})  # and then silence
        assert first == {"requestedMessage": "StatusNotification", "connectorId": 1}
        second = await charger.expect_request("TriggerMessage", {"status": "Accepted"})
        assert second == {"requestedMessage": "StatusNotification"}
        await charger.status("Finishing")
        connector = (await asked).json()["connectors"][0]
    assert (connector["status"], connector["status_source"]) == ("Finishing", "triggered")


class FrontDoor:
    """Takes posts like the front door; answers 500 as often as it is told first."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.posts: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.socket = listener()
        self.url = url_of(self.socket, "http")

    async def __aenter__(self) -> FrontDoor:
        self._server = await asyncio.start_server(self._serve, sock=self.socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.posts.put_nowait((headers, body))
        status = "500 Oh" if self.failures > 0 else "200 OK"
        self.failures -= 1
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()


async def test_a_watch_is_told_signed_and_again_until_it_is_acknowledged(launch: Any) -> None:
    async with FrontDoor(failures=1) as door:
        running: Running = await launch(bot_url=door.url)
        done = await running.start()  # ends at once: the charger is not connected
        body = {"command": done["id"], "data": {"conversation": "sms_1"}, "idempotency_key": "w"}
        first, again = [await running.api.post("/v1/watches", json=body) for _ in range(2)]
        assert first.status_code == 201
        assert first.json() == again.json()
        posts = [await asyncio.wait_for(door.posts.get(), 5) for _ in range(2)]
    events = [orjson.loads(post[1]) for post in posts]
    assert events[0]["id"] == events[1]["id"]
    assert events[0]["type"] == "command.finished"
    assert events[0]["watch"] == first.json()["id"]
    assert events[0]["data"] == {"conversation": "sms_1"}
    assert events[0]["command"]["outcome"] == "disconnected"
    headers, raw = posts[1]
    stamp, given = (part.split("=")[1] for part in headers["chargeline-signature"].split(","))
    assert given == hmac.new(b"secret", f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()


async def test_a_promise_outlives_the_bridge_that_gave_it(launch: Any) -> None:
    first: Running = await launch()  # its front door cannot be reached
    done = await first.start()
    watch = (await first.api.post("/v1/watches", json={"command": done["id"], "data": {"n": 1}})).json()["id"]
    await first.bridge.stop()
    async with FrontDoor(failures=0) as door:
        await launch(bot_url=door.url)
        _, body = await asyncio.wait_for(door.posts.get(), 5)
    assert orjson.loads(body)["watch"] == watch


async def test_watches_need_a_command_and_little_data(running: Running) -> None:
    response = await running.api.post("/v1/watches", json={"command": "cmd_nope"})
    assert (response.status_code, response.json()["type"]) == (404, "urn:chargeline:unknown-command")
    done = await running.start()
    response = await running.api.post("/v1/watches", json={"command": done["id"], "data": {"x": "y" * 3000}})
    assert (response.status_code, response.json()["type"]) == (422, "urn:chargeline:bad-watch")


def test_the_back_off_doubles_up_to_ten_minutes() -> None:
    assert [retry_delay_s(n) for n in (0, 1, 2, 9, 10, 99)] == [1, 2, 4, 512, 600, 600]
