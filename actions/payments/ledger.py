"""One purchase: what a driver pays for one charging session, from the link to the receipt. Pure data and rules; no Stripe, no store.

A purchase holds money at most once and takes it at most once. What is about to be done at Stripe is written down first (`attempts`
counts the idempotency keys used up, `cost` and `refunding` are fixed before they are sent), so that whoever comes after a crash
sends the very same request again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from actions.bridge import Tariff


class State(StrEnum):
    LINK = "link"  # the driver has a link, or is about to get it
    HELD = "held"  # the money is held, no session runs yet
    CHARGING = "charging"  # a session runs on it
    CAPTURED = "captured"  # the cost was taken, the rest released
    RELEASED = "released"  # all of it was released
    LAPSED = "lapsed"  # never paid, and cannot be any more


FINAL = frozenset({State.CAPTURED, State.RELEASED, State.LAPSED})
OPEN = frozenset(State) - FINAL


@dataclass(frozen=True, slots=True)
class Purchase:
    """Money in cents. `checkouts`: every payment page ever made for it, the newest last. `extra`: further holds found, and released.

    `cost`: what is to be taken, known from the session's end on. `starts`: how many starts were sent for it, `failed_starts`: of how
    many it is known that nothing came. `decline`: the last code that a card of the driver's was declined with. `told`: what of it
    the driver was told, and by which turn.
    """

    id: str
    conversation: str
    driver: str
    language: str
    charger: str
    label: str
    connector: int | None
    tariff: Mapping[str, Any]
    hold: int
    created_at: datetime
    updated_at: datetime
    state: State = State.LINK
    attempts: Mapping[str, int] = field(default_factory=dict)
    checkouts: tuple[str, ...] = ()
    url: str | None = None
    link_until: datetime | None = None
    intent: str | None = None
    extra: tuple[str, ...] = ()
    customer: str | None = None
    session: str | None = None
    starts: int = 0
    failed_starts: int = 0
    cost: int | None = None
    captured: int = 0
    refunding: int = 0
    refunded: int = 0
    decline: str | None = None
    advice: str | None = None
    told: tuple[str, ...] = ()

    @property
    def currency(self) -> str:
        return str(self.tariff["currency"]).lower()

    @property
    def prices(self) -> Tariff:
        known = {one.name for one in fields(Tariff)}
        return Tariff(**{name: value for name, value in self.tariff.items() if name in known})

    @property
    def over(self) -> bool:
        return self.state in FINAL

    def key(self, purpose: str) -> str:
        """The idempotency key of the next request for this purpose: the same until the attempt is known to be used up."""
        return f"session:{self.id}:{purpose}:{self.attempts.get(purpose, 0) + 1}"

    def used_up(self, purpose: str, key: str, now: datetime) -> Purchase:
        """The attempt with `key` will never succeed: the next one has a key of its own. Twice said is once counted."""
        if self.key(purpose) != key:
            return self
        return replace(self, attempts={**self.attempts, purpose: self.attempts.get(purpose, 0) + 1}, updated_at=now)

    def with_link(self, checkout: str, url: str, until: datetime, now: datetime) -> Purchase:
        if self.state is not State.LINK:
            return self
        pages = self.checkouts if checkout in self.checkouts else (*self.checkouts, checkout)
        return replace(self, checkouts=pages, url=url, link_until=until, updated_at=now)

    def with_hold(self, intent: str, now: datetime) -> Purchase:
        """Money is held under `intent`. The first hold counts; any other is extra, and to be released."""
        if self.intent == intent:
            return self if self.state is not State.LINK else replace(self, state=State.HELD, updated_at=now)
        if self.intent is None and self.state is State.LINK:
            return replace(self, intent=intent, state=State.HELD, decline=None, advice=None, updated_at=now)
        return self if intent in self.extra else replace(self, extra=(*self.extra, intent), updated_at=now)

    def with_decline(self, code: str | None, advice: str | None, now: datetime) -> Purchase:
        if self.state is not State.LINK:
            return self
        return replace(self, decline=code or "unknown", advice=advice, updated_at=now)

    def with_session(self, session: str, now: datetime) -> Purchase:
        if self.state is not State.HELD:
            return self
        return replace(self, session=session, state=State.CHARGING, updated_at=now)

    def with_cost(self, cents: int, now: datetime) -> Purchase:
        """What will be taken: never more than is held, and, once said, never another amount."""
        if self.cost is not None or self.over:
            return self
        return replace(self, cost=max(0, min(cents, self.hold)), updated_at=now)

    def captured_with(self, cents: int, now: datetime) -> Purchase:
        if self.state is State.CAPTURED:
            return self
        return replace(self, state=State.CAPTURED, captured=cents, updated_at=now)

    def ended(self, state: State, now: datetime) -> Purchase:
        return self if self.over else replace(self, state=state, url=None, updated_at=now)

    @property
    def is_starting(self) -> bool:
        """A start is on its way, or ended without anybody having seen how."""
        return self.starts > self.failed_starts

    def may_tell(self, what: str, turn: str) -> bool:
        """Whether the driver has not heard it yet; a turn that is repeated says it again."""
        return not any(one.startswith(f"{what}=") for one in self.told) or f"{what}={turn}" in self.told

    def tell(self, what: str, turn: str) -> Purchase:
        return (
            self
            if not self.may_tell(what, turn)
            else replace(self, told=tuple(dict.fromkeys((*self.told, f"{what}={turn}"))))
        )


def as_json(purchase: Purchase) -> dict[str, Any]:
    row = asdict(purchase)
    for name in ("created_at", "updated_at", "link_until"):
        row[name] = row[name].isoformat() if row[name] is not None else None
    return row


def from_json(row: Mapping[str, Any]) -> Purchase:
    """The reverse of `as_json`; a document of a later release loses what is not known here."""
    known = {one.name for one in fields(Purchase)}
    values = {name: value for name, value in row.items() if name in known}
    for name in ("created_at", "updated_at", "link_until"):
        if values.get(name) is not None:
            values[name] = datetime.fromisoformat(values[name])
    for name in ("checkouts", "extra", "told"):
        values[name] = tuple(values.get(name) or ())
    return Purchase(**{**values, "state": State(values["state"])})
