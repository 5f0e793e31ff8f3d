"""What chargers report, in the bridge's own words: one method for each thing a charger can say, whatever its OCPP version.

Versions translate frames into these calls and their results into answers. Sessions and id tokens go to the store at once,
everything else through the recorder.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from chargeline.clock import Clock
from chargeline.ids import new_id
from ocpp_bridge import quirks
from ocpp_bridge.api.shapes import last4
from ocpp_bridge.model import (
    Attempt,
    Boot,
    ConnectorStatus,
    Deviation,
    Heard,
    Presence,
    Reading,
    Session,
    Status,
    StatusSource,
    Token,
    VariableReport,
    changed,
)
from ocpp_bridge.picture import LiveCharger, Picture
from ocpp_bridge.recorder import Recorder
from ocpp_bridge.store.base import BridgeStore
from ocpp_bridge.transactions import INFERRED, Transactions, TransactionTold
from ocpp_bridge.versions.places import number_of

log = structlog.get_logger(__name__)
HEARTBEAT_INTERVAL_S = 300
MOST_VARIABLES = 5000  # of one charger
CLOCK_TOLERANCE = timedelta(minutes=5)  # a charger's clock may be ahead of ours by this much
OLDEST_PLAUSIBLE = timedelta(days=60)  # a charger that was offline brings its transactions later


@dataclass(frozen=True, slots=True)
class Meter:
    """One reading. None: the charger did not say."""

    energy_wh: float | None
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Authorization:
    """What an id token is answered with, and the token where it is ours."""

    status: str
    token: Token | None


@dataclass(frozen=True, slots=True)
class Started:
    session: Session
    authorization: Authorization


class Reports:
    def __init__(
        self, store: BridgeStore, picture: Picture, recorder: Recorder, clock: Clock, *, several_sessions: bool = False
    ) -> None:
        """`several_sessions`: an id token may charge at several connectors at once."""
        self._several_sessions = several_sessions
        self._store = store
        self._picture = picture
        self._recorder = recorder
        self.clock = clock
        self.on_deviation: Callable[[Deviation], None] | None = None
        self.on_event: Callable[[str, str, dict[str, Any]], None] | None = None

        self._transactions = Transactions(store, recorder, clock, self._close, self._tell, self._in_use_elsewhere)

    def live(self, charger: str) -> LiveCharger:
        return self._picture.live(charger)

    def number_of(self, charger: str, evse: int, local: int) -> int:
        return number_of(self._picture.charger(charger), evse, local)

    def _live(self, charger: str) -> LiveCharger:
        return self._picture.live(charger)

    def _tell(self, kind: str, charger: str, **data: Any) -> None:
        if self.on_event is not None:
            self.on_event(kind, charger, data)

    # ---- the charger itself

    def boot(self, charger: str, vendor: str | None, model: str | None, firmware: str | None, protocol: str) -> Boot:
        live = self._live(charger)
        boot = Boot(charger, "Accepted", self.clock.now(), vendor, model, firmware, protocol)
        if live.boot is None or live.boot.firmware != firmware:
            live.trigger_unsupported = False
        live.boot = boot
        self._recorder.boot(boot)
        live.changed()
        self._tell("charger.booted", charger, status=boot.status, vendor=vendor, model=model, firmware=firmware)
        log.info("charger_booted", charger=charger, model=model, firmware=firmware)
        return boot

    def presence(self, charger: str, connected: bool, since: datetime) -> None:
        self._recorder.presence(Presence(charger, connected, since))
        self._tell("charger.connected" if connected else "charger.disconnected", charger)

    def deviation(self, charger: str, kind: str, action: str, detail: str) -> None:
        """`detail` names a field or a code, never a value: it is a key of the count."""
        boot = self._live(charger).boot
        deviation = Deviation(
            charger,
            kind,
            action[:50],
            detail[:120],
            self.clock.now(),
            boot.model if boot else None,
            boot.firmware if boot else None,
        )
        self._recorder.deviation(deviation)
        if self.on_deviation:
            self.on_deviation(deviation)

    def meant(self, charger: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """An answer with a word that this make of charger is known to use for another."""
        words = quirks.of(self._live(charger).boot).answers.get(action)
        if words is None or payload.get("status") not in words:
            return payload
        self.deviation(charger, "invalid_answer", action, f"status {payload['status']}, as its make does")
        return {**payload, "status": words[payload["status"]]}

    def heard(self, charger: str, action: str, status: object) -> None:
        live = self._live(charger)
        live.heard[action] = Heard(self.clock.now(), status[:40] if isinstance(status, str) else None)
        live.changed()

    async def status(
        self,
        charger: str,
        connector: int,
        status: ConnectorStatus,
        error_code: str | None,
        vendor_error_code: str | None = None,
        source: StatusSource = "pushed",
    ) -> None:
        live = self._live(charger)
        now = self.clock.now()
        error = None if error_code in (None, "NoError") else error_code
        found = Status(charger, connector, status, now, source, error, vendor_error_code)
        before = live.statuses.get(connector)
        live.statuses[connector] = found
        self._recorder.status(found)
        if before is None or (before.status, before.error_code) != (status, error):
            self._tell("connector.status", charger, connector=connector, status=status, error_code=error)
        for session in live.sessions_on(connector):
            if self._over(session, status):
                await self._close(session, INFERRED, now, None)
        live.changed()

    def _over(self, session: Session, status: ConnectorStatus) -> bool:
        """Whether its connector's status says that the session has ended, though the charger has not said so."""
        boot, told_by_events = self._live(session.charger).boot, session.seq_no is not None
        if status == "Available" and not quirks.of(boot).available_with_cable:
            # On OCPP 2 a transaction can run before the plug is in (authorised first).
            return not told_by_events or session.charging not in (None, "Idle")
        # Preparing waits for a transaction to begin: after a reboot it says that the one before did not survive it.
        return status == "Preparing" and not told_by_events and boot is not None and session.opened_at < boot.at

    def report(self, charger: str, request: int, rows: list[dict[str, Any]], *, first: bool, last: bool) -> None:
        """A part of what a charger tells of its variables; it is kept when the last has come."""
        live = self._live(charger)
        before = live.report
        goes_on = not first and before is not None and before.request == request and not before.complete
        known = before.rows if goes_on and before is not None else []
        live.report = VariableReport(charger, request, self.clock.now(), [*known, *rows][:MOST_VARIABLES], last)
        if last:
            self._recorder.report(live.report)
        live.changed()

    # ---- id tokens

    async def standing(self, token_id: str) -> Authorization:
        """What an Authorize of this token is answered with; Invalid where it is not ours."""
        token = await self._store.token(token_id)
        return Authorization(token.status_at(self.clock.now()) if token else "Invalid", token)

    async def authorize(self, charger: str, token_id: str) -> Authorization:
        """A token that charges elsewhere is not refused here: only the start of a transaction is (ConcurrentTx, OCPP 1.6
        section 7.2, 2.0.1 AuthorizationStatusEnumType), and the driver may have come to stop the one that runs."""
        found = await self.standing(token_id)
        self._recorder.attempt(Attempt(charger, token_id, found.status, self.clock.now(), "Authorize"))
        self._tell("authorization", charger, token_last4=last4(token_id), answer=found.status)
        return found

    def _in_use_elsewhere(self, token: Token, charger: str, connector: int) -> bool:
        """Whether the token charges at another connector. A session of a charger that is gone bars nobody: its end may have
        been missed."""
        return not self._several_sessions and any(
            (session.charger, session.connector) != (charger, connector)
            and session.authorization == "Accepted"
            and self._live(session.charger).link is not None
            for session in self._picture.active_sessions_of(token.id)
        )

    # ---- transactions

    def plausible(self, charger: str, action: str, given: datetime | None) -> datetime:
        """The charger's time, or ours where its clock talks nonsense."""
        now = self.clock.now()
        if given is None:
            return now
        given = given.astimezone(UTC)
        if not now - OLDEST_PLAUSIBLE <= given <= now + CLOCK_TOLERANCE:
            self.deviation(charger, "clock", action, "timestamp is not plausible")
            return now
        return given

    async def start(
        self, charger: str, connector: int, token_id: str, meter_wh: float, at: datetime | None, start_key: str
    ) -> Started:
        """A transaction that the bridge numbers (OCPP 1.6). The same `start_key` again is the same transaction."""
        live = self._live(charger)
        known = await self._store.session_started_by(start_key)
        now = self.clock.now()
        token = await self._store.token(token_id)
        if known is not None:
            return Started(known, Authorization(known.authorization, token))
        authorization = token.status_at(now) if token else "Invalid"
        if token is not None and authorization == "Accepted" and self._in_use_elsewhere(token, charger, connector):
            authorization = "ConcurrentTx"
        session = Session(
            id=new_id("ses", now),
            charger=charger,
            connector=connector,
            token=token_id,
            driver=token.driver if token else None,
            transaction=str(await self._store.next_transaction()),
            start_key=start_key,
            authorization=authorization,
            opened_at=now,
            started_at=self.plausible(charger, "StartTransaction", at),
            meter_start_wh=meter_wh,
        )
        kept = await self._store.add_session(session)
        if kept.id == session.id:
            for old in live.sessions_on(connector):  # a connector has one transaction: the old one must have ended
                await self._close(old, INFERRED, now, None)
            live.sessions[session.id] = session
            self._recorder.attempt(Attempt(charger, token_id, authorization, now, "StartTransaction", connector))
            self._tell("session.started", charger, session=session.id, connector=connector, authorization=authorization)
            log.info("session_started", charger=charger, session=session.id, id_status=authorization)
        live.changed()
        return Started(kept, Authorization(kept.authorization, token))

    async def stop(
        self, charger: str, transaction: str, meter_wh: float | None, at: datetime | None, reason: str
    ) -> Session | None:
        """Ends a transaction; None where the bridge does not know it (it is counted and the charger may forget it)."""
        session = await self._find(charger, transaction)
        if session is None:
            self.deviation(charger, "unknown_transaction", "StopTransaction", "stop of an unknown transaction")
            return None
        if session.state == "ended" and session.stop_reason != INFERRED:
            return session  # told twice
        ended_at = max(session.started_at, self.plausible(charger, "StopTransaction", at))
        await self._close(session, reason, ended_at, meter_wh)
        self._live(charger).changed()
        return session

    def transaction(self, charger: str, told: TransactionTold) -> Awaitable[tuple[Session, Token | None]]:
        """A transaction that the charger numbers (OCPP 2)."""
        return self._transactions.told(self._live(charger), told)

    async def _find(self, charger: str, transaction: str) -> Session | None:
        for session in self._live(charger).sessions.values():
            if session.transaction == transaction:
                return session
        return await self._store.session_of(charger, transaction)

    async def _close(self, session: Session, reason: str, at: datetime, meter_wh: float | None) -> None:
        stop_wh = meter_wh if meter_wh is not None else session.meter_wh
        ended = replace(session, state="ended", ended_at=at, stop_reason=reason, meter_stop_wh=stop_wh, power_w=None)
        await self._store.save_session(ended)
        live = self._live(session.charger)
        live.sessions.pop(session.id, None)
        live.readings.pop(session.connector, None)  # what flows from now on is not this session's
        self._tell(
            "session.ended",
            session.charger,
            session=session.id,
            connector=session.connector,
            stop_reason=reason,
            energy_wh=ended.energy_wh,
        )
        log.info("session_ended", charger=session.charger, session=session.id, reason=reason)

    def meter(self, charger: str, connector: int | None, transaction: str | None, reading: Meter) -> None:
        """A meter reading of a running session, found by transaction, else by connector."""
        live = self._live(charger)
        if connector is not None and reading.power_w is not None:
            live.readings[connector] = Reading(reading.power_w, self.clock.now())
        for session in live.sessions.values():
            if session.transaction == transaction or (transaction is None and session.connector == connector):
                break
        else:
            return
        read: dict[str, Any] = {"last_meter_at": self.clock.now()}
        if reading.power_w is not None:
            read["power_w"] = reading.power_w
        if reading.energy_wh is not None:
            read["meter_wh"] = reading.energy_wh
        session = changed(session, read)
        live.sessions[session.id] = session
        self._recorder.meter(session)
        live.changed()
