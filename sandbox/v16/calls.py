"""What a 1.6 charger does with each incoming CALL: one function an action, one table. Each decides at once and returns its answer;
what takes time follows after the answer has gone out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sandbox import cures, remote, schemas
from sandbox.connector import Reservation
from sandbox.frames import Payload
from sandbox.socket import Answer, CallFailed, Refusal
from sandbox.tokens import IdInfo
from sandbox.v16 import messages

if TYPE_CHECKING:
    from sandbox.v16.protocol import Protocol16

SOFT_RESET_WAIT_S = 10.0  # how long a soft reset waits for its StopTransactions to be answered

# JSON schema keyword to OCPP-J 1.6 error code (table 7; FormationViolation is the specification's own spelling).
_VIOLATIONS = {
    "type": "TypeConstraintViolation",
    "required": "OccurenceConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
    "additionalProperties": "FormationViolation",
}


def handle(charger: Protocol16, action: str, payload: Payload) -> Answer:
    """Raises Refusal: the CALL is answered with its error."""
    handler = _HANDLERS.get(action)
    if handler is None:
        if action in _KNOWN:
            raise Refusal("NotSupported", f"{action} is not supported by this charger")
        raise Refusal("NotImplemented", f"{action[:50]} is not known")
    try:
        schemas.check("1.6", action, "request", payload)
    except schemas.SchemaViolation as error:
        raise Refusal(_VIOLATIONS.get(error.keyword, "PropertyConstraintViolation"), str(error)) from None
    return handler(charger, payload)


def _remote_start(charger: Protocol16, payload: Payload) -> Answer:
    token: str = payload["idTag"]
    wanted = payload.get("connectorId")
    numbers = list(charger.station.connectors) if wanted is None else [wanted]
    connector = remote.accepts_start(charger.station, numbers, token) if charger.booted else None
    if connector is None:
        return Answer({"status": "Rejected"})
    return Answer({"status": "Accepted"}, lambda: remote.start(charger.station, connector, token))


def _remote_stop(charger: Protocol16, payload: Payload) -> Answer:
    number = payload["transactionId"]
    for transaction in charger.station.transactions():
        if transaction.number == number:
            break
    else:
        return Answer({"status": "Rejected"})
    connector = charger.station.connectors[transaction.connector]

    async def stop() -> None:
        if connector.transaction is transaction and not charger.station.faults.has("stop_ignored", connector.number):
            charger.station.end(connector, "Remote")

    return Answer({"status": "Accepted"}, stop)


def _unlock(charger: Protocol16, payload: Payload) -> Answer:
    """Section 5.18: a transaction ends where there is a lock to open; a connector that is not there has none."""
    station = charger.station
    connector = station.connectors.get(payload["connectorId"])
    if connector is None:
        return Answer({"status": "NotSupported"})
    result = remote.unlock(station, connector)
    if result != "NotSupported" and connector.transaction is not None:
        station.end(connector, "UnlockCommand")
    return Answer({"status": result})


def _reset(charger: Protocol16, payload: Payload) -> Answer:
    faults = charger.station.faults
    if faults.has("reset_rejected"):
        return Answer({"status": "Rejected"})
    if faults.has("reset_ignored"):
        return Answer({"status": "Accepted"})

    async def reset() -> None:
        if payload["type"] == "Hard":
            charger.station.stop_all("HardReset")  # told after the restart
        else:
            charger.station.stop_all("SoftReset")
            await charger.outbox.drained(within_s=SOFT_RESET_WAIT_S)
        charger.reboot()

    return Answer({"status": "Accepted"}, reset)


def _change_availability(charger: Protocol16, payload: Payload) -> Answer:
    number = payload["connectorId"]
    if number == 0 and charger.faults.has("availability_of_all_rejected"):
        return Answer({"status": "Rejected"})
    numbers = None if number == 0 else [number]
    return Answer({"status": remote.change_availability(charger.station, numbers, payload["type"] == "Operative")})


def _trigger(charger: Protocol16, payload: Payload) -> Answer:
    what, number = payload["requestedMessage"], payload.get("connectorId")
    if number is not None and number != 0 and number not in charger.station.connectors:
        return Answer({"status": "Rejected"})
    if not number and charger.faults.has("trigger_of_all_rejected"):
        return Answer({"status": "Rejected"})
    if number and charger.faults.has("trigger_of_connector_ignored"):
        return Answer({"status": "Accepted"})

    async def send() -> None:
        if what == "BootNotification":
            await charger.boot_by_trigger()
        for action, body in _triggered(charger, what, number):
            if charger.booted:
                charger.tell(action, body)
            else:
                with contextlib.suppress(CallFailed):  # the line went; there is nobody to tell
                    await charger.call(action, body)

    return Answer({"status": "Accepted"}, send)


def _triggered(charger: Protocol16, what: str, number: int | None) -> list[tuple[str, Payload]]:
    """The messages that a TriggerMessage asks for, but for BootNotification."""
    station = charger.station
    if what == "BootNotification":
        return []
    if what == "Heartbeat":
        return [(what, {})]
    if what == "StatusNotification":
        at = station.clock.now()
        numbers = [number] if number is not None else [0, *station.connectors]
        return [(what, messages.status(each, station.shown(each), at)) for each in numbers]
    if what == "MeterValues":
        triggered = []
        for each in [number] if number else list(station.connectors):
            transaction = station.connectors[each].transaction
            number_of = transaction.number if transaction is not None else None
            running = number_of if isinstance(number_of, int) else None
            sample = station.sample(each, "Trigger")
            triggered.append((what, messages.meter_values(each, running, sample, charger.reporting.measurands)))
        return triggered
    return [(what, {"status": "Idle"})]  # diagnostics and firmware: nothing is ever under way


def _get_configuration(charger: Protocol16, payload: Payload) -> Answer:
    return Answer(charger.configuration.read(payload.get("key", [])))


def _change_configuration(charger: Protocol16, payload: Payload) -> Answer:
    status = charger.configuration.write(payload["key"], payload["value"])

    async def restart() -> None:
        charger.reboot()

    return Answer({"status": status}, restart if charger.faults.has("configuration_restarts") else None)


def _clear_cache(charger: Protocol16, payload: Payload) -> Answer:
    if not charger.station.behaviour.tokens.cache:
        return Answer({"status": "Rejected"})
    charger.station.tokens.cache.clear()
    cures.list_renewed(charger.faults, "cache")
    return Answer({"status": "Accepted"})


def _get_local_list_version(charger: Protocol16, payload: Payload) -> Answer:
    enabled = charger.station.behaviour.tokens.local_list
    return Answer({"listVersion": charger.station.tokens.version if enabled else -1})


def _send_local_list(charger: Protocol16, payload: Payload) -> Answer:
    if not charger.station.behaviour.tokens.local_list:
        return Answer({"status": "NotSupported"})
    full = payload["updateType"] == "Full"
    changes: dict[str, IdInfo | None] = {}
    for entry in payload.get("localAuthorizationList", []):
        info = entry.get("idTagInfo")
        if entry["idTag"] in changes or (
            full and info is None
        ):  # section 5.15: no duplicates; a full list has no removals
            return Answer({"status": "Failed"})
        changes[entry["idTag"]] = messages.read_id_info(info) if info is not None else None
    limit = charger.station.behaviour.local_list_limit
    status = charger.station.tokens.update(payload["listVersion"], changes, full=full, limit=limit)
    if status == "Accepted":
        cures.list_renewed(charger.faults, "list")
    return Answer({"status": status})


def _reserve(charger: Protocol16, payload: Payload) -> Answer:
    expires = messages.read_time(payload["expiryDate"])
    if expires is None:
        raise Refusal("PropertyConstraintViolation", "expiryDate: an ISO 8601 time is expected")
    reservation = Reservation(payload["reservationId"], payload["idTag"], payload.get("parentIdTag"), expires)
    return Answer({"status": remote.reserve(charger.station, payload["connectorId"], reservation)})


def _cancel_reservation(charger: Protocol16, payload: Payload) -> Answer:
    found = remote.cancel_reservation(charger.station, payload["reservationId"])
    return Answer({"status": "Accepted" if found else "Rejected"})


def _data_transfer(charger: Protocol16, payload: Payload) -> Answer:
    same = payload["vendorId"] == charger.identity.vendor
    return Answer({"status": "UnknownMessageId" if same else "UnknownVendorId"})


_HANDLERS: Mapping[str, Callable[[Protocol16, Payload], Answer]] = {
    "CancelReservation": _cancel_reservation,
    "ChangeAvailability": _change_availability,
    "ChangeConfiguration": _change_configuration,
    "ClearCache": _clear_cache,
    "DataTransfer": _data_transfer,
    "GetConfiguration": _get_configuration,
    "GetLocalListVersion": _get_local_list_version,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "ReserveNow": _reserve,
    "Reset": _reset,
    "SendLocalList": _send_local_list,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
}

# Actions of the specification that these chargers do not have (their profiles are not in SupportedFeatureProfiles).
_KNOWN = frozenset(
    {"ClearChargingProfile", "GetCompositeSchedule", "GetDiagnostics", "SetChargingProfile", "UpdateFirmware"}
)
