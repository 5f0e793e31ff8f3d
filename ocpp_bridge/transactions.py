"""Transactions that the charger numbers and tells in events (OCPP 2.0.1 and 2.1), as sessions.

Events may come late, twice or in the wrong order: the sequence number says which is newest, and whatever comes first opens
the session. A transaction may begin with the plug and get its id token later; until then its session has none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol

import structlog

from chargeline.clock import Clock
from chargeline.ids import new_id
from ocpp_bridge.model import Attempt, Reading, Session, Token, changed
from ocpp_bridge.picture import LiveCharger
from ocpp_bridge.recorder import Recorder
from ocpp_bridge.store.base import BridgeStore

log = structlog.get_logger(__name__)
EventType = Literal["Started", "Updated", "Ended"]
INFERRED = "Inferred"  # stop reason of a session that the bridge closed on evidence, not on the charger's word


@dataclass(frozen=True, slots=True)
class TransactionTold:
    """One TransactionEvent. `at` is plausible already; `begin_wh` is a reading of the transaction's start, `energy_wh` and
    `power_w` the newest; `connector` is None where the event does not say."""

    event: EventType
    transaction: str
    seq_no: int
    at: datetime
    connector: int | None = None
    token: str | None = None
    charging: str | None = None
    remote_start: int | None = None
    stop_reason: str | None = None
    begin_wh: float | None = None
    energy_wh: float | None = None
    power_w: float | None = None


class Tell(Protocol):
    """Puts something that happened into the log of events."""

    def __call__(self, kind: str, charger: str, **data: Any) -> None: ...


Close = Callable[[Session, str, datetime, float | None], Awaitable[None]]
InUseElsewhere = Callable[[Token, str, int], bool]


class Transactions:
    def __init__(
        self,
        store: BridgeStore,
        recorder: Recorder,
        clock: Clock,
        close: Close,
        tell: Tell,
        in_use_elsewhere: InUseElsewhere,
    ) -> None:
        self._in_use_elsewhere = in_use_elsewhere
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._close = close
        self._tell = tell

    async def told(self, live: LiveCharger, told: TransactionTold) -> tuple[Session, Token | None]:
        """The session as it is now, and the id token that the event carried, where the bridge knows it."""
        token = await self._store.token(told.token) if told.token else None
        session = _running(live, told.transaction) or await self._store.session_started_by(_key(live.id, told))
        if session is None:
            session = await self._open(live, told, token)
        newest = session.seq_no is None or told.seq_no > session.seq_no
        if newest and told.connector is not None and told.power_w is not None and told.event != "Ended":
            live.readings[told.connector] = Reading(told.power_w, self._clock.now())
        if session.state == "ended" and session.stop_reason != INFERRED:
            return session, token  # told twice, or an event that was overtaken by the end
        before = session
        session = self._joined(session, told, token, newest=newest)
        if told.event == "Ended":
            await self._end(live, session, told)
        elif newest or told.event == "Started":
            await self._keep(live, before, session)
        live.changed()
        return live.sessions.get(session.id, session), token

    async def _open(self, live: LiveCharger, told: TransactionTold, token: Token | None) -> Session:
        now = self._clock.now()
        first = told.begin_wh if told.begin_wh is not None else told.energy_wh
        session = Session(
            id=new_id("ses", now),
            charger=live.id,
            connector=told.connector or 1,
            token="",
            driver=None,
            transaction=told.transaction,
            start_key=_key(live.id, told),
            authorization="",
            opened_at=now,
            started_at=told.at,
            meter_start_wh=first or 0.0,
            meter_known=first is not None,
        )
        session = self._authorised(session, told, token)
        kept = await self._store.add_session(session)
        if kept.id == session.id and told.event != "Ended":
            for old in live.sessions_on(session.connector):  # a connector has one transaction: the older one has ended
                if old.started_at <= session.started_at:
                    await self._close(old, INFERRED, now, None)
            named = {"session": session.id, "connector": session.connector, "authorization": session.authorization}
            self._tell("session.started", live.id, **named)
            log.info("session_started", charger=live.id, session=session.id, id_status=session.authorization)
        return kept

    def _joined(self, session: Session, told: TransactionTold, token: Token | None, *, newest: bool) -> Session:
        """The session with what the event adds to it; what an event of before says does not undo what is known."""
        if told.token and not session.token:
            session = self._authorised(session, told, token)
            self._recorder.attempt(
                Attempt(
                    session.charger,
                    told.token,
                    session.authorization,
                    self._clock.now(),
                    "StartTransaction",
                    session.connector,
                )
            )
        changes: dict[str, Any] = {}  # gathered: a record of this size is dear to make anew for each
        if told.remote_start is not None:
            changes["remote_start"] = told.remote_start
        if told.event == "Started":
            changes["started_at"] = min(session.started_at, told.at)
        if told.begin_wh is not None and (told.event == "Started" or not session.meter_known):
            changes |= {"meter_start_wh": told.begin_wh, "meter_known": True}
        elif newest and told.energy_wh is not None and not session.meter_known:
            changes |= {"meter_start_wh": told.energy_wh, "meter_known": True}
        if newest:
            changes["seq_no"] = told.seq_no
            if told.connector:
                changes["connector"] = told.connector
            if told.charging:
                changes["charging"] = told.charging
            if told.energy_wh is not None:
                changes["meter_wh"] = told.energy_wh
            if told.power_w is not None:
                changes["power_w"] = told.power_w
            if told.energy_wh is not None or told.power_w is not None:
                changes["last_meter_at"] = self._clock.now()
        return changed(session, changes)

    def _authorised(self, session: Session, told: TransactionTold, token: Token | None) -> Session:
        if not told.token:
            return session
        status = token.status_at(self._clock.now()) if token else "Unknown"
        accepted = token is not None and status == "Accepted"
        if token is not None and accepted and self._in_use_elsewhere(token, session.charger, session.connector):
            status = "ConcurrentTx"
        return replace(session, token=told.token, driver=token.driver if token else None, authorization=status)

    async def _keep(self, live: LiveCharger, before: Session, session: Session) -> None:
        """In memory at once; to the store at once where it is more than a reading."""
        if session.state == "ended":  # it was closed on evidence, and goes on after all
            session = replace(session, state="active", ended_at=None, stop_reason=None, meter_stop_wh=None)
        live.sessions[session.id] = session
        told = (session.token, session.remote_start, session.state, session.connector)
        if told != (before.token, before.remote_start, before.state, before.connector):
            await self._store.save_session(session)
        else:
            self._recorder.meter(session)

    async def _end(self, live: LiveCharger, session: Session, told: TransactionTold) -> None:
        live.sessions[session.id] = session
        await self._close(session, told.stop_reason or "Local", max(session.started_at, told.at), told.energy_wh)


def _running(live: LiveCharger, transaction: str) -> Session | None:
    for session in live.sessions.values():
        if session.transaction == transaction:
            return session
    return None


def _key(charger: str, told: TransactionTold) -> str:
    return f"{charger}:tx:{told.transaction}"
