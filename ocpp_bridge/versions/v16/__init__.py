"""OCPP 1.6J: the tables of what chargers call and what the bridge calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ocpp_bridge.model import Charger
from ocpp_bridge.versions.base import Action, Handler, Payload, Request
from ocpp_bridge.versions.schemas import schema
from ocpp_bridge.versions.v16 import handlers as h
from ocpp_bridge.versions.v16.calls import CALLS


def _action(handler: Handler, name: str, *needs: str) -> Action:
    return Action(handler, schema("v16", name), schema("v16", f"{name}Response"), frozenset(needs))


class V16:
    subprotocol = "ocpp1.6"
    wire: Literal["1.6", "2.0.1", "2.1"] = "1.6"
    actions: Mapping[str, Action] = {
        "Authorize": _action(h.authorize, "Authorize", "idTag"),
        "BootNotification": _action(h.boot_notification, "BootNotification"),
        "DataTransfer": _action(h.data_transfer, "DataTransfer"),
        "DiagnosticsStatusNotification": _action(h.nothing_to_say, "DiagnosticsStatusNotification"),
        "FirmwareStatusNotification": _action(h.nothing_to_say, "FirmwareStatusNotification"),
        "Heartbeat": _action(h.heartbeat, "Heartbeat"),
        "LogStatusNotification": _action(h.nothing_to_say, "LogStatusNotification"),
        "MeterValues": _action(h.meter_values, "MeterValues", "connectorId", "meterValue"),
        "SecurityEventNotification": _action(h.nothing_to_say, "SecurityEventNotification"),
        "SignCertificate": _action(h.sign_certificate, "SignCertificate"),
        "SignedFirmwareStatusNotification": _action(h.nothing_to_say, "SignedFirmwareStatusNotification"),
        "StartTransaction": _action(h.start_transaction, "StartTransaction", "connectorId", "idTag", "meterStart"),
        "StatusNotification": _action(h.status_notification, "StatusNotification", "connectorId", "status"),
        "StopTransaction": _action(h.stop_transaction, "StopTransaction", "transactionId"),
    }

    calls = CALLS
    asks_all = True
    numbered = frozenset({"reserve", "get_log"})

    def fatal_code(self, keyword: str) -> str:
        """OCPP-J 1.6 table 7; a missing field makes a payload "incomplete", which is its ProtocolError."""
        return {"required": "ProtocolError", "type": "TypeConstraintViolation"}.get(
            keyword, "PropertyConstraintViolation"
        )

    def invalid_request(self, request: Request) -> str | None:
        found = schema("v16", request.action)
        return None if found.valid(request.payload) else str(found.problems(request.payload, 1)[0])

    def invalid_answer(self, action: str, payload: Payload) -> str | None:
        """Extra fields are forgiven; anything else could mean that the charger says something that is not known."""
        found = schema("v16", f"{action}Response")
        if found.valid(payload):
            return None
        return next(
            (str(problem) for problem in found.problems(payload) if problem.keyword != "additionalProperties"), None
        )

    def place(self, charger: Charger | None, connector: int) -> tuple[int, int]:
        return connector, connector  # 1.6 knows connectors only

    def trigger(self, message: str, place: tuple[int, int] | None) -> Request:
        """TC_054. Without a connector the charger reports all: some never answer for one."""
        payload: Payload = {"requestedMessage": message}
        return Request("TriggerMessage", payload if place is None else {**payload, "connectorId": place[1]})
