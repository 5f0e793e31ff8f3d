"""What the gate and the judges look at, gathered from the picture and the store at one moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chargeline.clock import Clock
from ocpp_bridge import safety
from ocpp_bridge.commands.base import View
from ocpp_bridge.commands.history import History
from ocpp_bridge.model import Command, Session, Token
from ocpp_bridge.picture import Picture
from ocpp_bridge.store.base import BridgeStore
from ocpp_bridge.versions.places import place_of


class Facts:
    def __init__(
        self, store: BridgeStore, picture: Picture, history: History, clock: Clock, *, guest_starts: bool
    ) -> None:
        self._store = store
        self._history = history
        self._picture = picture
        self._clock = clock
        self._guest_starts = guest_starts

    def connectors(self, charger_id: str) -> list[int]:
        """Every connector that the operator provisioned or the charger has told of."""
        charger = self._picture.charger(charger_id)
        given = {row.connector for row in charger.connectors} if charger else set()
        return sorted(given | {number for number in self._picture.live(charger_id).statuses if number > 0})

    def targets(self, command: Command, known: list[int] | None = None) -> list[int]:
        """The connectors that the command touches: its own, those of its EVSE, or all (of those `known`)."""
        if command.connector is not None:
            return [command.connector]
        found = self.connectors(command.charger) if known is None else known
        evse = command.params.get("evse")
        if evse:
            charger = self._picture.charger(command.charger)
            return [number for number in found if place_of(charger, number)[0] == evse]
        return found

    async def resolved(self, command: Command) -> Command:
        """The command with the session and connector that it means: a stop for danger may name the connector only."""
        if command.session is not None:
            session = await self._store.session(command.session)
            if session is not None and session.charger == command.charger:
                return replace(command, connector=session.connector)
            return command
        if command.action == "stop" and command.connector is not None:
            running = self._picture.live(command.charger).sessions_on(command.connector)
            return replace(command, session=running[-1].id) if running else command
        if command.action == "cancel_reservation":
            reservation = await self._reservation(command)
            if reservation is not None:
                number = reservation.params.get("number")
                return replace(command, connector=reservation.connector, params={**command.params, "number": number})
        return command

    async def _reservation(self, command: Command) -> Command | None:
        found = await self._store.command(str(command.params.get("reservation")))
        fits = found is not None and found.action == "reserve" and found.charger == command.charger
        return found if fits else None

    async def tokens(self, command: Command) -> list[Token]:
        """Those that the command names and the bridge knows."""
        found = [await self._store.token(str(token_id)) for token_id in command.params.get("tokens", ())]
        return [token for token in found if token is not None]

    async def snapshot(self, command: Command) -> safety.Snapshot:
        live = self._picture.live(command.charger)
        now = self._clock.now()
        token = await self._store.token(command.token) if command.token else None
        session = await self._store.session(command.session) if command.session else None
        if session is not None and session.charger != command.charger:
            session = None
        connector = session.connector if session else command.connector
        status = live.statuses.get(connector) if connector is not None else None
        since = live.connection_since if live.link is not None else None
        current_since = since if live.trigger_unsupported else None
        horizon = timedelta(seconds=safety.horizon_s(command.action))
        known = self.connectors(command.charger)
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
            status_current=status is not None and current_since is not None and status.at >= current_since,
            connector_sessions=live.sessions_on(connector),
            token_sessions=self._picture.active_sessions_of(token.id) if token else (),
            recent=self._history.of(command.charger, command.actor.driver, now - horizon),
            charger=command.charger,
            command_id=command.id,
            guest_starts=self._guest_starts,
            known_connector=not known or connector in known,
            reason=command.reason,
            params=command.params,
            targets=self.targets(command, known),
            charger_sessions=tuple(live.sessions.values()),
            statuses=dict(live.statuses),
            current_since=current_since,
            readings=dict(live.readings),
            last_session=await self._last_session(command, connector) if command.action == "unlock" else None,
            holds=dict(live.holds),
            reservation=await self._reservation(command) if command.action == "cancel_reservation" else None,
        )

    async def _last_session(self, command: Command, connector: int | None) -> Session | None:
        running = self._picture.live(command.charger).sessions_on(connector)
        if running or connector is None:
            return running[-1] if running else None
        return await self._store.last_session(command.charger, connector)

    async def view(self, command: Command, *, with_sessions: bool) -> View:
        live = self._picture.live(command.charger)
        sessions: dict[str, Session] = {}
        if with_sessions and command.session is None:
            found = await self._store.sessions(charger=command.charger, limit=20)
            sessions = {session.id: session for session in found}
        elif with_sessions and command.session is not None and command.session not in live.sessions:
            session = await self._store.session(command.session)
            if session is not None:
                sessions[session.id] = session
        sessions.update(live.sessions)  # newer than the store's by the meter values of the last half second
        return View(
            self._clock.now(),
            list(sessions.values()),
            dict(live.statuses),
            self.targets(command),
            live.boot,
            live.connection_since if live.link is not None else None,
            dict(live.heard),
            live.report,
        )
