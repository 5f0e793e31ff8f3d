"""What an OCPP 1.6 charger says, translated: each handler takes a payload whose needed fields are there, and answers it."""

from __future__ import annotations

import hashlib
from typing import Any, cast, get_args

from ocpp_bridge.model import ConnectorStatus
from ocpp_bridge.reports import HEARTBEAT_INTERVAL_S, Authorization
from ocpp_bridge.versions.base import Context, Payload, Unusable
from ocpp_bridge.versions.v16 import meter
from ocpp_bridge.versions.v16.fields import id_status, iso, number, text, time

STATUSES: frozenset[str] = frozenset(get_args(ConnectorStatus))
LONGEST_TAG = 20  # section 7.28
CONNECTORS = range(1000)  # no charger has more; it bounds what a confused one can make the bridge remember


def _connector(payload: Payload) -> int:
    connector = payload["connectorId"]
    if connector not in CONNECTORS:
        raise Unusable("PropertyConstraintViolation", "connectorId is out of range")
    return int(connector)


async def boot_notification(context: Context, payload: Payload) -> Payload:
    """TC_001. Every charger that got in is known, so it is accepted."""
    boot = context.reports.boot(
        context.charger,
        text(payload, "chargePointVendor"),
        text(payload, "chargePointModel"),
        text(payload, "firmwareVersion"),
        "ocpp1.6",
    )
    return {"status": boot.status, "currentTime": iso(boot.at), "interval": HEARTBEAT_INTERVAL_S}


async def heartbeat(context: Context, payload: Payload) -> Payload:
    return {"currentTime": iso(context.reports.clock.now())}


async def status_notification(context: Context, payload: Payload) -> Payload:
    status = payload["status"]
    if status not in STATUSES:
        raise Unusable("PropertyConstraintViolation", "status is not one of OCPP 1.6's nine")
    await context.reports.status(
        context.charger,
        _connector(payload),
        cast(ConnectorStatus, status),
        text(payload, "errorCode"),
        text(payload, "vendorErrorCode"),
    )
    return {}


async def authorize(context: Context, payload: Payload) -> Payload:
    """TC_004, TC_023 (refused ids)."""
    return {"idTagInfo": _info(await context.reports.authorize(context.charger, payload["idTag"]))}


def _info(found: Authorization) -> Payload:
    """With the group and the end of the token, where it has them: what a charger's cache works with (section 7.27)."""
    info: Payload = {"status": id_status(found.status)}
    token = found.token
    if token is not None and token.group and len(token.group) <= LONGEST_TAG:
        info["parentIdTag"] = token.group
    if token is not None and token.expires_at is not None:
        info["expiryDate"] = iso(token.expires_at)
    return info


async def start_transaction(context: Context, payload: Payload) -> Payload:
    """TC_003. The answer has a transaction id also where the token is refused; a repeated request gets the same one.

    OCPP 1.6 section 4.8 and its errata: a charger repeats the request when the answer was lost.
    """
    connector, token, meter_start = _connector(payload), payload["idTag"], float(payload["meterStart"])
    if connector == 0:
        raise Unusable("PropertyConstraintViolation", "a transaction is on a connector above 0")
    said = f"{connector}|{token}|{text(payload, 'timestamp')}|{payload['meterStart']}"
    key = f"{context.charger}:{hashlib.sha256(said.encode()).hexdigest()[:32]}"
    started = await context.reports.start(
        context.charger, connector, token, meter_start, time(payload, "timestamp"), key
    )
    return {
        "transactionId": int(started.session.transaction),
        "idTagInfo": _info(started.authorization),
    }


async def stop_transaction(context: Context, payload: Payload) -> Payload:
    """TC_005, TC_068. Always answered: a charger repeats a stop until it is."""
    meter_stop = number(payload, "meterStop")
    if meter_stop is None:
        meter_stop = meter.last_energy(payload.get("transactionData"))
    await context.reports.stop(
        context.charger,
        str(payload["transactionId"]),
        meter_stop,
        time(payload, "timestamp"),
        text(payload, "reason") or "Local",  # section 7.36: no reason means Local
    )
    token = text(payload, "idTag")
    if token is None:
        return {}
    return {"idTagInfo": _info(await context.reports.standing(token))}


async def meter_values(context: Context, payload: Payload) -> Payload:
    reading = meter.read(payload["meterValue"])
    transaction = payload.get("transactionId")
    context.reports.meter(
        context.charger,
        _connector(payload),
        str(transaction) if isinstance(transaction, int) else None,
        reading,
    )
    return {}


async def data_transfer(context: Context, payload: Payload) -> Payload:
    """No vendor's private messages are understood."""
    return {"status": "UnknownVendorId"}


async def sign_certificate(context: Context, payload: Payload) -> Payload:
    """The bridge is no certificate authority."""
    return {"status": "Rejected"}


async def nothing_to_say(context: Context, payload: Payload) -> Payload:
    answer: dict[str, Any] = {}
    return answer
