"""Reset in OCPP 2: at once or when idle, of the station or of one EVSE (B11, B12). In 2.1 a transaction may go on afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.frames import Payload
from sandbox.socket import Answer

if TYPE_CHECKING:
    from sandbox.v201.protocol import Protocol201

TELL_ENDS_S = 10.0  # how long a reset waits for its last TransactionEvents to be answered


def reset(charger: Protocol201, payload: Payload) -> Answer:
    station, faults, evse = charger.station, charger.faults, payload.get("evseId")
    if faults.has("reset_rejected"):
        return Answer({"status": "Rejected"})
    numbers = list(station.connectors) if evse is None else charger.places.numbers(evse)
    if not numbers:
        return Answer({"status": "Rejected"})
    busy = any(station.connectors[number].transaction is not None for number in numbers)
    waits = payload["type"] == "OnIdle" and busy
    if faults.has("reset_ignored"):
        return Answer({"status": "Scheduled" if waits else "Accepted"})
    if waits:
        _when_idle(charger, evse, numbers)
        return Answer({"status": "Scheduled"})
    if payload["type"] == "ImmediateAndResume":

        async def resume() -> None:
            charger.suspend_and_restart()

        return Answer({"status": "Accepted"}, resume)

    async def at_once() -> None:
        for number in numbers:
            station.end(station.connectors[number], "ImmediateReset")
        if evse is not None:
            station.reset_evse(numbers)
            return
        await charger.outbox.drained(within_s=TELL_ENDS_S)
        charger.restart_because("RemoteReset")

    return Answer({"status": "Accepted"}, at_once)


def _when_idle(charger: Protocol201, evse: int | None, numbers: list[int]) -> None:
    station = charger.station

    async def restart() -> None:
        await charger.outbox.drained(within_s=TELL_ENDS_S)
        charger.restart_because("ScheduledReset")

    def idle() -> None:
        if evse is not None:
            station.reset_evse(numbers)
        else:
            charger.spawn(restart(), "scheduled reset")

    charger.reset_when_idle = idle
