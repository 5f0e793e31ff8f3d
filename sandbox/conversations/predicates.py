"""Statements about telemetry by name, each a question to the chargers' true state. A scenario's `when` is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sandbox.conversations.history import Book, ChargerState, ConnectorState, History, Payment
from sandbox.conversations.scenario import Condition

CONDITIONS = (
    "charging",  # a session runs, and power flows or energy has
    "session_running",
    "session_ended",  # there was one and there is none now
    "no_session",  # none now, none during the whole scenario
    "same_session",  # the session of the beginning still runs
    "plug_free",  # no car in the connector
    "plugged",
    "cable_free",  # it could be pulled out
    "available",  # connected, status Available
    "out_of_service",  # status Unavailable
    "in_service",
    "online",
    "one_hold",  # one payment for the charger is held, and no more
    "hold_released",  # one was held there, and none is any more
    "paid_once",  # one payment was taken there, and nothing is held any more
    "nothing_taken",  # no money was taken for it, or all of it was paid back
    "restarted",  # it was gone and has booted again since
    "not_restarted",
)


def holds(condition: Condition, history: History, book: Book, at: float) -> bool:
    """Whether the statement is true at that moment. False where the charger was never seen."""
    charger = f"CL-{condition.charger}"
    state = history.state(charger, at)
    if state is None:
        return False
    connectors = state.connector(condition.connector)
    name = condition.name
    if name in _OF_MONEY:
        return _OF_MONEY[name]([one for one in history.paid(at) if one.charger == condition.charger])
    paid = history.has_paid(charger, at)
    if name == "charging":
        return any(is_charging(each) and _of(each, condition.driver, book, paid=paid) for each in connectors)
    if name == "session_running":
        return any(each.transaction is not None and _of(each, condition.driver, book, paid=paid) for each in connectors)
    if name in {"session_ended", "no_session"}:
        if any(each.transaction is not None for each in connectors):
            return False
        return had_session(history, charger, condition.connector, at) == (name == "session_ended")
    if name == "same_session":
        first = history.state(charger, 0.0)
        began = {each.number: each.transaction for each in (first.connector(condition.connector) if first else ())}
        kept = [began.get(each.number) == each.transaction for each in connectors if began.get(each.number)]
        return bool(kept) and all(kept)
    if name in {"plug_free", "plugged"}:
        return all(each.car == (name == "plugged") for each in connectors)
    if name == "cable_free":
        return all(not each.held or not each.car for each in connectors)
    if name == "available":
        return is_free(state, condition.connector)
    if name in {"out_of_service", "in_service"}:
        out = all(each.status == "Unavailable" for each in connectors)
        return out == (name == "out_of_service")
    if name == "online":
        return state.connected and state.booted
    if name in {"restarted", "not_restarted"}:
        return has_restarted(history, charger, 0.0, at) == (name == "restarted")
    raise ValueError(f"no condition {name!r}")


def is_charging(connector: ConnectorState) -> bool:
    """Safety rule accepted-is-not-done: a session alone is not energy."""
    return connector.transaction is not None and (connector.power_w > 0 or connector.energy_wh > 0)


def is_free(state: ChargerState, connector: int | None = None) -> bool:
    """Whether a driver who came now could use it."""
    there = any(each.status == "Available" and not each.car for each in state.connector(connector))
    return state.connected and state.booted and there


def had_session(history: History, charger: str, connector: int | None, until: float) -> bool:
    return any(
        each.transaction is not None
        for _, state in history.states(charger, 0.0, until)
        for each in state.connector(connector)
    )


def has_restarted(history: History, charger: str, since: float, until: float) -> bool:
    """It was asked to reset after `since`, was gone, and is connected and booted again."""
    asked = [f.at for f in history.frames if f.charger == charger and f.to_charger and f.action == "Reset"]
    asked = [at for at in asked if since <= at <= until]
    if not asked:
        return False
    gone = False
    for _, state in history.states(charger, asked[0], until):
        if not (state.connected and state.booted):
            gone = True
        elif gone:
            return all(each.status != "Faulted" for each in state.connectors)
    return False


def _of(connector: ConnectorState, driver: str | None, book: Book, *, paid: bool) -> bool:
    """Whether the session is this driver's. The bridge makes the tokens of guests, and of who has paid: nobody's in the book."""
    if driver is None:
        return True
    token, own = book.by_last4(connector.token_last4), book.of(driver)
    return token is None if own is None else token == own or (paid and token is None)


def taken_of(payments: Sequence[Payment]) -> int:
    """Cents that were taken and not paid back."""
    return sum(one.received - one.refunded for one in payments)


_OF_MONEY: Mapping[str, Callable[[Sequence[Payment]], bool]] = {
    "one_hold": lambda payments: sum(one.held > 0 for one in payments) == 1,
    "hold_released": lambda payments: any(one.let_go for one in payments) and not any(one.held for one in payments),
    "paid_once": lambda payments: (
        sum(one.received > 0 for one in payments) == 1 and not any(one.held for one in payments)
    ),
    "nothing_taken": lambda payments: taken_of(payments) == 0,
}
