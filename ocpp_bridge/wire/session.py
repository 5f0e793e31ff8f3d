"""The state machine of one charger's connection: what to do when a frame comes, time passes, or the socket is lost.

Pure: it has no socket and no clock; every method takes the time where it matters (monotonic seconds) and returns things
to do, in order. The connection does them. One CALL of ours is outstanding at a time (OCPP-J 1.6 section 4.1.1); the
rest waits in a bounded queue, each with its deadline counted from the request.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Literal

from ocpp_bridge.wire import frames

QUEUE_LIMIT = 16  # calls of ours that wait
INBOUND_LIMIT = 32  # calls of the charger that are not answered yet; OCPP allows it one
FAULT_LIMIT = 100  # unusable frames without a usable one between them, then the connection is closed
REMEMBERED = 32  # message ids kept to recognise late answers and reused ids


# ---- how a call of ours can end


@dataclass(frozen=True, slots=True)
class Answered:
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """The charger answered with a CALLERROR."""

    code: str
    description: str

    @property
    def not_supported(self) -> bool:
        # The two codes are used for one another in the field, and their meaning swapped between libraries.
        return self.code in {"NotSupported", "NotImplemented"}


@dataclass(frozen=True, slots=True)
class InvalidAnswer:
    why: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    sent: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    sent: bool


@dataclass(frozen=True, slots=True)
class QueueFull:
    """Never sent: too many calls were waiting."""


Outcome = Answered | Refused | InvalidAnswer | TimedOut | Disconnected | QueueFull


# ---- things to do


@dataclass(frozen=True, slots=True)
class Send:
    text: str


@dataclass(frozen=True, slots=True)
class Deliver:
    call: frames.Call


@dataclass(frozen=True, slots=True)
class Complete:
    message_id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Late:
    """An answer to a call that had timed out: recorded, it changes nothing."""

    message_id: str
    action: str
    frame: frames.CallResult | frames.CallError


@dataclass(frozen=True, slots=True)
class Note:
    """Something a charger should not have sent."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Close:
    code: int
    reason: str


Do = Send | Deliver | Complete | Late | Note | Close


@dataclass(frozen=True, slots=True)
class _Waiting:
    message_id: str
    action: str
    text: str
    deadline: float


