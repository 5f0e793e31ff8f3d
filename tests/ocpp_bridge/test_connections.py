"""Who gets in, under which subprotocol, and what a connection survives."""

from __future__ import annotations

import asyncio
import base64
import json
import socket as sockets
import struct
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ocpp_bridge.server.handshake import identity_of
from ocpp_bridge.server.passwords import basic_credentials, hashed, matches
from ocpp_bridge.server.websocket import BACKLOG
from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.scripted import PATIENCE_S, ScriptedCharger

_LIMIT = Path("/proc/sys/net/core/somaxconn")
SOMAXCONN = int(_LIMIT.read_text(encoding="ascii")) if _LIMIT.exists() else 0


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/ocpp/CL-1042", "CL-1042"),
        ("/CL-1042", "CL-1042"),
        ("/ocpp/CL%209?x=1", "CL 9"),
        ("/ocpp/%C3%A9", "é"),
        ("/ocpp/", None),
        ("/", None),
        ("/other/CL-1", None),
        ("/a/b/c", None),
        ("/ocpp/a%2Fb", None),
        ("/ocpp/a%3Ab", None),
        ("/ocpp/%00", None),
        ("/ocpp/%FF", None),
        ("/ocpp/" + "x" * 49, None),
    ],
)
def test_the_identity_is_the_last_segment_decoded(path: str, identity: str | None) -> None:
    assert identity_of(path) == identity


def test_passwords_are_kept_as_salted_hashes() -> None:
    stored = hashed("0123456789abcdef")
    assert "0123456789abcdef" not in stored
    assert stored != hashed("0123456789abcdef")
    assert matches("0123456789abcdef", stored)
    assert not matches("0123456789abcdeF", stored)
    for broken in ("", "sha256$zz$00", "md5$00$00", "sha256$00$"):
        assert not matches("x", broken)


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic !!!", "Bearer abc", "Basic " + "YWJj", "Basic /w=="])
def test_unreadable_credentials_are_none(header: str | None) -> None:
    assert basic_credentials(header) is None


async def status_of(url: str, headers: dict[str, str] | None = None) -> int:
    try:
        async with connect(url, subprotocols=["ocpp1.6"], additional_headers=headers or {}):  # type: ignore[list-item]  # plain names do
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_unknown_chargers_get_404_and_wrong_passwords_401(running: Running) -> None:
    assert await status_of(f"{running.ws_url}/ocpp/CL-404") == 404
    assert await status_of(f"{running.ws_url}/ocpp/") == 404
    locked = f"{running.ws_url}/ocpp/CL-LOCK"
    assert await status_of(locked) == 401
    assert await status_of(locked, basic("CL-LOCK", "wrong")) == 401
    assert await status_of(locked, basic("CL-1042", "0123456789abcdef")) == 401
    assert await status_of(locked, basic("CL-LOCK", "0123456789abcdef")) == 101


async def test_the_subprotocol_is_the_chargers_first_that_is_spoken(running: Running) -> None:
    async with running.charger(subprotocols=["ocpp9.9", "ocpp1.6", "ocpp1.5"]) as charger:
        assert charger.socket.subprotocol == "ocpp1.6"
        await charger.boot()


async def test_no_subprotocol_means_1_6(running: Running) -> None:
    async with running.charger(subprotocols=[]) as charger:
        assert charger.socket.subprotocol is None
        await charger.boot()
    assert (await running.api.get("/v1/chargers/CL-1042")).json()["protocol"] == "ocpp1.6"


async def test_no_common_subprotocol_completes_the_handshake_without_one_and_closes(running: Running) -> None:
    async with connect(f"{running.ws_url}/ocpp/CL-1042", subprotocols=["ocpp9.9"]) as socket:  # type: ignore[list-item]  # plain names do
        assert socket.subprotocol is None
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), PATIENCE_S)
        assert socket.close_code == 1002


async def test_compression_is_agreed_on_where_it_is_offered(running: Running) -> None:
    async with running.charger(compression="deflate") as charger:
        assert [extension.name for extension in charger.socket.protocol.extensions] == ["permessage-deflate"]
        await charger.boot()


