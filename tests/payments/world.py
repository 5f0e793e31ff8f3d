"""A driver, a scripted bridge, the real playbooks, cashier and client, and the payment sandbox: everything but Rasa and the front door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

from actions.bridge import Actor
from actions.charging import BridgeClient
from actions.payments.cashier import Cashier
from actions.payments.gateway import StripeGateway
from actions.payments.ledger import Purchase
from actions.payments.port import Payments
from actions.payments.settler import Settler
from actions.payments.store import SqliteLedger
from actions.playbooks import start_and_pay
from actions.playbooks.book import PLAYBOOKS, WAKES
from actions.playbooks.contact import Contact, Ports, Turn, Wake
from actions.playbooks.steps import Say, Steps
from chargeline.clock import ManualClock, SystemClock
from tests.actions.fake_bridge import FakeBridge, Row, charger, connector
from tests.actions.playing import Played
from tests.payments.made import TERMS
from tests.payments.sandbox import Sandbox

CAD = {"id": "ca-l2", "currency": "CAD", "price_per_kwh": 0.26}
TEXTS = {
    language: {
        name: rows[0]["text"]
        for name, rows in yaml.safe_load(Path(f"domain/responses/{language}.yml").read_text("utf-8"))["texts"].items()
    }
    for language in ("en", "es", "fr")
}
GUEST = Turn(Actor("guest:web_1", 0, "web_1"), "in_1", "en", "web")
ADA = Turn(Actor("drv-ada", 1, "sms_a"), "in_1", "en", "sms")


class PayingBridge(FakeBridge):
    """With tariffs, and id tokens for who shows the payment side's key; guests do not charge free."""

    def __init__(self, *rows: Row) -> None:
        super().__init__(*rows)
        self.guests = False
        self.paid: list[Row] = []

    def answer(self, method: str, path: str, query: Row, body: Row) -> tuple[int, Row]:
        if path == "/v1/paid-tokens":
            if body not in self.paid:
                self.paid.append(body)
            token = {
                "id": f"PAID{self.paid.index(body)}",
                "last4": "AID1",
                "driver": body["driver"],
                "status": "Accepted",
            }
            return 200, {**token, "guest": False}
        return super().answer(method, path, {name: unquote(value) for name, value in query.items()}, body)


@dataclass
class Line:
    """One driver's thread. `told`: what the settler had the front door tell."""

    sandbox: Sandbox
    bridge: PayingBridge
    ports: Ports
    cashier: Cashier
    store: SqliteLedger
    gateway: StripeGateway
    clock: ManualClock
    settler: Settler
    told: list[tuple[str, str]] = field(default_factory=list)
    turn: Turn = GUEST
    _turns: int = 0

    def _next(self) -> Contact:
        self._turns += 1
        turn = replace(self.turn, message_id=f"in_{self._turns}")
        return Contact(turn, "payment_failed", "CL-1042", 1)

    async def says(self, problem: str = "payment_failed") -> Played:
        about = replace(self._next(), problem=problem)
        return await played(PLAYBOOKS[problem].run(self.ports, about))

    async def news(self, intent: str | None = None, *, again: bool = False) -> Played:
        """A payment event's turn. `again`: the same turn, as after a crash."""
        about = replace(self._next(), charger_id="CL-1042")
        if again:
            about = replace(about, turn=replace(about.turn, message_id=f"in_{self._turns - 1}"))
        purchase = await self.purchase()
        return await played(start_and_pay.news(self.ports, about, purchase.id, intent))

    async def wakes(self, purpose: str, *, met: bool = True, command: str | None = None) -> Played:
        return await played(WAKES[purpose](self.ports, self._next(), Wake(purpose, met, command)))

    async def purchase(self) -> Purchase:
        """The newest of this driver's thread."""
        return (await self.store.find(conversation=self.turn.actor.conversation, limit=1))[0]

    async def page(self) -> str:
        """The page behind the link of the newest purchase."""
        url = (await self.purchase()).url
        assert url is not None
        return url

    async def pay(self, number: str = "4242424242424242") -> None:
        await self.sandbox.pay(await self.page(), number)


async def played(steps: Steps) -> Played:
    return Played([step async for step in steps])


def words(one: Played, language: str = "en") -> str:
    """What the driver reads."""
    says = [step for step in one.steps if isinstance(step, Say)]
    return "\n".join(TEXTS[language][say.name].format(**say.values) for say in says)


@asynccontextmanager
async def line(folder: Path, status: str = "Preparing", *, turn: Turn = GUEST, **row: Any) -> AsyncIterator[Line]:
    clock = ManualClock(datetime.now(UTC))
    bridge = PayingBridge(charger("1042", connector(1, status, tariff=CAD), **row), charger("1043"))
    store = SqliteLedger(folder / "payments.sqlite3")
    await store.open()
    async with Sandbox.running(clock=clock) as sandbox, bridge.serve() as url:
        client = BridgeClient(url, "key", SystemClock(), payment_key="key-payment", keep_trying_s=2)
        gateway = StripeGateway("sk_test_ours", sandbox.url, retries=0, timeout_s=30)
        cashier = Cashier(store, gateway, clock, TERMS)
        told: list[tuple[str, str]] = []

        async def tell(event: str, conversation: str, payment: str, intent: str | None) -> None:
            told.append((event, payment))

        ports = Ports(client, Payments(cashier), clock)
        settler = Settler(cashier, client, clock, tell)
        yield Line(sandbox, bridge, ports, cashier, store, gateway, clock, settler, told, turn)
        assert sandbox.complaints == []
        await gateway.close()
        await client.close()
    await store.close()
