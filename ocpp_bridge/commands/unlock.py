"""Unlock a connector: UnlockConnector, then the connector Available. "Unlocked" alone is no proof that the plug came out.

OCA test cases 1.6: TC_017_1, TC_017_2, TC_018, TC_030, TC_031; 2.0.1: TC_F_05 to TC_F_07.
"""

from __future__ import annotations

from datetime import timedelta

from ocpp_bridge.commands.base import Ask, Kind, Pending, Seen, View, told_since
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command


class Unlock(Kind):
    name = "unlock"
    good_answers = frozenset({"Unlocked"})

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        assert command.connector is not None
        status = told_since(view, command.connector, command.sent_at)
        effect = {"status": status.status if status else None}
        if status is not None and status.status == "Available":
            return Seen("verified", "verified", command.session, effect)
        until = command.sent_at + timedelta(seconds=windows.unlock_available_s)
        if view.now < until:
            moments = (command.sent_at + timedelta(seconds=seconds) for seconds in (3, 30))
            asks = tuple(Ask("StatusNotification", command.connector, at, n) for n, at in enumerate(moments))
            return Pending(until, asks)
        detail = "the charger answered Unlocked, but the plug has not been seen to come out"
        return Seen("not_verified", "accepted_no_effect", command.session, effect if status else {}, detail)
