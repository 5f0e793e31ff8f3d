"""Chargers that talk nonsense, lie about time, flood or vanish: an answer or a close code each time, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from chargeline.clock import SystemClock
from chargeline.settings import Settings
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.importing import parse, store_network
from ocpp_bridge.store.sqlite import SqliteStore
from ocpp_bridge.versions.v16 import V16
from tests.ocpp_bridge.conftest import NETWORK, QUICK, Running, listener, url_of
from tests.ocpp_bridge.scripted import ScriptedCharger

T = TypeVar("T")
CLOSE_CODES = {1002, 1003, 1007, 1008, 1009}
ACTIONS = sorted(V16().actions)
FIELDS = (
    "connectorId",
    "status",
    "errorCode",
    "idTag",
    "meterStart",
    "meterStop",
    "timestamp",
    "transactionId",
    "meterValue",
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
payloads = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), json_values, max_size=6)
calls = st.tuples(
    st.just(2), st.text(min_size=1, max_size=40), st.sampled_from(ACTIONS) | st.text(max_size=20), payloads
)
frames = st.one_of(
    calls.map(list),
    st.lists(json_values, max_size=6),
    json_values,
    st.tuples(st.sampled_from([3, 4, 5, 6]), st.text(max_size=10), json_values).map(list),
).map(json.dumps) | st.text(max_size=60)


class BackgroundBridge:
    """A bridge in a loop of its own thread, so that a generated example costs a connection and not a bridge."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        configured = replace(Settings(), var_dir=str(folder), bridge_webhook_secret="s", bot_url="http://127.0.0.1:9")
        self._folder, self._settings = folder, configured
        self.run(self._start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> None:
        store = SqliteStore(self._folder / "bridge.sqlite3")
        self.bridge = Bridge(self._settings, store, SystemClock(), QUICK)
        socket = listener()
        await self.bridge.start(socket, listener())
        await store_network(parse(NETWORK), store, self.bridge.picture)
        self.url = url_of(socket, "ws")
        self.neighbour = await ScriptedCharger(f"{self.url}/ocpp/CL%209").__aenter__()

    def end(self) -> None:
        self.run(self.neighbour.__aexit__(None, None, None))
        self.run(self.bridge.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackgroundBridge]:
    found = BackgroundBridge(tmp_path_factory.mktemp("hostile"))
    yield found
    found.end()


def id_of_call(text: str) -> str | None:
    """The message id of a frame that is a call by its shape and must therefore be answered under it."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    shaped = isinstance(frame, list) and len(frame) == 4 and type(frame[0]) is int and frame[0] == 2
    return frame[1] if shaped and isinstance(frame[1], str) else None


async def ordeal(background: BackgroundBridge, sent: list[str], version: str = "ocpp1.6") -> None:
    """Sends the frames, then a heartbeat: every call is answered, or the connection was closed for a reason."""
    async with connect(f"{background.url}/ocpp/CL-1042", subprotocols=[version]) as socket:  # type: ignore[list-item]  # plain names do
        answered: list[str] = []
        lost: ConnectionClosed | None = None
        try:
            for text in sent:
                await socket.send(text)
            await socket.send('[2,"the-last","Heartbeat",{}]')
            while "the-last" not in answered:
                frame = json.loads(await asyncio.wait_for(socket.recv(), 10))
                if frame[0] in (3, 4):
                    answered.append(frame[1])
        except ConnectionClosed as closed:
            lost = closed
        if lost is not None:
            assert lost.rcvd is not None, "the connection was lost without a word"
            assert lost.rcvd.code in CLOSE_CODES
        else:
            assert {message_id for text in sent if (message_id := id_of_call(text))} <= set(answered)
    assert "currentTime" in await background.neighbour.send("Heartbeat")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=st.lists(frames, max_size=12))
def test_whatever_is_sent_is_answered_or_closed_and_the_neighbour_does_not_notice(
    background: BackgroundBridge, sent: list[str]
) -> None:
    background.run(ordeal(background, sent))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=st.lists(calls.map(list).map(json.dumps), max_size=12))
def test_calls_with_any_payload_are_answered(background: BackgroundBridge, sent: list[str]) -> None:
    background.run(ordeal(background, sent))


FIELDS_2 = (
    *(
        "evseId",
        "connectorId",
        "connectorStatus",
        "timestamp",
        "eventType",
        "triggerReason",
        "seqNo",
        "transactionInfo",
    ),
    *("idToken", "evse", "meterValue", "eventData", "requestId", "reportData", "tbc", "reason", "chargingStation"),
)
ACTIONS_2 = ("TransactionEvent", "StatusNotification", "MeterValues", "NotifyEvent", "NotifyReport", "Authorize")
NAMES_2 = (
    *(
        "id",
        "connectorId",
        "transactionId",
        "chargingState",
        "idToken",
        "component",
        "variable",
        "name",
        "evse",
        "unit",
    ),
    *("sampledValue", "value", "measurand", "unitOfMeasure", "multiplier", "actualValue", "variableAttribute"),
)
inner_2 = st.dictionaries(
    st.sampled_from(NAMES_2),
    json_values
    | st.sampled_from(("AvailabilityState", "Connector", "Charging", "Power.Active.Import", "W"))
    | st.dictionaries(st.sampled_from(("unit", "multiplier", "name", "id")), json_values, max_size=3),
    max_size=6,
)
payloads_2 = st.dictionaries(
    st.sampled_from(FIELDS_2),
    json_values
    | inner_2
    | st.lists(inner_2, max_size=3)
    | st.lists(st.dictionaries(st.just("sampledValue"), st.lists(inner_2, max_size=3)), max_size=2)
    | st.sampled_from(("Started", "Updated", "Ended", "Occupied", 0, 1)),
    max_size=9,
)
calls_2 = st.tuples(st.just(2), st.text(min_size=1, max_size=36), st.sampled_from(ACTIONS_2), payloads_2)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=st.lists(calls_2.map(list).map(json.dumps), max_size=12), version=st.sampled_from(("ocpp2.0.1", "ocpp2.1")))
def test_calls_of_ocpp_2_with_any_payload_are_answered(
    background: BackgroundBridge, sent: list[str], version: str
) -> None:
    background.run(ordeal(background, sent, version))


ODD_2: list[tuple[str, dict[str, Any]]] = [
    ("MeterValues", {"evseId": 1, "meterValue": [{"sampledValue": [{"value": 1, "unitOfMeasure": {"unit": []}}]}]}),
    ("MeterValues", {"evseId": 1, "meterValue": [{"sampledValue": [{"value": 1, "measurand": {}}]}]}),
    ("NotifyEvent", {"eventData": [{"variable": {"name": "AvailabilityState"}, "actualValue": {}, "component": []}]}),
    ("NotifyEvent", {"eventData": {"x": 1}}),
    (
        "NotifyReport",
        {"requestId": 1, "seqNo": 0, "reportData": [{"component": {"name": "C"}, "variable": {"name": []}}]},
    ),
    ("Authorize", {"idToken": {"idToken": {}}}),
    ("StatusNotification", {"evseId": True, "connectorStatus": "Occupied", "connectorId": []}),
    ("TransactionEvent", {"eventType": [], "seqNo": {}, "transactionInfo": {"transactionId": []}}),
    ("BootNotification", {"reason": [], "chargingStation": {"vendorName": {}, "model": 7}}),
]


@pytest.mark.parametrize(("action", "payload"), ODD_2)
def test_odd_values_inside_of_ocpp_2_payloads_are_answered(
    background: BackgroundBridge, action: str, payload: dict[str, Any]
) -> None:
    background.run(ordeal(background, [json.dumps([2, "odd", action, payload])], "ocpp2.0.1"))


def test_no_frame_of_those_made_the_bridge_fail(background: BackgroundBridge) -> None:
    """Runs after those above: a handler that raised was answered as InternalError, which is a defect all the same."""
    text = background.bridge.metrics.text().decode()
    assert 'result="InternalError"' not in text


@pytest.mark.parametrize(
    "stamp",
    ["", "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "1970-01-01T00:00:00", "٢٠٢٦", None, 5],
)
async def test_a_clock_that_talks_nonsense_costs_no_transaction(running: Running, stamp: Any) -> None:
    async with running.charger() as charger:
        await charger.boot("Preparing")
        begun = await charger.start("TAGADA", at=stamp)
        assert begun["idTagInfo"]["status"] == "Accepted"
        row = {"transactionId": begun["transactionId"], "meterStop": 1500, "timestamp": stamp}
        await charger.send("StopTransaction", **row)
    [session] = (await running.api.get("/v1/sessions?charger=CL-1042")).json()["sessions"]
    assert (session["state"], session["energy_wh"]) == ("ended", 500)
    assert session["started_at"][:4] == session["ended_at"][:4] != "0001"


async def test_a_reused_message_id_is_handled_once_while_under_way(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot()
        row = {"connectorId": 1, "idTag": "TAGADA", "meterStart": 0, "timestamp": "2026-01-01T12:00:00Z"}
        for _ in range(5):
            await charger.raw([2, "same", "StartTransaction", row])
        kinds = [(await asyncio.wait_for(charger.stray.get(), 5))[0] for _ in range(5)]
        assert 3 in kinds
    assert len((await running.api.get("/v1/sessions?charger=CL-1042")).json()["sessions"]) == 1


async def test_a_flood_that_never_reads_its_answers_is_held_back(running: Running) -> None:
    """The socket's buffers fill up, then the bridge stops reading: what one charger can make it hold is bounded."""
    async with running.charger("CL%209") as neighbour:
        reader, writer = await asyncio.open_connection(*running.ws_url.removeprefix("ws://").split(":"))
        writer.write(
            b"GET /ocpp/CL-1042 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        )
        assert b"101" in (await reader.readuntil(b"\r\n\r\n"))[:20]
        text = b'[2,"%d","NoSuchAction%s",{}]'
        sent = 0
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(3):
                for number in range(60_000):
                    frame = text % (number, b"x" * 60)
                    head = bytes([0x81, 0x80 | len(frame), 0, 0, 0, 0])
                    writer.write(head + frame)
                    await writer.drain()
                    sent += 1
        connection = running.bridge.chargers.connection("CL-1042")
        if connection is not None:  # it may have been closed for it, which is as good
            assert len(connection._inbound) <= 32
        assert "currentTime" in await neighbour.send("Heartbeat")
        writer.transport.abort()


async def test_a_thousand_that_vanish_at_once_are_noticed_and_disturb_no_one(running: Running) -> None:
    names = [f"V-{number:04d}" for number in range(1000)]
    document = {"sites": [], "chargers": [{"id": name, "site": "site-1"} for name in names]}
    assert (await running.operator.post("/v1/import", json=document)).status_code == 200
    slots = asyncio.Semaphore(50)

    async def one(name: str) -> Any:
        async with slots:
            return await connect(f"{running.ws_url}/ocpp/{name}", subprotocols=["ocpp1.6"], compression=None)  # type: ignore[list-item]  # plain names do

    async with running.charger() as neighbour:
        await neighbour.boot()
        sockets = await asyncio.gather(*(one(name) for name in names))
        assert running.bridge.picture.connected() == 1001
        for socket in sockets:
            socket.transport.abort()
        assert "currentTime" in await neighbour.send("Heartbeat")
        for _ in range(200):
            if running.bridge.picture.connected() == 1:
                break
            await asyncio.sleep(0.05)
        assert running.bridge.picture.connected() == 1
        assert "currentTime" in await neighbour.send("Heartbeat")
