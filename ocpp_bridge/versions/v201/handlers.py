"""What an OCPP 2.0.1 or 2.1 charger says, translated: each handler takes a payload whose needed fields are there, and answers it."""

from __future__ import annotations

from typing import Any, cast

from ocpp_bridge.discretion import shown
from ocpp_bridge.model import ConnectorStatus, Token
from ocpp_bridge.reports import HEARTBEAT_INTERVAL_S, Meter
from ocpp_bridge.transactions import EventType, TransactionTold
from ocpp_bridge.versions.base import Context, Payload, Unusable
from ocpp_bridge.versions.places import EVSES, LOCALS
from ocpp_bridge.versions.v16.fields import iso, text, time
from ocpp_bridge.versions.v201 import meter
from ocpp_bridge.versions.v201.states import STATUSES, id_status, implied, occupied

MOST_EVENTS = 100
NUMBERS = range(2**31)


async def boot_notification(context: Context, payload: Payload) -> Payload:
    """TC_B_01. Every charger that got in is known, so it is accepted."""
    station = _object(payload, "chargingStation")
    boot = context.reports.boot(
        context.charger,
        text(station, "vendorName"),
        text(station, "model"),
        text(station, "firmwareVersion"),
        context.protocol,
    )
    return {"status": boot.status, "currentTime": iso(boot.at), "interval": HEARTBEAT_INTERVAL_S}


async def heartbeat(context: Context, payload: Payload) -> Payload:
    return {"currentTime": iso(context.reports.clock.now())}


async def status_notification(context: Context, payload: Payload) -> Payload:
    """TC_G_01, TC_B_51. Occupied is told apart by the transaction on the connector."""
    status = payload["connectorStatus"]
    if status not in STATUSES:
        raise Unusable("PropertyConstraintViolation", "connectorStatus is not one of OCPP 2's five")
    connector = _connector(context, payload.get("evseId"), payload.get("connectorId", 1))
    await _say(context, connector, status, None)
    return {}


async def notify_event(context: Context, payload: Payload) -> Payload:
    """Connector states come this way too (component Connector, variable AvailabilityState); the rest is not kept."""
    events = payload["eventData"] if isinstance(payload["eventData"], list) else []
    for event in events[:MOST_EVENTS]:
        component, variable = _object(event, "component"), _object(event, "variable")
        value = event.get("actualValue") if isinstance(event, dict) else None
        if variable.get("name") != "AvailabilityState" or not isinstance(value, str) or value not in STATUSES:
            continue
        evse = _object(component, "evse")
        if component.get("name") == "Connector" and evse:
            connector = _connector(context, evse.get("id"), evse.get("connectorId", 1))
        elif component.get("name") == "ChargingStation":
            connector = 0
        else:
            continue
        await _say(context, connector, value, text(event, "techCode"))
    return {}


async def notify_report(context: Context, payload: Payload) -> Payload:
    """TC_B_12. The actual value of each variable; passwords are not kept."""
    if payload["requestId"] not in NUMBERS:
        raise Unusable("PropertyConstraintViolation", "requestId is out of range")
    data = payload.get("reportData")
    rows = [row for item in (data if isinstance(data, list) else []) if (row := _variable(item)) is not None]
    first, last = payload["seqNo"] == 0, payload.get("tbc") is not True
    context.reports.report(context.charger, payload["requestId"], rows, first=first, last=last)
    return {}


def _variable(item: Any) -> Payload | None:
    """`{"name": "Connector(1,1).AvailabilityState", "value"}`; None where it has no name."""
    component, variable = _object(item, "component"), _object(item, "variable")
    name, of = text(variable, "name"), text(component, "name")
    if name is None or of is None:
        return None
    evse = _object(component, "evse")
    place = ",".join(str(evse[part]) for part in ("id", "connectorId") if type(evse.get(part)) is int)
    instances = [f"[{found}]" if (found := text(part, "instance")) else "" for part in (component, variable)]
    whole = f"{of}{f'({place})' if place else ''}{instances[0]}.{name}{instances[1]}"
    attributes = item.get("variableAttribute")
    value = None
    for attribute in attributes if isinstance(attributes, list) else []:
        if isinstance(attribute, dict) and attribute.get("type", "Actual") == "Actual":
            value = shown(whole, text(attribute, "value"))
    return {"name": whole, "value": value}


async def _say(context: Context, connector: int, status: str, error: str | None) -> None:
    live = context.reports.live(context.charger)
    if status == "Occupied":
        sessions = live.sessions_on(connector)
        before = live.statuses.get(connector)
        status = occupied(sessions[-1].charging if sessions else None, before.status if before else None)
    await context.reports.status(context.charger, connector, cast(ConnectorStatus, status), error)


