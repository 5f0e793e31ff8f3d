"""A strict little central system for OCPP 2: raw frames over a real WebSocket, checked by the `ocpp` package's schemas.

Frames stay as they are on the wire, so that a test sees what was sent and not what a library made of it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from typing import Any

from ocpp.messages import Call, CallResult, validate_payload
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.sandbox.central import WAIT_S, Central


class Refused(Exception):
    """A CALL of ours was answered with a CALLERROR; its code."""


class Peer2:
    """The central system's end of one charger's session."""

    def __init__(self, name: str, connection: ServerConnection, central: Central2) -> None:
        self.name = name
        self.connection = connection
        self.central = central
        self._numbers = itertools.count(1)
        self._waiting: dict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = {}

    async def ask(self, action: str, **payload: Any) -> dict[str, Any]:
        number = f"c{next(self._numbers)}"
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (action, answer)
        await self.connection.send(json.dumps([2, number, action, payload]))
        async with asyncio.timeout(WAIT_S):
            return await answer

    async def run(self) -> None:
        async for raw in self.connection:
            frame = json.loads(raw)
            if frame[0] == 2:
                await self._called(*frame[1:])
            elif frame[1] in self._waiting:
                action, answer = self._waiting.pop(frame[1])
                if frame[0] == 4:
                    answer.set_exception(Refused(frame[2]))
                    continue
                result = CallResult(frame[1], frame[2], action=action)
                try:
                    await validate_payload(result, self.central.version)
                except Exception as error:
                    self.central.violations.append(f"{error!r}: {raw!r}")
                answer.set_result(frame[2])
            else:
                self.central.odd.append(frame)
                self.central.news.set()

    async def _called(self, number: str, action: str, payload: dict[str, Any]) -> None:
        try:
            await validate_payload(Call(number, action, payload), self.central.version)
        except Exception as error:
            self.central.violations.append(f"{error!r}: {action} {payload}")
        self.central.received.append((self.name, action, payload))
        self.central.news.set()
        if self.central.before_start_answer is not None and payload.get("eventType") == "Started":
            await self.central.before_start_answer()
        await self.connection.send(json.dumps([3, number, self.central.answer(action, payload)]))


class Central2(Central):
    """`version` is the schemas', `subprotocol` the line's."""

    def __init__(self, subprotocol: str) -> None:
        super().__init__()
        self.subprotocol = subprotocol
        self.version = subprotocol.removeprefix("ocpp")
        self.peers: dict[str, Peer2] = {}  # type: ignore[assignment]  # the same place, for peers of this kind
        self.odd: list[Any] = []

    def answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        if action == "BootNotification":
            status, interval = self.boots.pop(0) if self.boots else ("Accepted", 300)
            return {"currentTime": now, "interval": interval, "status": status}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "Authorize":
            return {"idTokenInfo": {"status": self.tokens.get(payload["idToken"]["idToken"], "Unknown")}}
        if action == "TransactionEvent" and "idToken" in payload:
            return {"idTokenInfo": {"status": self.tokens.get(payload["idToken"]["idToken"], "Unknown")}}
        return {}

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        name = connection.request.path.rsplit("/", 1)[1]
        self.sessions += 1
        peer = self.peers[name] = Peer2(name, connection, self)
        self.news.set()
        try:
            await peer.run()
        except ConnectionClosed:
            pass
        finally:
            if self.peers.get(name) is peer:
                del self.peers[name]
            self.news.set()

    async def peer(self, name: str = "CL-1") -> Peer2:  # type: ignore[override]  # a peer that speaks raw frames
        await self.until(lambda: name in self.peers)
        return self.peers[name]

    async def event(self, kind: str, trigger: str | None = None, state: str | None = None) -> dict[str, Any]:
        """The next TransactionEvent of this kind, with this triggerReason and chargingState where given."""
        while True:
            found = await self.expect(
                "TransactionEvent", eventType=kind, **({"triggerReason": trigger} if trigger else {})
            )
            if state is None or found["transactionInfo"].get("chargingState") == state:
                return found

    def events(self) -> list[dict[str, Any]]:
        return [payload for _, action, payload in self.received if action == "TransactionEvent"]
