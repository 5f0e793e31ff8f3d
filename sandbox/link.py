"""Keeps one charger connected: dials, backs off, holds the line while a session runs on it, dials again. Knows no OCPP message."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from chargeline.clock import Clock

log = structlog.get_logger(__name__)

BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # the last one repeats
REFUSED_S = 60.0  # after the central system did not take the version: it will hardly learn it in seconds
LEAST_REAL_WAIT_S = 0.1  # dialling is real work for both ends, however fast the clock runs
JITTER = 0.25
PING_S = 20.0


@dataclass(frozen=True, slots=True)
class Address:
    """`url` is the central system's, without the charger's id; with a password Basic authentication is used."""

    url: str
    charger: str
    subprotocol: str
    password: str | None = None

    @property
    def uri(self) -> str:
        return f"{self.url.rstrip('/')}/{quote(self.charger, safe='')}"

    @property
    def headers(self) -> dict[str, str]:
        if self.password is None:
            return {}
        basic = base64.b64encode(f"{self.charger}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {basic}"}


def backoff(attempt: int, rng: Random) -> float:
    """Seconds of the clock before dialling for the `attempt`-th time (from 0), with jitter so that a network does not dial as one."""
    base = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
    return base * (1 + rng.uniform(-JITTER, JITTER))


class Link:
    """`serve(connection)` runs the session and returns when the connection is closed. `late_s()` is how long the charger
    waits before it dials again after a lost connection, beside its back-off; `bare()`: it offers no subprotocol.
    """

    def __init__(
        self,
        address: Address,
        *,
        clock: Clock,
        rng: Random,
        serve: Callable[[ClientConnection], Awaitable[None]],
        changed: Callable[[], None],
        late_s: Callable[[], float],
        bare: Callable[[], bool],
    ) -> None:
        self._address = address
        self._clock = clock
        self._rng = rng
        self._serve = serve
        self._changed = changed
        self._late_s = late_s
        self._bare = bare
        self.version_refused = False  # the central system was reached and does not speak this version
        self._holds: set[str] = set()
        self._hurried = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._held = asyncio.Event()
        self._connection: ClientConnection | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def held(self) -> bool:
        """True while something (a fault, a restart) keeps the charger from dialling."""
        return bool(self._holds)

    def hold(self, why: str) -> None:
        """Cuts the line, without a goodbye, and keeps it cut until `release(why)`."""
        self._holds.add(why)
        self._free.clear()
        self._held.set()
        self.drop()

    def release(self, why: str) -> None:
        self._holds.discard(why)
        if not self._holds:
            self._held.clear()
            self._free.set()

    def drop(self) -> None:
        if self._connection is not None:
            self._connection.transport.abort()

    def hurry(self) -> None:
        """Ends a wait before the next dialling, if there is one."""
        self._hurried.set()

    async def run(self) -> None:
        """Dials for ever; ends by cancellation."""
        attempt = 0
        while True:
            while self.held:  # what woke this may be held again by now, as when one scene follows another
                await self._free.wait()
            connection = await self._dial_unless_held()
            if self.held:
                if connection is not None:
                    connection.transport.abort()
                continue
            if connection is not None:
                attempt = 0
                self._connection = connection
                log.info("connected", charger=self._address.charger)
                try:
                    await self._serve(connection)
                finally:
                    self._connection = None
                    connection.transport.abort()
                    self._changed()
                log.info("disconnected", charger=self._address.charger, code=connection.close_code)
            wait_s = REFUSED_S if self.version_refused else backoff(attempt, self._rng)
            if connection is not None:
                wait_s += self._late_s()
            await self._pause(max(self._clock.real_seconds(wait_s), LEAST_REAL_WAIT_S))
            attempt += 1

    async def _pause(self, real_seconds: float) -> None:
        self._hurried.clear()
        try:
            async with asyncio.timeout(real_seconds):
                await self._hurried.wait()
        except TimeoutError:
            pass  # nobody hurried it, as usual

    async def _dial_unless_held(self) -> ClientConnection | None:
        """A dialling that is under way when the line is cut is given up, so that the central system sees no charger."""
        dial, held = asyncio.ensure_future(self._dial()), asyncio.ensure_future(self._held.wait())
        try:
            await asyncio.wait({dial, held}, return_when=asyncio.FIRST_COMPLETED)
            return dial.result() if dial.done() else None
        finally:
            dial.cancel()
            held.cancel()

    async def _dial(self) -> ClientConnection | None:
        address, bare = self._address, self._bare()
        try:
            connection = await connect(
                address.uri,
                subprotocols=None if bare else [Subprotocol(address.subprotocol)],
                additional_headers=address.headers,
                user_agent_header=None,
                # 2.0.1 part 4 section 3.3 has a central system offer it; 1.6 chargers rarely have it.
                compression=None if address.subprotocol == "ocpp1.6" else "deflate",
                open_timeout=10,
                ping_interval=PING_S,
                ping_timeout=PING_S,
                proxy=None,
            )
        except (OSError, TimeoutError, InvalidHandshake, InvalidMessage) as error:
            self.version_refused = _refuses_version(error)
            log.info("dial_failed", charger=address.charger, why=type(error).__name__, detail=str(error)[:200])
            return None
        self.version_refused = not bare and connection.subprotocol != address.subprotocol
        if self.version_refused:
            log.warning("subprotocol_refused", charger=address.charger, offered=address.subprotocol)
            await connection.close()
            return None
        return connection


def _refuses_version(error: Exception) -> bool:
    """Some servers refuse a subprotocol that they do not speak in the handshake, against OCPP-J: they should open and close."""
    if not isinstance(error, InvalidStatus) or error.response.status_code != 400:
        return False
    return b"subprotocol" in (error.response.body or b"").lower()
