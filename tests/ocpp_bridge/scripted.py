"""A charger that does only what a test says: `send` a call and get its answer, `expect_request` one of the bridge's."""

from __future__ import annotations

import asyncio
import contextlib
import json
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PATIENCE_S = 5.0


class CallErrorAnswer(Exception):
    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code


class ScriptedCharger:
    def __init__(self, url: str, subprotocols: list[str] | None = None, **options: Any) -> None:
        self._url = url
        self._subprotocols = ["ocpp1.6"] if subprotocols is None else subprotocols
        self._options = options
        self._requests: asyncio.Queue[list[Any]] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.stray: asyncio.Queue[list[Any]] = asyncio.Queue()
        self._n = 0
        self.socket: ClientConnection

    async def __aenter__(self) -> ScriptedCharger:
        self.socket = await connect(
            self._url,
            subprotocols=self._subprotocols or None,  # type: ignore[arg-type]  # plain names do
            open_timeout=PATIENCE_S,
            **self._options,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()
        await self._reader

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):  # the bridge was killed: a test's own doing
            async for text in self.socket:
                self._sort(text)

    def _sort(self, text: str | bytes) -> None:
        frame = json.loads(text)
        if frame[0] == 2:
            self._requests.put_nowait(frame)
        elif (future := self._answers.pop(frame[1], None)) is not None:
            if frame[0] == 3:
                future.set_result(frame[2])
            else:
                future.set_exception(CallErrorAnswer(frame[2], frame[3]))
        else:
            self.stray.put_nowait(frame)

    async def send(self, action: str, **payload: Any) -> dict[str, Any]:
        """Makes a call; the answer's payload, or CallErrorAnswer."""
        self._n += 1
        message_id = f"m{self._n}"
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[message_id] = future
        await self.socket.send(json.dumps([2, message_id, action, payload]))
        async with asyncio.timeout(PATIENCE_S):  # wait_for can swallow a test's end that comes with the answer
            return await future

    async def raw(self, frame: Any) -> None:
        await self.socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def expect_request(self, action: str, answer: Any | None = None) -> dict[str, Any]:
        """The payload of the bridge's next call, which must be `action`; `answer` is sent back where given."""
        frame = await self.take(action)
        if answer is not None:
            await self.raw([3, frame[1], answer])
        payload: dict[str, Any] = frame[3]
        return payload

    async def take(self, action: str) -> list[Any]:
        """The whole frame of the bridge's next call, unanswered."""
        async with asyncio.timeout(PATIENCE_S):
            frame = await self._requests.get()
        assert frame[2] == action, frame
        return frame

    async def no_request(self, seconds: float = 0.2, but: str = "") -> None:
        """None but calls of the action `but`."""
        await asyncio.sleep(seconds)
        found = [self._requests.get_nowait() for _ in range(self._requests.qsize())]
        assert not [frame for frame in found if frame[2] != but], found

    async def boot(self, status: str = "Preparing") -> None:
        await self.send("BootNotification", chargePointVendor="Acme", chargePointModel="One", firmwareVersion="1.0")
        await self.status(status)

    async def status(self, status: str, connector: int = 1, error: str = "NoError") -> None:
        await self.send("StatusNotification", connectorId=connector, status=status, errorCode=error)

    async def start(self, tag: str, connector: int = 1, meter: int = 1000, at: str = "2026-01-01T12:00:00Z") -> Any:
        return await self.send("StartTransaction", connectorId=connector, idTag=tag, meterStart=meter, timestamp=at)

    async def power(self, connector: int, watts: float) -> None:
        """A reading that belongs to no transaction."""
        sampled = [{"value": str(watts), "measurand": "Power.Active.Import", "unit": "W"}]
        values = [{"timestamp": "2026-01-01T12:00:00Z", "sampledValue": sampled}]
        await self.send("MeterValues", connectorId=connector, meterValue=values)

    async def meter(self, transaction: int, wh: int, connector: int = 1) -> None:
        sampled = [{"value": str(wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]
        await self.send(
            "MeterValues",
            connectorId=connector,
            transactionId=transaction,
            meterValue=[{"timestamp": "2026-01-01T12:00:00Z", "sampledValue": sampled}],
        )
