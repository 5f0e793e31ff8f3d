"""A charger that speaks OCPP 2.1: 2.0.1 with its own schemas, longer tokens, severities, custom triggers, and a reset after which a
transaction goes on.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sandbox.frames import Payload
from sandbox.socket import Answer
from sandbox.v201 import messages
from sandbox.v201.protocol import Protocol201

CRITICAL, INFORMATIONAL = 2, 8  # NotifyEvent's severity: 0 danger to 9 debug


class Protocol21(Protocol201):
    name = "ocpp2.1"
    version = "2.1"
    longest_token = 255
    resumes_when_connected = True
    transaction_extra: ClassVar[dict[str, Any]] = {"operationMode": "ChargingOnly"}

    def severity(self, *, cleared: bool) -> Payload:
        return {"severity": INFORMATIONAL if cleared else CRITICAL}

    def custom_trigger(self, payload: Payload) -> Answer:
        """No trigger of its own: customTrigger is told apart from what is not known (F06)."""
        return Answer({"status": "Rejected" if "customTrigger" in payload else "NotImplemented"})

    def suspend_and_restart(self) -> None:
        """ImmediateAndResume: transactions are kept over the restart; energy flows again once the charger is back (B11)."""
        kept = self.station.transactions()
        self.restart_because("RemoteReset")
        for transaction in kept:
            transaction.suspended = True
        self.station.refresh()

    def connected_again(self) -> None:
        super().connected_again()
        for transaction in self.station.transactions():
            number = transaction.connector
            if not transaction.suspended or transaction.refused:
                continue
            self.station.advance()
            transaction.suspended = False
            car = self.station.connectors[number].car is not None
            state = messages.charging_state(self.station.shown(number).status, car=car)
            self.put_events(self.ledger.resumed(number, state, self.meter(number), self.now()))
            self.station.refresh()
