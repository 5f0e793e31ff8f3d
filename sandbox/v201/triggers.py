"""TriggerMessage in OCPP 2: which message is sent on demand, for the whole station or one EVSE (F06)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.frames import Payload
from sandbox.socket import Answer, CallFailed

if TYPE_CHECKING:
    from sandbox.v201.protocol import Protocol201

_IDLE = frozenset({"LogStatusNotification", "FirmwareStatusNotification"})
_KNOWN = frozenset({"BootNotification", "Heartbeat", "MeterValues", "StatusNotification", "TransactionEvent", *_IDLE})


def trigger(charger: Protocol201, payload: Payload) -> Answer:
    what, evse = payload["requestedMessage"], payload.get("evse")
    if what not in _KNOWN:
        return charger.custom_trigger(payload)
    numbers = list(charger.station.connectors)
    if evse is not None:
        numbers = charger.places.numbers(evse["id"], evse.get("connectorId"))
        if not numbers:
            return Answer({"status": "Rejected"})
        if charger.faults.has("trigger_of_connector_ignored"):
            return Answer({"status": "Accepted"})
    elif charger.faults.has("trigger_of_all_rejected") and what != "BootNotification":
        return Answer({"status": "Rejected"})
    if what == "BootNotification":
        if charger.booted:  # F06.FR.17, TC_F_26
            return Answer({"status": "Rejected"})
        return Answer({"status": "Accepted"}, charger.boot_by_trigger)
    if what == "TransactionEvent" and not any(number in charger.ledger.open for number in numbers):
        return Answer({"status": "Rejected"})

    async def send() -> None:
        await _send(charger, what, numbers)

    return Answer({"status": "Accepted"}, send)


async def _send(charger: Protocol201, what: str, numbers: list[int]) -> None:
    for action, body in _messages(charger, what, numbers):
        if charger.booted:
            charger.tell(action, body)
            continue
        try:
            await charger.call(action, body)
        except CallFailed:
            return  # the line went; there is nobody to tell
    if what == "TransactionEvent":
        for number in numbers:
            charger.put_events(charger.ledger.metered(number, charger.meter(number), charger.now(), "Trigger"))


def _messages(charger: Protocol201, what: str, numbers: list[int]) -> list[tuple[str, Payload]]:
    if what == "Heartbeat":
        return [(what, {})]
    if what in _IDLE:
        return [(what, {"status": "Idle"})]  # nothing is ever under way
    if what == "StatusNotification":
        return [charger.status_message(number, charger.shown(number)) for number in numbers]
    if what == "MeterValues":
        evses = {charger.places.by_number[number].evse: number for number in reversed(numbers)}
        return [(what, {"evseId": evse, "meterValue": charger.meter(number)}) for evse, number in sorted(evses.items())]
    return []
