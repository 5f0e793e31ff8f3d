"""Puts the action server together from its settings: bridge, store, people, playbooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actions.bridge import Chargers
from actions.desk.deliveries import Deliveries
from actions.desk.desk import Desk, Reach
from actions.dialogue.actions import Service
from actions.dialogue.runs import Runs
from actions.dialogue.speech import Titles, read_titles
from actions.hazards import Hazards
from actions.payments.cashier import Cashier, Terms
from actions.payments.front_door import FrontDoor
from actions.payments.gateway import StripeGateway
from actions.payments.port import Payments
from actions.payments.settler import Settler
from actions.payments.store import LedgerStore, MongoLedger, SqliteLedger
from actions.playbooks.contact import Ports
from actions.store.base import ActionStore
from actions.store.mongo import MongoStore
from actions.store.sqlite import SqliteStore
from chargeline import mongo
from chargeline.clock import Clock
from chargeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Till:
    """The payment side; `store` is opened and `settler` run by the server."""

    store: LedgerStore
    gateway: StripeGateway
    cashier: Cashier
    front_door: FrontDoor
    settler: Settler


def till_of(settings: Settings, chargers: Chargers, clock: Clock) -> Till | None:
    """None where no payment system is connected."""
    if not settings.stripe_api_key:
        return None
    store: LedgerStore
    if settings.mongodb_url:
        store = MongoLedger(mongo.connect(settings.mongodb_url, settings.mongodb_database))
    else:
        store = SqliteLedger(settings.var / "actions" / "payments.sqlite3")
    gateway = StripeGateway(settings.stripe_api_key, settings.stripe_url)
    terms = Terms(settings.hold_cents, settings.refund_cap_cents, settings.link_valid_s, settings.public_base_url)
    cashier = Cashier(store, gateway, clock, terms)
    front_door = FrontDoor(settings.url_of("bot"), settings.actions_key)
    return Till(store, gateway, cashier, front_door, Settler(cashier, chargers, clock, front_door.tell))


@dataclass(frozen=True, slots=True)
class Parts:
    """All that the server serves with; `store` is opened and `deliveries` run by the server."""

    service: Service
    hazards: Hazards
    desk: Desk
    deliveries: Deliveries
    store: ActionStore
    actions_key: str
    operator_key: str
    till: Till | None = None


def store_of(settings: Settings) -> ActionStore:
    if settings.mongodb_url:
        return MongoStore(mongo.connect(settings.mongodb_url, settings.mongodb_database))
    return SqliteStore(settings.var / "actions" / "actions.sqlite3")


def parts_of(
    settings: Settings, chargers: Chargers, store: ActionStore, clock: Clock, texts: Mapping[str, str]
) -> Parts:
    """`texts`: the content of domain/responses/<language>.yml by language."""
    titles: Titles = read_titles(dict(texts))
    mail = settings.case_email_to if settings.smtp_url else ""
    reach = Reach(settings.case_webhook_url, mail, settings.operator_phone)
    desk = Desk(store, chargers, clock, reach)
    till = till_of(settings, chargers, clock)
    runs = Runs(Ports(chargers, Payments(till.cashier if till else None), clock), desk)
    deliveries = Deliveries(
        store,
        clock,
        webhook_url=settings.case_webhook_url,
        webhook_secret=settings.case_webhook_secret,
        email_to=settings.case_email_to,
        smtp_url=settings.smtp_url,
    )
    return Parts(
        service=Service(chargers, runs, desk, titles, settings.operator_phone, settings.emergency_number, clock),
        hazards=Hazards(chargers, runs, desk, titles, clock),
        desk=desk,
        deliveries=deliveries,
        store=store,
        actions_key=settings.actions_key,
        operator_key=settings.operator_key,
        till=till,
    )
