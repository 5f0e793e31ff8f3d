"""OCPP 2.0.1: the tables of what chargers call and what the bridge calls; 2.1 builds on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ocpp_bridge.model import Charger
from ocpp_bridge.versions.base import Action, Call, Handler, Payload, Request
from ocpp_bridge.versions.places import place_of
from ocpp_bridge.versions.schemas import schema
from ocpp_bridge.versions.v201 import handlers as h
from ocpp_bridge.versions.v201.calls import CALLS

HANDLERS: Mapping[str, tuple[Handler, tuple[str, ...]]] = {
    "Authorize": (h.authorize, ("idToken",)),
    "BootNotification": (h.boot_notification, ()),
    "ClearedChargingLimit": (h.nothing_to_say, ()),
    "DataTransfer": (h.data_transfer, ()),
    "FirmwareStatusNotification": (h.nothing_to_say, ()),
    "Get15118EVCertificate": (h.no_ev_certificate, ()),
    "GetCertificateStatus": (h.no_certificate_status, ()),
    "Heartbeat": (h.heartbeat, ()),
    "LogStatusNotification": (h.nothing_to_say, ()),
    "MeterValues": (h.meter_values, ("evseId", "meterValue")),
    "NotifyChargingLimit": (h.nothing_to_say, ()),
    "NotifyCustomerInformation": (h.nothing_to_say, ()),
    "NotifyDisplayMessages": (h.nothing_to_say, ()),
    "NotifyEVChargingNeeds": (h.rejected, ()),
    "NotifyEVChargingSchedule": (h.accepted, ()),
    "NotifyEvent": (h.notify_event, ("eventData",)),
    "NotifyMonitoringReport": (h.nothing_to_say, ()),
    "NotifyReport": (h.notify_report, ("requestId", "seqNo")),
    "PublishFirmwareStatusNotification": (h.nothing_to_say, ()),
    "ReportChargingProfiles": (h.nothing_to_say, ()),
    "ReservationStatusUpdate": (h.nothing_to_say, ()),
    "SecurityEventNotification": (h.nothing_to_say, ()),
    "SignCertificate": (h.rejected, ()),
    "StatusNotification": (h.status_notification, ("evseId", "connectorStatus")),
    "TransactionEvent": (h.transaction_event, ("eventType", "transactionInfo", "seqNo")),
}


def table(version: str, handlers: Mapping[str, tuple[Handler, tuple[str, ...]]]) -> dict[str, Action]:
    return {
        name: Action(handler, schema(version, f"{name}Request"), schema(version, f"{name}Response"), frozenset(needs))
        for name, (handler, needs) in handlers.items()
    }


class V201:
    subprotocol = "ocpp2.0.1"
    wire: Literal["1.6", "2.0.1", "2.1"] = "2.0.1"
    schemas = "v201"
    actions: Mapping[str, Action] = table("v201", HANDLERS)
    calls: Mapping[str, Call] = CALLS
    numbered = frozenset({"start", "reserve", "get_log", "get_diagnostics", "get_variables"})
    asks_all = False

    def fatal_code(self, keyword: str) -> str:
        """2.0.1 Part 4 table 8."""
        return {"required": "OccurrenceConstraintViolation", "type": "TypeConstraintViolation"}.get(
            keyword, "PropertyConstraintViolation"
        )

    def invalid_request(self, request: Request) -> str | None:
        found = schema(self.schemas, f"{request.action}Request")
        return None if found.valid(request.payload) else str(found.problems(request.payload, 1)[0])

    def invalid_answer(self, action: str, payload: Payload) -> str | None:
        """Extra fields are forgiven; anything else could mean that the charger says something that is not known."""
        found = schema(self.schemas, f"{action}Response")
        if found.valid(payload):
            return None
        return next(
            (str(problem) for problem in found.problems(payload) if problem.keyword != "additionalProperties"), None
        )

    def place(self, charger: Charger | None, connector: int) -> tuple[int, int]:
        return place_of(charger, connector)

    def trigger(self, message: str, place: tuple[int, int] | None) -> Request:
        """TC_F_11 to TC_F_15. Meter values come with a TransactionEvent: it has the transaction's own measurands (F06)."""
        if message == "MeterValues":
            message = "TransactionEvent"
        payload: Payload = {"requestedMessage": message}
        if place is not None:
            evse: Payload = {"id": place[0]}
            payload["evse"] = {**evse, "connectorId": place[1]} if message == "StatusNotification" else evse
        return Request("TriggerMessage", payload)
