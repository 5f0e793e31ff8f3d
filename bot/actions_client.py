"""What the front door asks the action server itself, past Rasa: hazards, and words for the person who has a conversation.

Both posts may be repeated; the message's id is their idempotency key. Who calls decides how often and for how long.
"""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from bot.rasa_client import Reply

# A hazard's answer waits for the charger to be stopped, which takes a command's time.
_TIMEOUT = httpx.Timeout(40.0, connect=3.0)


class ActionsError(Exception):
    """A call to the action server did not end well: no answer, or one that cannot be used."""


class ActionsRefused(ActionsError):
    """It answered with an error; `status` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class ActionsClient:
    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=_TIMEOUT, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def hazard(self, report: dict[str, Any]) -> list[Reply]:
        """Reports a hazard; returns what is to be said next. Raises ActionsError."""
        answer = await self._post("/v1/hazard", report)
        try:
            body = orjson.loads(answer.content)
        except orjson.JSONDecodeError as error:
            raise ActionsError(f"the answer is not JSON: {error}") from error
        replies = body.get("replies") if isinstance(body, dict) else None
        if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
            raise ActionsError("the answer has no list of replies")
        return replies

    async def case_message(self, case: str, message: dict[str, Any]) -> None:
        """Gives a driver's words to a case. Raises ActionsError."""
        await self._post(f"/v1/cases/{case}/messages", message)

    async def payment_page(self, payment: str) -> str:
        """The address of the page on which a payment is made. Raises ActionsError."""
        try:
            answer = await self._http.get(f"/v1/payments/{payment}/page")
        except httpx.HTTPError as error:
            raise ActionsError(repr(error)) from error
        if not answer.is_success:
            raise ActionsRefused(answer.status_code)
        try:
            return str(answer.json()["url"])
        except (ValueError, KeyError, TypeError) as error:
            raise ActionsError("the answer names no page") from error

    async def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        try:
            answer = await self._http.post(path, json=body)
        except httpx.HTTPError as error:
            raise ActionsError(repr(error)) from error
        if not answer.is_success:
            raise ActionsRefused(answer.status_code)
        return answer
