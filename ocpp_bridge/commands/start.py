"""Start a session: RemoteStartTransaction, then a transaction with that id token on that connector, then energy.

"Accepted" is not a start: a charger accepts without a cable. OCA test cases TC_010, TC_011_1 and TC_011_2.
"""

from __future__ import annotations

from datetime import timedelta

from ocpp_bridge.commands.base import Pending, Seen, View
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command, Session
from ocpp_bridge.versions.base import Request, Version


class Start:
    name = "start"
    good_answers = frozenset({"Accepted"})

    def request(self, version: Version, command: Command, session: Session | None) -> Request:
        assert command.connector is not None
        assert command.token is not None
        return version.start(command.connector, command.token)

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        session = _begun(command, view)
        if session is None:
            until = command.sent_at + timedelta(seconds=windows.start_connection_timeout_s + windows.start_grace_s)
            if view.now < until:
                return Pending(until)
            return Seen("not_verified", "accepted_no_effect", detail="no transaction started")
        return _drawing(command, session, view, windows)


def _begun(command: Command, view: View) -> Session | None:
    """The transaction that this command caused: same connector and tag, learned of after the command was sent."""
    assert command.sent_at is not None
    assert command.token is not None
    for session in view.sessions:
        same = session.connector == command.connector and session.token.casefold() == command.token.casefold()
        if same and session.opened_at >= command.sent_at:
            return session
    return None


def _drawing(command: Command, session: Session, view: View, windows: Windows) -> Pending | Seen:
    assert command.sent_at is not None
    status = view.statuses.get(session.connector)
    name = status.status if status is not None and status.at >= command.sent_at else None
    effect = {"status": name, "energy_wh": session.energy_wh, "power_w": session.power_w}
    if session.authorization != "Accepted":
        detail = f"a transaction began but its id token is {session.authorization.lower()}"
        return Seen("not_verified", "accepted_no_effect", session.id, effect, detail)
    if session.energy_wh > 0 or (session.state == "active" and (name == "Charging" or (session.power_w or 0) > 0)):
        return Seen("verified", "verified", session.id, effect)
    if session.state == "ended":
        detail = f"a transaction began and ended without energy ({session.stop_reason})"
        return Seen("not_verified", "accepted_no_effect", session.id, effect, detail)
    until = session.opened_at + timedelta(seconds=windows.start_charging_s)
    if name == "SuspendedEV" and status is not None:
        until = min(until, max(status.at, session.opened_at) + timedelta(seconds=windows.start_suspended_s))
    if view.now < until:
        return Pending(until, begun=True)
    return Seen("not_verified", "car_not_drawing", session.id, effect, "the charger is ready, the car draws nothing")
