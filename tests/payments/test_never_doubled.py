"""Any sequence of words, payments, lost answers, errors, repeated and shuffled news, and crashes between steps: at most one live
hold and one capture a session, nothing taken beyond the cost, and the ledger agrees with the payment system once it answers.

The cashier, Stripe's client and the stand-in are the real ones, over real HTTP; only crashes are staged, between two steps.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actions.payments.cashier import Cashier, OverCap
from actions.payments.gateway import PaymentsError, StripeGateway
from actions.payments.ledger import State
from actions.payments.store import SqliteLedger
from chargeline.clock import ManualClock
from sandbox.payments.faults import KINDS
from tests.payments.made import TERMS, order
from tests.payments.sandbox import Sandbox

COST = {"CL-1": 1250, "CL-2": 0, "CL-3": 9000}
CHARGERS = st.sampled_from(sorted(COST))
CARDS = st.sampled_from(["4242424242424242", "4242424242424242", "4000000000009995", "4000002760003184"])
# What a crash or an answer that never comes leaves, for the next call to mend.
BROKEN = (PaymentsError,)


class Crash(Exception):
    """The process is gone."""


class Brittle:
    """A gateway or store that crashes before or after its nth call from now."""

    def __init__(self, inner: Any, plan: dict[str, int]) -> None:
        self._inner = inner
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*given: Any, **named: Any) -> Any:
            self._step()
            answer = await found(*given, **named)
            self._step()
            return answer

        return call

    def _step(self) -> None:
        if self._plan["left"] > 0:
            self._plan["left"] -= 1
            if self._plan["left"] == 0:
                raise Crash


class Money(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.crash = {"left": 0}
        self.messages = 0
        self.random = random.Random(7)

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        async def opened() -> None:
            # The clock stands still a little before real time, so that pages neither open too late nor lapse by themselves.
            self.clock = ManualClock(datetime.now(UTC))
            self.sandbox = await self.stack.enter_async_context(Sandbox.running(clock=self.clock))
            self.gateway = StripeGateway("sk_test_ours", self.sandbox.url, retries=0, timeout_s=30)
            self.stack.push_async_callback(self.gateway.close)

        self.folder = self.stack.enter_context(TemporaryDirectory())
        self.do(opened())
        self.store = SqliteLedger(f"{self.folder}/payments.sqlite3")
        self.do(self.store.open())
        self.stack.push_async_callback(self.store.close)
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is remembered but what is in the store."""
        self.crash["left"] = 0
        store: Any = Brittle(self.store, self.crash)
        gateway: Any = Brittle(self.gateway, self.crash)
        self.cashier = Cashier(store, gateway, self.clock, TERMS)

    def attempt(self, work: Any) -> Any:
        try:
            return self.do(work)
        except Crash:
            self.restart()
        except BROKEN:
            return None
        return None

    def purchases(self) -> list[Any]:
        return list(self.do(self.store.find()))

    # ---- what happens

    @rule(
        kind=st.sampled_from([*sorted(KINDS), *["crash"] * 3]),
        path=st.sampled_from(["/v1/", "/v1/payment_intents", "/v1/checkout", "/v1/refunds"]),
        after=st.integers(1, 12),
    )
    def fault(self, kind: str, path: str, after: int) -> None:
        if kind == "crash":
            self.crash["left"] = after
        else:
            self.do(self.sandbox.fault(kind, path))

    @rule(charger=CHARGERS, card=CARDS, which=st.integers(0, 5))
    def one_after_the_other(self, charger: str, card: str, which: int) -> None:
        """What mostly happens, with whatever fault is due in the middle of it."""
        self.driver_asks(charger, False)
        self.driver_pays(card, which)
        self.news(False, False)
        self.session_starts(which)
        self.session_ends(which)
        self.paid_back(which, 300)
        self.paid_back(which, 200)

    @rule(charger=CHARGERS)
    def paid_and_begun(self, charger: str) -> None:
        self.driver_asks(charger, False)
        self.driver_pays("4242424242424242", 0)
        self.news(True, True)
        self.session_starts(0)

    @rule(charger=CHARGERS, repeat=st.booleans())
    def driver_asks(self, charger: str, repeat: bool) -> None:
        self.messages += not repeat
        self.attempt(self.cashier.open_link(order(f"in_{self.messages}", charger)))

    @rule(card=CARDS, which=st.integers(0, 5))
    def driver_pays(self, card: str, which: int) -> None:
        """On any page that is open, also one that the ledger has never heard of."""
        pages = [one for one in self.sandbox.all("checkout.session") if one["status"] == "open"]
        shown = {page for one in self.purchases() for page in one.checkouts}
        pages = [one for one in pages if one["id"] in shown]  # nobody else's address was ever told
        if pages:
            self.do(self.sandbox.pay(f"/c/pay/{pages[which % len(pages)]['id']}", card))

    @rule(confirmed=st.booleans())
    def bank_answers(self, confirmed: bool) -> None:
        for one in self.sandbox.all("payment_intent"):
            if one["status"] == "requires_action":
                self.do(
                    self.sandbox.http.post(f"/bank/{one['id']}", content=f"do={'confirm' if confirmed else 'refuse'}")
                )
                return

    @rule(twice=st.booleans(), shuffled=st.booleans())
    def news(self, twice: bool, shuffled: bool) -> None:
        """Every event so far, maybe in any order, maybe twice: each only says where to look."""
        events = [one["data"]["object"] for one in reversed(self.sandbox.all("event"))][-6:] * (2 if twice else 1)
        if shuffled:
            self.random.shuffle(events)
        for thing in events:
            payment = thing["metadata"].get("payment") if thing.get("metadata") else None
            if payment is not None and self.do(self.store.get(payment)) is not None:
                intent = thing["id"] if thing["object"] == "payment_intent" else None
                self.attempt(self.cashier.settle(payment, intent))

    @rule(which=st.integers(0, 5))
    def session_starts(self, which: int) -> None:
        held = [one for one in self.purchases() if one.state is State.HELD]
        if held:
            one = held[which % len(held)]
            self.attempt(self.cashier.starting(one.id))
            self.attempt(self.cashier.bind(one.id, f"ses_{one.id}"))

    @rule(which=st.integers(0, 5))
    def session_ends(self, which: int) -> None:
        running = [one for one in self.purchases() if one.state is State.CHARGING]
        if running:
            one = running[which % len(running)]
            self.attempt(self.cashier.charge(one.id, COST[one.charger]))

    @rule(which=st.integers(0, 5))
    def given_up(self, which: int) -> None:
        known = self.purchases()
        if known:
            self.attempt(self.cashier.release(known[which % len(known)].id, nothing_runs=True))

    @rule(which=st.integers(0, 5), cents=st.integers(1, 700))
    def paid_back(self, which: int, cents: int) -> None:
        taken = [one for one in self.purchases() if one.state is State.CAPTURED]
        if taken:
            try:
                self.attempt(self.cashier.refund(taken[which % len(taken)].id, cents))
            except (OverCap, ValueError):
                return

    @precondition(lambda self: self.purchases())
    @rule()
    def the_payment_system_recovers(self) -> None:
        """All answers come again and nothing crashes: after two looks the ledger and the payment system are one."""
        self.sandbox.world.faults.waiting.clear()
        self.restart()
        for _ in range(2):
            for one in self.purchases():
                intents = [
                    row["id"] for row in self.sandbox.all("payment_intent") if row["metadata"]["payment"] == one.id
                ]
                for intent in intents or [None]:
                    self.attempt(self.cashier.settle(one.id, intent))
        for one in self.purchases():
            self.agrees(one)

    def agrees(self, one: Any) -> None:
        theirs = [row for row in self.sandbox.all("payment_intent") if row["metadata"]["payment"] == one.id]
        held = [row for row in theirs if row["status"] == "requires_capture"]
        taken = [row for row in theirs if row["status"] == "succeeded"]
        if one.state in (State.HELD, State.CHARGING):
            assert [row["id"] for row in held] == [one.intent]
        else:
            assert held == []
        assert sum(row["amount_received"] for row in taken) == (one.captured if one.state is State.CAPTURED else 0)
        back = sum(row["amount"] for row in self.sandbox.all("refund") if row["payment_intent"] == one.intent)
        assert one.refunded <= back <= one.refunded + one.refunding
        assert back <= TERMS.refund_cap_cents

    # ---- what must hold at every moment

    @invariant()
    def one_hold_and_one_capture_a_session(self) -> None:
        if not hasattr(self, "sandbox"):
            return
        live: dict[str, int] = {}
        for row in self.sandbox.all("payment_intent"):
            if row["status"] in ("requires_capture", "succeeded"):
                live[row["metadata"]["payment"]] = live.get(row["metadata"]["payment"], 0) + 1
        assert all(count == 1 for count in live.values())
        for one in self.purchases():
            row = self.sandbox.world.shelf.find(one.intent) if one.intent else None
            if row is not None and row["status"] == "succeeded":
                assert row["amount_received"] == min(COST[one.charger], one.hold)
        assert self.sandbox.complaints == []

    def teardown(self) -> None:
        if hasattr(self, "sandbox"):
            self.do(self.stack.aclose())
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


Money.TestCase.settings = settings(
    max_examples=15, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMoney = pytest.mark.timeout(180)(Money.TestCase)
