"""The scripted charger in OCPP 2's words (2.0.1, and 2.1 by its subprotocol)."""

from __future__ import annotations

from typing import Any

from tests.ocpp_bridge.scripted import ScriptedCharger

AT = "2026-01-01T12:00:00Z"


def energy(wh: float, context: str = "Sample.Periodic") -> dict[str, Any]:
    sample = {"value": wh, "context": context, "measurand": "Energy.Active.Import.Register"}
    return {"timestamp": AT, "sampledValue": [sample]}


class ScriptedCharger2(ScriptedCharger):
    def __init__(self, url: str, subprotocols: list[str] | None = None, **options: Any) -> None:
        super().__init__(url, subprotocols or ["ocpp2.0.1"], **options)
        self._seq = 0

    async def boot(self, status: str = "Occupied") -> None:
        station = {"model": "Two", "vendorName": "Acme", "firmwareVersion": "2.0"}
        await self.send("BootNotification", reason="PowerUp", chargingStation=station)
        await self.status(status)

    async def status(self, status: str, connector: int = 1, error: str = "NoError") -> None:
        """`connector` is the EVSE: each has one connector here."""
        await self.send("StatusNotification", timestamp=AT, connectorStatus=status, evseId=connector, connectorId=1)

    async def event(
        self,
        kind: str,
        transaction: str = "tx-1",
        *,
        trigger: str = "ChargingStateChanged",
        charging: str | None = None,
        tag: str | None = None,
        remote: int | None = None,
        wh: float | None = None,
        begin: float | None = None,
        evse: int | None = 1,
        seq: int | None = None,
        reason: str | None = None,
        **extra: Any,
    ) -> dict[str, Any]:
        info: dict[str, Any] = {"transactionId": transaction}
        if charging:
            info["chargingState"] = charging
        if remote is not None:
            info["remoteStartId"] = remote
        if reason:
            info["stoppedReason"] = reason
        payload: dict[str, Any] = {
            "eventType": kind,
            "timestamp": AT,
            "triggerReason": trigger,
            "transactionInfo": info,
        }
        payload["seqNo"] = self._seq if seq is None else seq
        self._seq += 1
        if evse is not None:
            payload["evse"] = {"id": evse, "connectorId": 1}
        if tag is not None:
            payload["idToken"] = {"idToken": tag, "type": "ISO14443"}
        values = [energy(begin, "Transaction.Begin")] if begin is not None else []
        values += [energy(wh)] if wh is not None else []
        if values:
            payload["meterValue"] = values
        return await self.send("TransactionEvent", **payload, **extra)
