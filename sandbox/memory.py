"""What a charger keeps over a power cut, as JSON can hold it, and a charger put back from that: cars, transactions, meter registers, lists,
reservations, configuration, faults and the messages that it has yet to tell. Where it is kept is `store`'s; what a version keeps beside it,
the version's. Moments of the process's own clock are not kept: a restarted process counts from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.car import Garage
from sandbox.connector import Authorisation, Connector, LastSession, Reservation, Transaction
from sandbox.reporter import Sample
from sandbox.tokens import IdInfo, TokenBook

if TYPE_CHECKING:
    from sandbox.charger import Charger

Kept = dict[str, Any]
FORMAT = 1  # of what is written here; a memory of another one is not read
_TIMES = frozenset({"started_at", "ended_at", "expires_at", "at"})


def shape(charger: Charger) -> str:
    """What must be the same for a memory to fit: the protocol and what is built in."""
    built = ",".join(f"{each.number}/{each.evse}/{each.plug}" for each in charger.plan.connectors)
    return f"{FORMAT} {charger.protocol.name} {built}"


def written(charger: Charger) -> Kept:
    """All that a power cut must not take. Asked after every event, so it is built by hand and not by a deep copy."""
    station, messages = charger.station, charger.outbox.waiting()
    station.advance()
    running = {each.key: each for each in station.transactions()}
    told_of = {item.about.key: item.about for item in messages if item.durable and item.about is not None}
    return {
        "shape": shape(charger),
        "at": station.clock.now().isoformat(),
        "operative": station.operative,
        "count": station.count,
        "faults": charger.faults.all(),
        "tokens": _tokens(station.tokens),
        "connectors": {str(number): _connector(each) for number, each in station.connectors.items()},
        "transactions": {key: _flat(each) for key, each in (running | told_of).items()},
        "messages": [
            {"memo": item.memo, "about": item.about and item.about.key}
            for item in messages
            if item.durable and item.memo is not None
        ],
        "protocol": charger.protocol.kept(),
        "box": charger.kept(),
    }


def put_back(charger: Charger, kept: Mapping[str, Any], garage: Garage) -> None:
    """The charger as it stood, its faults included; transactions are neither running nor ended yet (the model decides)."""
    station = charger.station
    station.operative, station.count = kept["operative"], kept["count"]
    _read_tokens(station.tokens, kept["tokens"])
    transactions = put_back_messages(charger, kept)
    for number, row in kept["connectors"].items():
        _read_connector(station.connectors[int(number)], row, garage, station.clock.monotonic(), transactions)
    charger.faults.recall(kept["faults"])


def put_back_messages(charger: Charger, kept: Mapping[str, Any]) -> dict[str, Transaction]:
    """Meters, numbers, configuration and what is yet to be told: what stays though the rest of the scene is set anew.

    The transactions by their keys, the running ones too.
    """
    station = charger.station
    station.count = kept["count"]
    for number, row in kept["connectors"].items():
        station.connectors[int(number)].meter_wh = row["meter_wh"]
    transactions = {
        key: Transaction(**(_timed(row) | {"draws_from": 0.0})) for key, row in kept["transactions"].items()
    }
    charger.protocol.recall(kept["protocol"])
    for item in kept["messages"]:
        about = transactions.get(item["about"]) if item["about"] is not None else None
        charger.outbox.put(charger.protocol.message_again(item["memo"], about))
    return transactions


def running(kept: Mapping[str, Any]) -> dict[int, str]:
    """Connector to the key of the transaction that ran there."""
    return {int(n): row["transaction"] for n, row in kept["connectors"].items() if row["transaction"] is not None}


def flat_sample(sample: Sample) -> Kept:
    return _flat(sample)


def read_sample(row: Mapping[str, Any]) -> Sample:
    return Sample(**_timed(row))


# --- connectors and cars --------------------------------------------------------------------------------------------
def _connector(connector: Connector) -> Kept:
    car, waits = connector.car, connector.authorisation
    return {
        "meter_wh": connector.meter_wh,
        "car": car and {"kind": car.kind.name, "soc": car.soc, "limit_soc": car.limit_soc, "willing": car.willing},
        "authorisation": waits and [waits.token, waits.parent, waits.remote_start],
        "transaction": connector.transaction and connector.transaction.key,
        "finishing": connector.finishing,
        "operative": connector.operative,
        "reservation": _flat(connector.reservation) if connector.reservation else None,
        "last_session": _flat(connector.last_session) if connector.last_session else None,
        "unlocks": connector.unlocks,
    }


def _read_connector(
    connector: Connector, row: Mapping[str, Any], garage: Garage, now: float, transactions: Mapping[str, Transaction]
) -> None:
    connector.car = None if row["car"] is None else garage.car(row["car"])
    if row["authorisation"] is not None:
        token, parent, remote_start = row["authorisation"]
        connector.authorisation = Authorisation(token, parent, now, remote_start)
    if row["transaction"] is not None:
        connector.transaction = transactions[row["transaction"]]
    connector.finishing, connector.operative = row["finishing"], row["operative"]
    connector.unlocks = row["unlocks"]
    if row["reservation"] is not None:
        connector.reservation = Reservation(**_timed(row["reservation"]))
    if row["last_session"] is not None:
        connector.last_session = LastSession(**_timed(row["last_session"]))


# --- tokens ---------------------------------------------------------------------------------------------------------
def _tokens(book: TokenBook) -> Kept:
    def rows(known: Mapping[str, IdInfo]) -> Kept:
        return {token: _flat(info) for token, info in known.items()}

    return {"version": book.version, "entries": rows(book.entries), "cache": rows(book.cache)}


def _read_tokens(book: TokenBook, row: Mapping[str, Any]) -> None:
    book.version = row["version"]
    book.entries = {token: IdInfo(**_timed(info)) for token, info in row["entries"].items()}
    book.cache = {token: IdInfo(**_timed(info)) for token, info in row["cache"].items()}


# --- flat dataclasses -----------------------------------------------------------------------------------------------
def _flat(value: Any) -> Kept:
    """A dataclass whose fields are plain values or times."""
    row: Kept = {}
    for each in fields(value):
        content = getattr(value, each.name)
        row[each.name] = content.isoformat() if isinstance(content, datetime) else content
    return row


def _timed(row: Mapping[str, Any]) -> Kept:
    return {
        key: datetime.fromisoformat(value) if key in _TIMES and isinstance(value, str) else value
        for key, value in row.items()
    }
