"""The payloads that a 1.6 charger sends, as functions of what happened. Nothing here waits, counts or remembers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sandbox.connector import Transaction
from sandbox.frames import Payload
from sandbox.reporter import Sample, Shown
from sandbox.tokens import IdInfo

REASON_TO_LEAVE_OUT = "Local"  # section 6.47: Local is what a missing reason means


def timestamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def boot(vendor: str, model: str, firmware: str, serial: str) -> Payload:
    return {
        "chargePointVendor": vendor[:20],
        "chargePointModel": model[:20],
        "chargePointSerialNumber": serial[:25],
        "firmwareVersion": firmware[:50],
    }


def status(number: int, shown: Shown, at: datetime) -> Payload:
    return {
        "connectorId": number,
        "status": shown.status,
        "errorCode": shown.error_code,
        "timestamp": timestamp(at),
    }


def start_transaction(transaction: Transaction) -> Payload:
    payload: Payload = {
        "connectorId": transaction.connector,
        "idTag": transaction.token,
        "meterStart": transaction.meter_start_wh,
        "timestamp": timestamp(transaction.started_at),
    }
    if transaction.reservation is not None:
        payload["reservationId"] = transaction.reservation
    return payload


def stop_transaction(transaction: Transaction, number: int) -> Payload:
    assert transaction.ended_at is not None
    assert transaction.meter_stop_wh is not None
    payload: Payload = {
        "transactionId": number,
        "meterStop": transaction.meter_stop_wh,
        "timestamp": timestamp(transaction.ended_at),
    }
    if transaction.stop_reason is not None and transaction.stop_reason != REASON_TO_LEAVE_OUT:
        payload["reason"] = transaction.stop_reason
    if transaction.stop_token is not None:
        payload["idTag"] = transaction.stop_token
    return payload


def meter_values(connector: int, number: int | None, sample: Sample, measurands: Sequence[str]) -> Payload:
    readings = {
        "Energy.Active.Import.Register": (str(sample.energy_wh), "Wh"),
        "Power.Active.Import": (f"{sample.power_w:.0f}", "W"),
        "Current.Import": (f"{sample.current_a:.1f}", "A"),
        "Voltage": (f"{sample.voltage_v:.0f}", "V"),
    }
    if sample.soc is not None:
        readings["SoC"] = (f"{sample.soc:.0f}", "Percent")
    wanted = [name for name in measurands if name in readings] or ["Energy.Active.Import.Register"]
    values = [
        {
            "value": readings[name][0],
            "context": sample.context,
            "measurand": name,
            "unit": readings[name][1],
            **({"location": "EV"} if name == "SoC" else {}),
        }
        for name in wanted
    ]
    payload: Payload = {
        "connectorId": connector,
        "meterValue": [{"timestamp": timestamp(sample.at), "sampledValue": values}],
    }
    if number is not None:
        payload["transactionId"] = number
    return payload


def read_id_info(info: Payload) -> IdInfo:
    """An idTagInfo. A date that cannot be read is taken for none: the status is what counts."""
    expires: datetime | None = None
    if isinstance(raw := info.get("expiryDate"), str):
        expires = read_time(raw)
    return IdInfo(str(info.get("status", "Invalid")), info.get("parentIdTag"), expires)


def read_time(raw: str) -> datetime | None:
    """An aware datetime, or None where it is no ISO 8601 time. Without a zone it is UTC (section 3.14)."""
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
