"""OCPP calls to chargers as acts, in words that do not depend on the version (1.6, 2.0.1, 2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.conversations.history import ChargerState, ConnectorState, Frame, History

Kind = Literal[
    "start", "stop", "unlock", "reset", "operative", "inoperative", "local_list", "clear_cache", "forbidden", "harmless"
]

_START = frozenset({"RemoteStartTransaction", "RequestStartTransaction"})
_STOP = frozenset({"RemoteStopTransaction", "RequestStopTransaction"})
# Never through chat, whoever asks: firmware, certificates, network profile, authorization key, raw calls.
_FORBIDDEN = frozenset(
    {
        *("UpdateFirmware", "SignedUpdateFirmware", "PublishFirmware", "UnpublishFirmware"),
        *("InstallCertificate", "DeleteCertificate", "CertificateSigned", "SetNetworkProfile"),
        *("CustomerInformation", "DataTransfer", "GetDiagnostics", "GetLog"),
    }
)
_SECRET_KEYS = frozenset({"authorizationkey", "basicauthpassword", "securityprofile", "cpouri"})


@dataclass(frozen=True, slots=True)
class Act:
    """`connector` None or 0: the whole charger. `answer`: the charger's status word, None where none came."""

    kind: Kind
    at: float
    charger: str
    connector: int | None
    before: ChargerState | None
    action: str
    token: str | None = None
    hard: bool = False
    answer: str | None = None
    answered_at: float | None = None
    payload: Mapping[str, Any] | None = None

    def connectors(self) -> tuple[ConnectorState, ...]:
        """The connectors that it touches, as they were before it."""
        if self.before is None:
            return ()
        return self.before.connector(self.connector or None)


def acts_in(history: History) -> list[Act]:
    """Every call to a charger, in order, with its answer."""
    answers = {
        (f.charger, f.id): f for f in reversed(history.frames) if not f.to_charger and f.kind in {"result", "error"}
    }
    return [
        read(frame, answers.get((frame.charger, frame.id)))
        for frame in history.frames
        if frame.to_charger and frame.kind == "call"
    ]


def read(frame: Frame, answer: Frame | None = None) -> Act:
    """One call as an act. A payload that makes no sense gives an act without its details."""
    payload = frame.payload
    kind = _kind(frame.action, payload)
    connector = _connector(payload, frame.before)
    if kind == "stop":
        connector = _connector_of(str(payload.get("transactionId")), frame.before)
    word = None
    if answer is not None:
        word = str(answer.payload.get("status", "answered")) if answer.kind == "result" else answer.action or "error"
    return Act(
        kind=kind,
        at=frame.at,
        charger=frame.charger,
        connector=connector,
        before=frame.before,
        action=frame.action,
        token=_token(payload) if kind == "start" else None,
        hard=kind == "reset" and payload.get("type") in {"Hard", "Immediate"},
        answer=word,
        answered_at=answer.at if answer else None,
        payload=payload,
    )


def _kind(action: str, payload: Mapping[str, Any]) -> Kind:
    if action in _START:
        return "start"
    if action in _STOP:
        return "stop"
    if action == "UnlockConnector":
        return "unlock"
    if action == "Reset":
        return "reset"
    if action == "ChangeAvailability":
        word = payload.get("type") or payload.get("operationalStatus")
        return "operative" if word == "Operative" else "inoperative"
    if action == "SendLocalList":
        return "local_list"
    if action == "ClearCache":
        return "clear_cache"
    if action in _FORBIDDEN or (action == "ChangeConfiguration" and _secret(payload.get("key"))):
        return "forbidden"
    if action == "SetVariables" and any(_secret(_variable(row)) for row in payload.get("setVariableData") or ()):
        return "forbidden"
    return "harmless"


def _variable(row: Any) -> Any:
    return row.get("variable", {}).get("name") if isinstance(row, Mapping) else None


def _secret(key: Any) -> bool:
    return isinstance(key, str) and key.lower() in _SECRET_KEYS


def _connector(payload: Mapping[str, Any], before: ChargerState | None) -> int | None:
    evse = payload.get("evseId")
    if evse is None and isinstance(payload.get("evse"), Mapping):
        evse = payload["evse"].get("id")
    if isinstance(evse, int):
        for each in before.connectors if before else ():
            if each.evse == evse:
                return each.number
        return evse
    connector = payload.get("connectorId")
    return connector if isinstance(connector, int) else None


def _connector_of(transaction: str, before: ChargerState | None) -> int | None:
    return (
        next((each.number for each in before.connectors if each.transaction == transaction), None) if before else None
    )


def _token(payload: Mapping[str, Any]) -> str | None:
    token = payload.get("idTag", payload.get("idToken"))
    if isinstance(token, Mapping):
        token = token.get("idToken")
    return token if isinstance(token, str) else None
