"""The load of the command rows: acts asked for over HTTP, one kept-alive connection each, and chargers that play along.

A read ends with its answer. A trigger ends with the message that was asked for. An unlock is a driver's own, after a
session that has ended there: the gate reads sessions and status, and the plug must come out.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from websockets.exceptions import ConnectionClosed

from tests.bench.chargers import STAMP, BenchCharger

Act = Literal["get_local_list_version", "trigger", "unlock"]
OPERATOR = {"tier": 4}
ANSWERS: dict[str, tuple[dict[str, Any], bool]] = {  # by the call, and whether the connector then shows its effect
    "GetLocalListVersion": ({"listVersion": 7}, False),
    "TriggerMessage": ({"status": "Accepted"}, True),
    "UnlockConnector": ({"status": "Unlocked"}, True),
}


def tag(charger: str, connector: int) -> str:
    """The id token that charged on this connector; its driver is named like it. OCPP 1.6 allows 20 characters."""
    return f"T{charger}-{connector}"


def tokens(charger: str, connectors: int) -> list[dict[str, str]]:
    """For the bench's network file."""
    return [{"id": tag(charger, n), "driver": f"drv-{tag(charger, n)}"} for n in range(1, connectors + 1)]


async def charged(charger: BenchCharger, connectors: int) -> None:
    """On every connector a session begins and ends, and the plug stays in."""
    for connector in range(1, connectors + 1):
        row = {"connectorId": connector, "idTag": tag(charger.identity, connector), "meterStart": 0, "timestamp": STAMP}
        transaction = (await charger.call("StartTransaction", row))["transactionId"]
        await charger.call("StopTransaction", {"transactionId": transaction, "meterStop": 100, "timestamp": STAMP})
        await charger.call("StatusNotification", _status(connector, "Finishing"))


def _status(connector: int, status: str) -> dict[str, Any]:
    return {"connectorId": connector, "status": status, "errorCode": "NoError"}


async def play(charger: BenchCharger) -> None:
    """A charger that does what it is asked for, and says so."""
    try:
        async for text in charger.socket:
            frame = orjson.loads(text)
            if frame[0] != 2:
                continue
            answer, shows = ANSWERS[frame[2]]
            await charger.socket.send(orjson.dumps([3, frame[1], answer]).decode())
            if shows:
                charger.sent += 1
                told = [2, str(charger.sent), "StatusNotification", _status(frame[3]["connectorId"], "Available")]
                await charger.socket.send(orjson.dumps(told).decode())
    except ConnectionClosed:
        return  # the bench is over


@dataclass
class ApiLane:
    """One kept-alive connection to the API. By hand: a full HTTP client costs more than what is measured."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    key: str

    @classmethod
    async def open(cls, api: str, key: str) -> ApiLane:
        host, _, port = api.removeprefix("http://").partition(":")
        return cls(*await asyncio.open_connection(host, int(port)), key)

    async def command(self, charger: str, act: Act, connector: int) -> float:
        """The seconds from request to response; the act must have been verified."""
        asked: dict[str, Any] = {"actor": OPERATOR}
        if act == "trigger":
            asked |= {"message": "StatusNotification", "connector": connector}
        elif act == "unlock":
            driver = {"driver": f"drv-{tag(charger, connector)}", "tier": 2}
            asked = {"actor": driver, "connector": connector}
        body = json.dumps(
            {"action": act, **asked, "reason": "bench", "idempotency_key": secrets.token_hex(8), "wait_s": 20}
        )
        head = (
            f"POST /v1/chargers/{charger}/commands HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        began = time.perf_counter()
        self.writer.write((head + body).encode())
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
        found = await self.reader.readexactly(length)
        took = time.perf_counter() - began
        if not answer.startswith("http/1.1 200") or json.loads(found)["state"] != "verified":
            raise SystemExit(f"a command ended as {found[:500]!r}")
        return took
