"""The transactions of an OCPP 2 charger: what happened at a connector becomes TransactionEvents, numbered, from start to end.

When a transaction starts is the model's (TxStartPoint). No I/O and no clock: the time, the ids and the line's state are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sandbox.frames import Payload
from sandbox.v201 import messages
from sandbox.v201.places import Place

StartPoint = Literal["PowerPathClosed", "Authorized", "EVConnected"]
START_POINTS: tuple[StartPoint, ...] = ("PowerPathClosed", "Authorized", "EVConnected")


@dataclass(slots=True)
class Open:
    """A transaction that has started and not ended. `state` is the chargingState that was told last."""

    id: str
    place: Place
    next_seq: int = 0
    state: str | None = None
    authorised: bool = False
    remote_start: int | None = None

    def kept(self) -> Payload:
        """All but the place, as JSON can hold it."""
        return {
            "id": self.id,
            "next_seq": self.next_seq,
            "state": self.state,
            "authorised": self.authorised,
            "remote_start": self.remote_start,
        }


@dataclass(frozen=True, slots=True)
class Now:
    """The moment at which something happened."""

    at: datetime
    online: bool


@dataclass(frozen=True, slots=True)
class Who:
    """Whose token it was, and how it came: `remote_start` is the remoteStartId of a RequestStartTransaction."""

    token: Payload
    remote_start: int | None = None

    @property
    def trigger(self) -> str:
        return "Authorized" if self.remote_start is None else "RemoteStart"


class Ledger:
    def __init__(
        self, start_point: StartPoint, new_id: Callable[[], str], extra: Mapping[str, Any] | None = None
    ) -> None:
        """`extra` is put into every transactionInfo (what a later version adds)."""
        self.start_point = start_point
        self.open: dict[int, Open] = {}
        self._new_id = new_id
        self._extra = dict(extra or {})

    def of_id(self, transaction: str) -> Open | None:
        return next((each for each in self.open.values() if each.id == transaction), None)

    def plugged(self, place: Place, now: Now) -> list[Payload]:
        """The cable was plugged in."""
        running = self.open.get(place.number)
        if running is not None:
            return [self._event(running, "Updated", "CablePluggedIn", now, state="EVConnected")]
        if self.start_point != "EVConnected":
            return []
        return [self._started(place, "CablePluggedIn", now, state="EVConnected")]

    def waits(self, place: Place, who: Who, now: Now) -> list[Payload]:
        """A token may charge and waits for its plug."""
        if self.start_point != "Authorized" or place.number in self.open:
            return []
        return [self._started(place, who.trigger, now, state="Idle", who=who)]

    def lapsed(self, place: Place, now: Now) -> list[Payload]:
        """No plug came in time (E03.FR.05, TC_E_39)."""
        running = self.open.pop(place.number, None)
        return [] if running is None else [self._ended(running, "Timeout", now, state="Idle")]

    def began(
        self, place: Place, who: Who, meter: list[Payload], now: Now, *, plug_last: bool, reservation: int | None
    ) -> tuple[str, list[Payload]]:
        """Energy may flow from now on; returns the transaction's id too. `plug_last`: the token had waited for the plug."""
        running = self.open.get(place.number)
        more: Payload = {"meterValue": meter}
        if reservation is not None:
            more["reservationId"] = reservation
        if running is None:
            trigger = "CablePluggedIn" if plug_last else who.trigger
            started = self._started(place, trigger, now, state="EVConnected", who=who, **more)
            return self.open[place.number].id, [started]
        if running.authorised:  # told when the token came; the plug followed and has been told too
            return running.id, [self._event(running, "Updated", "ChargingStateChanged", now, **more)]
        return running.id, [self._event(running, "Updated", who.trigger, now, who=who, **more)]

    def state(self, number: int, state: str, meter: list[Payload], now: Now) -> list[Payload]:
        """The chargingState may have changed."""
        running = self.open.get(number)
        if running is None or running.state == state:
            return []
        return [self._event(running, "Updated", "ChargingStateChanged", now, state=state, meterValue=meter)]

    def metered(
        self, number: int, meter: list[Payload], now: Now, trigger: str = "MeterValuePeriodic"
    ) -> list[Payload]:
        running = self.open.get(number)
        if running is None:
            return []
        return [self._event(running, "Updated", trigger, now, state=running.state, meterValue=meter)]

    def ended(
        self, number: int, reason: str, meter: list[Payload], now: Now, *, car: bool, token: Payload | None
    ) -> list[Payload]:
        """`reason` is one of OCPP 1.6's; `token` is what ended it, if one did."""
        running = self.open.pop(number, None)
        if running is None:
            return []
        more: Payload = {"meterValue": meter} | ({"idToken": token} if token is not None else {})
        return [self._ended(running, reason, now, state="EVConnected" if car else "Idle", **more)]

    def unplugged(self, place: Place, now: Now) -> list[Payload]:
        """The cable is out; a transaction that had only the cable ends."""
        running = self.open.get(place.number)
        if running is None or running.authorised:
            return []
        del self.open[place.number]
        return [self._ended(running, "EVDisconnected", now, state="Idle")]

    def resumed(self, number: int, state: str, meter: list[Payload], now: Now) -> list[Payload]:
        """OCPP 2.1: the transaction goes on after a restart."""
        running = self.open.get(number)
        if running is None:
            return []
        return [self._event(running, "Updated", "TxResumed", now, state=state, meterValue=meter)]

    # --- one event ----------------------------------------------------------------------------------------------
    def _started(
        self, place: Place, trigger: str, now: Now, *, state: str, who: Who | None = None, **more: Any
    ) -> Payload:
        running = self.open[place.number] = Open(self._new_id(), place)
        return self._event(running, "Started", trigger, now, state=state, who=who, evse=place.json(), **more)

    def _ended(self, running: Open, reason: str, now: Now, *, state: str, **more: Any) -> Payload:
        stopped, trigger = messages.ENDS.get(reason, messages.OTHER_END)
        return self._event(running, "Ended", trigger, now, state=state, info={"stoppedReason": stopped}, **more)

    def _event(
        self,
        running: Open,
        kind: Literal["Started", "Updated", "Ended"],
        trigger: str,
        now: Now,
        *,
        state: str | None = None,
        who: Who | None = None,
        info: Payload | None = None,
        **more: Any,
    ) -> Payload:
        if who is not None:
            running.authorised = True
            running.remote_start = who.remote_start
            more["idToken"] = who.token
        running.state = state or running.state
        transaction: Payload = {"transactionId": running.id, **self._extra, **(info or {})}
        if running.state is not None:
            transaction["chargingState"] = running.state
        if running.remote_start is not None:
            transaction["remoteStartId"] = running.remote_start
        payload: Payload = {
            "eventType": kind,
            "timestamp": messages.timestamp(now.at),
            "triggerReason": trigger,
            "seqNo": running.next_seq,
            "transactionInfo": transaction,
            **more,
        }
        if not now.online:
            payload["offline"] = True
        running.next_seq += 1
        return payload
