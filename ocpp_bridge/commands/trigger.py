"""Have a charger send a message: TriggerMessage, then that message; a status must be of the connector that was asked for.

OCA test cases 1.6: TC_054; 2.0.1: TC_F_11 to TC_F_27.
"""

from __future__ import annotations

from datetime import timedelta

from ocpp_bridge.commands.base import Kind, Pending, Seen, View, told_since
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command, Heard, Status


class Trigger(Kind):
    name = "trigger"

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        heard = _heard(command, view)
        if heard is not None:
            return Seen("verified", "verified", effect={"heard_at": heard.at.isoformat(), "status": heard.status})
        until = command.sent_at + timedelta(seconds=windows.trigger_heard_s)
        if view.now < until:
            return Pending(until)
        return Seen("not_verified", "accepted_no_effect", detail="the message did not come")


def _heard(command: Command, view: View) -> Heard | Status | None:
    heard = view.heard.get(str(command.params["message"]))
    if heard is None or command.sent_at is None or heard.at < command.sent_at:
        return None
    if command.connector is not None and command.params["message"] == "StatusNotification":
        return told_since(view, command.connector, command.sent_at)
    return heard