class Session:
    def __init__(self, version: Literal["1.6", "2.0.1", "2.1"]) -> None:
        self._version = version
        self._pending: _Waiting | None = None
        self._queue: deque[_Waiting] = deque()
        self._unanswered: OrderedDict[str, str] = OrderedDict()  # message id -> action
        self._timed_out: OrderedDict[str, str] = OrderedDict()  # message id -> action
        self._seen: OrderedDict[str, str] = OrderedDict()  # as before
        self._faults = 0
        self._lost = False

    # ---- our calls

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def pending_id(self) -> str | None:
        return self._pending.message_id if self._pending else None

    def call(self, message_id: str, action: str, payload: dict[str, Any], deadline: float, now: float) -> list[Do]:
        """Asks for a CALL. `message_id` must be new; `deadline` is when it ends as timed out, sent or not."""
        if self._lost:
            return [Complete(message_id, Disconnected(sent=False))]
        if deadline <= now:
            return [Complete(message_id, TimedOut(sent=False))]
        if len(self._queue) >= QUEUE_LIMIT:
            return [Complete(message_id, QueueFull())]
        self._queue.append(_Waiting(message_id, action, frames.call(message_id, action, payload), deadline))
        return self._next(now)

    def _next(self, now: float) -> list[Do]:
        todo: list[Do] = []
        while self._pending is None and self._queue:
            waiting = self._queue.popleft()
            if waiting.deadline <= now:
                todo.append(Complete(waiting.message_id, TimedOut(sent=False)))
                continue
            self._pending = waiting  # before the send: the answer may be here first
            todo.append(Send(waiting.text))
        return todo

    def next_deadline(self) -> float | None:
        """When `tick` has something to do at the latest; None while nothing is under way."""
        deadlines = [waiting.deadline for waiting in self._queue]
        if self._pending:
            deadlines.append(self._pending.deadline)
        return min(deadlines, default=None)

    def tick(self, now: float) -> list[Do]:
        todo: list[Do] = []
        if self._pending and self._pending.deadline <= now:
            todo.append(Complete(self._pending.message_id, TimedOut(sent=True)))
            _remember(self._timed_out, self._pending.message_id, self._pending.action)
            self._pending = None
        for waiting in [waiting for waiting in self._queue if waiting.deadline <= now]:
            self._queue.remove(waiting)
            todo.append(Complete(waiting.message_id, TimedOut(sent=False)))
        return todo + self._next(now)

    def lost(self) -> list[Do]:
        """The socket is gone: every call of ours ends now."""
        self._lost = True
        todo: list[Do] = []
        if self._pending:
            todo.append(Complete(self._pending.message_id, Disconnected(sent=True)))
        todo += [Complete(waiting.message_id, Disconnected(sent=False)) for waiting in self._queue]
        self._pending = None
        self._queue.clear()
        self._unanswered.clear()
        return todo

    # ---- the charger's calls

    def answer(self, message_id: str, payload: dict[str, Any]) -> list[Do]:
        """Answers a delivered call; nothing is sent when it has been answered or the socket is gone."""
        if self._unanswered.pop(message_id, None) is None:
            return []
        return [Send(frames.result(message_id, payload))]

    def answer_error(self, message_id: str, code: str, description: str) -> list[Do]:
        if self._unanswered.pop(message_id, None) is None:
            return []
        return [Send(frames.error(message_id, self._code(code), description))]

    def receive(self, data: str | bytes, now: float) -> list[Do]:
        if self._lost:
            return []
        if isinstance(data, bytes):
            return [Note("binary_frame", "a frame is text"), Close(1003, "OCPP frames are text")]
        frame = frames.parse(data)
        if isinstance(frame, frames.Fault):
            return self._fault(frame)
        if isinstance(frame, frames.Call):
            return self._inbound(frame)
        if isinstance(frame, frames.CallError) and frame.of_result:
            if self._version != "2.1":
                return self._fault(frames.Fault("unknown_type", frame.message_id, "CALLRESULTERROR exists from 2.1 on"))
            return [Note("result_refused", f"{frame.code}: {frame.description}"[:200])]
        return self._answer_came(frame, now)

    def _inbound(self, call: frames.Call) -> list[Do]:
        if not call.answered:
            if self._version != "2.1":
                return self._fault(frames.Fault("unknown_type", call.message_id, "SEND exists from 2.1 on"))
            return [Deliver(call)]
        if call.message_id in self._unanswered:
            text = frames.error(call.message_id, self._code("RpcFrameworkError"), "this message id is under way")
            return [Note("duplicate_id", "a call under way has this id"), Send(text)]
        if len(self._unanswered) >= INBOUND_LIMIT:
            return self._flood(call)
        notes: list[Do] = []
        if call.message_id in self._seen:
            # A retry may carry its old id, and handlers are safe to repeat: it is handled, and noted.
            notes.append(Note("message_id_reused", call.action[:50]))
        _remember(self._seen, call.message_id, call.action)
        self._unanswered[call.message_id] = call.action
        self._faults = 0
        return [*notes, Deliver(call)]

    def _flood(self, call: frames.Call) -> list[Do]:
        self._faults += 1
        note = Note("flood", "too many unanswered calls")
        if self._faults > FAULT_LIMIT:
            return [note, Close(1008, "too many unanswered calls")]
        return [note, Send(frames.error(call.message_id, "GenericError", "too many calls at once; OCPP allows one"))]

    def _answer_came(self, frame: frames.CallResult | frames.CallError, now: float) -> list[Do]:
        if self._pending is None or frame.message_id != self._pending.message_id:
            if frame.message_id in self._timed_out:
                return [Late(frame.message_id, self._timed_out.pop(frame.message_id), frame)]
            return [Note("unasked_answer", "an answer to nothing that was asked")]
        self._pending = None
        self._faults = 0
        outcome: Outcome
        if isinstance(frame, frames.CallError):
            outcome = Refused(frame.code[:50], frame.description[:255])
        elif isinstance(frame.payload, dict):
            outcome = Answered(frame.payload)
        else:
            outcome = InvalidAnswer("the payload of the answer is not an object")
        return [Complete(frame.message_id, outcome), *self._next(now)]

    def _fault(self, fault: frames.Fault) -> list[Do]:
        self._faults += 1
        todo: list[Do] = [Note(fault.kind, fault.why)]
        if self._faults > FAULT_LIMIT:
            return [*todo, Close(1008, "too many unusable frames")]
        if fault.kind == "unknown_type" and self._version == "1.6":
            return todo  # OCPP-J 1.6 section 4.1.3: ignore it
        if not fault.answered and self._version == "2.1":
            return todo
        code = {
            "unknown_type": "MessageTypeNotSupported",
            "bad_action": "RpcFrameworkError",
            "bad_payload": "RpcFrameworkError",
            "bad_id": "RpcFrameworkError",
        }.get(fault.kind, "RpcFrameworkError")
        message_id = fault.message_id if fault.message_id and len(fault.message_id) <= 255 else frames.UNREADABLE_ID
        return [*todo, Send(frames.error(message_id, self._code(code), fault.why))]

    def _code(self, code: str) -> str:
        """1.6 does not know the framework's codes, and spells one of the others in its own way."""
        if self._version != "1.6":
            return {"FormationViolation": "FormatViolation"}.get(code, code)
        return {
            "RpcFrameworkError": "FormationViolation",
            "MessageTypeNotSupported": "FormationViolation",
            "FormatViolation": "FormationViolation",
            "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
        }.get(code, code)


def _remember(ids: OrderedDict[str, str], message_id: str, action: str) -> None:
    ids[message_id] = action
    if len(ids) > REMEMBERED:
        ids.popitem(last=False)
