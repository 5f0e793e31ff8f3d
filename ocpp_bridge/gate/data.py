"""The gate's numbers and lists, apart from its code: an operator's engineer can read and change them here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HIGHEST_TIER = 4  # an operator

# The least identity tier that may ask for an action (4: operators only). Guests are tier 0: what they may do, their own
# token and session decide. Reset and operative are the gate's own decision, from live conditions (tier 3).
LEAST_TIER: Mapping[str, int] = {
    "start": 0,
    "stop": 0,
    "unlock": 0,
    "trigger": 0,
    "reserve": 0,
    "cancel_reservation": 0,
    "get_local_list_version": 1,
    "reset": 1,
    "operative": 1,
    "inoperative": 4,
    "send_local_list": 4,
    "clear_cache": 4,
    "get_configuration": 4,
    "get_variables": 4,
    "get_diagnostics": 4,
    "get_log": 4,
}
HARD_RESET_TIER = 4
DRIVER_TRIGGERS = frozenset({"StatusNotification", "MeterValues", "Heartbeat", "TransactionEvent"})


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` commands of `action` within `window_s`, counted per driver, charger or connector.

    `only`: the parameters that such a command has. `operators`: it binds operators too (they are never one driver).
    """

    per: str
    action: str
    count: int
    window_s: float
    operators: bool = True
    only: tuple[tuple[str, Any], ...] = ()


LIMITS = (
    Limit("driver", "start", 5, 600, operators=False),
    Limit("driver", "stop", 6, 600, operators=False),
    Limit("charger", "start", 12, 600),
    Limit("charger", "stop", 12, 600),
    Limit("connector", "unlock", 1, 30),
    Limit("driver", "unlock", 2, 900, operators=False),
    Limit("charger", "reset", 1, 900, operators=False),
    Limit("charger", "reset", 1, 900, only=(("kind", "soft"),)),
    Limit("charger", "reset", 3, 86_400, only=(("kind", "soft"),)),
    Limit("charger", "reset", 6, 86_400),
    Limit("driver", "reset", 2, 3600, operators=False),
    Limit("charger", "operative", 3, 900, operators=False),
    Limit("driver", "operative", 3, 3600, operators=False),
    Limit("driver", "trigger", 20, 600, operators=False),
    Limit("charger", "trigger", 30, 600, operators=False),
    Limit("driver", "get_local_list_version", 5, 600, operators=False),
    Limit("driver", "reserve", 2, 3600, operators=False),
    Limit("charger", "reserve", 6, 3600, operators=False),
    Limit("driver", "cancel_reservation", 5, 3600, operators=False),
)
HORIZON_S = 3600.0  # how far back the gate looks at least; a longer limit looks as far as it needs

# What each status means to a start; a status that is not here is no obstacle.
NO_START: dict[str, str] = {
    "Faulted": "the connector reports a fault",
    "Unavailable": "the connector is out of service",
    "Reserved": "the connector is reserved",
    "Finishing": "the last session is over but the cable is still in: unplug and plug in again",
    "Charging": "the connector is charging already",
    "SuspendedEV": "the connector has a running session",
    "SuspendedEVSE": "the connector has a running session",
}

# A report of danger may do this, whoever reports; and while its hold stands, nobody but an operator may do that.
HAZARD_ACTIONS = frozenset({"stop", "inoperative"})
HAZARD_CONNECTORS_AN_HOUR = 1  # by one driver, without a person
BARRED_BY_HAZARD = frozenset({"start", "unlock", "reset", "operative", "reserve"})

UNLOCK_WITHIN_S = 3600.0  # after the end of the driver's session
NO_POWER_W = 50.0  # standby, not charging
DANGER_ERRORS = frozenset({"HighTemperature", "GroundFailure", "OverCurrentFailure", "PowerSwitchFailure"})
# Words of a command's reason (`connector_stuck`, `report_damage`) that say what the driver reports of the plug.
CABLE_HELD = frozenset({"stuck", "locked", "jammed"})
PLUG_UNFIT = CABLE_HELD | {"hot", "wet", "damage", "damaged"}

# What makes a reset worth its while besides a fault: a command of late that the charger failed.
FAILED_COUNTS_S = 900.0
FAILED_OUTCOMES = frozenset({"rejected", "call_error", "still_faulted", "no_energy"})

# Commands under way (rows) that bar another (keys) on the same connector, or on the charger where one has no connector.
CONFLICTS: Mapping[str, frozenset[str]] = {
    "start": frozenset({"stop", "unlock", "reset", "inoperative", "reserve"}),
    "unlock": frozenset({"start", "stop", "reset"}),
    "reset": frozenset({"start", "stop", "unlock", "operative", "inoperative", "reserve"}),
    "operative": frozenset({"reset", "inoperative"}),
    "inoperative": frozenset({"reset", "operative"}),
    "reserve": frozenset({"start", "reset", "inoperative", "cancel_reservation"}),
    "cancel_reservation": frozenset({"reserve"}),
}

# OCPP 1.6 section 4.2, 2.0.1 B02: while a boot is pending the charger can be asked and configured, nothing else.
ALLOWED_WHILE_PENDING = frozenset({"trigger", "get_configuration", "get_variables"})
