"""What the bridge asks of an OCPP 1.6 charger: one function for each command, and their table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from ocpp_bridge.versions.alike import ALIKE
from ocpp_bridge.versions.base import Call, NotOffered, Order, Payload, Request
from ocpp_bridge.versions.v16.fields import id_status, iso


def start(order: Order) -> Request:
    """TC_010, TC_011_1. Always with the connector: a charger may refuse without one."""
    assert order.command.token is not None
    return Request("RemoteStartTransaction", {"connectorId": order.local, "idTag": order.command.token})


def stop(order: Order) -> Request:
    """TC_012. Sessions on 1.6 have the number that the bridge gave them."""
    assert order.session is not None
    return Request("RemoteStopTransaction", {"transactionId": int(order.session.transaction)})


def unlock(order: Order) -> Request:
    """TC_017, TC_018."""
    return Request("UnlockConnector", {"connectorId": order.local})


def reset(order: Order) -> Request:
    """TC_013 (hard), TC_014 (soft)."""
    if order.command.params.get("evse"):
        raise NotOffered("OCPP 1.6 resets a whole charger, never one EVSE")
    return Request("Reset", {"type": "Hard" if order.command.params.get("kind") == "hard" else "Soft"})


def operative(order: Order) -> Request:
    return _availability(order, "Operative")


def inoperative(order: Order) -> Request:
    return _availability(order, "Inoperative")


def _availability(order: Order, kind: str) -> Request:
    return Request("ChangeAvailability", {"connectorId": order.local, "type": kind})


def trigger(order: Order) -> Request:
    payload: Payload = {"requestedMessage": order.command.params["message"]}
    return Request("TriggerMessage", {**payload, "connectorId": order.local} if order.local else payload)


def send_local_list(order: Order) -> Request:
    """TC_043. The entries are the bridge's own tokens, with the status that an Authorize would be answered with."""
    entries = []
    for token in order.tokens:
        info: Payload = {"status": id_status(token.status_at(order.now))}
        if token.expires_at is not None:
            info["expiryDate"] = iso(token.expires_at)
        if token.group and len(token.group) <= 20:
            info["parentIdTag"] = token.group
        entries.append({"idTag": token.id, "idTagInfo": info})
    full = order.command.params.get("update") == "full"
    version = order.command.params["version"]
    payload = {"listVersion": version, "updateType": "Full" if full else "Differential"}
    return Request("SendLocalList", {**payload, "localAuthorizationList": entries})


def reserve(order: Order) -> Request:
    """TC_046."""
    until = order.now + timedelta(minutes=order.command.params["minutes"])
    payload = {"connectorId": order.local, "expiryDate": iso(until), "idTag": order.command.token}
    return Request("ReserveNow", {**payload, "reservationId": order.command.params["number"]})


def get_configuration(order: Order) -> Request:
    keys = order.command.params.get("keys")
    return Request("GetConfiguration", {"key": keys} if keys else {})


def get_diagnostics(order: Order) -> Request:
    """TC_045."""
    return Request("GetDiagnostics", {"location": order.command.params["location"]})


def get_log(order: Order) -> Request:
    """TC_079, of the security extensions."""
    security = order.command.params.get("log") == "security"
    payload = {"log": {"remoteLocation": order.command.params["location"]}, "requestId": order.command.params["number"]}
    return Request("GetLog", {**payload, "logType": "SecurityLog" if security else "DiagnosticsLog"})


CALLS: Mapping[str, Call] = {
    **ALIKE,
    "start": start,
    "stop": stop,
    "unlock": unlock,
    "reset": reset,
    "operative": operative,
    "inoperative": inoperative,
    "trigger": trigger,
    "send_local_list": send_local_list,
    "reserve": reserve,
    "get_configuration": get_configuration,
    "get_diagnostics": get_diagnostics,
    "get_log": get_log,
}
