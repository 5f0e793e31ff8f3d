"""Gathers telemetry and writes it to the store twice a second, so that a flood of meter values costs one transaction.

A store that fails loses nothing at once: the batch is kept, bounded by what there is to say (the newest of each), and
tried again. Sessions are never disturbed by it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from ocpp_bridge.model import Attempt, Boot, Deviation, Presence, Session, Status, VariableReport
from ocpp_bridge.store.base import BridgeStore, Telemetry

log = structlog.get_logger(__name__)
FLUSH_S = 0.5
ATTEMPTS_LIMIT = 10_000
DEVIATIONS_LIMIT = 5_000
KINDS_LIMIT = 200  # kinds of deviation told apart for one charger: it chooses their names, and they are kept for good


class Recorder:
    def __init__(self, store: BridgeStore) -> None:
        self._store = store
        self._batch = Telemetry()
        self._kinds: dict[str, set[tuple[str, str, str]]] = {}  # by charger, since the start
        self._task: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="recorder")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)  # real time: it bounds what a kill can lose
            await self.flush()

    async def flush(self) -> None:
        """Writes what there is; on failure keeps it for the next time."""
        async with self._flushing:
            batch, self._batch = self._batch, Telemetry()
            if not batch:
                return
            try:
                await self._store.save_telemetry(batch)
            except Exception:  # whatever the store's engine raises must not end the recorder
                log.exception("telemetry_not_saved", statuses=len(batch.statuses), meters=len(batch.meters))
                self._put_back(batch)

    def _put_back(self, old: Telemetry) -> None:
        new = self._batch
        new.boots = {**old.boots, **new.boots}
        new.statuses = {**old.statuses, **new.statuses}
        new.presences = {**old.presences, **new.presences}
        new.meters = {**old.meters, **new.meters}
        new.reports = {**old.reports, **new.reports}
        new.attempts = (old.attempts + new.attempts)[-ATTEMPTS_LIMIT:]
        for key, deviation in old.deviations.items():
            newer = new.deviations.get(key)
            count = deviation.count + (newer.count if newer else 0)
            new.deviations[key] = replace(newer or deviation, count=count)

    def boot(self, boot: Boot) -> None:
        self._batch.boots[boot.charger] = boot

    def status(self, status: Status) -> None:
        self._batch.statuses[status.charger, status.connector] = status

    def presence(self, presence: Presence) -> None:
        self._batch.presences[presence.charger] = presence

    def report(self, report: VariableReport) -> None:
        self._batch.reports[report.charger] = report

    def meter(self, session: Session) -> None:
        self._batch.meters[session.id] = session

    def attempt(self, attempt: Attempt) -> None:
        if len(self._batch.attempts) < ATTEMPTS_LIMIT:
            self._batch.attempts.append(attempt)

    def deviation(self, deviation: Deviation) -> None:
        kinds = self._kinds.setdefault(deviation.charger, set())
        kind = (deviation.kind, deviation.action, deviation.detail)
        if kind not in kinds and len(kinds) >= KINDS_LIMIT:
            deviation = replace(deviation, action="", detail="more kinds than are told apart")
        else:
            kinds.add(kind)
        key = (deviation.charger, deviation.kind, deviation.action, deviation.detail)
        before = self._batch.deviations.get(key)
        if before is None and len(self._batch.deviations) >= DEVIATIONS_LIMIT:
            return
        self._batch.deviations[key] = replace(deviation, count=1 + (before.count if before else 0))
