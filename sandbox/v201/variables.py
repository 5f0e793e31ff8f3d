"""The device model of an OCPP 2 charger: components and their variables, one row each, mapped to the station's behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sandbox.frames import Payload
from sandbox.v201 import messages
from sandbox.v201.places import Place
from sandbox.v201.transactions import START_POINTS

if TYPE_CHECKING:
    from sandbox.v201.protocol import Protocol201

Base = Literal["FullInventory", "ConfigurationInventory", "SummaryInventory"]
ROWS_IN_A_MESSAGE = 12
# What a plug is called in OCPP 2 (ConnectorEnumType); 2.0.1 has no word for NACS but Tesla's.
_PLUGS = {
    ("J1772", True): "cType1",
    ("J1772", False): "sType2",
    ("CCS", True): "cCCS1",
    ("CHAdeMO", True): "cG105",
    ("NACS", True): "cTesla",
}


@dataclass(frozen=True, slots=True)
class Variable:
    """`write` raises ValueError for a value that is refused; None: it may only be read. `summary`: in the short report too."""

    component: str
    name: str
    kind: Literal["string", "decimal", "integer", "dateTime", "boolean", "OptionList", "MemberList"]
    read: Callable[[], str]
    write: Callable[[str], None] | None = None
    evse: Payload | None = None
    instance: str | None = None
    unit: str | None = None
    choices: str | None = None
    summary: bool = False


class DeviceModel:
    def __init__(self, charger: Protocol201) -> None:
        self._rows = {_key(row.component, row.evse, row.name, row.instance): row for row in _rows(charger)}
        self._charger = charger

    def get(self, asked: Payload) -> Payload:
        """One getVariableResult."""
        result = _echo(asked)
        if asked.get("attributeType", "Actual") != "Actual":
            return result | {"attributeStatus": "NotSupportedAttributeType"}
        row = self._find(asked)
        if isinstance(row, str):
            return result | {"attributeStatus": row}
        return result | {"attributeStatus": "Accepted", "attributeValue": row.read()}

    def set(self, asked: Payload) -> Payload:
        """One setVariableResult."""
        result = _echo(asked)
        if asked.get("attributeType", "Actual") != "Actual":
            return result | {"attributeStatus": "NotSupportedAttributeType"}
        row = self._find(asked)
        if isinstance(row, str):
            return result | {"attributeStatus": row}
        return result | {"attributeStatus": _write(row, asked["attributeValue"])}

    def build(self, name: str, value: str) -> str:
        """Sets `Component.Variable` as the maker does, what may only be read too; returns the status."""
        component, _, variable = name.partition(".")
        if (component, variable) == ("TxCtrlr", "TxStartPoint"):
            for point in START_POINTS:
                if point == value:
                    self._charger.ledger.start_point = point
                    return "Accepted"
            return "Rejected"
        row = self._rows.get(_key(component, None, variable, None))
        return "UnknownVariable" if row is None else _write(row, value)

    def written(self) -> list[list[str]]:
        """Component, name, instance and value of every variable that can be changed."""
        rows = [row for row in self._rows.values() if row.write is not None]
        return [[row.component, row.name, row.instance or "", row.read()] for row in rows]

    def write_again(self, rows: list[list[str]]) -> None:
        """What `written` had given; what this firmware does not have or take any more is passed over."""
        for component, name, instance, value in rows:
            row = self._rows.get(_key(component, None, name, instance))
            if row is not None:
                _write(row, value)

    def report(self, base: Base) -> list[list[Payload]]:
        """The reportData of a base report, in pages."""
        rows = [row for row in self._rows.values() if _belongs(row, base)]
        data = [_reported(row) for row in rows]
        return [data[first : first + ROWS_IN_A_MESSAGE] for first in range(0, len(data), ROWS_IN_A_MESSAGE)]

    def _find(self, asked: Payload) -> Variable | str:
        what, variable = asked["component"], asked["variable"]
        evse = what.get("evse")
        if what.get("instance") is None:
            row = self._rows.get(_key(what["name"], evse, variable["name"], variable.get("instance")))
            if row is not None:
                return row
        names = {row.component.lower() for row in self._rows.values() if _place(row.evse) == _place(evse)}
        return "UnknownVariable" if what["name"].lower() in names else "UnknownComponent"


def _write(row: Variable, value: str) -> str:
    if row.write is None:
        return "Rejected"
    try:
        row.write(value)
    except (ValueError, KeyError):
        return "Rejected"
    return "Accepted"


def _place(evse: Payload | None) -> tuple[int | None, int | None]:
    return (None, None) if evse is None else (evse["id"], evse.get("connectorId"))


def _key(component: str, evse: Payload | None, variable: str, instance: str | None) -> tuple[Any, ...]:
    """Names are compared without case (2.0.1 part 2, section 2)."""
    return (component.lower(), *_place(evse), variable.lower(), (instance or "").lower())


def _echo(asked: Payload) -> Payload:
    kept = {key: asked[key] for key in ("component", "variable")}
    return kept | ({"attributeType": asked["attributeType"]} if "attributeType" in asked else {})


def _belongs(row: Variable, base: Base) -> bool:
    if base == "SummaryInventory":
        return row.summary
    return base == "FullInventory" or row.write is not None


def _reported(row: Variable) -> Payload:
    traits: Payload = {"dataType": row.kind, "supportsMonitoring": False}
    if row.unit is not None:
        traits["unit"] = row.unit
    if row.choices is not None:
        traits["valuesList"] = row.choices
    attribute = {"value": row.read(), "mutability": "ReadOnly" if row.write is None else "ReadWrite"}
    variable = {"name": row.name} | ({"instance": row.instance} if row.instance else {})
    component = {"name": row.component} | ({"evse": row.evse} if row.evse else {})
    return {
        "component": component,
        "variable": variable,
        "variableAttribute": [attribute],
        "variableCharacteristics": traits,
    }


# --- the rows -------------------------------------------------------------------------------------------------------
def _yes(value: bool) -> str:
    return "true" if value else "false"


def _boolean(raw: str) -> bool:
    return {"true": True, "false": False}[raw.strip().lower()]


def _whole(raw: str, least: int = 0, most: int = 1_000_000) -> int:
    value = int(raw)
    if not least <= value <= most:
        raise ValueError(raw)
    return value


def _switch(component: str, name: str, owner: object, attribute: str) -> Variable:
    return Variable(
        component,
        name,
        "boolean",
        lambda: _yes(getattr(owner, attribute)),
        lambda raw: setattr(owner, attribute, _boolean(raw)),
    )


def _seconds(component: str, name: str, owner: object, attribute: str, least: int = 1) -> Variable:
    return Variable(
        component,
        name,
        "integer",
        lambda: str(int(getattr(owner, attribute))),
        lambda raw: setattr(owner, attribute, _whole(raw, least)),
        unit="s",
    )


def _fixed(component: str, name: str, value: str, kind: Any = "string", **more: Any) -> Variable:
    return Variable(component, name, kind, lambda: value, **more)


def _rows(charger: Protocol201) -> Iterator[Variable]:
    station, who = charger.station, charger.identity
    behaviour, tokens, outbox = station.behaviour, station.behaviour.tokens, charger.outbox
    yield _fixed("ChargingStation", "Model", who.model)
    yield _fixed("ChargingStation", "VendorName", who.vendor)
    yield _fixed("ChargingStation", "SerialNumber", who.serial)
    yield _fixed("ChargingStation", "FirmwareVersion", who.firmware)
    yield Variable(
        "ChargingStation",
        "AvailabilityState",
        "OptionList",
        lambda: station.shown(0).status,
        choices=_STATES,
        summary=True,
    )
    yield _seconds("OCPPCommCtrlr", "HeartbeatInterval", charger, "heartbeat_s")
    yield _seconds("OCPPCommCtrlr", "OfflineThreshold", charger, "offline_threshold_s", 0)
    yield Variable(
        "OCPPCommCtrlr",
        "MessageAttempts",
        "integer",
        lambda: str(outbox.attempts),
        lambda raw: setattr(outbox, "attempts", _whole(raw, 1, 100)),
        instance="TransactionEvent",
    )
    yield Variable(
        "OCPPCommCtrlr",
        "MessageAttemptInterval",
        "integer",
        lambda: str(int(outbox.retry_s)),
        lambda raw: setattr(outbox, "retry_s", float(_whole(raw))),
        instance="TransactionEvent",
        unit="s",
    )
    yield _fixed("OCPPCommCtrlr", "MessageTimeout", "30", "integer", instance="Default", unit="s")
    yield _fixed("OCPPCommCtrlr", "UnlockOnEVSideDisconnect", "true", "boolean")
    yield _fixed("DeviceDataCtrlr", "ItemsPerMessage", "50", "integer", instance="GetVariables")
    yield _switch("AuthCtrlr", "AuthorizeRemoteStart", behaviour, "authorize_remote_starts")
    yield _switch("AuthCtrlr", "LocalPreAuthorize", tokens, "decide_when_online")
    yield _switch("AuthCtrlr", "LocalAuthorizeOffline", tokens, "decide_when_offline")
    yield _switch("AuthCtrlr", "OfflineTxForUnknownIdEnabled", tokens, "unknown_when_offline")
    yield _switch("AuthCacheCtrlr", "Enabled", tokens, "cache")
    yield _switch("LocalAuthListCtrlr", "Enabled", tokens, "local_list")
    yield Variable("LocalAuthListCtrlr", "Entries", "integer", lambda: str(len(station.tokens.entries)))
    yield _seconds("TxCtrlr", "EVConnectionTimeOut", behaviour, "connection_timeout_s")
    yield _switch("TxCtrlr", "StopTxOnInvalidId", behaviour, "stop_on_refused_token")
    yield _fixed("TxCtrlr", "StopTxOnEVSideDisconnect", "true", "boolean")
    yield Variable("TxCtrlr", "TxStartPoint", "MemberList", lambda: charger.ledger.start_point)
    yield _fixed("TxCtrlr", "TxStopPoint", "EVConnected,Authorized", "MemberList")
    yield _seconds("SampledDataCtrlr", "TxUpdatedInterval", behaviour, "meter_interval_s", 0)
    yield Variable(
        "SampledDataCtrlr",
        "TxUpdatedMeasurands",
        "MemberList",
        lambda: ",".join(charger.measurands),
        lambda raw: setattr(charger, "measurands", _measurands(raw)),
        choices=",".join(messages.MEASURANDS),
    )
    yield _fixed("ReservationCtrlr", "Available", "true", "boolean")
    yield Variable("ClockCtrlr", "DateTime", "dateTime", lambda: messages.timestamp(station.clock.now()))
    for evse in charger.places.evses:
        yield from _evse_rows(charger, evse)
    for place in charger.places.by_number.values():
        yield from _connector_rows(charger, place)


_STATES = "Available,Occupied,Reserved,Unavailable,Faulted"


def _evse_rows(charger: Protocol201, evse: int) -> Iterator[Variable]:
    numbers, at = charger.places.numbers(evse), {"id": evse}
    power = max(charger.station.connectors[number].plan.max_kw for number in numbers) * 1000
    yield _fixed("EVSE", "Power", f"{power:.0f}", "decimal", evse=at, unit="W")
    yield _fixed("EVSE", "Available", "true", "boolean", evse=at)

    def state() -> str:
        states = [messages.connector_status(charger.station.shown(number).status) for number in numbers]
        return next(
            (each for each in ("Faulted", "Occupied", "Reserved", "Available") if each in states), "Unavailable"
        )

    yield Variable("EVSE", "AvailabilityState", "OptionList", state, evse=at, choices=_STATES, summary=True)


def _connector_rows(charger: Protocol201, place: Place) -> Iterator[Variable]:
    station, at = charger.station, place.json()
    plan = station.connectors[place.number].plan
    yield Variable(
        "Connector",
        "AvailabilityState",
        "OptionList",
        lambda: messages.connector_status(station.shown(place.number).status),
        evse=at,
        choices=_STATES,
        summary=True,
    )
    yield _fixed("Connector", "ConnectorType", _PLUGS.get((plan.plug, plan.tethered), "Unknown"), evse=at)
    yield _fixed("Connector", "SupplyPhases", "3" if plan.direct else "1", "integer", evse=at)
    yield _fixed("ConnectorPlugRetentionLock", "Available", _yes(not plan.tethered), "boolean", evse=at)


def _measurands(raw: str) -> tuple[str, ...]:
    wanted = tuple(part.strip() for part in raw.split(",") if part.strip())
    if set(wanted) - set(messages.MEASURANDS):
        raise ValueError(raw)
    return wanted
