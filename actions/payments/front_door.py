"""Tells the front door that something happened to a payment, so that its driver hears of it without asking."""

from __future__ import annotations

import httpx
import structlog

log = structlog.get_logger(__name__)


class FrontDoor:
    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=10, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def tell(self, event: str, conversation: str, payment: str, intent: str | None) -> None:
        """Once by its event id. A front door that is away is told by the provider's own webhook, or at the driver's next word."""
        body = {"id": event, "conversation": conversation, "payment": payment, "intent": intent}
        try:
            answer = await self._http.post("/v1/payments/events", json=body)
            if not answer.is_success:
                log.warning("payment_event_refused", event_id=event, status=answer.status_code)
        except httpx.HTTPError as error:
            log.warning("payment_event_not_told", event_id=event, why=type(error).__name__)
