"""What drivers wrote stays out of Rasa's log, at any level and also when something fails.

Rasa hands message texts, slots and events to its logger beside the event's name, and its JSON log shows the local variables of
every stack frame of an error. Both are taken out where all of it passes: in structlog's list of processors.
"""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Text

import structlog
from structlog.tracebacks import ExceptionDictTransformer

# What may be said beside an event: names, numbers and ids. Rasa's other keys hold what was written or remembered.
_SAFE: FrozenSet[Text] = frozenset(
    {
        *("event", "level", "logger", "timestamp", "exc_info", "exception", "stack_info", "stack", "event_info"),
        *("error", "detail", "attempt", "wait_s", "seconds", "fingerprint", "filename", "url", "model_id", "model"),
        *("conversation", "message_id", "action", "action_name", "len_extraction_events"),
    }
)
_HIDDEN = "(hidden)"


def _only_safe(_: Any, __: Text, event: Dict[Text, Any]) -> Dict[Text, Any]:
    return {key: value if key in _SAFE else _HIDDEN for key, value in event.items()}


def _without_locals() -> Any:
    return structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))


def install() -> None:
    """Changes the list in place: loggers that exist already hold it too."""
    processors: List[Any] = structlog.get_config()["processors"]
    if _only_safe in processors:
        return
    processors[:] = [
        _only_safe,
        *(_without_locals() if each is structlog.processors.dict_tracebacks else each for each in processors),
    ]
