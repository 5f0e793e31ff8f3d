"""OCPP-J frames: text in, one of five frame types or a named fault out; and back to text.

Nothing here raises on what a charger sent. Which faults are answered, and how, is the session's business.
OCPP-J 1.6 section 4; OCPP 2.0.1 and 2.1 Part 4 section 4 (types 5 and 6 exist from 2.1 on).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson

MAX_MESSAGE_ID = 36
UNREADABLE_ID = "-1"  # 2.0.1 Part 4 section 4.2.3: the id to answer with when the message's own cannot be read


@dataclass(frozen=True, slots=True)
class Call:
    """Type 2, and type 6 (SEND, which is never answered) with `answered=False`."""

    message_id: str
    action: str
    payload: dict[str, Any]
    answered: bool = True


@dataclass(frozen=True, slots=True)
class CallResult:
    """Type 3. `payload` is whatever came; an object is expected."""

    message_id: str
    payload: Any


@dataclass(frozen=True, slots=True)
class CallError:
    """Type 4, and type 5 (CALLRESULTERROR: our answer was refused) with `of_result=True`."""

    message_id: str
    code: str
    description: str
    details: dict[str, Any]
    of_result: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A frame that is none of the above. `message_id` is None where it could not be read."""

    kind: Literal["not_json", "not_a_frame", "unknown_type", "bad_id", "bad_action", "bad_payload"]
    message_id: str | None
    why: str
    answered: bool = True  # False: a SEND, whose sender waits for nothing


Frame = Call | CallResult | CallError


def parse(text: str | bytes) -> Frame | Fault:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Fault("not_json", None, f"not JSON: {error.msg}"[:200])
    if not isinstance(value, list) or not value:
        return Fault("not_a_frame", None, "a frame is a JSON array")
    kind = value[0]
    message_id = value[1] if len(value) > 1 and isinstance(value[1], str) else None
    if type(kind) is not int or not 2 <= kind <= 6:
        return Fault("unknown_type", message_id, "unknown message type")
    if message_id is None or not message_id:
        return Fault("bad_id", None, "the message id must be a string")
    if kind == 3:
        return CallResult(message_id, value[2] if len(value) > 2 else None)
    if kind in (4, 5):
        return _error(value, message_id, of_result=kind == 5)
    return _call(value, message_id, answered=kind == 2)


def _error(value: list[Any], message_id: str, *, of_result: bool) -> CallError:
    code, description, details = (*value[2:5], None, None, None)[:3]
    return CallError(
        message_id,
        code if isinstance(code, str) and code else "GenericError",
        description if isinstance(description, str) else "",
        details if isinstance(details, dict) else {},
        of_result,
    )


def _call(value: list[Any], message_id: str, *, answered: bool) -> Call | Fault:
    if len(message_id) > MAX_MESSAGE_ID:
        return Fault("bad_id", message_id, f"the message id is longer than {MAX_MESSAGE_ID} characters", answered)
    if len(value) < 3 or not isinstance(value[2], str) or not value[2]:
        return Fault("bad_action", message_id, "the action must be a string", answered)
    payload = value[3] if len(value) > 3 else None
    if not isinstance(payload, dict) or len(value) > 4:
        return Fault("bad_payload", message_id, "a call is [2, id, action, {payload}]", answered)
    return Call(message_id, value[2], payload, answered)


def call(message_id: str, action: str, payload: dict[str, Any]) -> str:
    return orjson.dumps([2, message_id, action, payload]).decode()


def result(message_id: str, payload: dict[str, Any]) -> str:
    return orjson.dumps([3, message_id, payload]).decode()


def error(message_id: str, code: str, description: str, details: dict[str, Any] | None = None) -> str:
    """`description` is cut to the 255 characters that OCPP allows."""
    return orjson.dumps([4, message_id, code, description[:255], details or {}]).decode()