async def test_the_newest_connection_wins_and_the_old_ones_end_takes_nothing_away(quick: Running) -> None:
    async with quick.charger() as old:
        await old.boot()
        command = asyncio.create_task(quick.start())
        await old.take("RemoteStartTransaction")
        async with quick.charger() as new:
            assert (await command)["outcome"] == "disconnected"  # at once, not after the call's time-out
            await asyncio.wait_for(old.socket.wait_closed(), PATIENCE_S)
            assert old.socket.close_code == 4001
            assert (await quick.api.get("/v1/chargers/CL-1042")).json()["connection"]["state"] == "connected"
            await new.status("Finishing")
            assert (await quick.connector())["status"] == "Finishing"
    for _ in range(100):
        if (await quick.api.get("/v1/chargers/CL-1042")).json()["connection"]["state"] == "disconnected":
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("still shown as connected")


async def test_a_flapping_charger_disturbs_nobody(running: Running) -> None:
    async with running.charger("CL%209") as neighbour:
        await neighbour.boot()
        for _ in range(30):
            socket = await connect(f"{running.ws_url}/ocpp/CL-1042", subprotocols=["ocpp1.6"])  # type: ignore[list-item]  # plain names do
            socket.transport.abort()
        assert "currentTime" in await neighbour.send("Heartbeat")
        async with running.charger() as charger:
            await charger.boot()


@pytest.mark.skipif(not SOMAXCONN, reason="only Linux tells how long the queue of a socket is")
async def test_a_whole_network_may_knock_in_the_same_moment(running: Running) -> None:
    """What does not fit into the queue of new connections is dropped, and tried again by the charger seconds later."""
    [server] = running.bridge.chargers._servers
    [listening] = server.sockets
    told = listening.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, 32)
    assert struct.unpack_from("I", told, 28)[0] == min(BACKLOG, SOMAXCONN)


HOSTILE: list[tuple[Any, str]] = [
    ("garbage", "FormationViolation"),
    ("[" * 100_000, "FormationViolation"),
    ([2, "x", ["Boot"], {}], "FormationViolation"),
    ([2, "x", "Heartbeat", []], "FormationViolation"),
    ([2, "x" * 37, "Heartbeat", {}], "FormationViolation"),
    ([2, "x", "Frobnicate", {}], "NotImplemented"),
    ([2, "x", "Authorize", {"idTag": {"a": 1}}], "TypeConstraintViolation"),
    ([2, "x", "Authorize", {}], "ProtocolError"),
]


@pytest.mark.parametrize(("frame", "code"), HOSTILE)
async def test_hostile_frames_get_a_callerror_and_the_session_lives(running: Running, frame: Any, code: str) -> None:
    async with running.charger() as charger:
        await charger.raw(frame)
        answer = await asyncio.wait_for(charger.stray.get(), PATIENCE_S)
        assert (answer[0], answer[2]) == (4, code)
        await charger.boot()


async def closed_with(charger: ScriptedCharger) -> int | None:
    await asyncio.wait_for(charger.socket.wait_closed(), PATIENCE_S)
    return charger.socket.close_code


async def test_binary_and_over_long_frames_close_the_connection(running: Running) -> None:
    async with running.charger() as charger:
        await charger.raw(b"[2]")
        assert await closed_with(charger) == 1003
    async with running.charger() as charger:
        await charger.raw([2, "x", "DataTransfer", {"vendorId": "v", "data": "y" * 1024 * 1024}])
        assert await closed_with(charger) == 1009


async def test_a_flood_of_one_charger_is_bounded_and_the_others_do_not_notice(running: Running) -> None:
    async with running.charger("CL%209") as neighbour, running.charger() as flood:
        frame = json.dumps([2, "same", "Heartbeat", {}])
        for _ in range(2000):
            await flood.raw(frame)
        assert "currentTime" in await neighbour.send("Heartbeat")


async def test_answers_to_nothing_are_ignored(running: Running) -> None:
    async with running.charger() as charger:
        await charger.raw([3, "never-asked", {}])
        await charger.raw([4, "never-asked", "GenericError", "", {}])
        await charger.raw([9, "x", {}])
        await charger.boot()
