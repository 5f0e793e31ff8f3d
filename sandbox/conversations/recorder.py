"""Writes one scenario's history while it is played: the tap's frames, the chargers' true states, what was said and done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import structlog

from sandbox.conversations.history import Acted, ChargerState, Frame, Hazard, History, Said, state_from
from sandbox.conversations.wallet import Wallet

log = structlog.get_logger(__name__)

POLL_REAL_S = 0.5


class Sandbox:
    """The sandbox's API, as a driver's hands and as the judge's eyes. Raises httpx.HTTPError."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http

    async def state(self, charger: str) -> ChargerState:
        answer = await self._http.get(f"{self._url}/v1/chargers/{charger}")
        answer.raise_for_status()
        return state_from(answer.json())

    async def do(self, charger: str, act: str, body: Mapping[str, Any]) -> bool:
        """`plug`, `unplug` or `swipe`; False where it is not possible there now."""
        answer = await self._http.post(f"{self._url}/v1/chargers/{charger}/{act}", json=body)
        if answer.status_code == 409:
            return False
        answer.raise_for_status()
        return bool(answer.json().get("status", "Accepted") == "Accepted") if act == "swipe" else True

    async def fault(self, charger: str, name: str, params: Mapping[str, Any] | None) -> None:
        """Sets the fault, or with None takes it away."""
        path = f"{self._url}/v1/chargers/{charger}/faults/{name}"
        answer = await (self._http.delete(path) if params is None else self._http.put(path, json=params))
        answer.raise_for_status()


class Recorder:
    def __init__(
        self, chargers: Iterable[str], sandbox: Sandbox, speed: float, wallet: Wallet, *, is_paid: bool = False
    ) -> None:
        """`is_paid`: money takes part, so the payment system is looked at too."""
        self.history = History(speed=speed)
        self.wallet = wallet
        self._chargers = tuple(chargers)
        self._labels = frozenset(charger.removeprefix("CL-") for charger in self._chargers)
        self._sandbox = sandbox
        self._is_paid = is_paid
        self._began = time.monotonic()

    def begin(self) -> None:
        """The scenario's first word is said now; what was written down before is forgotten, but not the states."""
        shift = self.at()
        self._began = time.monotonic()
        last = [self.history.state(charger, shift) for charger in self._chargers]
        paid = self.history.paid(shift)
        self.history = History(speed=self.history.speed)
        self.history.ledger.append((0.0, paid))
        for state in last:
            if state is not None:
                self.history.saw(0.0, state)

    def at(self) -> float:
        return (time.monotonic() - self._began) * self.history.speed

    # --- the tap's sink
    async def frame(self, charger: str, *, to_charger: bool, message: list[Any], look: bool) -> None:
        before = await self.look(charger) if look else None
        kinds = {2: "call", 3: "result", 4: "error"}
        kind = kinds.get(message[0])
        if kind is None:
            return
        payload = message[-1] if isinstance(message[-1], dict) else {}
        action = str(message[2]) if kind != "result" else ""
        self.history.frames.append(
            Frame(
                at=self.at(),
                charger=charger,
                to_charger=to_charger,
                kind="call" if kind == "call" else "result" if kind == "result" else "error",
                id=str(message[1]),
                action=action,
                payload=payload,
                before=before if to_charger and kind == "call" else None,
            )
        )

    async def line(self, charger: str) -> None:
        await self.look(charger)

    async def look(self, charger: str) -> ChargerState | None:
        """Reads and notes the charger's true state; None where the sandbox does not answer."""
        try:
            state = await self._sandbox.state(charger)
        except httpx.HTTPError as error:
            log.warning("state_not_read", charger=charger, why=type(error).__name__)
            return None
        self.history.saw(self.at(), state)
        return state

    async def look_at_ledger(self) -> None:
        """Reads and notes what the payment system holds, has taken and has let go."""
        if not self._is_paid:
            return
        try:
            payments = await self.wallet.payments(self._labels)
        except httpx.HTTPError as error:
            log.warning("ledger_not_read", why=type(error).__name__)
            return
        ledger = self.history.ledger
        if not ledger or ledger[-1][1] != payments:
            ledger.append((self.at(), payments))

    async def watch(self) -> None:
        """Looks at every charger, and at the ledger, again and again; ends by cancellation."""
        while True:
            for charger in self._chargers:
                await self.look(charger)
            await self.look_at_ledger()
            await asyncio.sleep(POLL_REAL_S)

    # --- the drivers
    def said(self, said: Said) -> None:
        self.history.said.append(said)

    def hazard(self, driver: str, charger: str, connector: int | None) -> None:
        self.history.hazards.append(Hazard(self.at(), driver, charger, connector))

    async def act(self, driver: str, what: str, charger: str, connector: int, body: Mapping[str, Any]) -> bool:
        """A driver's hand at a charger."""
        done = await self._sandbox.do(charger, what, {"connector": connector, **body})
        self.history.acted.append(Acted(self.at(), driver, what, charger, connector, done))
        await self.look(charger)
        return done

    def did(self, driver: str, what: str, charger: str, connector: int) -> None:
        """Notes a deed that the sandbox has no part in."""
        self.history.acted.append(Acted(self.at(), driver, what, charger, connector, True))

    async def fault(self, charger: str, name: str, params: Mapping[str, Any] | None) -> None:
        await self._sandbox.fault(charger, name, params)
        await self.look(charger)
