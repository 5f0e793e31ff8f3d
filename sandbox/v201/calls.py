"""What an OCPP 2 charger does with each incoming CALL: one function an action, one table. Each decides at once and returns its
answer; what takes time follows after the answer has gone out. Resets are `resets.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sandbox import cures, remote, schemas
from sandbox.connector import Reservation
from sandbox.frames import Payload
from sandbox.socket import Answer, Refusal
from sandbox.tokens import IdInfo
from sandbox.v201 import messages, resets
from sandbox.v201.triggers import trigger

if TYPE_CHECKING:
    from sandbox.v201.protocol import Protocol201

Handler = Callable[["Protocol201", Payload], Answer]

# JSON schema keyword to OCPP-J 2.0.1 error code (part 4, table 8).
_VIOLATIONS = {
    "type": "TypeConstraintViolation",
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "additionalProperties": "FormatViolation",
}
# While the boot is not accepted, only this may be asked (B03.FR.08); Pending allows the device model too (B02).
_BEFORE_BOOT = {
    "Rejected": frozenset({"TriggerMessage"}),
    "Pending": frozenset({"TriggerMessage", "GetVariables", "SetVariables", "GetBaseReport", "GetReport"}),
}


def handle(charger: Protocol201, action: str, payload: Payload) -> Answer:
    """Raises Refusal: the CALL is answered with its error."""
    handler = HANDLERS.get(action)
    try:
        schemas.check(charger.version, action, "request", payload)
    except schemas.UnknownAction:
        raise Refusal("NotImplemented", f"{action[:50]} is not known") from None
    except schemas.SchemaViolation as error:
        if handler is not None:
            raise Refusal(_VIOLATIONS.get(error.keyword, "PropertyConstraintViolation"), str(error)) from None
    if handler is None:
        raise Refusal("NotSupported" if action in _OTHERS else "NotImplemented", f"{action[:50]} is not supported")
    allowed = _BEFORE_BOOT.get(charger.boot_status or "Rejected")
    if allowed is not None and action not in allowed:
        raise Refusal("SecurityError", f"{action} is not allowed before the boot is accepted")
    return handler(charger, payload)


def _request_start(charger: Protocol201, payload: Payload) -> Answer:
    station, evse = charger.station, payload.get("evseId")
    token = charger.learn_kind(payload["idToken"])
    numbers = list(station.connectors) if evse is None else charger.places.numbers(evse)
    connector = remote.accepts_start(station, numbers, token)
    if connector is None:
        return Answer({"status": "Rejected"})
    answer: Payload = {"status": "Accepted"}
    if (running := charger.ledger.open.get(connector.number)) is not None:
        answer["transactionId"] = running.id
    return Answer(answer, lambda: remote.start(station, connector, token, payload["remoteStartId"]))


def _request_stop(charger: Protocol201, payload: Payload) -> Answer:
    running = charger.ledger.of_id(payload["transactionId"])
    if running is None:
        return Answer({"status": "Rejected"})
    station, number = charger.station, running.place.number
    connector = station.connectors[number]
    if connector.transaction is None:  # only a cable, nobody's energy: there is nothing to stop
        return Answer({"status": "Rejected"})
    transaction = connector.transaction

    async def stop() -> None:
        if connector.transaction is transaction and not station.faults.has("stop_ignored", number):
            station.end(connector, "Remote")

    return Answer({"status": "Accepted"}, stop)


def _unlock(charger: Protocol201, payload: Payload) -> Answer:
    """F05: nothing is unlocked while an authorised transaction runs; a fixed cable has no lock."""
    numbers = charger.places.numbers(payload["evseId"], payload["connectorId"])
    if not numbers:
        return Answer({"status": "UnknownConnector"})
    connector = charger.station.connectors[numbers[0]]
    if connector.transaction is not None:
        return Answer({"status": "OngoingAuthorizedTransaction"})
    result = remote.unlock(charger.station, connector)
    if result == "NotSupported":
        raise Refusal("NotSupported", "this connector has a fixed cable and no lock")
    return Answer({"status": result})


def _change_availability(charger: Protocol201, payload: Payload) -> Answer:
    evse, numbers = payload.get("evse"), None
    if evse is not None:
        numbers = charger.places.numbers(evse["id"], evse.get("connectorId"))
        if not numbers:
            return Answer({"status": "Rejected"})
    elif charger.faults.has("availability_of_all_rejected"):
        return Answer({"status": "Rejected"})
    operative = payload["operationalStatus"] == "Operative"
    return Answer({"status": remote.change_availability(charger.station, numbers, operative)})


def _get_variables(charger: Protocol201, payload: Payload) -> Answer:
    return Answer({"getVariableResult": [charger.device.get(asked) for asked in payload["getVariableData"]]})


def _set_variables(charger: Protocol201, payload: Payload) -> Answer:
    results = [charger.device.set(asked) for asked in payload["setVariableData"]]

    async def restart() -> None:
        charger.restart_because("ApplicationReset")

    return Answer({"setVariableResult": results}, restart if charger.faults.has("configuration_restarts") else None)


def _get_base_report(charger: Protocol201, payload: Payload) -> Answer:
    request = payload["requestId"]

    async def report() -> None:
        at = messages.timestamp(charger.station.clock.now())
        pages = charger.device.report(payload["reportBase"])
        for number, page in enumerate(pages):
            body = {"requestId": request, "generatedAt": at, "seqNo": number, "reportData": page}
            charger.tell("NotifyReport", body | {"tbc": number < len(pages) - 1})

    return Answer({"status": "Accepted"}, report)


def _clear_cache(charger: Protocol201, payload: Payload) -> Answer:
    if not charger.station.behaviour.tokens.cache:
        return Answer({"status": "Rejected"})
    charger.station.tokens.cache.clear()
    cures.list_renewed(charger.faults, "cache")
    return Answer({"status": "Accepted"})


def _get_local_list_version(charger: Protocol201, payload: Payload) -> Answer:
    enabled = charger.station.behaviour.tokens.local_list
    return Answer({"versionNumber": charger.station.tokens.version if enabled else 0})


def _send_local_list(charger: Protocol201, payload: Payload) -> Answer:
    if not charger.station.behaviour.tokens.local_list:
        return Answer({"status": "Failed"})
    full = payload["updateType"] == "Full"
    changes: dict[str, IdInfo | None] = {}
    for entry in payload.get("localAuthorizationList", []):
        token, info = charger.learn_kind(entry["idToken"]), entry.get("idTokenInfo")
        if token in changes or (full and info is None):  # D01: no duplicates; a full list has no removals
            return Answer({"status": "Failed"})
        changes[token] = messages.read_id_info(info) if info is not None else None
    limit = charger.station.behaviour.local_list_limit
    status = charger.station.tokens.update(payload["versionNumber"], changes, full=full, limit=limit)
    if status == "Accepted":
        cures.list_renewed(charger.faults, "list")
    return Answer({"status": status})


def _get_transaction_status(charger: Protocol201, payload: Payload) -> Answer:
    transaction = payload.get("transactionId")
    waiting = charger.messages_waiting(transaction)
    if transaction is None:  # E14.FR.06: without an id only the queue is told of
        return Answer({"messagesInQueue": waiting})
    return Answer({"ongoingIndicator": charger.ledger.of_id(transaction) is not None, "messagesInQueue": waiting})


def _reserve(charger: Protocol201, payload: Payload) -> Answer:
    expires = messages.read_time(payload["expiryDateTime"])
    if expires is None:
        raise Refusal("PropertyConstraintViolation", "expiryDateTime: an ISO 8601 time is expected")
    group = payload.get("groupIdToken")
    token = charger.learn_kind(payload["idToken"])
    reservation = Reservation(payload["id"], token, group["idToken"] if group else None, expires)
    if (evse := payload.get("evseId")) is None:
        return Answer({"status": "Rejected"})  # ReservationCtrlr.NonEvseSpecific is not supported
    results = [remote.reserve(charger.station, number, reservation) for number in charger.places.numbers(evse)[:1]]
    return Answer({"status": results[0] if results else "Rejected"})


def _cancel_reservation(charger: Protocol201, payload: Payload) -> Answer:
    found = remote.cancel_reservation(charger.station, payload["reservationId"])
    return Answer({"status": "Accepted" if found else "Rejected"})


def _get_log(charger: Protocol201, payload: Payload) -> Answer:
    """It takes the request and fails to upload: a simulated charger sends nothing to addresses that it is given."""
    request = payload["requestId"]

    async def upload() -> None:
        for status in ("Uploading", "UploadFailure"):
            charger.tell("LogStatusNotification", {"status": status, "requestId": request})

    return Answer({"status": "Accepted", "filename": f"{charger.identity.serial}.log"}, upload)


def _data_transfer(charger: Protocol201, payload: Payload) -> Answer:
    same = payload["vendorId"] == charger.identity.vendor
    return Answer({"status": "UnknownMessageId" if same else "UnknownVendorId"})


HANDLERS: Mapping[str, Handler] = {
    "CancelReservation": _cancel_reservation,
    "ChangeAvailability": _change_availability,
    "ClearCache": _clear_cache,
    "DataTransfer": _data_transfer,
    "GetBaseReport": _get_base_report,
    "GetLocalListVersion": _get_local_list_version,
    "GetLog": _get_log,
    "GetTransactionStatus": _get_transaction_status,
    "GetVariables": _get_variables,
    "RequestStartTransaction": _request_start,
    "RequestStopTransaction": _request_stop,
    "ReserveNow": _reserve,
    "Reset": resets.reset,
    "SendLocalList": _send_local_list,
    "SetVariables": _set_variables,
    "TriggerMessage": trigger,
    "UnlockConnector": _unlock,
}

# Actions to a charger that the specification has and these chargers do not.
_OTHERS = frozenset(
    {
        *("CertificateSigned", "ClearChargingProfile", "ClearDisplayMessage", "ClearVariableMonitoring", "CostUpdated"),
        *("CustomerInformation", "DeleteCertificate", "GetChargingProfiles", "GetCompositeSchedule"),
        *("GetDisplayMessages", "GetInstalledCertificateIds", "GetMonitoringReport", "GetReport"),
        *("InstallCertificate", "PublishFirmware", "SetChargingProfile", "SetDisplayMessage", "SetMonitoringBase"),
        *("SetMonitoringLevel", "SetNetworkProfile", "SetVariableMonitoring", "UnpublishFirmware", "UpdateFirmware"),
        *("AFRRSignal", "ChangeTransactionTariff", "ClearDERControl", "ClearTariffs", "GetDERControl", "GetTariffs"),
        *("AdjustPeriodicEventStream", "GetPeriodicEventStream", "NotifyAllowedEnergyTransfer", "SetDERControl"),
        *("RequestBatterySwap", "SetDefaultTariff", "UpdateDynamicSchedule", "UsePriorityCharging"),
        *("NotifyWebPaymentStarted", "GetCertificateChainStatus"),
    }
)
