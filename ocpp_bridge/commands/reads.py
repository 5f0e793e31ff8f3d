"""Commands whose answer is the effect: what a charger tells of itself, and clearing its cache, which nothing else shows.

`effect.proof` is `answer`. OCA test cases 1.6: TC_042 (list version), TC_061 (cache); 2.0.1: TC_B_06 (variables), TC_C_37.
"""

from __future__ import annotations

from typing import Any

from ocpp_bridge.commands.base import Kind, Pending, Reply, Seen, View
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command
from ocpp_bridge.versions.base import Payload

SECRET = ("password", "authorizationkey", "secret", "privatekey")
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
        values = {str(row.get("key")): _shown(str(row.get("key")), row.get("value")) for row in rows[:MOST]}
        return Reply(
            "values", {"values": values, "unknown": [str(key) for key in payload.get("unknownKey", [])][:MOST]}
        )


class GetVariables(_Read):
    name = "get_variables"
    good_answers = frozenset({"values"})

    def read(self, payload: Payload) -> Reply:
        return read_variables(payload)


def read_variables(payload: Payload) -> Reply:
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for row in payload.get("getVariableResult", [])[:MOST]:
        name = f"{row['component']['name']}.{row['variable']['name']}"
        if row.get("attributeStatus") == "Accepted":
            values[name] = _shown(name, row.get("attributeValue"))
        else:
            unknown.append(name)
    return Reply("values", {"values": values, "unknown": unknown})


def _shown(key: str, value: Any) -> Any:
    """A charger must not give passwords away; some do."""
    return "(not shown)" if any(word in key.lower() for word in SECRET) else value
