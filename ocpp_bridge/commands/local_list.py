"""Send the local list of id tokens: SendLocalList, then the charger's list has that version (asked with GetLocalListVersion).

OCA test cases 1.6: TC_043_1 to TC_043_5; 2.0.1: TC_D_*.
"""

from __future__ import annotations

from ocpp_bridge.commands.base import Kind, Pending, Seen, View
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command


class SendLocalList(Kind):
    name = "send_local_list"
    confirmed_by: str | None = "get_local_list_version"

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        found = (command.effect or {}).get("version")
        effect = {"version": found, "tokens": len(command.params.get("tokens", []))}
        if found == command.params.get("version"):
            return Seen("verified", "verified", effect=effect)
        return Seen(
            "not_verified", "accepted_no_effect", effect=effect, detail="the charger's list has another version"
        )
