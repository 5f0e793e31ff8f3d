"""What the bridge asks of an OCPP 2.0.1 or 2.1 charger: one function for each command, and their table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from ocpp_bridge.versions.alike import ALIKE
from ocpp_bridge.versions.base import Call, NotOffered, Order, Payload, Request
from ocpp_bridge.versions.v16.fields import iso
from ocpp_bridge.versions.v201.states import id_status

CARD = re.compile(r"(?:[0-9A-F]{8}|[0-9A-F]{14}|[0-9A-F]{20})", re.IGNORECASE)  # UIDs of 4, 7 and 10 bytes
WITH_EVSE = frozenset({"MeterValues", "StatusNotification", "TransactionEvent"})


def id_token(token: str) -> Payload:
    """A card's UID is told as one; everything else is a name that the central system gave."""
    return {"idToken": token, "type": "ISO14443" if CARD.fullmatch(token) else "Central"}


def start(order: Order) -> Request:
    """TC_F_01 to TC_F_03. `remoteStartId` comes back with the transaction that it causes."""
    assert order.command.token is not None
    payload = {"evseId": order.evse, "idToken": id_token(order.command.token)}
    return Request("RequestStartTransaction", {**payload, "remoteStartId": order.command.params["number"]})


def stop(order: Order) -> Request:
    """TC_F_08."""
    assert order.session is not None
    return Request("RequestStopTransaction", {"transactionId": order.session.transaction})


def unlock(order: Order) -> Request:
    """TC_F_05 to TC_F_07."""
    return Request("UnlockConnector", {"evseId": order.evse, "connectorId": order.local})


def reset(order: Order) -> Request:
    """TC_B_20 to TC_B_22, TC_B_25 to TC_B_27. Soft is OnIdle: the charger itself waits for what still runs."""
    payload: Payload = {"type": "Immediate" if order.command.params.get("kind") == "hard" else "OnIdle"}
    evse = order.command.params.get("evse")
    return Request("Reset", {**payload, "evseId": evse} if evse else payload)


def operative(order: Order) -> Request:
    return _availability(order, "Operative")


def inoperative(order: Order) -> Request:
    return _availability(order, "Inoperative")


def _availability(order: Order, status: str) -> Request:
    """TC_G_03 to TC_G_20."""
    payload: Payload = {"operationalStatus": status}
    place = {"id": order.evse, "connectorId": order.local}
    return Request("ChangeAvailability", {**payload, "evse": place} if order.evse else payload)


def trigger(order: Order) -> Request:
    """TC_F_11 to TC_F_27."""
    message = order.command.params["message"]
    if message == "DiagnosticsStatusNotification":
        message = "LogStatusNotification"
    payload: Payload = {"requestedMessage": message}
    if order.evse and message in WITH_EVSE:
        evse: Payload = {"id": order.evse}
        payload["evse"] = {**evse, "connectorId": order.local} if message == "StatusNotification" else evse
    return Request("TriggerMessage", payload)


def send_local_list(order: Order) -> Request:
    """TC_D_01. The entries are the bridge's own tokens, with the status that an Authorize would be answered with."""
    entries = [
        {"idToken": id_token(token.id), "idTokenInfo": {"status": id_status(token.status_at(order.now))}}
        for token in order.tokens
    ]
    full = order.command.params.get("update") == "full"
    payload: Payload = {"versionNumber": order.command.params["version"]}
    payload["updateType"] = "Full" if full else "Differential"
    return Request("SendLocalList", {**payload, "localAuthorizationList": entries} if entries else payload)


def reserve(order: Order) -> Request:
    """TC_H_01."""
    assert order.command.token is not None
    until = order.now + timedelta(minutes=order.command.params["minutes"])
    payload: Payload = {"id": order.command.params["number"], "expiryDateTime": iso(until), "evseId": order.evse}
    return Request("ReserveNow", {**payload, "idToken": id_token(order.command.token)})


def get_variables(order: Order) -> Request:
    """TC_B_06; without names all of them are asked for, which come in NotifyReport (TC_B_12)."""
    if order.command.action == "get_variables" and not order.command.params.get("keys"):
        payload = {"requestId": order.command.params["number"], "reportBase": "FullInventory"}
        return Request("GetBaseReport", payload)
    names = [key.split(".") for key in order.command.params.get("keys", ())]
    if not names or any(len(name) != 2 for name in names):
        raise NotOffered("OCPP 2 gives variables by name only: Component.Variable")
    rows = [{"component": {"name": component}, "variable": {"name": variable}} for component, variable in names]
    return Request("GetVariables", {"getVariableData": rows})


def get_log(order: Order) -> Request:
    """TC_N_25."""
    security = order.command.params.get("log") == "security"
    payload: Payload = {"log": {"remoteLocation": order.command.params["location"]}}
    payload["requestId"] = order.command.params["number"]
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
    "get_configuration": get_variables,
    "get_variables": get_variables,
    "get_diagnostics": get_log,
    "get_log": get_log,
}
