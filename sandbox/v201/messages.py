"""The payloads that an OCPP 2 charger sends, as functions of what happened. Nothing here waits, counts or remembers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sandbox.connector import Status
from sandbox.frames import Payload
from sandbox.reporter import Sample, Shown
from sandbox.tokens import IdInfo
from sandbox.v201.places import Place

MEASURANDS = ("Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage", "SoC")
CARD = "ISO14443"  # what a card at the reader is
_OCCUPIED = frozenset({"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})
_CHARGING_STATES = {
    "Charging": "Charging",
    "SuspendedEV": "SuspendedEV",
    "SuspendedEVSE": "SuspendedEVSE",
}
# OCPP 1.6's stop reasons, which the station speaks, as stoppedReason and triggerReason (2.0.1 part 2, section 3.66 and 3.82).
ENDS: dict[str, tuple[str, str]] = {
    "Local": ("Local", "StopAuthorized"),
    "Remote": ("Remote", "RemoteStop"),
    "EVDisconnected": ("EVDisconnected", "EVCommunicationLost"),
    "DeAuthorized": ("DeAuthorized", "Deauthorized"),
    "ImmediateReset": ("ImmediateReset", "ResetCommand"),
    "Reboot": ("Reboot", "ResetCommand"),
    "PowerLoss": ("PowerLoss", "AbnormalCondition"),
    "Timeout": ("Timeout", "EVConnectTimeout"),
}
OTHER_END = ("Other", "AbnormalCondition")


def timestamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def boot(vendor: str, model: str, firmware: str, serial: str, reason: str) -> Payload:
    station = {
        "vendorName": vendor[:50],
        "model": model[:20],
        "serialNumber": serial[:25],
        "firmwareVersion": firmware[:50],
    }
    return {"chargingStation": station, "reason": reason}


def connector_status(status: Status) -> str:
    """OCPP 2's five: what goes on in an occupied connector is told by its transaction."""
    return "Occupied" if status in _OCCUPIED else status


def charging_state(status: Status, *, car: bool) -> str:
    """The chargingState of a transaction at a connector with this status."""
    return _CHARGING_STATES.get(status, "EVConnected" if car else "Idle")


def status(place: Place, shown: Shown, at: datetime) -> Payload:
    return {
        "timestamp": timestamp(at),
        "connectorStatus": connector_status(shown.status),
        "evseId": place.evse,
        "connectorId": place.connector,
    }


def component(name: str, place: Place | None = None) -> Payload:
    return {"name": name} | ({"evse": place.json()} if place is not None else {})


def event(number: int, what: Payload, variable: str, value: str, at: datetime, **more: Any) -> Payload:
    """One eventData row of a NotifyEvent, raised by a monitor that is built in."""
    return {
        "eventId": number,
        "timestamp": timestamp(at),
        "trigger": "Delta",
        "actualValue": value,
        "eventNotificationType": "HardWiredNotification",
        "component": what,
        "variable": {"name": variable},
        **more,
    }


def notify_event(rows: Sequence[Payload], at: datetime) -> Payload:
    return {"generatedAt": timestamp(at), "seqNo": 0, "eventData": list(rows)}


def meter_value(sample: Sample, measurands: Sequence[str]) -> list[Payload]:
    readings: dict[str, tuple[float, str]] = {
        "Energy.Active.Import.Register": (sample.energy_wh, "Wh"),
        "Power.Active.Import": (round(sample.power_w), "W"),
        "Current.Import": (round(sample.current_a, 1), "A"),
        "Voltage": (sample.voltage_v, "V"),
    }
    if sample.soc is not None:
        readings["SoC"] = (round(sample.soc), "Percent")
    wanted = [name for name in measurands if name in readings] or ["Energy.Active.Import.Register"]
    values = [
        {
            "value": readings[name][0],
            "context": sample.context,
            "measurand": name,
            "unitOfMeasure": {"unit": readings[name][1]},
            **({"location": "EV"} if name == "SoC" else {}),
        }
        for name in wanted
    ]
    return [{"timestamp": timestamp(sample.at), "sampledValue": values}]


def id_token(token: str, kind: str = CARD) -> Payload:
    return {"idToken": token, "type": kind}


def read_id_info(info: Payload) -> IdInfo:
    """An idTokenInfo. A date that cannot be read is taken for none: the status is what counts."""
    group = info.get("groupIdToken")
    expires = read_time(info["cacheExpiryDateTime"]) if isinstance(info.get("cacheExpiryDateTime"), str) else None
    return IdInfo(str(info.get("status", "Invalid")), group["idToken"] if isinstance(group, dict) else None, expires)


def read_time(raw: str) -> datetime | None:
    """An aware datetime, or None where it is no ISO 8601 time. Without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
