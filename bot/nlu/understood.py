"""What a turn's words were taken for and which responses were said to them: gathered while the turn runs, told to the front door at its end."""

from __future__ import annotations

import contextvars
import functools
from typing import Any, Awaitable, Callable, Dict, List, Optional, Text

from rasa.core.channels.rest import QueueOutputChannel
from rasa.core.processor import MessageProcessor

MOST_MEANINGS = 4

_turn: "contextvars.ContextVar[Optional[Dict[Text, Any]]]" = contextvars.ContextVar("turn", default=None)
_installed = False


def begin() -> Dict[Text, Any]:
    """What this context's turn will fill in; a task that is made from now on shares it."""
    gathered: Dict[Text, Any] = {}
    _turn.set(gathered)
    return gathered


def as_told(gathered: Dict[Text, Any]) -> Optional[Dict[Text, Any]]:
    """None where nothing was parsed: the turn was an event, or broke before."""
    if not gathered.get("intent"):
        return None
    return {"said": [], **gathered}


class RememberingOutput(QueueOutputChannel):
    """Notes the name of each response that goes out."""

    async def send_response(self, recipient_id: Text, message: Dict[Text, Any]) -> None:
        gathered, name = _turn.get(), message.get("utter_action")
        if gathered is not None and name:
            said: List[Text] = gathered.setdefault("said", [])
            said.append(str(name))
        await super().send_response(recipient_id, message)


def install() -> None:
    """Lets the processor note what it parses, once a process."""
    global _installed
    if not _installed:
        MessageProcessor.parse_message = _noting(MessageProcessor.parse_message)
        _installed = True


def _noting(parse: Callable[..., Awaitable[Dict[Text, Any]]]) -> Callable[..., Awaitable[Dict[Text, Any]]]:
    @functools.wraps(parse)
    async def parse_message(self: MessageProcessor, *arguments: Any, **named: Any) -> Dict[Text, Any]:
        parsed = await parse(self, *arguments, **named)
        gathered = _turn.get()
        if gathered is not None and "intent" not in gathered:
            intent = parsed.get("intent") or {}
            gathered["intent"] = intent.get("name")
            gathered["confidence"] = intent.get("confidence")
            gathered["ranking"] = [
                [row.get("name"), row.get("confidence")] for row in (parsed.get("intent_ranking") or [])[:MOST_MEANINGS]
            ]
            gathered["model"] = str(self.model_filename)
        return parsed

    return parse_message
