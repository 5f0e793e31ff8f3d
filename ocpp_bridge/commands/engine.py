"""Runs commands from request to outcome. Each step is stored before it is taken, so that a restart finds an honest state.

queued (stored) -> gate -> sent (stored, then sent) -> answered -> the effect is watched to the end of its window.
After a restart: what was queued was never sent; what was sent or answered is watched on from the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from chargeline.clock import Clock
from ocpp_bridge import safety
from ocpp_bridge.commands.base import Ask, CommandKind, Pending, Seen, View
from ocpp_bridge.commands.refresh import Refresher
from ocpp_bridge.commands.start import Start
from ocpp_bridge.commands.stop import Stop
from ocpp_bridge.commands.waiting import wait_for
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.metrics import Metrics
from ocpp_bridge.model import Command, CommandState, Session
from ocpp_bridge.picture import Picture
from ocpp_bridge.server.connection import Connection
from ocpp_bridge.store.base import BridgeStore
from ocpp_bridge.versions.base import Request
from ocpp_bridge.wire import session as wire

log = structlog.get_logger(__name__)
KINDS: Mapping[str, CommandKind] = {kind.name: kind for kind in (Start(), Stop())}
RECENT = timedelta(hours=1)  # how far back the gate sees commands
NEVER_SENT = "the bridge was restarted before this was sent"
ANSWER_LOST = "the bridge was restarted before the answer came, and no effect was seen"
ASK_TIMEOUT_S = 5.0  # for a trigger on the way to an effect: it must not keep the line from a command
MOST_ASKS = 6  # for one command
FAILED = "the bridge failed on this command; what the charger did is not known"


@dataclass(slots=True)
class _Open:
    """A command under way: as last stored, and the event that its end sets."""

    command: Command
    done: asyncio.Event


class Engine:
    def __init__(
        self,
        store: BridgeStore,
        picture: Picture,
        connection_of: Callable[[str], Connection | None],
        clock: Clock,
        windows: Windows,
        metrics: Metrics,
        *,
        guest_starts: bool,
    ) -> None:
        self._store = store
        self._picture = picture
        self._connection_of = connection_of
        self._clock = clock
        self._windows = windows
        self._metrics = metrics
        self._guest_starts = guest_starts
        self.refresher = Refresher(clock)
        self.on_finished: Callable[[Command], None] | None = None
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[str, _Open] = {}

    # ---- from outside

    async def submit(self, command: Command) -> Command:
        """Stores and begins the command, or returns the one with its key. Raises store.KeyReused."""
        kept = await self._store.add_command(command)
        if kept.id == command.id:
            self._launch(command, self._run(command))
        return kept

    async def wait(self, command_id: str, seconds: float) -> Command | None:
        """The command, at its end or after `seconds`; None where there is no such command."""
        under_way = self._open.get(command_id)
        if under_way is not None and seconds > 0:
            await wait_for(under_way.done, seconds, self._clock)
        return await self._store.command(command_id)

    async def reach(self, charger_id: str, seconds: float) -> Connection | None:
        """The charger's connection; waits up to `seconds` for one that is expected back."""
        live = self._picture.live(charger_id)
        deadline = self._clock.monotonic() + seconds
        with live.listening() as changed:
            while (connection := self._connection_of(charger_id)) is None:
                now = self._clock.now()
                if live.connection_state(now) != "returning" or live.returns_until is None:
                    return None
                left = min(deadline - self._clock.monotonic(), (live.returns_until - now).total_seconds())
                if left <= 0:
                    return None
                changed.clear()
                await wait_for(changed, left, self._clock)
        return connection

    async def refresh(self, charger_id: str, connector: int | None, max_age_s: float) -> None:
        """Asks for the status of one connector, or of all, where it is older than `max_age_s`."""
        live, charger = self._picture.live(charger_id), self._picture.charger(charger_id)
        known = {row.connector for row in charger.connectors} if charger else set()
        wanted = {connector} if connector is not None else known | {number for number in live.statuses if number > 0}
        oldest = self._clock.now() - timedelta(seconds=max_age_s)
        old = sorted(number for number in wanted if number not in live.statuses or live.statuses[number].at < oldest)
        if not old:
            return
        deadline = self._clock.monotonic() + self._windows.refresh_wait_s
        connection = await self.reach(charger_id, self._windows.refresh_wait_s)
        if connection is not None:
            await self.refresher.refresh(connection, live, old, deadline - self._clock.monotonic())

    async def resume(self) -> None:
        """After a start: settles what a previous run of the bridge left open."""
        for command in await self._store.unfinished_commands():
            if command.state == "queued":
                await self._finish(command, Seen("disconnected", "disconnected", detail=NEVER_SENT))
                continue
            log.info("command_resumed", command=command.id, state=command.state)
            # What the charger answered to a call whose answer was lost is not known: then only the effect tells.
            lost = Seen("disconnected", "disconnected", command.session, detail=ANSWER_LOST)
            self._launch(command, self._watch(command, lost if command.state == "sent" else None))

    async def stop(self) -> None:
        """Leaves open commands as they are in the store; the next start resumes them."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- a command's life

    def _launch(self, command: Command, work: Coroutine[Any, Any, None]) -> None:
        self._open[command.id] = _Open(command, asyncio.Event())
        task = asyncio.create_task(self._guarded(command.id, work), name=command.id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, command_id: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # a command must have an end, whatever went wrong on the way
            log.exception("command_failed", command=command_id)
            command = self._open[command_id].command
            await self._finish(command, Seen("disconnected", "disconnected", command.session, detail=FAILED))

    async def _run(self, command: Command) -> None:
        deadline = self._clock.monotonic() + self._windows.refresh_wait_s + self._windows.call_timeout_s
        async with self._locks.setdefault(command.charger, asyncio.Lock()):
            connection = await self._may_send(command, deadline)
            if connection is None:
                return
            command = self._open[command.id].command
            left = min(self._windows.call_timeout_s, deadline - self._clock.monotonic())
            session = await self._store.session(command.session) if command.session else None
            request = KINDS[command.action].request(connection.version, command, session)
            command = await self._save(replace(command, state="sent", sent_at=self._clock.now()))
            outcome = await connection.call(request, left)
        await self._answered(command, outcome)

    async def _may_send(self, command: Command, deadline: float) -> Connection | None:
        """The connection to send on, after the gate; None where the command has ended here."""
        snapshot = await self._snapshot(command)
        decision = safety.decide(snapshot, safety.BEFORE_CONTACT)
        if not decision.allowed:
            await self._refuse(command, snapshot, decision)
            return None
        if snapshot.session is not None and snapshot.session.state == "ended":
            over = Seen("verified", "verified", snapshot.session.id, detail="the session had ended before")
            await self._finish(command, over)
            return None
        wait_s = min(self._windows.returning_wait_s, deadline - self._clock.monotonic())
        connection = await self.reach(command.charger, wait_s)
        if connection is None:
            gone = Seen("disconnected", "disconnected", command.session, detail="the charger is not connected")
            await self._finish(command, gone)
            return None
        snapshot = await self._snapshot(command)
        if command.action == "start" and command.connector is not None and not safety.is_fresh(snapshot):
            live = self._picture.live(command.charger)
            await self.refresher.refresh(connection, live, [command.connector], self._windows.refresh_wait_s)
            snapshot = await self._snapshot(command)
        decision = safety.decide(snapshot)
        if not decision.allowed:
            await self._refuse(command, snapshot, decision)
            return None
        await self._save(replace(command, connector=snapshot.connector, decision=decision.record(snapshot)))
        return connection

    async def _answered(self, command: Command, outcome: wire.Outcome) -> None:
        kind = KINDS[command.action]
        match outcome:
            case wire.Answered(payload):
                answer = str(payload.get("status"))
                command = replace(command, answer=answer, answered_at=self._clock.now())
                if answer not in kind.good_answers:
                    await self._finish(command, Seen("rejected", "rejected", command.session))
                    return
                await self._watch(await self._save(replace(command, state="answered")), None)
            case wire.Refused(code, description):
                command = replace(command, answer=code, answered_at=self._clock.now())
                name = "not_supported" if outcome.not_supported else "call_error"
                await self._finish(command, Seen("rejected", name, command.session, detail=description or code))
            case wire.InvalidAnswer(why):
                command = replace(command, answered_at=self._clock.now())
                await self._watch_if_begun(command, Seen("not_verified", "invalid_answer", command.session, detail=why))
            case wire.TimedOut(sent):
                await self._lost(command, "timed_out", sent, "no answer from the charger")
            case wire.Disconnected(sent):
                await self._lost(command, "disconnected", sent, "the connection was lost")
            case wire.QueueFull():
                await self._lost(command, "timed_out", False, "too many calls were waiting for this charger")

    async def _lost(self, command: Command, name: CommandState, sent: bool, detail: str) -> None:
        if not sent:
            detail = f"{detail}; it was never sent"
            command = replace(command, sent_at=None)
        end = Seen(name, name, command.session, detail=detail)
        await (self._watch_if_begun(command, end) if sent else self._finish(command, end))

    async def _watch_if_begun(self, command: Command, otherwise: Seen) -> None:
        """Without a usable answer: the end at once, unless the effect has begun to show."""
        verdict = KINDS[command.action].judge(command, await self._view(command), self._windows)
        if isinstance(verdict, Pending) and not verdict.begun:
            await self._finish(command, otherwise)
        else:
            await self._watch(command, otherwise)

    async def _watch(self, command: Command, otherwise: Seen | None) -> None:
        """Watches for the effect to the end of its window. `otherwise` is the end where nothing at all has shown."""
        kind = KINDS[command.action]
        asked: set[Ask] = set()
        with self._picture.live(command.charger).listening() as changed:
            while True:
                changed.clear()
                verdict = kind.judge(command, await self._view(command), self._windows)
                if isinstance(verdict, Seen):
                    break
                until = self._ask_for(command, verdict, asked)
                await wait_for(changed, (until - self._clock.now()).total_seconds() + 0.001, self._clock)
        if otherwise is not None and not verdict.effect and verdict.state != "verified":
            verdict = otherwise
        await self._finish(command, verdict)

    def _ask_for(self, command: Command, pending: Pending, asked: set[Ask]) -> datetime:
        """Triggers what is due of the messages that would tell; returns when to look again."""
        until, now = pending.until, self._clock.now()
        for ask in pending.asks:
            if ask in asked or len(asked) >= MOST_ASKS:
                continue
            if ask.at > now:
                until = min(until, ask.at)
                continue
            asked.add(ask)
            connection = self._connection_of(command.charger)
            if connection is not None:
                request = connection.version.trigger(ask.message, ask.connector)
                task = asyncio.create_task(self._ask(connection, request), name=f"{command.id}-ask")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return until

    async def _ask(self, connection: Connection, request: Request) -> None:
        outcome = await connection.call(request, ASK_TIMEOUT_S)  # what counts is the message that follows, if it does
        log.debug("asked", charger=connection.charger, action=request.action, outcome=type(outcome).__name__)

    async def _refuse(self, command: Command, snapshot: safety.Snapshot, decision: safety.Decision) -> None:
        assert decision.rule is not None
        command = replace(
            command,
            refused={"rule": decision.rule, "why": decision.why or ""},
            decision=decision.record(snapshot),
        )
        await self._finish(command, Seen("refused", "refused", command.session, detail=decision.why))

    async def _save(self, command: Command) -> Command:
        await self._store.save_command(command)
        if command.id in self._open:
            self._open[command.id].command = command
        return command

    async def _finish(self, command: Command, end: Seen) -> None:
        command = await self._save(
            replace(
                command,
                state=end.state,
                outcome=end.outcome,
                session=end.session or command.session,
                effect=end.effect or None,
                detail=end.detail,
                finished_at=self._clock.now(),
            )
        )
        under_way = self._open.pop(command.id, None)
        if under_way is not None:
            under_way.done.set()
        rule = command.refused["rule"] if command.refused else None
        self._metrics.command_finished(command.action, end.outcome, rule)
        log.info("command_finished", command=command.id, charger=command.charger, outcome=end.outcome, rule=rule)
        if self.on_finished is not None:
            self.on_finished(command)

    # ---- what rules and judges look at

    async def _snapshot(self, command: Command) -> safety.Snapshot:
        live = self._picture.live(command.charger)
        charger = self._picture.charger(command.charger)
        now = self._clock.now()
        token = await self._store.token(command.token) if command.token else None
        session = await self._store.session(command.session) if command.session else None
        if session is not None and session.charger != command.charger:
            session = None
        connector = session.connector if session else command.connector
        status = live.statuses.get(connector) if connector is not None else None
        since = live.connection_since if live.link is not None else None
        pushed_here = status is not None and since is not None and status.at >= since
        given = {row.connector for row in charger.connectors} if charger else set()
        return safety.Snapshot(
            action=command.action,
            connector=connector,
            actor=command.actor,
            now=now,
            token=token,
            session=session,
            boot=live.boot,
            status=status,
            charger_status=live.statuses.get(0),
            status_current=live.trigger_unsupported and pushed_here,
            connector_sessions=live.sessions_on(connector),
            token_sessions=self._picture.active_sessions_of(token.id) if token else (),
            recent=await self._store.recent_commands(command.charger, command.actor.driver, now - RECENT),
            charger=command.charger,
            command_id=command.id,
            guest_starts=self._guest_starts,
            known_connector=not given or connector in given or connector in live.statuses,
        )

    async def _view(self, command: Command) -> View:
        live = self._picture.live(command.charger)
        sessions: dict[str, Session] = {
            session.id: session for session in await self._store.sessions(charger=command.charger, limit=20)
        }
        if command.session and command.session not in sessions:
            session = await self._store.session(command.session)
            if session is not None:
                sessions[session.id] = session
        sessions.update(live.sessions)  # newer than the store's by the meter values of the last half second
        return View(self._clock.now(), list(sessions.values()), dict(live.statuses))
