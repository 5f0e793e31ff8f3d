"""Reserve a connector and let it go: ReserveNow, then Reserved; CancelReservation, then no longer Reserved.

OCA test cases 1.6: TC_046 to TC_053; 2.0.1: TC_H_*.
"""

from __future__ import annotations

from datetime import timedelta

from ocpp_bridge.commands.base import Ask, Kind, Pending, Seen, View, told_since
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command


class _Reservation(Kind):
    reserved = True

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        assert command.connector is not None
        status = told_since(view, command.connector, command.sent_at)
        number = command.params.get("number")
        effect = {"status": status.status if status else None, "reservation": number}
        if status is not None and (status.status == "Reserved") == self.reserved:
            return Seen("verified", "verified", effect=effect)
        until = command.sent_at + timedelta(seconds=windows.reservation_shown_s)
        if view.now < until:
            ask = Ask("StatusNotification", command.connector, command.sent_at + timedelta(seconds=2))
            return Pending(until, (ask,))
        return Seen("not_verified", "accepted_no_effect", effect=effect, detail="the connector does not show it")


class Reserve(_Reservation):
    name = "reserve"


class CancelReservation(_Reservation):
    name = "cancel_reservation"
    reserved = False
