"""Structured logs: one event a line, with ids; never a card number, a full token, a message body or a phone number.

`LOG_FORMAT=json` for machines, `console` for people. `masked()` shortens what may be shown only in part.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

_PHONE = re.compile(r"\+?\d{7,15}(?!\d)")
# Keys whose values never belong in a log line, whatever they hold.
_FORBIDDEN = frozenset(
    {"text", "body", "message_text", "password", "authorization", "token", "id_token", "phone", "email"}
)


def masked(value: str, keep: int = 4) -> str:
    """The last `keep` characters of an id token or phone number, for logs and people."""
    return f"…{value[-keep:]}" if len(value) > keep else "…"


def _mask_event(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key, value in event.items():
        if not isinstance(value, str) or key in {"event", "timestamp", "level", "process"}:
            continue
        if key in _FORBIDDEN:
            event[key] = masked(value) if key in {"token", "id_token", "phone"} else "(hidden)"
        elif key in {"from_", "to", "address", "sender"}:
            event[key] = _PHONE.sub(lambda found: masked(found.group()), value)
    return event


def _shorten(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """For people at a terminal: the time of day is enough, and the merged log names the process at the line's head."""
    event["timestamp"] = str(event.get("timestamp", ""))[11:23]
    event.pop("process", None)
    return event


def configure(process: str, log_format: str = "console", level: str = "info") -> None:
    """Sets up structlog and routes the standard library's loggers (Sanic, websockets, SDKs) through it."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask_event,
        structlog.processors.format_exc_info,
    ]
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_shorten, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=24)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for noisy in ("sanic.access", "httpx", "httpcore", "websockets.server", "sanic.root", "sanic.server"):
        logging.getLogger(noisy).setLevel(max(number, logging.WARNING))
    structlog.contextvars.bind_contextvars(process=process)
