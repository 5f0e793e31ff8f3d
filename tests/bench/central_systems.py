"""What the bridge is held against: a central system as one would write it with the `ocpp` package, and a bare echo (the floor).

`python -m tests.bench.central_systems plain|echo PORT`. Both answer every call and keep nothing.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import uvloop
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call_result as result201
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

SUBPROTOCOLS = [Subprotocol("ocpp1.6"), Subprotocol("ocpp2.0.1")]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Plain16(ChargePoint16):
    @on("BootNotification")
    async def on_boot(self, **_: Any) -> Any:
        return result16.BootNotification(current_time=now(), interval=300, status="Accepted")

    @on("Heartbeat")
    async def on_heartbeat(self, **_: Any) -> Any:
        return result16.Heartbeat(current_time=now())

    @on("StatusNotification")
    async def on_status(self, **_: Any) -> Any:
        return result16.StatusNotification()

    @on("MeterValues")
    async def on_meter_values(self, **_: Any) -> Any:
        return result16.MeterValues()

    @on("StartTransaction")
    async def on_start(self, **_: Any) -> Any:
        return result16.StartTransaction(transaction_id=1, id_tag_info={"status": "Accepted"})


class Plain201(ChargePoint201):
    @on("BootNotification")
    async def on_boot(self, **_: Any) -> Any:
        return result201.BootNotification(current_time=now(), interval=300, status="Accepted")

    @on("Heartbeat")
    async def on_heartbeat(self, **_: Any) -> Any:
        return result201.Heartbeat(current_time=now())

    @on("StatusNotification")
    async def on_status(self, **_: Any) -> Any:
        return result201.StatusNotification()

    @on("TransactionEvent")
    async def on_transaction_event(self, **_: Any) -> Any:
        return result201.TransactionEvent()


async def plain(socket: ServerConnection) -> None:
    name = (socket.request.path if socket.request else "").rpartition("/")[2]
    kind = Plain201 if socket.subprotocol == "ocpp2.0.1" else Plain16
    await kind(name, socket).start()


async def echo(socket: ServerConnection) -> None:
    async for text in socket:
        await socket.send(orjson.dumps([3, orjson.loads(text)[1], {}]).decode())


async def main(kind: str, port: int) -> None:
    handler = {"plain": plain, "echo": echo}[kind]
    async with serve(handler, "127.0.0.1", port, subprotocols=SUBPROTOCOLS, ping_interval=None):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # probes of the port are no errors here
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
