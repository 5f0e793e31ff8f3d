"""OCPP 2's states in the words of the nine connector statuses, and id token statuses in OCPP 2's words. Pure."""

from __future__ import annotations

from ocpp_bridge.model import ConnectorStatus

STATUSES = frozenset({"Available", "Occupied", "Reserved", "Unavailable", "Faulted"})
ID_STATUSES = frozenset(
    {
        "Accepted",
        "Blocked",
        "ConcurrentTx",
        "Expired",
        "Invalid",
        "NoCredit",
        "NotAllowedTypeEVSE",
        "NotAtThisLocation",
        "NotAtThisTime",
        "Unknown",
    }
)
STOPPING = frozenset({"RemoteStop", "StopAuthorized", "Deauthorized", "EnergyLimitReached", "TimeLimitReached"})
IN_USE = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})
_OF_CHARGING: dict[str, ConnectorStatus] = {
    "Charging": "Charging",
    "SuspendedEV": "SuspendedEV",
    "SuspendedEVSE": "SuspendedEVSE",
    "EVConnected": "Preparing",
}


def occupied(charging: str | None, before: str | None) -> ConnectorStatus:
    """Occupied, by the running transaction's charging state; without one, by what was before it."""
    if charging in _OF_CHARGING:
        return _OF_CHARGING[charging]
    return "Finishing" if before in IN_USE else "Preparing"


def implied(event: str, charging: str | None, trigger: str | None, before: str | None) -> ConnectorStatus | None:
    """What a transaction event says of its connector; None where it says nothing new."""
    if before in ("Faulted", "Unavailable"):
        return None  # these are said by the connector itself
    if event == "Ended":
        return "Finishing" if before in IN_USE or before == "Preparing" else None
    if charging == "EVConnected" and (trigger in STOPPING or before in IN_USE):
        return "Finishing"
    return _OF_CHARGING.get(charging) if charging else None


def id_status(status: str) -> str:
    return status if status in ID_STATUSES else "Blocked"
