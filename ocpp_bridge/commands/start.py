"""Start a session: RemoteStartTransaction, then a transaction with that id token on that connector, then proof of energy.

"Accepted" is not a start: a charger accepts without a cable. Nor is Charging, while the meter stands still.
OCA test cases TC_010, TC_011_1 and TC_011_2.
"""

from __future__ import annotations

from datetime import timedelta

from ocpp_bridge.commands.base import Ask, Kind, Pending, Seen, View, told_since
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command, Session, Status


class Start(Kind):
    name = "start"
    reads_sessions = True

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
    """The transaction that this command caused: on OCPP 2 with its remoteStartId, which a transaction that began with the
    plug can get later; else on the same connector with the same tag, learned of after the command was sent."""
    assert command.sent_at is not None
    assert command.token is not None
    for session in view.sessions:
        if session.remote_start is not None:
            if session.remote_start == command.params.get("number") and session.charger == command.charger:
                return session
            continue
        same = session.connector == command.connector and session.token.casefold() == command.token.casefold()
        if same and session.opened_at >= command.sent_at:
            return session
    return None


def _drawing(command: Command, session: Session, view: View, windows: Windows) -> Pending | Seen:
    assert command.sent_at is not None
    status = told_since(view, session.connector, command.sent_at)
    name = status.status if status is not None else None
    effect = {"status": name, "energy_wh": session.energy_wh, "power_w": session.power_w}
    if session.authorization != "Accepted":
        detail = f"a transaction began but its id token is {session.authorization.lower()}"
        return Seen("not_verified", "accepted_no_effect", session.id, effect, detail)
    proof = _proof(session)
    if proof is not None:
        return Seen("verified", "verified", session.id, {**effect, "proof": proof})
    if session.state == "ended":
        detail = f"a transaction began and ended without energy ({session.stop_reason})"
        return Seen("not_verified", "accepted_no_effect", session.id, effect, detail)
    if _waits_for_plug(session, view):
        until = command.sent_at + timedelta(seconds=windows.start_connection_timeout_s + windows.start_grace_s)
        if view.now < until:
            return Pending(until, begun=True)
        return Seen(
            "not_verified", "accepted_no_effect", session.id, effect, "a transaction began, but no plug was seen"
        )
    until = session.opened_at + timedelta(seconds=windows.start_charging_s)
    if name == "SuspendedEV" and status is not None:
        until = min(until, max(status.at, session.opened_at) + timedelta(seconds=windows.start_suspended_s))
    if view.now < until:
        return Pending(until, _asks(session, status, windows), begun=True)
    if name != "Charging":
        return Seen(
            "not_verified", "car_not_drawing", session.id, effect, "the charger is ready, the car draws nothing"
        )
    if session.last_meter_at is None:
        return Seen(
            "verified", "verified", session.id, {**effect, "proof": "status"}, "the charger sends no meter values"
        )
    return Seen(
        "not_verified", "no_energy", session.id, effect, "the charger says Charging, but its meter stands still"
    )


def _waits_for_plug(session: Session, view: View) -> bool:
    """On OCPP 2 a transaction can begin before the plug is in; this one's charger has told of none yet."""
    status = view.statuses.get(session.connector)
    plugged = status is not None and status.status not in ("Available", "Reserved")
    return session.seq_no is not None and session.charging in (None, "Idle") and not plugged


def _proof(session: Session) -> str | None:
    """Energy above the transaction's first reading; power only where the charger reports no energy."""
    if session.energy_wh > 0:
        return "energy"
    reports_energy = session.meter_wh is not None
    return "power" if not reports_energy and session.state == "active" and (session.power_w or 0) > 0 else None


def _asks(session: Session, status: Status | None, windows: Windows) -> tuple[Ask, ...]:
    """Meter values at once when the connector says Charging, and twice more: many chargers send them every minute only,
    and a meter that counts whole watt-hours needs a moment."""
    if status is None or status.status != "Charging":
        return ()
    first = max(status.at, session.opened_at)
    return tuple(
        Ask("MeterValues", session.connector, first + timedelta(seconds=factor * windows.start_ask_again_s), number)
        for number, factor in enumerate((0, 1, 3))
    )
