"""What a loss of power does to a charger, as a fault and as the end of the simulator itself: transactions end or stand still, by model
(`after_power_loss`), and go on or are told as ended when the power is back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from sandbox import memory

if TYPE_CHECKING:
    from sandbox.car import Garage
    from sandbox.charger import Charger

log = structlog.get_logger(__name__)


def lost(charger: Charger) -> None:
    station = charger.station
    if charger.plan.model.after_power_loss == "ends":
        station.stop_all("PowerLoss")
    else:
        station.advance()
        for transaction in station.transactions():
            transaction.suspended = True
    charger.protocol.restarted()
    station.power_cycle()


def back(charger: Charger) -> None:
    """Transactions that stood still go on, but for those whose token had been refused."""
    station = charger.station
    station.advance()
    for connector in station.connectors.values():
        transaction = connector.transaction
        if transaction is not None:
            transaction.suspended = transaction.refused or charger.protocol.resumes_when_connected
            # No new handshake: Preparing, which comes with one, would say that nothing runs.
            transaction.draws_from = station.clock.monotonic()
    station.refresh()


def after_cut(charger: Charger, kept: Mapping[str, Any], garage: Garage) -> None:
    """The simulator was cut off and runs again: the charger stands as it stood, and has been without power between."""
    station, at = charger.station, datetime.fromisoformat(kept["at"])
    memory.put_back(charger, kept, garage)
    running = [each for each in station.connectors.values() if each.transaction is not None]
    log.info("after_power_cut", charger=charger.plan.id, transactions=len(running), untold=len(charger.outbox))
    if charger.plan.model.after_power_loss == "ends":
        for connector in running:
            station.end(connector, "PowerLoss", at=at)
    station.power_cycle()
    back(charger)
    for connector in running:
        if connector.transaction is not None:
            station.go_on(connector, connector.transaction)
    station.reservations.count_down_again()


def before_a_new_day(charger: Charger, kept: Mapping[str, Any]) -> None:
    """The simulator had been ended in order: the charger then stands as the network's plan has it. Its meters have run on, what ran has
    ended, and what was not told yet is told.
    """
    station, at = charger.station, datetime.fromisoformat(kept["at"])
    transactions = memory.put_back_messages(charger, kept)
    for number, key in memory.running(kept).items():
        connector = station.connectors[number]
        connector.transaction = transactions[key]
        station.end(connector, "PowerLoss", at=at)
    station.power_cycle()
