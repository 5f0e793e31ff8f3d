"""Moves a purchase on, one safe step at a time: link, hold, release, capture, refund. Whoever comes after a crash just calls again.

Every step writes down what it is about to ask for, asks under a key that stays the same until it is known to be used up, and
believes only what the payment system says afterwards. Steps of one purchase never overlap.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from actions.bridge import Tariff
from actions.payments.gateway import Declined, Gateway, Intent, KeySpent, Page, PaymentsAway, PaymentsRefused
from actions.payments.ledger import OPEN, Purchase, State
from actions.payments.store import LedgerStore
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

LEAST_LINK_S, MOST_LINK_S = 1830.0, 86_000.0  # Checkout pages live from 30 minutes to 24 hours
STILL_GOOD = timedelta(minutes=5)  # a link that has less left is replaced
_LOCALES = {"en": "en", "es": "es", "fr": "fr-CA"}


class OverCap(ValueError):
    """More than may be paid back without a person; `left` is what still may, in cents."""

    def __init__(self, left: int) -> None:
        super().__init__(f"at most {left} cents more may be paid back without a person")
        self.left = left


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's: cents, seconds, and where a payment page sends the driver afterwards."""

    hold_cents: int
    refund_cap_cents: int
    link_valid_s: float
    public_url: str


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants to charge where. `message_id` makes a repeated turn's purchase the same one."""

    message_id: str
    conversation: str
    driver: str
    language: str
    charger: str
    label: str
    connector: int | None
    tariff: Tariff

    @property
    def id(self) -> str:
        return f"pay_{hashlib.sha256(f'{self.message_id}:{self.charger}'.encode()).hexdigest()[:24]}"


