"""Connector numbers: the bridge counts connectors over the whole charger, OCPP 2 within each EVSE.

What the operator provisioned decides: the rows of an EVSE, in order, are its connectors 1, 2, ... A connector that nobody
provisioned has its EVSE's number where it is the EVSE's first and nobody has that number, else one above all that are given by hand.
"""

from __future__ import annotations

from ocpp_bridge.model import Charger, Connector

EVSES = range(1000)  # no charger has more of either; it bounds what a confused one can make the bridge remember
LOCALS = range(100)
_ABOVE = 1000


def number_of(charger: Charger | None, evse: int, local: int) -> int:
    """0 is the whole charger; `local` 0 is the EVSE's first connector."""
    if evse == 0:
        return 0
    rows = _rows(charger, evse)
    index = max(local, 1) - 1
    if index < len(rows):
        return rows[index].connector
    taken = charger is not None and any(row.connector == evse for row in charger.connectors)
    return evse if index == 0 and not taken else _ABOVE * evse + max(local, 1)


def place_of(charger: Charger | None, connector: int) -> tuple[int, int]:
    """(EVSE, connector of it)."""
    if connector == 0:
        return 0, 0
    for row in charger.connectors if charger else ():
        if row.connector == connector:
            return row.evse, _rows(charger, row.evse).index(row) + 1
    return (connector // _ABOVE, connector % _ABOVE) if connector >= _ABOVE else (connector, 1)


def numbers_on(charger: Charger | None, evse: int, known: list[int]) -> list[int]:
    """Of the connectors that are known, those of this EVSE."""
    return [number for number in known if number > 0 and place_of(charger, number)[0] == evse]


def _rows(charger: Charger | None, evse: int) -> list[Connector]:
    rows = [row for row in charger.connectors if row.evse == evse] if charger else []
    return rows if len(rows) < 2 else sorted(rows, key=lambda row: row.connector)
