"""One WebSocket of one charger: matches answers to calls, one outstanding CALL a direction, answers incoming CALLs in order.

It ends with its socket. Connecting again is the link's business, what the payloads mean the protocol's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from chargeline.clock import Clock
from sandbox import quirks
from sandbox.faults import Faults
from sandbox.frames import BadFrame, Call, CallError, CallResult, Frame, Payload, decode, encode

log = structlog.get_logger(__name__)

ANSWER_WITHIN_S = 30.0
LEAST_REAL_TIMEOUT_S = 5.0  # a fast clock must not make a healthy central system look dead
WAITING_CALLS = 32


class CallFailed(Exception):
    """A CALL of ours got no usable answer."""


class CallRefused(CallFailed):
    """It was answered with a CALLERROR."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code


class CallTimedOut(CallFailed):
    """No answer came in time."""


class Disconnected(CallFailed):
    """The socket closed before the answer came."""


class Refusal(Exception):
    """Raised by a handler: the CALL is answered with this CALLERROR."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Answer:
    """The CALLRESULT's payload and what happens once it is sent."""

    payload: Payload
    then: Callable[[], Awaitable[None]] | None = None


Handler = Callable[[str, Payload], Answer]
Seen = Callable[[Literal["in", "out"], Frame, str], None]  # a frame and the action that it calls or answers


class Socket:
    def __init__(
        self,
        connection: ClientConnection,
        *,
        charger: str,
        handler: Handler,
        spawn: Callable[[Awaitable[None], str], None],
        new_id: Callable[[], str],
        clock: Clock,
        faults: Faults,
        seen: Seen,
        bad_frame_code: str,
        unknown_type_code: str | None,
    ) -> None:
        """`seen` is told of every frame that is sent or received, before it is acted on."""
        self._connection = connection
        self._charger = charger
        self._handler = handler
        self._spawn = spawn
        self._new_id = new_id
        self._clock = clock
        self._faults = faults
        self._seen = seen
        self._bad_frame_code = bad_frame_code
        self._unknown_type_code = unknown_type_code
        self._slot = asyncio.Lock()
        self._pending: tuple[str, asyncio.Future[Payload], str] | None = None
        self._calls: asyncio.Queue[Call] = asyncio.Queue(WAITING_CALLS)
        self._closed = False

    async def call(self, action: str, payload: Payload) -> Payload:
        """The answer's payload. Waits for its turn: one CALL is out at a time. Raises CallFailed's kinds."""
        async with self._slot:
            if self._closed:
                raise Disconnected(action)
            message_id, answer = self._new_id(), asyncio.get_running_loop().create_future()
            self._pending = (message_id, answer, action)
            try:
                await self._send(
                    Call(message_id, action, quirks.written(self._faults, "call", action, payload)), action
                )
                async with asyncio.timeout(max(self._clock.real_seconds(ANSWER_WITHIN_S), LEAST_REAL_TIMEOUT_S)):
                    result: Payload = await answer
                    return result
            except TimeoutError:
                raise CallTimedOut(action) from None
            except ConnectionClosed:
                raise Disconnected(action) from None
            finally:
                self._pending = None

    async def run(self) -> None:
        """Reads and answers until the socket is closed, by whomever."""
        worker = asyncio.create_task(self._answer_in_order())
        try:
            async for text in self._connection:
                await self._received(text)
        except ConnectionClosed:
            pass  # an unclean end is an end too; the link logs it
        finally:
            self._closed = True
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            if self._pending is not None and not self._pending[1].done():
                self._pending[1].set_exception(Disconnected("the socket closed"))

    async def close(self, *, abruptly: bool = False) -> None:
        self._closed = True
        if abruptly:
            self._connection.transport.abort()
        else:
            await self._connection.close()

    async def _send(self, frame: Frame, action: str = "") -> None:
        if not self._faults.has("silent"):
            self._seen("out", frame, action)
            await self._connection.send(encode(frame))

    async def _received(self, text: str | bytes) -> None:
        try:
            frame = decode(text)
        except BadFrame as error:
            if self._faults.has("silent"):
                return
            log.warning("bad_frame_received", charger=self._charger, why=str(error))
            code = self._unknown_type_code if error.unknown_type else self._bad_frame_code
            if error.message_id is not None and code is not None:
                await self._send_quietly(CallError(error.message_id, code, str(error)))
            return
        pending = self._pending
        answers = pending[2] if pending is not None and pending[0] == frame.message_id else ""
        self._seen("in", frame, frame.action if isinstance(frame, Call) else answers)
        if self._faults.has("silent"):
            return
        if isinstance(frame, Call):
            try:
                self._calls.put_nowait(frame)
            except asyncio.QueueFull:
                await self._send_quietly(CallError(frame.message_id, "GenericError", "too many calls are waiting"))
            return
        if pending is None or pending[0] != frame.message_id or pending[1].done():
            log.warning("answer_to_nothing", charger=self._charger, message_id=frame.message_id)
        elif isinstance(frame, CallResult):
            pending[1].set_result(frame.payload)
        else:
            pending[1].set_exception(CallRefused(frame.code, frame.description))

    async def _answer_in_order(self) -> None:
        while True:
            call = await self._calls.get()
            if (slow := self._faults.get("slow_answers")) is not None:
                await self._clock.sleep(slow["seconds"])
            then = None
            frame: Frame
            try:
                answer = self._handler(call.action, call.payload)
                payload = quirks.written(self._faults, "result", call.action, answer.payload)
                frame, then = CallResult(call.message_id, payload), answer.then
            except Refusal as refusal:
                frame = CallError(call.message_id, refusal.code, refusal.description)
            except Exception:  # a defect of ours must not end the session; it is answered and logged with its stack
                log.exception("call_failed", charger=self._charger, action=call.action)
                frame = CallError(call.message_id, "InternalError", "the charger failed to handle this call")
            log.debug("answered", charger=self._charger, action=call.action, result=type(frame).__name__)
            await self._send_quietly(frame, call.action)
            if then is not None:
                self._spawn(then(), f"after {call.action}")

    async def _send_quietly(self, frame: Frame, action: str = "") -> None:
        try:
            await self._send(frame, action)
        except ConnectionClosed:
            log.info("answer_not_sent", charger=self._charger, message_id=frame.message_id)
