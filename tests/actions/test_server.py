"""The action server over HTTP: bad calls get a problem, good ones events and responses, and nothing is cut short by the bridge."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sanic import Sanic

from actions.charging import BridgeClient
from actions.server import make_app
from actions.service import parts_of
from actions.store.sqlite import SqliteStore
from chargeline.clock import SystemClock
from chargeline.settings import Settings
from tests.actions.fake_bridge import FakeBridge

ROOT = Path(__file__).parents[2]
TEXTS = {"en": (ROOT / "domain/responses/en.yml").read_text("utf-8")}
SETTINGS = Settings(actions_key="front-door", operator_key="desk")


@pytest.fixture
async def http(
    chargers: BridgeClient, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(
        Sanic, "test_mode", True
    )  # several apps in one process: Sanic rewrites its methods at each start
    store = SqliteStore(tmp_path / "actions.sqlite3")
    parts = parts_of(SETTINGS, chargers, store, SystemClock(), TEXTS)
    app = make_app(parts, chargers, name=f"actions-{id(request)}")
    listening = socket.create_server(("127.0.0.1", 0))
    server = await app.create_server(sock=listening, return_asyncio_server=True)
    assert server is not None
    await server.startup()
    await server.before_start()
    port = listening.getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    server.close()
    await server.after_stop()


def call(action: str, **tracker: Any) -> dict[str, Any]:
    state: dict[str, Any] = {
        "sender_id": "sms_a",
        "slots": {},
        "latest_message": {
            "text": "hi",
            "intent": {"name": "greet"},
            "entities": [],
            "metadata": {"message_id": "in_1"},
        },
        "events": [],
        "paused": False,
        "followup_action": None,
        "active_loop": {},
        "latest_action_name": None,
        **tracker,
    }
    return {"next_action": action, "sender_id": "sms_a", "tracker": state, "version": "3.6.21"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"next_action": 7}', b'{"next_action": "action_look"}'])
async def test_a_call_that_is_none_is_a_problem_and_no_rejection(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post("/webhook", content=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_is_not_compressed_as_it_says_is_a_problem(http: httpx.AsyncClient) -> None:
    answer = await http.post("/webhook", content=b"xx", headers={"content-encoding": "deflate"})
    assert answer.status_code == 422


async def test_an_unknown_action_is_named(http: httpx.AsyncClient) -> None:
    answer = await http.post("/webhook", json=call("action_nothing"))
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:chargeline:unknown-action")


async def test_health_and_readiness_tell_whether_the_bridge_answers(
    http: httpx.AsyncClient, chargers: BridgeClient
) -> None:
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 200
    chargers._http.base_url = httpx.URL("http://127.0.0.1:9")
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 503


async def test_an_action_without_its_slots_does_nothing(http: httpx.AsyncClient, bridge: FakeBridge) -> None:
    for action in ("action_look", "action_go_on"):
        answer = (await http.post("/webhook", json=call(action))).json()
        assert (answer["events"], answer["responses"]) == ([], [])
    assert bridge.commands == {}


async def test_a_message_without_metadata_is_served_as_a_guests(http: httpx.AsyncClient, bridge: FakeBridge) -> None:
    bare = {"text": "x", "intent": {"name": "affirm"}, "entities": [], "message_id": "abc"}
    slots = {"next_step": "go_on:say_starting", "charger_id": "CL-1042", "connector": 1}
    answer = await http.post("/webhook", json=call("action_go_on", latest_message=bare, slots=slots))
    assert answer.json()["responses"][0]["response"] == "say_charging"
    [body] = bridge.bodies.values()
    assert (body["actor"]["driver"], body["actor"]["tier"]) == ("guest:sms_a", 0)
    assert body["idempotency_key"] == "in_abc:start:1"


async def test_a_broken_bridge_is_told_as_such_and_the_turn_goes_on(
    http: httpx.AsyncClient, bridge: FakeBridge
) -> None:
    del bridge.chargers["CL-1042"]["connectors"]
    answer = await http.post("/webhook", json=call("action_look", slots={"next_step": "look", "charger_id": "CL-1042"}))
    assert answer.status_code == 200
    assert answer.json()["responses"][0]["response"] == "say_bridge_away"


async def test_a_new_session_keeps_only_what_is_listed(http: httpx.AsyncClient) -> None:
    slots = {"charger_id": "CL-1042", "hint_seen": "CL-1042", "connector": 1, "problem": "session_not_starting"}
    events = (await http.post("/webhook", json=call("action_session_start", slots=slots))).json()["events"]
    assert events[0]["event"] == "session_started"
    assert {event["name"]: event["value"] for event in events if event["event"] == "slot"} == {
        "hint_seen": "CL-1042",
        "requested_slot": None,
    }
    assert (events[-1]["event"], events[-1]["name"]) == ("action", "action_listen")
