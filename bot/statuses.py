"""What a carrier says became of a message: noted, never backwards, and what follows from its error code done once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import structlog

from bot.channels.carrier_errors import Then, rule_of
from bot.metrics import Metrics
from bot.outbox import note_opt_out
from bot.store.base import BotStore
from bot.store.model import FAILED_STATUS, STATUS_RANK, Sending
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

_WORTH_AGAIN_S = 900.0  # an answer to a driver at a charger; later it would only puzzle


class Statuses:
    def __init__(
        self, store: BotStore, metrics: Metrics, wall: Clock, again_s: float, new_delivery: Callable[[], None]
    ) -> None:
        """`again_s`: after how long a message that may arrive the second time is sent once more."""
        self._store = store
        self._metrics = metrics
        self._wall = wall
        self._again_s = again_s
        self._new_delivery = new_delivery

    async def note(
        self, carrier: Literal["twilio", "meta"], entry_id: str | None, sid: str, status: str, code: str | None
    ) -> bool:
        """False where it was known, came too late, or is about a message that is not ours."""
        if entry_id is not None and STATUS_RANK.get(status, 0) <= STATUS_RANK["sent"]:
            known = await self._store.entry(entry_id)
            if known is None or known.delivery is None or known.delivery.state is not Sending.SENDING:
                return False  # that it was taken is known; only of one in doubt is it news
        entry = await self._store.note_status(entry_id, sid, status, code)
        if entry is None or entry.delivery is None:
            return False
        self._metrics.statuses.labels(carrier, status).inc()
        if status not in FAILED_STATUS:
            log.info("delivery_status", entry=entry.id, conversation=entry.conversation, status=status)
            return True
        rule = rule_of(carrier, code)
        log.error(
            "delivery_did_not_arrive",
            entry=entry.id,
            conversation=entry.conversation,
            status=status,
            code=code,
            means=rule.means,
            then=rule.then.value,
        )
        now = self._wall.now()
        if rule.then is Then.OPT_OUT:
            conversation = await self._store.conversation(entry.conversation)
            if conversation is not None:
                await note_opt_out(self._store, entry, conversation, str(code), self._wall)
        elif rule.then in {Then.ONCE, Then.LATER, Then.SLOW_DOWN} and (
            (now - entry.created_at).total_seconds() < _WORTH_AGAIN_S
        ):
            if await self._store.send_again(entry.id, now + timedelta(seconds=self._again_s)):
                self._metrics.delivery_retries.labels("status").inc()
                self._new_delivery()
        elif rule.then is Then.WINDOW and await self._store.send_again(entry.id, now):
            # Meta says so only afterwards. The driver's last words are older than we count, so it goes as a template now.
            self._new_delivery()
        return True
