"""Talks to Rasa: asks its rest channel with a stream of replies, and reads from the tracker what became of a turn.

What Rasa 3.6 really does: an error inside a turn leaves the stream open for ever without a line; a crash breaks it off;
a Rasa without a model answers an empty stream. `bot.turns` decides what follows from each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import orjson

Reply = dict[str, Any]

# Rasa's lock is held for the whole turn before ours, which may take as long as a turn may.
_CONNECT_S = 3.0
_MAX_LINE = 2**20  # bytes of one reply


class RasaError(Exception):
    """A call to Rasa did not end well; `kind` is for logs and metrics."""

    kind = "error"


class RasaDown(RasaError):
    """Rasa was not reached at all, or says that it has no model yet: what was sent had no effect."""

    kind = "down"


class RasaLost(RasaError):
    """The connection ended before the answer did: whether the turn took place is not known."""

    kind = "lost"


class RasaRefused(RasaError):
    """Rasa answered with an error."""

    kind = "refused"


class RasaClient:
    def __init__(self, url: str, token: str, *, wait_s: float) -> None:
        """`wait_s`: how long one line of a stream, or a conversation's lock, may take."""
        self._token = token
        self._url = url
        # aiohttp, not httpx: a call costs a quarter of the processor time, and there is one for every message.
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=wait_s),
            connector=aiohttp.TCPConnector(limit=200),
            json_serialize=lambda value: orjson.dumps(value).decode(),
            read_bufsize=_MAX_LINE,
        )

    async def close(self) -> None:
        await self._http.close()

    def _params(self, **params: str) -> dict[str, str]:
        return {**params, "token": self._token} if self._token else params

    async def replies(self, conversation: str, message: str, metadata: dict[str, Any]) -> AsyncIterator[Reply]:
        """The replies of a turn as they come. Raises RasaDown, RasaLost or RasaRefused."""
        body = {"sender": conversation, "message": message, "metadata": metadata}
        url = f"{self._url}/webhooks/rest/webhook"
        with _as_rasa_errors():
            async with self._http.post(url, params=self._params(stream="true"), json=body) as response:
                _raise_for(response.status)
                async for line in response.content:
                    if line.strip():
                        yield _reply(line)

    async def replies_in_tracker(self, conversation: str, message_id: str, now: float) -> list[Reply] | None:
        """What Rasa said in the turn of `message_id`, or None where the tracker does not know the message.

        Posting an event takes the conversation's lock, so a turn that is still running is waited for. `now`: Unix
        seconds. Raises as `replies` does.
        """
        event = {"event": "slot", "name": "turn_checked", "value": message_id, "timestamp": now}
        url = f"{self._url}/conversations/{conversation}/tracker/events"
        with _as_rasa_errors():
            async with self._http.post(url, params=self._params(include_events="ALL"), json=event) as response:
                _raise_for(response.status)
                content = await response.read()
        try:
            tracker = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise RasaRefused(f"the tracker is not JSON: {error}") from error
        events = tracker.get("events") if isinstance(tracker, dict) else None
        if not isinstance(events, list):
            raise RasaRefused("the tracker has no events")
        return turn_replies(events, message_id)

    async def is_up(self) -> bool:
        try:
            async with self._http.get(
                f"{self._url}/status", params=self._params(), timeout=aiohttp.ClientTimeout(total=2.0)
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


@contextmanager
def _as_rasa_errors() -> Iterator[None]:
    """Not connected: nothing was sent. Anything later: it may have been taken."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise RasaDown(repr(error)) from error
    except aiohttp.ClientError as error:
        raise RasaLost(repr(error)) from error
    except ValueError as error:  # a line longer than the buffer
        raise RasaLost(repr(error)) from error


def _raise_for(status: int) -> None:
    if status == 200:
        return
    if status == 409:  # "no agent loaded": Rasa is up, its model is not
        raise RasaDown("Rasa has no model loaded")
    if status in {502, 503, 504}:  # Rasa's own time-out, or a proxy that lost it: the turn may go on
        raise RasaLost(f"HTTP {status}")
    raise RasaRefused(f"HTTP {status}")


def _reply(line: bytes) -> Reply:
    try:
        reply = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RasaLost(f"a line of the stream is not JSON: {error}") from error
    if not isinstance(reply, dict):
        raise RasaLost("a line of the stream is not an object")
    return reply


def turn_replies(events: list[Any], message_id: str) -> list[Reply] | None:
    """The replies between the user event of `message_id` and the next user event; None where there is no such event."""
    found: list[Reply] | None = None
    for event in events:
        if not isinstance(event, dict):
            continue
        if event.get("event") == "user":
            if found is not None:
                break
            if (event.get("metadata") or {}).get("message_id") == message_id:
                found = []
        elif event.get("event") == "bot" and found is not None:
            found += as_streamed(event)
    return found


def as_streamed(event: dict[str, Any]) -> list[Reply]:
    """A bot event of the tracker as the lines that the rest channel streamed for it, in their number and order.

    As rasa.core.channels.channel does it: text without buttons is split at blank lines; custom, image and attachment
    are lines of their own after the text. Numbers count, because reply ids are made of them.
    """
    data = {key: value for key, value in (event.get("data") or {}).items() if value}
    text = event.get("text")
    lines: list[Reply] = []
    buttons = data.get("quick_replies") or data.get("buttons")
    if buttons:
        lines.append({"text": text, "buttons": buttons})
    elif text:
        lines += [{"text": part} for part in str(text).strip().split("\n\n")]
    lines += [{key: data[key]} for key in ("custom", "image", "attachment") if key in data]
    return lines
