"""One charger's live connection: does what its session says, hands calls to handlers in order, and makes calls of ours.

A call is handled as it comes; where its handler has to wait for something, a task goes on with it and with those behind it,
and reading goes on meanwhile. A handler that fails is answered as InternalError; a socket that is lost ends every call under
way at once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

import structlog

from chargeline.clock import Clock
from ocpp_bridge.audit import AuditLog
from ocpp_bridge.metrics import Metrics
from ocpp_bridge.reports import Reports
from ocpp_bridge.server.charger_socket import ChargerSocket
from ocpp_bridge.server.eager import begin
from ocpp_bridge.versions.base import Action, Context, Request, Unusable, Version, fatal
from ocpp_bridge.wire import frames
from ocpp_bridge.wire import session as wire

log = structlog.get_logger(__name__)


def _said(frame: frames.CallResult | frames.CallError) -> str:
    """An answer in a word."""
    if isinstance(frame, frames.CallError):
        return frame.code[:40]
    status = frame.payload.get("status") if isinstance(frame.payload, dict) else None
    return status[:40] if isinstance(status, str) else "answered"


class Connection:
    def __init__(
        self,
        charger: str,
        version: Version,
        socket: ChargerSocket,
        reports: Reports,
        clock: Clock,
        metrics: Metrics,
        audit: AuditLog,
    ) -> None:
        self.charger = charger
        self.version = version
        self.last_frame_at: datetime | None = None
        self.last_pong_at: datetime | None = None
        self.latency_s: float | None = None
        self._socket = socket
        socket.on_pong = self._pong
        self._reports = reports
        self._context = Context(charger, reports, version.subprotocol)
        self._clock = clock
        self._metrics = metrics
        self._audit = audit
        self._session = wire.Session(version.wire)
        self._calls: dict[str, tuple[Request, asyncio.Future[wire.Outcome]]] = {}
        self._inbound: deque[frames.Call] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._alarm: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._ids = 0
        self._id_prefix = secrets.token_hex(4)  # ids differ between connections: a late answer cannot meet a new call

    @property
    def protocol(self) -> str:
        return self.version.subprotocol

    def _pong(self, latency_s: float) -> None:
        self.last_pong_at, self.latency_s = self._clock.now(), latency_s
        self._metrics.pong(latency_s)

    async def run(self) -> None:
        """Returns when the socket has ended; then everything under way is over."""
        try:
            self._socket.listen(self._came, self._came_unreadable)
            await self._socket.wait_closed()
        finally:
            self._do(self._session.lost())
            if self._alarm:
                self._alarm.cancel()
            # Calls that came in are still handled (a StopTransaction, say), though nobody hears the answer.
            ending = [task for task in (self._worker, self._closing) if task is not None]
            await asyncio.gather(*ending, return_exceptions=True)

    async def close(self, code: int, reason: str) -> None:
        """Ends calls under way before the closing handshake, which a dead peer can draw out."""
        self._do(self._session.lost())
        await self._socket.close(code, reason)

    def _came(self, data: str | bytes) -> None:
        if self._closing is not None:
            return  # it was told to go
        self.last_frame_at = now = self._clock.now()
        self._audit.frame(now, self.charger, "in", data)
        self._do(self._session.receive(data, self._clock.monotonic()))

    def _came_unreadable(self) -> None:
        self._do([wire.Note("not_utf8", "a text frame is UTF-8"), wire.Close(1007, "OCPP frames are UTF-8")])

    # ---- calls of ours

    async def call(self, request: Request, timeout_s: float) -> wire.Outcome:
        """Makes a call and waits for its end. The deadline counts from now, waiting in the queue included."""
        problem = self.version.invalid_request(request)
        if problem is not None:
            raise ValueError(f"the bridge's own {request.action} is invalid: {problem}")
        self._ids += 1
        message_id = f"{self._id_prefix}-{self._ids}"
        future: asyncio.Future[wire.Outcome] = asyncio.get_running_loop().create_future()
        self._calls[message_id] = (request, future)
        began = self._clock.monotonic()
        self._do(self._session.call(message_id, request.action, request.payload, began + timeout_s, began))
        self._wake_alarm()
        self._metrics.under_way(1)
        try:
            outcome = await future
        finally:
            self._metrics.under_way(-1)
        self._metrics.call_finished(request.action, type(outcome).__name__, self._clock.monotonic() - began)
        return outcome

    def _wake_alarm(self) -> None:
        if self._alarm is None and self._session.next_deadline() is not None:
            self._alarm = asyncio.create_task(self._watch_deadlines())

    async def _watch_deadlines(self) -> None:
        while (deadline := self._session.next_deadline()) is not None:
            await self._clock.sleep(min(1.0, deadline - self._clock.monotonic()))
            self._do(self._session.tick(self._clock.monotonic()))
        self._alarm = None

    # ---- what the session says

    def _do(self, todo: list[wire.Do]) -> None:
        for item in todo:
            match item:
                case wire.Send(text):
                    self._send(text)
                case wire.Deliver(call):
                    self._deliver(call)
                case wire.Complete(message_id, outcome):
                    self._complete(message_id, outcome)
                case wire.Late(message_id, action, frame):
                    said = _said(frame)
                    self._reports.deviation(self.charger, "late_answer", action, f"{said} after the deadline")
                    log.info("late_answer", charger=self.charger, message=message_id, action=action, answer=said)
                case wire.Note(kind, detail):
                    self._reports.deviation(self.charger, kind, "", detail)
                case wire.Close(code, reason):
                    log.warning("connection_closed_for_cause", charger=self.charger, code=code, reason=reason)
                    if self._closing is None:
                        self._closing = asyncio.create_task(self._socket.close(code, reason))

    def _send(self, text: str) -> None:
        if self._socket.say(text):
            self._audit.frame(self._clock.now(), self.charger, "out", text)
        else:
            log.debug("frame_not_sent", charger=self.charger)  # the end of the connection settles what is open

    def _complete(self, message_id: str, outcome: wire.Outcome) -> None:
        request, future = self._calls.pop(message_id)
        if isinstance(outcome, wire.Answered):
            outcome = wire.Answered(self._reports.meant(self.charger, request.action, outcome.payload))
            why = self.version.invalid_answer(request.action, outcome.payload)
            if why is not None:
                self._reports.deviation(self.charger, "invalid_answer", request.action, why)
                outcome = wire.InvalidAnswer(why)
        if not future.done():
            future.set_result(outcome)

    # ---- the charger's calls

    def _deliver(self, call: frames.Call) -> None:
        if not call.answered and len(self._inbound) >= wire.INBOUND_LIMIT:  # nobody waits for what is sent unanswered
            self._reports.deviation(self.charger, "flood", call.action, "too many at once")
            return
        self._inbound.append(call)
        self._work()

    def _work(self) -> None:
        while self._inbound and self._worker is None:
            waiting = begin(self._handle(self._inbound.popleft()))
            if waiting is not None:
                self._worker = asyncio.create_task(self._go_on(waiting))

    async def _go_on(self, waiting: Coroutine[Any, Any, None]) -> None:
        try:
            await waiting
            while self._inbound:
                await self._handle(self._inbound.popleft())
        finally:
            self._worker = None

    async def _handle(self, call: frames.Call) -> None:
        action = self.version.actions.get(call.action)
        if action is None:
            self._reports.deviation(self.charger, "unknown_action", call.action, "not an action of this version")
            self._refuse(call, "unknown", "NotImplemented", "this action is not known")
            return
        try:
            self._check(action, call)
            answer = await action.handler(self._context, call.payload)
            assert action.response.valid(answer), f"the answer to {call.action} is against its schema"
            self._metrics.inbound(call.action, "ok")
            self._do(self._session.answer(call.message_id, answer))
            self._reports.heard(self.charger, call.action, call.payload.get("status"))
        except Unusable as error:
            self._refuse(call, call.action, error.code, error.description)
        except Exception:  # whatever went wrong, the charger gets an answer and the connection lives
            log.exception("handler_failed", charger=self.charger, action=call.action)
            self._refuse(call, call.action, "InternalError", "the message could not be handled")

    def _check(self, action: Action, call: frames.Call) -> None:
        """Notes how the call departs from its schema. Raises Unusable where it cannot be lived with."""
        if action.request.valid(call.payload):
            return
        problems = action.request.problems(call.payload)
        for problem in problems:
            self._reports.deviation(self.charger, "schema", call.action, str(problem))
        unusable = fatal(action, problems)
        if unusable is not None:
            raise Unusable(self.version.fatal_code(unusable.keyword), str(unusable))

    def _refuse(self, call: frames.Call, counted_as: str, code: str, description: str) -> None:
        """Nothing is sent where the call has been answered already."""
        self._metrics.inbound(counted_as, code)
        self._do(self._session.answer_error(call.message_id, code, description))
