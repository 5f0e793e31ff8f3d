"""Commands whose answer is the effect: what a charger tells of itself, and clearing its cache, which nothing else shows.

`effect.proof` is `answer`. OCA test cases 1.6: TC_042 (list version), TC_061 (cache); 2.0.1: TC_B_06 (variables), TC_C_37.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ocpp_bridge.commands.base import Kind, Pending, Reply, Seen, View
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.discretion import shown
from ocpp_bridge.model import Command
from ocpp_bridge.versions.base import Payload

MOST = 200


class _Read(Kind):
    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        if command.answered_at is None:  # the answer was lost, and nothing else tells
            return (
                Pending(command.sent_at) if view.now < command.sent_at else Seen("not_verified", "accepted_no_effect")
            )
        return Seen("verified", "verified", effect={**(command.effect or {}), "proof": "answer"})


class GetLocalListVersion(_Read):
    name = "get_local_list_version"
    good_answers = frozenset({"version"})

    def read(self, payload: Payload) -> Reply:
        """-1 (OCPP 1.6): the charger has no local list."""
        version = payload.get("listVersion", payload.get("versionNumber"))
        return Reply("version", {"version": version, "supported": version != -1})


class ClearCache(_Read):
    name = "clear_cache"


class GetConfiguration(_Read):
    name = "get_configuration"
    good_answers = frozenset({"values"})

    def read(self, payload: Payload) -> Reply:
        if "getVariableResult" in payload:  # OCPP 2 has variables
            return read_variables(payload)
        rows = [row for row in payload.get("configurationKey", []) if isinstance(row, dict)]
        values = {str(row.get("key")): shown(str(row.get("key")), row.get("value")) for row in rows[:MOST]}
        return Reply(
            "values", {"values": values, "unknown": [str(key) for key in payload.get("unknownKey", [])][:MOST]}
        )


class GetVariables(_Read):
    """Some by their names, or all: then the charger accepts first and reports them in parts (TC_B_12 to TC_B_18)."""

    name = "get_variables"
    good_answers = frozenset({"values", "Accepted"})

    def read(self, payload: Payload) -> Reply:
        return read_variables(payload) if "getVariableResult" in payload else super().read(payload)

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        if command.params.get("keys"):
            return super().judge(command, view, windows)
        assert command.sent_at is not None
        report = view.report
        if report is not None and report.request == command.params.get("number") and report.complete:
            return Seen("verified", "verified", effect={"variables": len(report.rows), "proof": "report"})
        until = command.sent_at + timedelta(seconds=windows.upload_done_s)
        if view.now < until:
            return Pending(until)
        return Seen("not_verified", "accepted_no_effect", detail="the report did not come, or not to its end")


def read_variables(payload: Payload) -> Reply:
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for row in payload.get("getVariableResult", [])[:MOST]:
        name = f"{row['component']['name']}.{row['variable']['name']}"
        if row.get("attributeStatus") == "Accepted":
            values[name] = shown(name, row.get("attributeValue"))
        else:
            unknown.append(name)
    return Reply("values", {"values": values, "unknown": unknown})
