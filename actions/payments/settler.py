"""Looks after every open purchase while nobody writes: takes the cost of sessions that have ended, releases what came to nothing,
and finds what a lost webhook or a crash left behind. What drivers are to be told goes to the front door as an event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from actions.bridge import BridgeError, Chargers, Session
from actions.payments.cashier import Cashier
from actions.payments.gateway import PaymentsError
from actions.payments.ledger import Purchase, State
from actions.payments.prices import cost_of
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

PERIOD_S = 10.0
EVENTS_EVERY_S = 60.0
UNUSED_FOR = timedelta(minutes=20)  # a hold without a session is let go
EVENTS_BACK = timedelta(days=3)  # the provider tries that long itself
_MARK = "events_read"

# Event id, conversation, purchase, intent: has the front door begin a turn about the payment, once by the event id.
Tell = Callable[[str, str, str, str | None], Awaitable[None]]


class Settler:
    def __init__(self, cashier: Cashier, chargers: Chargers, clock: Clock, tell: Tell) -> None:
        self._cashier = cashier
        self._chargers = chargers
        self._clock = clock
        self._tell = tell

    async def run(self) -> None:
        """For ever."""
        next_events = 0.0
        while True:
            try:
                await self.round()
                if self._clock.monotonic() >= next_events:
                    await self.read_missed()
                    next_events = self._clock.monotonic() + EVENTS_EVERY_S
            except (PaymentsError, BridgeError) as error:
                log.warning("settling_put_off", error=str(error))
            await self._clock.sleep(PERIOD_S)

    async def round(self) -> None:
        """One look at everything that is open. What fails is looked at again in the next round."""
        for purchase in await self._cashier.store.open_ones():
            try:
                await self._look_after(purchase)
            except (PaymentsError, BridgeError) as error:
                log.warning("purchase_put_off", purchase=purchase.id, state=purchase.state.value, error=str(error))

    async def _look_after(self, purchase: Purchase) -> None:
        before = purchase.state
        if before is not State.CHARGING or purchase.cost is not None:
            purchase = await self._cashier.settle(purchase.id)
        if purchase.state is State.HELD and purchase.is_starting:
            purchase = await self._find_session(purchase)
        if purchase.state is State.CHARGING:
            session = await self._session(purchase)
            if session is not None and session.state == "ended":
                purchase = await self._cashier.charge(purchase.id, cost_of(purchase.prices, session))
        elif purchase.state is State.HELD and self._clock.now() - purchase.updated_at > UNUSED_FOR:
            purchase = await self._cashier.release(purchase.id, nothing_runs=True)
        if purchase.state is not before and purchase.state is not State.CHARGING:
            event = f"ledger-{purchase.id}-{purchase.state.value}"
            await self._tell(event, purchase.conversation, purchase.id, None)

    async def _find_session(self, purchase: Purchase) -> Purchase:
        """A start was sent and nobody saw its end: the driver's session on this charger, if there is one since."""
        for session in await self._sessions(purchase):
            # A charger's clock may be wrong; what runs now began after it was paid for.
            since = session.state == "active" or (session.started_at or self._clock.now()) >= purchase.created_at
            taken = await self._cashier.store.find(session=session.id, limit=1)
            if session.charger == purchase.charger and since and not taken:
                return await self._cashier.bind(purchase.id, session.id)
        return purchase

    async def _session(self, purchase: Purchase) -> Session | None:
        return next((one for one in await self._sessions(purchase) if one.id == purchase.session), None)

    async def _sessions(self, purchase: Purchase) -> list[Session]:
        running = await self._chargers.running_sessions(purchase.driver)
        return [*running, *await self._chargers.ended_sessions(purchase.driver)]

    async def read_missed(self) -> None:
        """Events whose webhooks never arrived, told as if they had. Raises PaymentsError."""
        now = self._clock.now()
        since = _moment(await self._cashier.store.marked(_MARK), now - EVENTS_BACK)
        for event, kind, about in await self._cashier.gateway.missed_events(since):
            purchase = await self._cashier.store.get(about.get("payment", ""))
            if purchase is not None:
                log.info("event_fetched", event_id=event, type=kind, purchase=purchase.id)
                await self._tell(event, purchase.conversation, purchase.id, None)
        # An hour of overlap: a webhook that is being delivered just now counts as missed for a moment.
        await self._cashier.store.mark(_MARK, (now - timedelta(hours=1)).isoformat())


def _moment(mark: str | None, otherwise: datetime) -> datetime:
    return datetime.fromisoformat(mark) if mark else otherwise
