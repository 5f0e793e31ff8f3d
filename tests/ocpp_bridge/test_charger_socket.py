"""Messages handed over as they come: fragments, slices, back-pressure, text that is none; and work that begins at once."""

from __future__ import annotations

import asyncio
import json
import os
import socket as sockets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from ocpp_bridge.server.charger_socket import ChargerSocket, text_head, whole_text
from ocpp_bridge.server.eager import begin
from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.scripted import PATIENCE_S


def url(running: Running) -> str:
    return f"{running.ws_url}/ocpp/CL-1042"


async def opened(running: Running, **options: Any) -> Any:
    return await connect(url(running), subprotocols=["ocpp1.6"], **options)  # type: ignore[list-item]  # plain names do


async def test_a_message_in_fragments_is_one_call(running: Running) -> None:
    async with await opened(running) as charger:
        await charger.send(iter(['[2,"a",', '"Heart', 'beat",{}]']))
        assert json.loads(await charger.recv())[:2] == [3, "a"]


async def test_a_backlog_sent_at_once_is_answered_in_order_and_a_neighbour_has_its_turns(running: Running) -> None:
    async with running.charger("CL%209") as neighbour, await opened(running) as charger:
        for number in range(400):  # many slices: they wait for one another, nothing is refused
            charger.protocol.send_text(b'[2,"%d","Heartbeat",{}]' % number)
        charger.send_data()
        assert "currentTime" in await neighbour.send("Heartbeat")
        answers = [json.loads(await asyncio.wait_for(charger.recv(), PATIENCE_S)) for _ in range(400)]
        assert [answer[:2] for answer in answers] == [[3, str(number)] for number in range(400)]


async def test_a_call_behind_one_that_waits_for_the_store_keeps_its_place(running: Running) -> None:
    async with await opened(running) as charger:
        row = {"connectorId": 1, "idTag": "TAGADA", "meterStart": 0, "timestamp": "2026-01-01T12:00:00Z"}
        for frame in ([2, "first", "StartTransaction", row], [2, "second", "Heartbeat", {}]):
            charger.protocol.send_text(json.dumps(frame).encode())
        charger.send_data()
        assert [json.loads(await charger.recv())[1] for _ in range(2)] == ["first", "second"]


async def test_what_a_charger_said_before_it_vanished_still_counts(running: Running) -> None:
    async with await opened(running) as charger:
        row = {"connectorId": 1, "idTag": "TAGADA", "meterStart": 0, "timestamp": "2026-01-01T12:00:00Z"}
        for number in range(200):
            charger.protocol.send_text(b'[2,"h%d","Heartbeat",{}]' % number)
        charger.protocol.send_text(json.dumps([2, "tx", "StartTransaction", row]).encode())
        charger.transport.write(b"".join(charger.protocol.data_to_send()))
        charger.transport.close()  # sends what is in its buffers, hears nothing
    for _ in range(100):
        if (await running.api.get("/v1/sessions?charger=CL-1042")).json()["sessions"]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the transaction was lost")


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536, 200_000])
def test_the_head_of_a_text_frame_is_as_the_library_writes_it(length: int) -> None:
    data = b"x" * length
    frame = Frame(Opcode.TEXT, data).serialize(mask=False)
    assert text_head(length) + data == bytes(frame)


class Nowhere(asyncio.Transport):
    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False


async def listened_to() -> tuple[ChargerSocket, list[str | bytes]]:
    """A socket whose handshake is over, and what it hands over."""
    found = ChargerSocket(ServerProtocol(max_size=None), None)  # type: ignore[arg-type]  # nothing here asks its server
    found.transport = Nowhere()
    found.data_received(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert found.request is not None
    found.protocol.send_response(found.protocol.accept(found.request))
    heard: list[str | bytes] = []
    found.listen(heard.append, lambda: None)
    return found, heard


def on_the_wire(*parts: tuple[Opcode, bytes, bool]) -> bytes:
    return b"".join(Frame(opcode, data, fin).serialize(mask=True) for opcode, data, fin in parts)


WORDS = st.text(max_size=20) | st.integers(100, 400).map(lambda length: "x" * length)
FRAMES = (
    WORDS.map(lambda text: (on_the_wire((Opcode.TEXT, text.encode(), True)), text))
    | WORDS.map(
        lambda text: (on_the_wire((Opcode.TEXT, text.encode(), False), (Opcode.CONT, b"end", True)), text + "end")
    )
    | st.binary(max_size=9).map(lambda data: (on_the_wire((Opcode.BINARY, data, True)), data))
    | st.just((on_the_wire((Opcode.PING, b"ping", True)), None))
)


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(1, 40), max_size=12))
async def test_messages_are_the_same_however_the_wire_cuts_them(
    frames: list[tuple[bytes, str | bytes | None]], cuts: list[int]
) -> None:
    """A whole frame in a packet of its own is read by a shorter way than the library's: the two must not meet halfway."""
    socket, heard = await listened_to()
    expected = [message for _, message in frames if message is not None]
    for data, _ in frames:  # each in a packet of its own
        socket.data_received(data)
    assert heard == expected
    rest = b"".join(data for data, _ in frames)
    for cut in cuts:  # then the same, cut anywhere
        if rest:
            socket.data_received(rest[:cut])
            rest = rest[cut:]
    if rest:
        socket.data_received(rest)
    assert heard == expected * 2
    last = on_the_wire((Opcode.TEXT, b"last", True))
    assert whole_text(last) == b"last"
    socket.data_received(last)
    assert heard[-1] == "last"