class Cashier:
    def __init__(self, store: LedgerStore, gateway: Gateway, clock: Clock, terms: Terms) -> None:
        self.store = store
        self.gateway = gateway
        self.terms = terms
        self._clock = clock
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}  # and how many want it

    # ---- links

    async def open_link(self, order: Order) -> Purchase:
        """A purchase with a page to pay on, or one that is paid already. Raises PaymentsError.

        A link that stands is given again; what is open for another charger is given up first, so that one driver never has
        two pages, or two holds, for one session.
        """
        async with self._alone(f"conversation:{order.conversation}"):
            for other in await self.store.find(conversation=order.conversation, states=OPEN - {State.CHARGING}):
                same = (other.charger, other.connector) == (order.charger, order.connector)
                other = await self.settle(other.id)
                if other.state is State.CHARGING or other.over:
                    continue
                if same and (other.state is State.HELD or other.id == order.id or self._is_good(other)):
                    return other if other.url or other.state is State.HELD else await self._make_page(other)
                await self.release(other.id)
            now = self._clock.now()
            fresh = Purchase(
                id=order.id,
                conversation=order.conversation,
                driver=order.driver,
                language=order.language,
                charger=order.charger,
                label=order.label,
                connector=order.connector,
                tariff=asdict(order.tariff),
                hold=self.terms.hold_cents,
                created_at=now,
                updated_at=now,
            )
            purchase = await self.store.add(fresh)
            return purchase if purchase.over or purchase.url else await self._make_page(purchase)

    def _is_good(self, purchase: Purchase) -> bool:
        """Whether there is time left to pay on its page, or, where none is made yet, to make it."""
        least = STILL_GOOD if purchase.url else timedelta(seconds=LEAST_LINK_S)
        return self._until(purchase) - self._clock.now() > least

    def _until(self, purchase: Purchase) -> datetime:
        return purchase.link_until or purchase.created_at + timedelta(seconds=self._valid_s)

    @property
    def _valid_s(self) -> float:
        return min(max(self.terms.link_valid_s, LEAST_LINK_S + 600), MOST_LINK_S)

    async def _make_page(self, purchase: Purchase) -> Purchase:
        """The page behind the link. One that was made under a key that is spent was shown to nobody, so nobody can pay on it."""
        async with self._alone(purchase.id):
            for _ in range(2):
                key = purchase.key("checkout")
                try:
                    page = await self.gateway.open_page(self._page_order(purchase), key)
                except KeySpent:
                    purchase = await self._used_up(purchase, "checkout", key)
                    continue
                if page.url is None:
                    raise PaymentsAway("a page without an address")
                return await self._with_link(purchase, page, page.url)
            raise PaymentsAway("no page could be made")

    async def _with_link(self, purchase: Purchase, page: Page, url: str) -> Purchase:
        return await self._change(purchase, lambda one, now: one.with_link(page.id, url, page.until, now))

    def _page_order(self, purchase: Purchase) -> dict[str, Any]:
        """The same for the same purchase, so that its key fits."""
        named = f"EV charging, charger {purchase.label}"
        price = {"currency": purchase.currency, "unit_amount": purchase.hold, "product_data": {"name": named}}
        back = f"{self.terms.public_url}/pay/return?lang={purchase.language}"
        return {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "payment_method_types": ["card"],
            "payment_intent_data": {
                "capture_method": "manual",
                "description": named,
                "metadata": self._metadata(purchase),
            },
            "metadata": self._metadata(purchase),
            "client_reference_id": purchase.id,
            "locale": _LOCALES.get(purchase.language, "auto"),
            "success_url": f"{back}&paid=1",
            "cancel_url": back,
            "expires_at": int(purchase.created_at.timestamp() + self._valid_s)
            + 60 * purchase.attempts.get("checkout", 0),
        }

    @staticmethod
    def _metadata(purchase: Purchase) -> dict[str, str]:
        return {"payment": purchase.id, "conversation": purchase.conversation, "charger": purchase.charger}

    # ---- what is true now

    async def settle(self, purchase_id: str, intent: str | None = None) -> Purchase:
        """Brings the ledger to what the payment system says, and finishes what was begun. `intent`: one that an event named."""
        async with self._alone(purchase_id):
            purchase = await self._get(purchase_id)
            pages = [await self.gateway.page(one) for one in purchase.checkouts] if self._pages_matter(purchase) else []
            paid = [page.intent for page in pages if page.intent is not None]
            wanted = [purchase.intent, intent, *paid, *purchase.extra, *await self._of_saved_card(purchase)]
            for one in dict.fromkeys(found for found in wanted if found is not None):
                purchase = await self._see(purchase, await self.gateway.intent(one))
            if (
                purchase.state is State.LINK
                and all(page.status != "open" for page in pages)
                and self._is_late(purchase)
            ):
                purchase = await self._change(purchase, lambda one, now: one.ended(State.LAPSED, now))
            if purchase.cost is not None and not purchase.over:
                purchase = await self._take(purchase)
            return purchase

    async def _of_saved_card(self, purchase: Purchase) -> list[str]:
        """Attempts with a saved card, whose answers may have been lost."""
        if purchase.customer is None or purchase.over:
            return []
        found = await self.gateway.intents_of(purchase.customer, purchase.created_at - timedelta(minutes=1))
        return [one.id for one in found if one.metadata.get("payment") == purchase.id]

    @staticmethod
    def _pages_matter(purchase: Purchase) -> bool:
        return purchase.state is State.LINK or len(purchase.checkouts) > 1

    def _is_late(self, purchase: Purchase) -> bool:
        return self._clock.now() >= self._until(purchase)

    async def _see(self, purchase: Purchase, seen: Intent) -> Purchase:
        """Takes one intent of the purchase into the ledger; a hold beside the first is released."""
        if seen.metadata.get("payment") != purchase.id:
            log.error("intent_of_another_purchase", purchase=purchase.id, intent=seen.id)
            return purchase
        if seen.status == "requires_capture":
            purchase = await self._change(purchase, lambda one, now: one.with_hold(seen.id, now))
            # Beside the first hold, or after the end: this money is not meant to be held.
            if purchase.intent != seen.id or purchase.over:
                await self._cancel(purchase, seen.id, "duplicate")
                log.warning("extra_hold_released", purchase=purchase.id, intent=seen.id)
        elif seen.status == "succeeded" and purchase.intent == seen.id:
            purchase = await self._change(purchase, lambda one, now: one.captured_with(seen.received, now))
        elif seen.status == "canceled" and purchase.intent == seen.id:
            purchase = await self._change(purchase, lambda one, now: one.ended(State.RELEASED, now))
        elif seen.status == "requires_payment_method" and seen.decline is not None:
            purchase = await self._change(purchase, lambda one, now: one.with_decline(seen.decline, seen.advice, now))
        return purchase

    # ---- release

    async def release(self, purchase_id: str, reason: str = "abandoned", *, nothing_runs: bool = False) -> Purchase:
        """Gives up a purchase: pages are closed, holds cancelled. Raises PaymentsError.

        One on which a session runs stays, since its cost is not known yet; so does one for which a start was sent, until
        somebody has seen that nothing came of it (`nothing_runs`).
        """
        async with self._alone(purchase_id):
            purchase = await self._get(purchase_id)
            if purchase.state is State.CHARGING or purchase.over or (purchase.is_starting and not nothing_runs):
                return purchase
            for page_id in purchase.checkouts:
                page = await self._close_page(page_id)
                if page.intent is not None:
                    purchase = await self._see(purchase, await self.gateway.intent(page.intent))
            if purchase.intent is not None and not purchase.over:
                return await self._released(purchase, reason)
            if purchase.over:
                return purchase
            return await self._change(purchase, lambda one, now: one.ended(State.LAPSED, now))

    async def _close_page(self, page_id: str) -> Page:
        """The page, closed: nobody pays on it any more, or somebody has."""
        page = await self.gateway.page(page_id)
        if page.status != "open":
            return page
        try:
            return await self.gateway.expire_page(page_id)
        except PaymentsRefused:
            return await self.gateway.page(page_id)  # paid in this moment

    async def _released(self, purchase: Purchase, reason: str) -> Purchase:
        assert purchase.intent is not None
        seen = await self._cancel(purchase, purchase.intent, reason)
        if seen.status == "succeeded":
            return await self._change(purchase, lambda one, now: one.captured_with(seen.received, now))
        return await self._change(purchase, lambda one, now: one.ended(State.RELEASED, now))

    async def _cancel(self, purchase: Purchase, intent: str, reason: str) -> Intent:
        """The intent, canceled or captured. Raises PaymentsAway where neither is known."""
        purpose = f"cancel-{intent}"
        key = purchase.key(purpose)
        try:
            return await self.gateway.cancel(intent, reason, key)
        except (KeySpent, PaymentsRefused) as error:
            seen = await self.gateway.intent(intent)
            if seen.status in ("canceled", "succeeded"):
                return seen
            await self._used_up(purchase, purpose, key)
            raise PaymentsAway(f"the hold could not be released: {error}") from error

    # ---- the session and its cost

    async def starting(self, purchase_id: str) -> Purchase:
        """A start is about to be sent for it. The same one until it is known to have failed: `starts` is part of its key."""

        def change(one: Purchase) -> Purchase:
            return one if one.is_starting or one.state is not State.HELD else replace(one, starts=one.starts + 1)

        return await self.store.change(purchase_id, change)

    async def start_failed(self, purchase_id: str, number: int) -> Purchase:
        """Nothing came of that start, and nothing will."""
        return await self.store.change(
            purchase_id, lambda one: replace(one, failed_starts=max(one.failed_starts, min(number, one.starts)))
        )

    async def bind(self, purchase_id: str, session: str) -> Purchase:
        """A session runs on it."""
        now = self._clock.now()
        return await self.store.change(purchase_id, lambda one: one.with_session(session, now))

    async def charge(self, purchase_id: str, cents: int) -> Purchase:
        """Takes the session's cost, once, and releases the rest; a cost of nothing releases all. Raises PaymentsError."""
        async with self._alone(purchase_id):
            purchase = await self._get(purchase_id)
            if purchase.over or purchase.intent is None:
                return purchase
            if cents > purchase.hold:
                log.warning("cost_above_hold", purchase=purchase.id, cost=cents, hold=purchase.hold)
            purchase = await self._change(purchase, lambda one, now: one.with_cost(cents, now))
            return await self._take(purchase)

    async def _take(self, purchase: Purchase) -> Purchase:
        assert purchase.intent is not None
        assert purchase.cost is not None
        if purchase.cost == 0:
            return await self._released(purchase, "requested_by_customer")
        key = purchase.key("capture")
        try:
            seen = await self.gateway.capture(purchase.intent, purchase.cost, key)
        except (KeySpent, PaymentsRefused) as error:
            seen = await self.gateway.intent(purchase.intent)
            if seen.status == "requires_capture":
                if isinstance(error, PaymentsRefused) and error.code == "amount_too_small":
                    return await self._released(purchase, "requested_by_customer")  # too little to be worth a charge
                await self._used_up(purchase, "capture", key)
                raise PaymentsAway(f"the cost could not be taken: {error}") from error
        if seen.status == "succeeded":
            return await self._change(purchase, lambda one, now: one.captured_with(seen.received, now))
        return await self._change(purchase, lambda one, now: one.ended(State.RELEASED, now))

    # ---- money back

    async def refund(self, purchase_id: str, cents: int, *, by_person: bool = False) -> Purchase:
        """Pays back of what was taken. Without a person at most the operator's cap for one session: raises OverCap.

        A refund that was begun is finished first, with the amount that it was begun with. Raises PaymentsError, ValueError.
        """
        async with self._alone(purchase_id):
            purchase = await self._get(purchase_id)
            if purchase.refunding == 0:
                if purchase.state is not State.CAPTURED or not 0 < cents <= purchase.captured - purchase.refunded:
                    raise ValueError("only what was taken, and not paid back yet, can be paid back")
                left = min(self.terms.refund_cap_cents, purchase.captured) - purchase.refunded
                if not by_person and cents > left:
                    raise OverCap(max(0, left))
                purchase = await self._change(purchase, lambda one, now: replace(one, refunding=cents, updated_at=now))
            return await self._pay_back(purchase)

    async def _pay_back(self, purchase: Purchase) -> Purchase:
        assert purchase.intent is not None
        key = purchase.key("refund")
        # Which refund of the purchase this is; the same over all keys that it takes.
        mark = f"{purchase.id}:{purchase.refunded}"
        try:
            await self.gateway.refund(purchase.intent, purchase.refunding, mark, key)
        except (KeySpent, PaymentsRefused) as error:
            if mark not in await self.gateway.refunds(purchase.intent):
                await self._used_up(purchase, "refund", key)
                if isinstance(error, PaymentsRefused):
                    await self._change(purchase, lambda one, now: replace(one, refunding=0, updated_at=now))
                    raise
                raise PaymentsAway(f"the refund could not be made: {error}") from error
        done = await self._used_up(purchase, "refund", key)
        amount = done.refunding

        def paid_back(one: Purchase) -> Purchase:
            return replace(one, refunded=one.refunded + amount, refunding=0) if one.refunding else one

        return await self.store.change(purchase.id, paid_back)

    # ---- payments that were not begun here

    async def payments_of(self, driver: str, charger: str, label: str, within: timedelta) -> list[Intent]:
        """The driver's payments for this charger in that time, the newest first: never just "the last card"."""
        found = await self._all_of(driver, within)
        return [one for one in found if one.metadata.get("charger") in (charger, label)]

    async def payments_of_driver(self, driver: str, within: timedelta) -> list[Intent]:
        """The driver's payments in that time that were not begun here, for whichever charger, the newest first."""
        found = await self._all_of(driver, within)
        return [one for one in found if one.metadata.get("charger") and "payment" not in one.metadata]

    async def _all_of(self, driver: str, within: timedelta) -> list[Intent]:
        customer = None if driver.startswith("guest:") else await self.gateway.customer_of(driver)
        return [] if customer is None else await self.gateway.intents_of(customer, self._clock.now() - within)

    async def keep_one(self, holds: Sequence[Intent]) -> list[Intent]:
        """Of several holds for one session the newest stays; the others are released, and returned. Raises PaymentsError."""
        released = []
        for one in sorted(holds, key=lambda hold: hold.created)[:-1]:
            try:
                seen = await self.gateway.cancel(one.id, "duplicate", f"hold:{one.id}:cancel:1")
            except (KeySpent, PaymentsRefused):
                seen = await self.gateway.intent(one.id)
            if seen.status == "canceled":
                released.append(one)
        return released

    async def retry(self, order: Order, failed: Intent) -> Purchase:
        """One new attempt with the driver's saved card, after a trouble that passes. Raises Declined, PaymentsError.

        The same failed payment is tried again once only, whoever asks how often.
        """
        customer = await self.gateway.customer_of(order.driver)
        method = await self.gateway.saved_card(customer) if customer is not None else None
        if customer is None or method is None:
            raise PaymentsRefused("no_card", "no card of this driver is saved")
        now = self._clock.now()
        fresh = Purchase(
            id=f"pay_{hashlib.sha256(f'retry:{failed.id}'.encode()).hexdigest()[:24]}",
            conversation=order.conversation,
            driver=order.driver,
            language=order.language,
            charger=order.charger,
            label=order.label,
            connector=order.connector,
            tariff=asdict(order.tariff),
            hold=self.terms.hold_cents,
            created_at=now,
            updated_at=now,
            customer=customer,
        )
        purchase = await self.store.add(fresh)
        if purchase.state is not State.LINK:
            return purchase
        async with self._alone(purchase.id):
            hold = {
                "amount": purchase.hold,
                "currency": purchase.currency,
                "customer": customer,
                "payment_method": method,
                "payment_method_types": ["card"],
                "capture_method": "manual",
                "confirm": True,
                "off_session": True,
                "metadata": self._metadata(purchase),
            }
            key = purchase.key("retry")
            try:
                seen = await self.gateway.hold(hold, key)
            except Declined as declined:
                code, advice = declined.code, declined.advice
                await self._change(purchase, lambda one, now: one.with_decline(code, advice, now))
                raise
            except KeySpent:
                made = await self._of_saved_card(purchase)
                if not made:
                    raise
                seen = await self.gateway.intent(made[0])
            return await self._see(purchase, seen)

    async def card_page(self, order: Order) -> str | None:
        """A page on which a known driver saves a new card; None for one whom the payment system does not know."""
        customer = await self.gateway.customer_of(order.driver)
        if customer is None:
            return None
        back = f"{self.terms.public_url}/pay/return?lang={order.language}"
        page = await self.gateway.open_page(
            {
                "mode": "setup",
                "currency": order.tariff.currency.lower(),
                "customer": customer,
                "payment_method_types": ["card"],
                "metadata": {"card_of": order.driver, "conversation": order.conversation},
                "success_url": back,
                "cancel_url": back,
            },
            f"session:{order.id}:card:1",
        )
        return page.url

    # ---- small things

    async def tell(self, purchase_id: str, what: str, turn: str) -> bool:
        """Whether the driver is to be told this in this turn; nobody tells it in another one then."""
        may: list[bool] = []

        def change(one: Purchase) -> Purchase:
            may.append(one.may_tell(what, turn))
            return one.tell(what, turn)

        await self.store.change(purchase_id, change)
        return may[-1]

    async def current(self, conversation: str, charger: str) -> Purchase | None:
        """The conversation's open purchase at this charger, as it is now. Raises PaymentsError."""
        for one in await self.store.find(conversation=conversation, states=OPEN):
            if one.charger == charger:
                settled = await self.settle(one.id)
                return None if settled.over else settled
        return None

    async def _get(self, purchase_id: str) -> Purchase:
        found = await self.store.get(purchase_id)
        if found is None:
            raise KeyError(purchase_id)
        return found

    async def _change(self, purchase: Purchase, change: Callable[..., Purchase]) -> Purchase:
        now = self._clock.now()
        changed = await self.store.change(purchase.id, lambda one: change(one, now))
        if changed.state is not purchase.state:
            log.info("purchase_moved", purchase=purchase.id, before=purchase.state.value, now=changed.state.value)
        return changed

    async def _used_up(self, purchase: Purchase, purpose: str, key: str) -> Purchase:
        return await self._change(purchase, lambda one, now: one.used_up(purpose, key, now))

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks.pop(name)
            if users > 1:
                self._locks[name] = (lock, users - 1)
