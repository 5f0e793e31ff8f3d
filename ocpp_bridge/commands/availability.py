"""Take into service and out of it: ChangeAvailability, then the connectors say so. OCA test cases TC_G_*."""

from __future__ import annotations

from datetime import timedelta

from ocpp_bridge.commands.base import Ask, Kind, Pending, Seen, View, told_since
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command


class _Availability(Kind):
    later_answers = frozenset({"Scheduled"})
    wants_unavailable = False

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        told = {number: told_since(view, number, command.sent_at) for number in view.targets}
        statuses = {str(number): status.status for number, status in told.items() if status is not None}
        effect = {"statuses": statuses}
        there = [(status == "Unavailable") == self.wants_unavailable for status in statuses.values()]
        faulted = [number for number, status in statuses.items() if status == "Faulted"]
        if told and len(there) == len(told) and all(there) and not faulted:
            return Seen("verified", "verified", command.session, effect)
        until = command.sent_at + timedelta(seconds=windows.availability_changed_s)
        if view.now < until:
            moments = [command.sent_at + timedelta(seconds=seconds) for seconds in (1, 10)]
            asks = tuple(
                Ask("StatusNotification", number, at, n) for n, at in enumerate(moments) for number in view.targets
            )
            return Pending(until, asks)
        if faulted and not self.wants_unavailable:
            return Seen("not_verified", "still_faulted", command.session, effect, "a connector is Faulted")
        detail = "the charger said yes, but its connectors do not show it"
        return Seen("not_verified", "accepted_no_effect", command.session, effect if statuses else {}, detail)


class Operative(_Availability):
    name = "operative"


class Inoperative(_Availability):
    name = "inoperative"
    wants_unavailable = True
