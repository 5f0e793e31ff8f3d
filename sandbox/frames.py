"""OCPP-J frames as values: text to frame and back, nothing else. What a frame's payload means is left to the versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

Payload = dict[str, Any]
MAX_ID_LENGTH = 36  # OCPP-J 1.6 section 4.1.4


class BadFrame(ValueError):
    """The text is no OCPP-J frame. `message_id` is the id to answer, where it was meant as a CALL; `unknown_type`: its type is
    none that there is.
    """

    def __init__(self, why: str, message_id: str | None = None, *, unknown_type: bool = False) -> None:
        super().__init__(why)
        self.message_id = message_id
        self.unknown_type = unknown_type


@dataclass(frozen=True, slots=True)
class Call:
    message_id: str
    action: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class CallResult:
    message_id: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class CallError:
    message_id: str
    code: str
    description: str = ""
    details: Payload = field(default_factory=dict)


Frame = Call | CallResult | CallError


def encode(frame: Frame) -> str:
    match frame:
        case Call(message_id, action, payload):
            parts: list[Any] = [2, message_id, action, payload]
        case CallResult(message_id, payload):
            parts = [3, message_id, payload]
        case CallError(message_id, code, description, details):
            parts = [4, message_id, code, description[:255], details]
    return orjson.dumps(parts).decode()


def decode(text: str | bytes) -> Frame:
    """Raises BadFrame for anything that is not a well-formed CALL, CALLRESULT or CALLERROR."""
    try:
        parts = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadFrame(f"not JSON: {error}") from None
    if not isinstance(parts, list) or len(parts) < 3:
        raise BadFrame("a frame is an array of at least three elements")
    kind, message_id = parts[0], parts[1]
    if not isinstance(message_id, str) or not 0 < len(message_id) <= MAX_ID_LENGTH:
        raise BadFrame(f"a message id is a string of 1 to {MAX_ID_LENGTH} characters")
    if kind == 2:
        if len(parts) != 4 or not isinstance(parts[2], str) or not isinstance(parts[3], dict):
            raise BadFrame('a CALL is [2, "id", "Action", {payload}]', message_id)
        return Call(message_id, parts[2], parts[3])
    if kind == 3:
        if len(parts) != 3 or not isinstance(parts[2], dict):
            raise BadFrame('a CALLRESULT is [3, "id", {payload}]')
        return CallResult(message_id, parts[2])
    if kind == 4:
        code, description, details = [*parts[2:5], "", {}][:3]  # description and details are often left out
        if not isinstance(code, str):
            raise BadFrame('a CALLERROR is [4, "id", "code", "description", {details}]')
        return CallError(
            message_id,
            code,
            description if isinstance(description, str) else "",
            details if isinstance(details, dict) else {},
        )
    if kind == 6:  # OCPP 2.1's SEND, which nobody answers; none of them goes to a charger
        raise BadFrame("a SEND is nothing that a charger takes")
    raise BadFrame(f"message type {kind!r} is unknown"[:100], message_id, unknown_type=True)
