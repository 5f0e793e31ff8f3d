"""How real models deviate from the specification in what they write: each quirk as a pure change of an outgoing payload.

What they deviate in doing (statuses not told, triggers not answered) is asked for by name where it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from sandbox.faults import Faults
from sandbox.frames import Payload

Direction = Literal["call", "result"]
Quirk = Callable[[Direction, str, Payload], Payload]
_TOLD = frozenset({"BootNotification", "StatusNotification", "StartTransaction", "StopTransaction", "TransactionEvent"})
_METERED = frozenset({"MeterValues", "TransactionEvent"})


def _extra_fields(direction: Direction, action: str, payload: Payload) -> Payload:
    return payload | {"vendorUptime": 86_400} if direction == "call" and action in _TOLD else payload


def _long_strings(direction: Direction, action: str, payload: Payload) -> Payload:
    if direction != "call" or action != "BootNotification":
        return payload
    if (station := payload.get("chargingStation")) is not None:
        long = {"serialNumber": "0" * 34, "model": f"{station['model']:.<23}"}
        return payload | {"chargingStation": station | long}
    return payload | {"chargePointSerialNumber": "0" * 34, "chargePointModel": f"{payload['chargePointModel']:.<23}"}


def _authorize_with_connector(direction: Direction, action: str, payload: Payload) -> Payload:
    return payload | {"connectorId": 1} if direction == "call" and action == "Authorize" else payload


def _odd_meter_values(direction: Direction, action: str, payload: Payload) -> Payload:
    if direction != "call" or action not in _METERED or not payload.get("meterValue"):
        return payload
    samples = payload["meterValue"][0]["sampledValue"]
    text = isinstance(samples[0]["value"], str) if samples else True
    unit: Payload = {"unit": "Hz"} if text else {"unitOfMeasure": {"unit": "Hz"}}
    odd = [
        {"value": "60" if text else 60, "measurand": "Frequency", **unit},
        {"value": "21" if text else 21, "measurand": "Temperature.Cabinet"},
    ]
    first = payload["meterValue"][0]
    changed = [first | {"sampledValue": [*samples, *odd]}, {"timestamp": first["timestamp"], "sampledValue": []}]
    return payload | {"meterValue": changed}


def _lower_case_keys(direction: Direction, action: str, payload: Payload) -> Payload:
    if direction != "call" or action not in _METERED or "meterValue" not in payload:
        return payload
    return payload | {"meterValue": _each_key(payload["meterValue"], str.lower)}


def _each_key(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {change(key): _each_key(inner, change) for key, inner in value.items()}
    return [_each_key(inner, change) for inner in value] if isinstance(value, list) else value


def _numeric_configuration(direction: Direction, action: str, payload: Payload) -> Payload:
    if direction != "result" or action != "GetConfiguration":
        return payload
    rows = [
        row | {"value": int(row["value"])} if str(row.get("value", "")).isdigit() else row
        for row in payload.get("configurationKey", [])
    ]
    return payload | {"configurationKey": rows}


def _times_without_zone(direction: Direction, action: str, payload: Payload) -> Payload:
    def cut(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: cut(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [cut(inner) for inner in value]
        return value.removesuffix("Z") if key in {"timestamp", "generatedAt"} and isinstance(value, str) else value

    changed: Payload = cut(payload)
    return changed if direction == "call" else payload


def _longer_tag(direction: Direction, action: str, payload: Payload) -> Payload:
    if direction == "call" and action == "StopTransaction" and "idTag" in payload:
        return payload | {"idTag": f"{payload['idTag']:0<24}"}
    return payload


def _stop_with_zero_id(direction: Direction, action: str, payload: Payload) -> Payload:
    return payload | {"transactionId": 0} if direction == "call" and action == "StopTransaction" else payload


def _unlock_accepted(direction: Direction, action: str, payload: Payload) -> Payload:
    return payload | {"status": "Accepted"} if direction == "result" and action == "UnlockConnector" else payload


WRITTEN: Mapping[str, Quirk] = {
    "extra_fields": _extra_fields,
    "long_strings": _long_strings,
    "authorize_with_connector": _authorize_with_connector,
    "odd_meter_values": _odd_meter_values,
    "lower_case_keys": _lower_case_keys,
    "numeric_configuration": _numeric_configuration,
    "times_without_zone": _times_without_zone,
    "longer_tag": _longer_tag,
    "stop_with_zero_id": _stop_with_zero_id,
    "unlock_accepted": _unlock_accepted,
}


def written(faults: Faults, direction: Direction, action: str, payload: Payload) -> Payload:
    """The payload as this charger writes it."""
    for name, change in WRITTEN.items():
        if faults.has(name):
            payload = change(direction, action, payload)
    return payload
