"""The door that the front door uses: Rasa's `rest` channel, except that a turn always ends.

Rasa's streaming answer waits for a last word that a failed turn never says, so the caller would hang. Here a failure breaks the
connection before its orderly end: the caller knows that the turn left no trace and may be sent again.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Awaitable, Callable, Dict, Optional, Text

import structlog
from rasa.core.channels.channel import UserMessage
from rasa.core.channels.rest import RestInput
from sanic import Blueprint

from bot.nlu import speed, understood
from bot.nlu.service import install

install()
understood.install()
log = structlog.get_logger(__name__)


class TurnInput(RestInput):
    """Same address and same JSON as Rasa's `rest`."""

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        door = super().blueprint(on_new_message)

        @door.listener("after_server_stop")
        async def let_go(*_: Any) -> None:
            await speed.close()

        return door

    def stream_response(
        self,
        on_new_message: Callable[[UserMessage], Awaitable[None]],
        text: Text,
        sender_id: Text,
        input_channel: Text,
        metadata: Optional[Dict[Text, Any]],
    ) -> Callable[[Any], Awaitable[None]]:
        async def stream(response: Any) -> None:
            replies: "asyncio.Queue[Any]" = asyncio.Queue()
            gathered = understood.begin()
            message = UserMessage(
                text, understood.RememberingOutput(replies), sender_id, input_channel=input_channel, metadata=metadata
            )
            # A task of its own: the turn is worked through and stored even when the caller goes away.
            turn = asyncio.ensure_future(on_new_message(message))
            turn.add_done_callback(lambda _: replies.put_nowait(None))
            while True:
                reply = await replies.get()
                if reply is None:
                    break
                await response.write(json.dumps(reply) + "\n")
            told = understood.as_told(gathered)
            if told is not None:
                await response.write(json.dumps({"understood": told}) + "\n")
            error = asyncio.CancelledError() if turn.cancelled() else turn.exception()
            if error is not None:
                message_id = (metadata or {}).get("message_id")
                log.error("turn_failed", conversation=sender_id, message_id=message_id, error=repr(error))
                # Sanic would end the answer in an orderly way, or not at all, if this were raised.
                response.request.transport.abort()

        return stream
