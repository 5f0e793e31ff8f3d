"""Reset a charger or, on OCPP 2, one EVSE: the socket drops, the charger boots on a new one and its connectors are well.

Not asked for: Available. With a cable in it the connector is Preparing or Finishing. An EVSE resets without a boot.
OCA test cases 1.6: TC_013, TC_014; 2.0.1: TC_B_20 to TC_B_22, TC_B_25.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ocpp_bridge.commands.base import Ask, Kind, Pending, Seen, View, told_since
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command

SICK = frozenset({"Faulted", "Unavailable"})


class Reset(Kind):
    name = "reset"
    later_answers = frozenset({"Scheduled"})

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        hard = command.params.get("kind") == "hard"
        until = command.sent_at + timedelta(seconds=windows.reset_hard_s if hard else windows.reset_soft_s)
        if command.params.get("evse"):
            return _well_again(command.sent_at, view, windows, until)
        left = view.since is None or view.since > command.sent_at
        if not left and command.answer != "Scheduled":
            until = min(until, command.sent_at + timedelta(seconds=windows.reset_leaves_s))
        back = view.since is not None and view.since > command.sent_at
        booted = view.boot is not None and view.since is not None and view.boot.at >= view.since and back
        if booted and view.boot is not None:
            return _well_again(view.boot.at, view, windows, until)
        if view.now < until:
            return Pending(until, begun=left)
        if not left:
            return Seen("not_verified", "accepted_no_effect", detail="the charger did not restart")
        if back:
            return Seen("not_verified", "accepted_no_effect", detail="the charger came back without having restarted")
        return Seen("not_verified", "did_not_return", detail="the charger went away and has not come back")


def _well_again(moment: datetime, view: View, windows: Windows, until: datetime) -> Pending | Seen:
    """Every connector in question has said, since `moment`, something better than Faulted or Unavailable."""
    told = {number: told_since(view, number, moment) for number in view.targets}
    effect = {"booted_at": moment.isoformat(), "statuses": {str(n): s.status for n, s in told.items() if s is not None}}
    sick = [s for s in told.values() if s is not None and s.status in SICK]
    if not sick and all(s is not None for s in told.values()):
        return Seen("verified", "verified", effect=effect)
    if sick:
        until = min(until, max(s.at for s in sick) + timedelta(seconds=windows.reset_settles_s))
    if view.now < until:
        later = moment + timedelta(seconds=windows.reset_ask_s)
        asks = tuple(Ask("StatusNotification", number, later) for number, s in told.items() if s is None)
        return Pending(until, asks, begun=True)
    if sick:
        names = ", ".join(sorted({s.status for s in sick}))
        return Seen("not_verified", "still_faulted", effect=effect, detail=f"after the restart a connector is {names}")
    return Seen("not_verified", "accepted_no_effect", effect=effect, detail="no status came after the restart")
