"""The WebSocket of a charger: the library's, with messages handed over as they come instead of fetched by a task.

What comes is read in slices, one a turn of the event loop: a charger that floods, or whose compressed frames unfold to a
thousand times their size, has its turn like every other, and what it can make the bridge hold is bounded. A charger that
does not read its answers is not read either.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN, Event
from websockets.speedups import apply_mask
from websockets.streams import StreamReader

SLICE = 2048  # bytes; some forty of the shortest calls
MOST_UNREAD = 32  # slices; what is taken off the wire is not lost when the peer vanishes

Listener = Callable[[str | bytes], None]
_BETWEEN_FRAMES = StreamReader.at_eof.__code__


def text_head(length: int) -> bytes:
    """The head of an unmasked text frame that is whole (RFC 6455 section 5.2)."""
    if length < 126:
        return bytes((0x81, length))
    return struct.pack("!BBH", 0x81, 126, length) if length < 65536 else struct.pack("!BBQ", 0x81, 127, length)


def whole_text(data: bytes) -> bytes | None:
    """What is said by one masked text frame that is whole and alone; None where `data` is anything else."""
    if len(data) < 6 or data[0] != 0x81 or data[1] < 0x80:
        return None
    length, start = data[1] & 0x7F, 2
    if length == 126:
        length, start = int.from_bytes(data[2:4], "big"), 4
    if len(data) != start + 4 + length:  # of a longer one the length itself says 127, which does not fit either
        return None
    return apply_mask(data[start + 4 :], data[start : start + 4])


def between_frames(parser: Any) -> bool:
    """Whether the library's parser, a generator, has read all that came as whole frames: it waits in `at_eof` then, and only
    then."""
    while (inner := parser.gi_yieldfrom) is not None:
        parser = inner
    return parser.gi_code is _BETWEEN_FRAMES


class ChargerSocket(ServerConnection):
    identity: str = ""
    on_pong: Callable[[float], None] | None = None  # told the round-trip time in seconds

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._listener: Listener | None = None
        self._on_bad_text: Callable[[], None] | None = None
        self._early: list[str | bytes] = []  # what came with the handshake, before anybody listened
        self._fragments: list[Frame] = []
        self._unread: deque[bytes] = deque()
        self._turn_planned = False
        self._reading = True

    def listen(self, listener: Listener, on_bad_text: Callable[[], None]) -> None:
        """Every message from now on, and those that came before, text as str and binary as bytes."""
        self._listener, self._on_bad_text = listener, on_bad_text
        early, self._early = self._early, []
        for message in early:
            listener(message)
        self._plan_turn()

    def say(self, text: str) -> bool:
        """Puts a text message on its way; False where the connection is not open any more."""
        if self.protocol.state is not OPEN:
            return False
        data = text.encode()
        try:
            if self.protocol.extensions:
                self.protocol.send_text(data)
                self.send_data()
            else:  # nothing to negotiate about: the library's way takes twice as long
                self.transport.write(text_head(len(data)) + data)
        except (OSError, RuntimeError):  # the connection is ending: its end is reported separately
            return False
        return True

    # ---- what comes

    def data_received(self, data: bytes) -> None:
        if len(data) <= SLICE and self._may_come_whole() and (text := whole_text(data)) is not None:
            self._message(Opcode.TEXT, text)
            return
        if not self._unread and len(data) <= SLICE and (self._listener is not None or self.request is None):
            super().data_received(data)
            return
        self._unread.extend(data[start : start + SLICE] for start in range(0, len(data), SLICE))
        if self.request is None:  # a handshake longer than a slice: nobody can listen before it is read
            self._read_slice()
        self._plan_turn()

    def _may_come_whole(self) -> bool:
        """Whether nothing is under way that the next bytes could belong to: then a call can be read at a fifth of the cost
        of the library's way."""
        return (
            not self._unread
            and not self._fragments
            and self._listener is not None
            and self.protocol.state is OPEN
            and between_frames(self.protocol.parser)
        )

    def _plan_turn(self) -> None:
        if self._unread and not self._turn_planned and (self._listener is not None or self.request is None):
            self._turn_planned = True
            self.loop.call_soon(self._take_turn)
        self._read_or_not()

    def _take_turn(self) -> None:
        self._turn_planned = False
        if not self.paused:
            self._read_slice()
        if not self.paused:
            self._plan_turn()

    def _read_slice(self) -> None:
        if self._unread:
            super().data_received(self._unread.popleft())

    def process_event(self, event: Event) -> None:
        if isinstance(event, Request) or not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        if self._fragments or not event.fin:
            self._fragments.append(event)
            if not event.fin:
                return
            whole, self._fragments = self._fragments, []
            self._message(whole[0].opcode, b"".join(part.data for part in whole))
            return
        self._message(event.opcode, event.data)

    def _message(self, opcode: Opcode, data: bytes | bytearray | memoryview) -> None:
        message: str | bytes
        if opcode is Opcode.TEXT:
            try:
                message = str(data, "utf-8")
            except UnicodeDecodeError:
                if self._on_bad_text is not None:
                    self._on_bad_text()
                return
        else:
            message = bytes(data)
        if self._listener is None:
            self._early.append(message)
        else:
            self._listener(message)

    def connection_lost(self, exc: Exception | None) -> None:
        while self._unread and self._listener is not None:  # what it said before it went still counts
            self._read_slice()
        self._unread.clear()
        super().connection_lost(exc)

    # ---- a peer that does not read is not read

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_or_not()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._plan_turn()

    def _read_or_not(self) -> None:
        wanted = len(self._unread) < MOST_UNREAD and not self.paused
        if wanted == self._reading or self.transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    # ---- pings

    def acknowledge_pings(self, data: bytes) -> None:
        answered = data in self.pong_waiters  # a pong may come unasked, which says nothing
        super().acknowledge_pings(data)
        if answered and self.on_pong is not None:
            self.on_pong(self.latency)