async def authorize(context: Context, payload: Payload) -> Payload:
    """TC_C_02, TC_C_06, TC_C_07 (refused ids), TC_C_39 (groups)."""
    token_id = _token_id(payload.get("idToken"))
    if token_id is None:
        raise Unusable("OccurrenceConstraintViolation", "idToken.idToken is needed")
    found = await context.reports.authorize(context.charger, token_id)
    return {"idTokenInfo": _info(found.token, "Unknown" if found.token is None else found.status)}


async def transaction_event(context: Context, payload: Payload) -> Payload:
    """TC_E_*. Always answered: a charger repeats an event until it is."""
    info = _object(payload, "transactionInfo")
    transaction = text(info, "transactionId")
    event, seq_no = payload["eventType"], payload["seqNo"]
    if transaction is None or len(transaction) > meter.LONGEST_ID:
        raise Unusable("OccurrenceConstraintViolation", "transactionInfo.transactionId is needed")
    if event not in ("Started", "Updated", "Ended"):
        raise Unusable("PropertyConstraintViolation", "eventType is not one of the three")
    evse = _object(payload, "evse")
    connector = _connector(context, evse.get("id"), evse.get("connectorId", 1)) if evse else None
    told = TransactionTold(
        event=cast(EventType, event),
        transaction=transaction,
        seq_no=seq_no,
        at=context.reports.plausible(context.charger, "TransactionEvent", time(payload, "timestamp")),
        connector=connector or None,
        token=_token_id(payload.get("idToken")),
        charging=text(info, "chargingState"),
        remote_start=info.get("remoteStartId") if type(info.get("remoteStartId")) is int else None,
        stop_reason=text(info, "stoppedReason"),
        **meter.of_transaction(payload.get("meterValue")),
    )
    session, token = await context.reports.transaction(context.charger, told)
    current = session.state == "active" and (event == "Ended" or session.seq_no == seq_no)
    if current and payload.get("offline") is not True:  # an event of before says nothing of the connector now
        live = context.reports.live(context.charger)
        before = live.statuses.get(session.connector)
        status = implied(told.event, told.charging, text(payload, "triggerReason"), before.status if before else None)
        if status is not None:
            await context.reports.status(context.charger, session.connector, status, None)
    if told.token is None:
        return {}
    answer = token.status_at(context.reports.clock.now()) if token else "Unknown"
    if answer == "Accepted" and session.authorization == "ConcurrentTx":
        answer = "ConcurrentTx"
    return {"idTokenInfo": _info(token, answer)}


async def meter_values(context: Context, payload: Payload) -> Payload:
    reading = meter.read(payload["meterValue"])
    connector = _connector(context, payload["evseId"], 1)
    context.reports.meter(context.charger, connector, None, Meter(reading.energy_wh, reading.power_w))
    return {}


async def data_transfer(context: Context, payload: Payload) -> Payload:
    """No vendor's private messages are understood."""
    return {"status": "UnknownVendorId"}


async def no_ev_certificate(context: Context, payload: Payload) -> Payload:
    """The bridge is no certificate authority."""
    return {"status": "Failed", "exiResponse": ""}


async def no_certificate_status(context: Context, payload: Payload) -> Payload:
    return {"status": "Failed"}


async def accepted(context: Context, payload: Payload) -> Payload:
    return {"status": "Accepted"}


async def rejected(context: Context, payload: Payload) -> Payload:
    return {"status": "Rejected"}


async def nothing_to_say(context: Context, payload: Payload) -> Payload:
    answer: dict[str, Any] = {}
    return answer


def _object(payload: Any, name: str) -> Payload:
    value = payload.get(name) if isinstance(payload, dict) else None
    return value if isinstance(value, dict) else {}


def _connector(context: Context, evse: Any, local: Any) -> int:
    if type(evse) is not int or evse not in EVSES or type(local) is not int or local not in LOCALS:
        raise Unusable("PropertyConstraintViolation", "evse or connector is out of range")
    return context.reports.number_of(context.charger, evse, local)


def _token_id(value: Any) -> str | None:
    found = value.get("idToken") if isinstance(value, dict) else None
    return found[:255] if isinstance(found, str) and found else None


def _info(token: Token | None, status: str) -> Payload:
    info: Payload = {"status": id_status(status)}
    if token is not None and token.group and len(token.group) <= meter.LONGEST_ID:
        info["groupIdToken"] = {"idToken": token.group, "type": "Central"}
    if token is not None and token.expires_at is not None:
        info["cacheExpiryDateTime"] = iso(token.expires_at)
    return info
