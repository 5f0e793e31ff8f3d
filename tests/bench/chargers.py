"""The load: chargers over real WebSockets that send one call after the other and time the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

STAMP = datetime.now(UTC).isoformat(timespec="seconds")  # as a charger whose clock is right
MEASURANDS = ("Current.Import", "Voltage", "Power.Active.Import", "Temperature", "SoC")
UNITS = ("A", "V", "W", "Celsius", "Percent")


def meter_16(number: int, transaction: int) -> dict[str, Any]:
    """Six samples, the energy register rising."""
    samples = [{"value": str(number * 10), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]
    samples += [
        {"value": "16.0", "context": "Sample.Periodic", "measurand": name, "unit": unit}
        for name, unit in zip(MEASURANDS, UNITS, strict=True)
    ]
    return {
        "connectorId": 1,
        "transactionId": transaction,
        "meterValue": [{"timestamp": STAMP, "sampledValue": samples}],
    }


def event_201(
    number: int, transaction: str, kind: str = "Updated", trigger: str = "MeterValuePeriodic"
) -> dict[str, Any]:
    samples: list[dict[str, Any]] = [{"value": number * 10.0, "measurand": "Energy.Active.Import.Register"}]
    samples += [
        {"value": 16.0, "context": "Sample.Periodic", "measurand": name}
        for name in ("Current.Import", "Voltage", "Power.Active.Import", "Frequency", "SoC")
    ]
    payload: dict[str, Any] = {
        "eventType": kind,
        "timestamp": STAMP,
        "triggerReason": trigger,
        "seqNo": number,
        "transactionInfo": {"transactionId": transaction, "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": STAMP, "sampledValue": samples}],
    }
    return payload


@dataclass
class BenchCharger:
    socket: ClientConnection
    version: str
    identity: str
    transaction: int = 0
    sent: int = 0
    latencies: list[float] = field(default_factory=list)

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        self.sent += 1
        began = time.perf_counter()
        await self.socket.send(orjson.dumps([2, str(self.sent), action, payload]).decode())
        answer = orjson.loads(await self.socket.recv())
        self.latencies.append(time.perf_counter() - began)
        if answer[0] != 3:
            raise AssertionError(f"{action} was answered with {answer}")
        return answer[2]

    async def boot(self) -> None:
        if self.version == "1.6":
            await self.call("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"})
        else:
            station = {"vendorName": "Acme", "model": "One"}
            await self.call("BootNotification", {"reason": "PowerUp", "chargingStation": station})
        await self.status("Available")

    async def status(self, name: str) -> None:
        if self.version == "1.6":
            await self.call("StatusNotification", {"connectorId": 1, "status": name, "errorCode": "NoError"})
        else:
            status = "Available" if name == "Available" else "Occupied"
            row = {"timestamp": STAMP, "connectorStatus": status, "evseId": 1, "connectorId": 1}
            await self.call("StatusNotification", row)

    async def begin(self) -> None:
        """A running transaction, for the meter values to belong to."""
        if self.version == "1.6":
            row = {"connectorId": 1, "idTag": "TAGADA", "meterStart": 0, "timestamp": STAMP}
            self.transaction = int((await self.call("StartTransaction", row)).get("transactionId", 1))
        else:
            payload = event_201(0, f"tx-{self.identity}", "Started", "CablePluggedIn")
            await self.call("TransactionEvent", {**payload, "idToken": {"idToken": "TAGADA", "type": "ISO14443"}})

    async def mixed(self, number: int) -> None:
        """60 % meter values (transaction events on 2.0.1), 20 % heartbeats, 20 % statuses."""
        turn = number % 5
        if turn == 3:
            await self.call("Heartbeat", {})
        elif turn == 4:
            await self.status("Charging" if number % 2 else "SuspendedEV")
        elif self.version == "1.6":
            await self.call("MeterValues", meter_16(number, self.transaction))
        else:
            await self.call("TransactionEvent", event_201(number, f"tx-{self.identity}"))


def identity(number: int) -> str:
    return f"CL-{number:05d}"


async def dial(base: str, number: int, version: str, *, patience_s: float = 60) -> BenchCharger:
    socket = await connect(
        f"{base}/ocpp/{identity(number)}",
        subprotocols=[Subprotocol(f"ocpp{version}")],
        compression=None,
        ping_interval=None,
        open_timeout=patience_s,
        max_queue=4,
    )
    return BenchCharger(socket, version, identity(number))


async def fleet(base: str, count: int, version: str, *, at_once: int = 50) -> list[BenchCharger]:
    slots = asyncio.Semaphore(at_once)

    async def one(number: int) -> BenchCharger:
        async with slots:
            return await dial(base, number, version)

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def all_of(chargers: Sequence[BenchCharger], work: Callable[[BenchCharger], Awaitable[None]]) -> None:
    await asyncio.gather(*(work(charger) for charger in chargers))
