"""From an exception of Rasa's to what a trainer can act on: one sentence, with file and line where they are known."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, Optional

_PLACE = re.compile(r"in \"?([^\"\n:]+\.ya?ml)\"?(?::(\d+)|, line (\d+))", re.IGNORECASE)
_ADVICE = re.compile(r"\s*You can use https?://\S+ to validate.*$", re.DOTALL)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def first_cause(error: BaseException) -> BaseException:
    """The exception that the others were raised from."""
    while True:
        before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if before is None:
            return error
        error = before


def _yaml_of(error: Optional[BaseException]) -> Optional[BaseException]:
    """The one in the chain that knows the file."""
    while error is not None:
        if getattr(error, "filename", None) and not isinstance(error, OSError):
            return error
        error = error.__cause__ or error.__context__
    return None


def relative(file: str) -> str:
    return os.path.relpath(file) if os.path.isabs(file) else file


def reason_of(error: BaseException) -> Dict[str, Any]:
    told = _yaml_of(error) or first_cause(error)
    text = _COLOURS.sub("", _ADVICE.sub("", str(told)))
    found: Dict[str, Any] = {}
    if getattr(told, "filename", None) and not isinstance(told, OSError):
        found["file"] = relative(str(told.filename))  # type: ignore[attr-defined]  # asked for just above
        below = getattr(told, "underlying_yaml_exception", None)
        mark = getattr(below, "problem_mark", None) or getattr(below, "context_mark", None)
        if mark is not None:
            found["line"] = mark.line + 1
            text = str(getattr(below, "problem", None) or below)
    place = _PLACE.search(text)
    if place:
        found.setdefault("file", relative(place.group(1)))
        found.setdefault("line", int(place.group(2) or place.group(3)))
        text = text[: place.start()] + text[place.end() :]
    words = " ".join(text.split()) or type(told).__name__
    return {"reason": words[:500], **found}
