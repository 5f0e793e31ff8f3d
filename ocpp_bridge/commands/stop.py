"""Stop a session: RemoteStopTransaction, then the end of exactly that transaction. OCA test case TC_012."""

from __future__ import annotations

from datetime import timedelta

from ocpp_bridge.commands.base import Kind, Pending, Seen, View, told_since
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command


class Stop(Kind):
    name = "stop"
    reads_sessions = True

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        session = next((session for session in view.sessions if session.id == command.session), None)
        if session is not None and session.state == "ended":
            status = told_since(view, session.connector, command.sent_at)
            effect = {
                "status": status.status if status is not None else None,
                "energy_wh": session.energy_wh,
                "stop_reason": session.stop_reason,
            }
            return Seen("verified", "verified", session.id, effect)
        until = command.sent_at + timedelta(seconds=windows.stop_ended_s)
        if view.now < until:
            return Pending(until)
        return Seen("not_verified", "accepted_no_effect", command.session, detail="the transaction is still running")
