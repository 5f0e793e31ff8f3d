"""Runs commands from request to outcome. What a restart must know is stored before it is so.

queued -> gate -> sent (stored with the gate's decision, then sent) -> answered -> the effect is watched to the end of its
window. A command that has to wait for something (its turn, the charger, its status, an effect) is stored before it waits;
one that does not goes to the store twice: before it is sent, and with its end, before anybody is told of that.
After a restart: what was queued was never sent; what was sent or answered is watched on from the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import structlog

from chargeline.clock import Clock
from ocpp_bridge import safety
from ocpp_bridge.commands.base import NOT_SUPPORTED, Pending, Reply, Seen
from ocpp_bridge.commands.facts import Facts
from ocpp_bridge.commands.history import LONGEST_S, History
from ocpp_bridge.commands.holding import Holding
from ocpp_bridge.commands.kinds import KINDS
from ocpp_bridge.commands.refresh import Refresher, is_old
from ocpp_bridge.commands.under_way import EngineStopped, KeyKnown, UnderWay
from ocpp_bridge.commands.waiting import wait_for
from ocpp_bridge.commands.watcher import Watcher
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.metrics import Metrics
from ocpp_bridge.model import Command, CommandState, changed
from ocpp_bridge.picture import Picture
from ocpp_bridge.server.connection import Connection
from ocpp_bridge.store.base import BridgeStore, KeyReused
from ocpp_bridge.versions.base import NotOffered, Order, Request
from ocpp_bridge.wire import session as wire

log = structlog.get_logger(__name__)
NEVER_SENT = "the bridge was restarted before this was sent"
ANSWER_LOST = "the bridge was restarted before the answer came, and no effect was seen"
NOT_THEIRS = frozenset({"unknown-tier", "hazard-first", "tier-too-low"})  # refusals of who asks, not of the moment
FAILED = "the bridge failed on this command; what the charger did is not known"


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
        self._history = History()
        self._facts = Facts(store, picture, self._history, clock, guest_starts=guest_starts)
        self._watcher = Watcher(picture, self._facts, connection_of, clock, windows)
        self._holding = Holding(store, picture, clock)
        self.refresher = Refresher(clock)
        self.on_finished: Callable[[Command], None] | None = None
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[str, UnderWay] = {}
        self._by_key: dict[str, UnderWay] = {}

    # ---- from outside

    async def run(self, command: Command, seconds: float) -> Command:
        """Begins the command, or finds the one with its key; returns it at its end or after `seconds`, and not before it is
        stored. Raises store.KeyReused and EngineStopped."""
        deadline = self._clock.monotonic() + seconds
        under_way = self._by_key.get(command.idempotency_key)
        if under_way is None:
            under_way = self._launch(command, self._begun(command))
            await wait_for(under_way.done, seconds, self._clock)
        kept = await asyncio.shield(under_way.kept)
        if kept.body_hash != command.body_hash:
            raise KeyReused(command.idempotency_key)
        if kept.id == under_way.command.id and under_way.done.is_set():
            return under_way.command
        return await self.wait(kept.id, deadline - self._clock.monotonic()) or kept

    async def wait(self, command_id: str, seconds: float) -> Command | None:
        """The command, at its end or after `seconds`; None where there is no such command."""
        under_way = self._open.get(command_id)
        if under_way is None:
            return await self._store.command(command_id)
        await wait_for(under_way.done, seconds, self._clock)
        return under_way.command

    async def reach(self, charger_id: str, seconds: float) -> Connection | None:
        """The charger's connection; waits up to `seconds` for one that is expected back."""
        live = self._picture.live(charger_id)
        deadline = self._clock.monotonic() + seconds
        with live.listening() as news:
            while (connection := self._connection_of(charger_id)) is None:
                now = self._clock.now()
                if live.connection_state(now) != "returning" or live.returns_until is None:
                    return None
                left = min(deadline - self._clock.monotonic(), (live.returns_until - now).total_seconds())
                if left <= 0:
                    return None
                news.clear()
                await wait_for(news, left, self._clock)
        return connection

    async def refresh(self, charger_id: str, connector: int | None, max_age_s: float) -> None:
        """Asks for the status of one connector, or of all, where it is older than `max_age_s`."""
        live = self._picture.live(charger_id)
        wanted = [connector] if connector is not None else self._facts.connectors(charger_id)
        oldest = self._clock.now() - timedelta(seconds=max_age_s)
        old = [number for number in wanted if is_old(live.statuses.get(number), oldest)]
        if not old:
            return
        deadline = self._clock.monotonic() + self._windows.refresh_wait_s
        connection = await self.reach(charger_id, self._windows.refresh_wait_s)
        if connection is not None:
            await self._look(connection, charger_id, old, deadline - self._clock.monotonic())

    async def _look(self, connection: Connection, charger_id: str, connectors: Sequence[int], seconds: float) -> None:
        charger, live = self._picture.charger(charger_id), self._picture.live(charger_id)
        await self.refresher.refresh(connection, live, charger, connectors, seconds)

    async def resume(self) -> None:
        """After a start: settles what a previous run of the bridge left open."""
        now = self._clock.now()
        self._history.load(await self._store.commands_since(now - timedelta(seconds=LONGEST_S)), now)
        for command in await self._store.unfinished_commands():
            if command.state == "queued":
                await self._finish(command, Seen("disconnected", "disconnected", detail=NEVER_SENT))
                continue
            log.info("command_resumed", command=command.id, state=command.state)
            # What the charger answered to a call whose answer was lost is not known: then only the effect tells.
            lost = Seen("disconnected", "disconnected", command.session, detail=ANSWER_LOST)
            self._launch(command, self._watch(command, lost if command.state == "sent" else None), stored=True)

    async def stop(self) -> None:
        """Leaves open commands as they are in the store; the next start resumes them. Whoever waits for one is told how
        far it is."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._watcher.stop()
        for under_way in self._open.values():
            if not under_way.kept.done():
                under_way.kept.set_exception(EngineStopped())
                under_way.kept.exception()  # seen: perhaps nobody waits for it
            under_way.done.set()

    # ---- a command's life

    def _launch(self, command: Command, work: Coroutine[Any, Any, None], *, stored: bool = False) -> UnderWay:
        under_way = UnderWay(command, asyncio.get_running_loop().create_future(), asyncio.Event())
        if stored:
            under_way.kept.set_result(command)
        self._open[command.id] = self._by_key[command.idempotency_key] = under_way
        task = asyncio.create_task(self._guarded(under_way, work), name=command.id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return under_way

    async def _guarded(self, under_way: UnderWay, work: Coroutine[Any, Any, None]) -> None:
        command = under_way.command
        try:
            await work
        except KeyKnown as known:
            self._forget(under_way)
            under_way.kept.set_result(known.command)
        except Exception as error:  # a command must have an end, whatever went wrong on the way
            log.exception("command_failed", command=command.id)
            if not under_way.kept.done():  # never stored, so never sent: whoever asked is told, and may ask again
                self._forget(under_way)
                under_way.kept.set_exception(error)
                return
            await self._finish(under_way.command, Seen("disconnected", "disconnected", command.session, detail=FAILED))

    def _forget(self, under_way: UnderWay) -> None:
        """A command that never came to be."""
        command = under_way.command
        self._history.drop(command)
        self._open.pop(command.id, None)
        self._by_key.pop(command.idempotency_key, None)
        under_way.done.set()

    async def _begun(self, command: Command) -> None:
        known = await self._store.command_of(command.idempotency_key)
        if known is not None:
            raise KeyKnown(known)
        self._note(command)
        # What is done out of danger waits for no other command, be it of the same danger.
        lock = asyncio.Lock() if command.hazard else self._locks.setdefault(command.charger, asyncio.Lock())
        if lock.locked():
            await self._save(command)
        windows = self._watcher.windows_of(command.charger)
        deadline = self._clock.monotonic() + windows.refresh_wait_s + windows.call_timeout_s
        async with lock:
            meant = await self._facts.resolved(command)
            if meant is not command:
                command = self._note(meant)
            with self._picture.live(command.charger).listening() as news:
                sending = await self._may_send(command, deadline)
                if sending is None:
                    return
                connection, command = sending
                made = await self._request(connection, command)
                if made is None:
                    return
                request, command = made
                left = min(windows.call_timeout_s, deadline - self._clock.monotonic())
                command = await self._save(changed(command, {"state": "sent", "sent_at": self._clock.now()}))
            if news.is_set():
                if not await self._may_still(command):
                    return
                command = changed(command, {"sent_at": self._clock.now()})  # what came before is not its effect
            outcome = await connection.call(request, left)
        await self._answered(command, outcome)

    async def _may_send(self, command: Command, deadline: float) -> tuple[Connection, Command] | None:
        """The connection to send on and the command with the gate's leave; None where the command has ended here."""
        snapshot = await self._facts.snapshot(command)
        connection = self._connection_of(command.charger)
        waits = connection is None or bool(safety.to_refresh(snapshot))
        decision = safety.decide(snapshot, safety.BEFORE_CONTACT if waits else safety.RULES)
        if command.hazard and command.action == "inoperative" and decision.rule not in NOT_THEIRS:
            await self._hold(command)  # also where the charger cannot be told now
        over = _over_already(command, snapshot) if decision.allowed else None
        if over is not None:
            await self._finish(command, over)
            return None
        if waits and decision.allowed:
            await self._save(command)
            connection, snapshot = await self._contact(command, snapshot, connection, deadline)
            if connection is None:
                gone = Seen("disconnected", "disconnected", command.session, detail="the charger is not connected")
                await self._finish(command, gone)
                return None
            decision = safety.decide(snapshot)
        if not decision.allowed:
            await self._refuse(command, snapshot, decision)
            return None
        assert connection is not None  # it was there, or was waited for
        command = self._note(changed(command, {"connector": snapshot.connector, "decision": decision.record(snapshot)}))
        if command.hazard:
            log.warning("hazard_act", command=command.id, charger=command.charger, connector=command.connector)
        if command.action == "inoperative" and not command.hazard:
            await self._hold(command)
        return connection, command

    async def _hold(self, command: Command) -> None:
        """Before the call: what is asked for stands, whatever the charger says to it; danger before anybody hears that it
        was noted."""
        if not command.hazard:
            await self._save(command)
        await self._holding.put(command)

    async def _may_still(self, command: Command) -> bool:
        """Asked where the charger has said something since the gate was asked, while the command went to the store, say.
        False where the command has ended here, unsent."""
        snapshot = await self._facts.snapshot(command)
        decision, over = safety.decide(snapshot), _over_already(command, snapshot)
        if decision.allowed and over is None:
            return True
        command = changed(command, {"sent_at": None})
        await (self._finish(command, over) if over and decision.allowed else self._refuse(command, snapshot, decision))
        return False

    async def _contact(
        self, command: Command, snapshot: safety.Snapshot, connection: Connection | None, deadline: float
    ) -> tuple[Connection | None, safety.Snapshot]:
        """The charger's connection, waited for where it is expected back, and what the gate sees once the charger was asked
        for the status that it needs."""
        if connection is None:
            wait_s = min(self._windows.returning_wait_s, deadline - self._clock.monotonic())
            connection = await self.reach(command.charger, wait_s)
            snapshot = await self._facts.snapshot(command)
        unseen = safety.to_refresh(snapshot)
        if connection is not None and unseen:
            await self._look(connection, command.charger, unseen, self._windows.refresh_wait_s)
            snapshot = await self._facts.snapshot(command)
        return connection, snapshot

    async def _request(self, connection: Connection, command: Command) -> tuple[Request, Command] | None:
        """The call, in the charger's OCPP version, and the command with what it was given for it; None where the version
        has none, and the command has ended here."""
        version = connection.version
        charger = self._picture.charger(command.charger)
        if command.action in version.numbered and "number" not in command.params:
            number = await self._store.next_transaction()  # one series of numbers for all that chargers want numbered
            command = self._note(changed(command, {"params": {**command.params, "number": number}}))
        evse, local = version.place(charger, command.connector or 0)
        session = await self._store.session(command.session) if command.session else None
        order = Order(command, self._clock.now(), evse, local, session, await self._facts.tokens(command))
        try:
            call = version.calls.get(command.action)
            if call is None:
                raise NotOffered(f"{version.subprotocol} has no such call")
            request = call(order)
            problem = version.invalid_request(request)
            if problem is not None:
                raise NotOffered(f"it cannot be said in {version.subprotocol}: {problem}")
        except NotOffered as error:
            await self._finish(command, Seen("rejected", "not_supported", command.session, detail=str(error)))
            return None
        return request, command

    async def _answered(self, command: Command, outcome: wire.Outcome) -> None:
        kind = KINDS[command.action]
        match outcome:
            case wire.Answered(payload):
                await self._read(command, kind.read(payload))
            case wire.Refused(code, description):
                command = changed(command, {"answer": code, "answered_at": self._clock.now()})
                name = "not_supported" if outcome.not_supported else "call_error"
                await self._finish(command, Seen("rejected", name, command.session, detail=description or code))
            case wire.InvalidAnswer(why):
                command = changed(command, {"answered_at": self._clock.now()})
                await self._watch_if_begun(command, Seen("not_verified", "invalid_answer", command.session, detail=why))
            case wire.TimedOut(sent):
                await self._lost(command, "timed_out", sent, "no answer from the charger")
            case wire.Disconnected(sent):
                await self._lost(command, "disconnected", sent, "the connection was lost")
            case wire.QueueFull():
                await self._lost(command, "timed_out", False, "too many calls were waiting for this charger")

    async def _read(self, command: Command, reply: Reply) -> None:
        kind = KINDS[command.action]
        command = changed(
            command, {"answer": reply.word[:50], "effect": reply.data or None, "answered_at": self._clock.now()}
        )
        if reply.word in kind.good_answers and kind.confirmed_by is not None:
            command = changed(
                command, {"effect": await self._confirmation(command, kind.confirmed_by) or command.effect}
            )
        if reply.word in kind.good_answers:
            await self._watch(changed(command, {"state": "answered"}), None)
        elif reply.word in kind.later_answers:
            later = Seen("not_verified", "scheduled", command.session, detail="the charger will do it when it is free")
            await self._watch(changed(command, {"state": "answered"}), later)
        elif reply.word in NOT_SUPPORTED:
            await self._finish(command, Seen("rejected", "not_supported", command.session))
        else:
            await self._finish(command, Seen("rejected", "rejected", command.session))

    async def _confirmation(self, command: Command, action: str) -> dict[str, Any] | None:
        """What the charger says when it is asked whether it did it; None where it does not say."""
        connection = self._connection_of(command.charger)
        if connection is None:
            return None
        request = connection.version.calls[action](Order(command, self._clock.now()))
        outcome = await connection.call(request, self._watcher.windows_of(command.charger).call_timeout_s)
        return KINDS[action].read(outcome.payload).data if isinstance(outcome, wire.Answered) else None

    async def _lost(self, command: Command, name: CommandState, sent: bool, detail: str) -> None:
        if not sent:
            detail = f"{detail}; it was never sent"
            command = changed(command, {"sent_at": None})
        end = Seen(name, name, command.session, detail=detail)
        await (self._watch_if_begun(command, end) if sent else self._finish(command, end))

    async def _watch_if_begun(self, command: Command, otherwise: Seen) -> None:
        """Without a usable answer: the end at once, unless the effect has begun to show."""
        verdict = await self._watcher.judged(command)
        if isinstance(verdict, Pending) and not verdict.begun:
            await self._finish(command, otherwise)
        else:
            await self._watch(command, otherwise)

    async def _watch(self, command: Command, otherwise: Seen | None) -> None:
        """Watches for the effect to the end of its window. `otherwise` is the end where nothing at all has shown."""
        await self._finish(command, await self._watcher.watch(command, otherwise, self._save))

    async def _refuse(self, command: Command, snapshot: safety.Snapshot, decision: safety.Decision) -> None:
        assert decision.rule is not None
        command = changed(
            command,
            {"refused": {"rule": decision.rule, "why": decision.why or ""}, "decision": decision.record(snapshot)},
        )
        await self._finish(command, Seen("refused", "refused", command.session, detail=decision.why))

    def _note(self, command: Command) -> Command:
        """The command as it is now, for the gate and for whoever waits."""
        self._history.put(command, self._clock.now())
        under_way = self._open.get(command.id)
        if under_way is not None:
            under_way.command = command
        return command

    async def _save(self, command: Command) -> Command:
        """Durable when it returns. Raises KeyKnown or store.KeyReused where a new command's key was used before."""
        under_way = self._open.get(command.id)
        if under_way is None or under_way.kept.done():
            await self._store.save_command(command)
        else:
            found = await self._store.add_command(command)
            if found.id != command.id:
                raise KeyKnown(found)
            under_way.kept.set_result(command)
        return self._note(command)

    async def _finish(self, command: Command, end: Seen) -> None:
        if command.action == "operative" and end.state == "verified" and command.actor.operator:
            await self._holding.let_go(command)
        command = await self._save(
            changed(
                command,
                {
                    "state": end.state,
                    "outcome": end.outcome,
                    "session": end.session or command.session,
                    "effect": end.effect or command.effect,
                    "detail": end.detail,
                    "finished_at": self._clock.now(),
                },
            )
        )
        under_way = self._open.pop(command.id, None)
        self._by_key.pop(command.idempotency_key, None)
        if under_way is not None:
            under_way.done.set()
        rule = command.refused["rule"] if command.refused else None
        self._metrics.command_finished(command.action, end.outcome, rule)
        log.info("command_finished", command=command.id, charger=command.charger, outcome=end.outcome, rule=rule)
        if self.on_finished is not None:
            self.on_finished(command)


def _over_already(command: Command, snapshot: safety.Snapshot) -> Seen | None:
    """The end of a stop of what does not run; None where there is something to do."""
    if command.action != "stop":
        return None
    if command.session is None and snapshot.hazard and not snapshot.connector_sessions:
        return Seen("verified", "verified", detail="nothing was running on the connector")
    if snapshot.session is not None and snapshot.session.state == "ended":
        return Seen("verified", "verified", snapshot.session.id, detail="the session had ended before")
    return None