async def test_the_middle_of_a_message_that_looks_like_a_frame_is_no_frame() -> None:
    socket, heard = await listened_to()
    inner = on_the_wire((Opcode.TEXT, b'[2,"a","Heartbeat",{}]', True))
    socket.data_received(bytes([0x82, 0x80 | len(inner), 0, 0, 0, 0]))  # the head of a binary frame, masked with zeros
    socket.data_received(inner)
    assert heard == [inner]
    socket.data_received(on_the_wire((Opcode.TEXT, b"a", False)))
    socket.data_received(inner)  # not the continuation that is due: the library ends the connection
    assert heard == [inner]
    assert socket.protocol.close_sent is not None
    assert socket.protocol.close_sent.code == 1002


def test_what_is_not_one_whole_masked_text_frame_is_left_to_the_library() -> None:
    text = Frame(Opcode.TEXT, b"x" * 300)
    whole = bytes(text.serialize(mask=True))
    assert whole_text(whole) == b"x" * 300
    others = [whole[:-1], whole + b"x", bytes(text.serialize(mask=False)), b"", b"\x81", b"\xc1" + whole[1:]]
    others += [on_the_wire((Opcode.TEXT, b"x" * 70_000, True)), on_the_wire((Opcode.TEXT, b"a", False))]
    assert [whole_text(other) for other in others] == [None] * len(others)


async def test_text_that_is_not_utf8_closes_the_connection_with_1007(running: Running) -> None:
    async with await opened(running) as charger:
        charger.protocol.send_text(b'[2,"a","Heartbeat",{"x":"\xff"}]')
        charger.send_data()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(charger.recv(), PATIENCE_S)
        assert charger.close_code == 1007


async def test_a_call_in_the_same_packet_as_the_handshake_is_answered(running: Running) -> None:
    host, port = running.ws_url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    frame = b'[2,"a","Heartbeat",{}]'
    writer.write(
        b"GET /ocpp/CL-1042 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nX-Long: " + b"x" * 3000 + b"\r\n"
        b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n" + bytes([0x81, 0x80 | len(frame), 0, 0, 0, 0]) + frame
    )
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    answer = await asyncio.wait_for(reader.readuntil(b"}]"), PATIENCE_S)
    assert b'[3,"a",{"currentTime"' in answer
    writer.transport.abort()


async def test_frames_that_unfold_to_a_thousand_times_their_size_do_not_fill_the_memory(running: Running) -> None:
    """256 KiB of spaces are some 300 bytes on the wire; a thousand of them must not be held at once."""
    large = json.dumps([2, "x", "Heartbeat", {}]) + " " * 250_000
    async with running.charger("CL%209") as neighbour, await opened(running, compression="deflate") as charger:
        before = _resident_kib()
        for _ in range(400):
            charger.protocol.send_text(large.encode())
        charger.send_data()
        assert "currentTime" in await neighbour.send("Heartbeat")
        await asyncio.wait_for(charger.recv(), PATIENCE_S)
        assert _resident_kib() - before < 60_000
        charger.transport.abort()


def _resident_kib() -> int:
    with open("/proc/self/statm", encoding="ascii") as found:
        return int(found.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


async def test_a_charger_that_does_not_read_is_not_read(running: Running) -> None:
    async with await opened(running) as charger:
        charger.transport.pause_reading()
        raw = charger.transport.get_extra_info("socket")
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        frame = [2, "x", "No" + "x" * 200, {}]
        for _ in range(20_000):
            charger.protocol.send_text(json.dumps(frame).encode())
        charger.send_data()
        await asyncio.sleep(0.5)
        held = running.bridge.chargers.connection("CL-1042")
        assert held is not None
        assert held._socket.transport.get_write_buffer_size() < 200_000
        charger.transport.abort()


# ---- work that begins at once


async def noted(log: list[str], wait: asyncio.Future[int] | None) -> None:
    log.append("begun")
    try:
        if wait is not None:
            log.append(str(await wait))
            await asyncio.sleep(0)
        log.append("ended")
    except asyncio.CancelledError:
        log.append("cancelled")
        raise
    except ValueError:
        log.append("failed")


async def test_work_that_waits_for_nothing_is_done_when_begun() -> None:
    log: list[str] = []
    assert begin(noted(log, None)) is None
    assert log == ["begun", "ended"]


async def test_work_that_waits_goes_on_in_a_task() -> None:
    log: list[str] = []
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    rest = begin(noted(log, future))
    assert rest is not None
    task = asyncio.create_task(rest)
    await asyncio.sleep(0)
    future.set_result(5)
    await task
    assert log == ["begun", "5", "ended"]


async def test_how_the_waiting_ended_is_the_works_to_know() -> None:
    for end, told in (("fail", "failed"), ("cancel", "cancelled")):
        log: list[str] = []
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        rest = begin(noted(log, future))
        assert rest is not None
        task = asyncio.create_task(rest)
        await asyncio.sleep(0)
        if end == "fail":
            future.set_exception(ValueError())
        else:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert log == ["begun", told]
        assert task.cancelled() == (end == "cancel")


async def test_an_error_before_any_waiting_is_the_callers() -> None:
    async def broken() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        begin(broken())
