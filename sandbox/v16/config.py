"""OCPP 1.6 configuration keys (section 9): one row each, mapped to the station's behaviour. A new key is a new row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sandbox.frames import Payload

if TYPE_CHECKING:
    from sandbox.v16.protocol import Protocol16

MEASURANDS = ("Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage", "SoC")
PROFILES = "Core,LocalAuthListManagement,Reservation,RemoteTrigger"


@dataclass(slots=True)
class Reporting:
    """Configuration that concerns the protocol only."""

    measurands: tuple[str, ...] = MEASURANDS


@dataclass(frozen=True, slots=True)
class Key:
    """`write` is None for what may only be read; it raises ValueError for a value that the charger refuses."""

    read: Callable[[], str]
    write: Callable[[str], None] | None = None


def _number(raw: str, least: int = 0, most: int = 1_000_000) -> int:
    value = int(raw)
    if not least <= value <= most:
        raise ValueError(raw)
    return value


def _boolean(raw: str) -> bool:
    return {"true": True, "false": False}[raw.strip().lower()]


def _measurands(raw: str) -> tuple[str, ...]:
    wanted = tuple(part.strip() for part in raw.split(",") if part.strip())
    if set(wanted) - set(MEASURANDS):
        raise ValueError(raw)
    return wanted


def _attribute(owner: object, name: str, parse: Callable[[str], object]) -> Key:
    def read() -> str:
        value = getattr(owner, name)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            return ",".join(value)
        return str(int(value))

    return Key(read, lambda raw: setattr(owner, name, parse(raw)))


def _fixed(value: str) -> Key:
    return Key(lambda: value)


class Configuration:
    def __init__(self, charger: Protocol16) -> None:
        station, reporting, outbox = charger.station, charger.reporting, charger.outbox
        behaviour, tokens = station.behaviour, station.behaviour.tokens
        self.keys: Mapping[str, Key] = {
            "AllowOfflineTxForUnknownId": _attribute(tokens, "unknown_when_offline", _boolean),
            "AuthorizationCacheEnabled": _attribute(tokens, "cache", _boolean),
            "AuthorizeRemoteTxRequests": _attribute(behaviour, "authorize_remote_starts", _boolean),
            "ClockAlignedDataInterval": _fixed("0"),
            "ConnectionTimeOut": _attribute(behaviour, "connection_timeout_s", lambda raw: float(_number(raw, 1))),
            "ConnectorPhaseRotation": _fixed("NotApplicable"),
            "GetConfigurationMaxKeys": _fixed("50"),
            "HeartbeatInterval": _attribute(charger, "heartbeat_s", lambda raw: _number(raw, 1)),
            "LocalAuthListEnabled": _attribute(tokens, "local_list", _boolean),
            "LocalAuthListMaxLength": _fixed(str(behaviour.local_list_limit)),
            "LocalAuthorizeOffline": _attribute(tokens, "decide_when_offline", _boolean),
            "LocalPreAuthorize": _attribute(tokens, "decide_when_online", _boolean),
            "MeterValuesAlignedData": _fixed(""),
            "MeterValuesSampledData": _attribute(reporting, "measurands", _measurands),
            "MeterValueSampleInterval": _attribute(behaviour, "meter_interval_s", lambda raw: float(_number(raw))),
            "NumberOfConnectors": _fixed(str(len(station.connectors))),
            "ReserveConnectorZeroSupported": _fixed("false"),
            "ResetRetries": _fixed("0"),
            "SendLocalListMaxLength": _fixed(str(behaviour.local_list_limit)),
            "StopTransactionOnEVSideDisconnect": _fixed("true"),
            "StopTransactionOnInvalidId": _attribute(behaviour, "stop_on_refused_token", _boolean),
            "StopTxnAlignedData": _fixed(""),
            "StopTxnSampledData": _fixed(""),
            "SupportedFeatureProfiles": _fixed(PROFILES),
            "TransactionMessageAttempts": _attribute(outbox, "attempts", lambda raw: _number(raw, 1, 100)),
            "TransactionMessageRetryInterval": _attribute(outbox, "retry_s", lambda raw: float(_number(raw))),
            "UnlockConnectorOnEVSideDisconnect": _fixed("true"),
        }

    def read(self, wanted: list[str]) -> Payload:
        """The GetConfiguration answer; no wanted key means all."""
        names = wanted or list(self.keys)
        known = [
            {"key": name, "readonly": self.keys[name].write is None, "value": self.keys[name].read()}
            for name in names
            if name in self.keys
        ]
        unknown = [name for name in names if name not in self.keys]
        return {"configurationKey": known} | ({"unknownKey": unknown} if unknown else {})

    def written(self) -> dict[str, str]:
        """Every key that can be changed, as it stands."""
        return {name: key.read() for name, key in self.keys.items() if key.write is not None}

    def write(self, name: str, value: str) -> Literal["Accepted", "Rejected", "NotSupported"]:
        key = self.keys.get(name)
        if key is None:
            return "NotSupported"
        if key.write is None:
            return "Rejected"
        try:
            key.write(value)
        except (ValueError, KeyError):
            return "Rejected"
        return "Accepted"
