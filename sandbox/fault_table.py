"""The table of everything that can be wrong with a simulated charger: names, what each does in a sentence, parameters, defaults.

A row is data. The part that misbehaves (link, station, a version, `quirks`) asks for the fault by its name when it matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ocpp.v16.enums import ChargePointErrorCode

ERROR_CODES = tuple(code.value for code in ChargePointErrorCode if code.value != "NoError")
Group = Literal["charging", "cable", "cards", "line", "charger", "quirk"]


class BadFault(ValueError):
    """The fault's parameters are not what its row in the table asks for."""


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. `default` None: it may be left out. Numbers are never negative."""

    kind: type[str] | type[int] | type[float] | type[bool]
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()

    def read(self, name: str, value: Any) -> Any:
        """The value, checked. Raises BadFault."""
        wanted = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[self.kind]
        good = (
            isinstance(value, self.kind)
            if self.kind in {str, bool}
            else not isinstance(value, bool)
            and isinstance(value, int if self.kind is int else (int, float))
            and 0 <= value <= 1_000_000
        )
        if not good:
            raise BadFault(f"{name} must be {wanted}.")
        if self.choices and value not in self.choices:
            raise BadFault(f"{name} must be one of {', '.join(self.choices)}.")
        if self.kind is str and not 0 < len(value) <= 50:
            raise BadFault(f"{name} must have 1 to 50 characters.")
        return value


@dataclass(frozen=True, slots=True)
class FaultKind:
    group: Group
    help: str
    params: Mapping[str, Param] = field(default_factory=dict)


_CONNECTOR = {"connector": Param(int, "Only this connector; left out: all of them.")}
_CURES = {
    "cured_by_reset": Param(bool, "Whether a restart of the charger ends it.", default=False),
    "cured_by_replug": Param(bool, "Whether plugging the cable in anew ends it.", default=False),
}
_WHILE = {"seconds": Param(float, "How long; left out: until the fault is taken away.")}
_TOKEN = {"token": Param(str, "Only this token; left out: every token.")}

FAULTS: Mapping[str, FaultKind] = {
    # --- charging
    "start_rejected": FaultKind("charging", "Answers every remote start with Rejected.", _CONNECTOR | _CURES),
    "accepted_then_nothing": FaultKind(
        "charging", "Accepts a remote start, then does nothing at all.", _CONNECTOR | _CURES
    ),
    "start_timeout": FaultKind(
        "charging",
        "Accepts a start and waits for a plug that it never sees, until its connection time-out ends.",
        _CONNECTOR | _CURES,
    ),
    "start_delayed": FaultKind(
        "charging",
        "Accepts a remote start and carries it out late.",
        _CONNECTOR | {"seconds": Param(float, "How late, in seconds.", default=40.0)},
    ),
    "stop_ignored": FaultKind("charging", "Accepts a remote stop and goes on charging.", _CONNECTOR),
    "car_refuses": FaultKind("charging", "The car takes no energy: SuspendedEV.", _CONNECTOR | _CURES),
    "meter_stuck": FaultKind("charging", "Charges, but the energy register does not rise.", _CONNECTOR),
    "neighbour_charges": FaultKind(
        "charging",
        "A stranger's car charges at the other cable of the station.",
        {
            "connector": Param(int, "At this connector; left out: the last one that has no car."),
            "token": Param(str, "The stranger's token.", default="TOK-GRACE-0007"),
        },
    ),
    # --- cable
    "stuck_finishing": FaultKind(
        "cable",
        "Is stuck in Finishing, also when the cable is gone.",
        _CONNECTOR
        | {
            "cured_by_reset": Param(bool, "Whether a restart of the charger ends it.", default=True),
            "cured_by_replug": Param(bool, "Whether plugging the cable in anew ends it.", default=False),
        },
    ),
    "unlock": FaultKind(
        "cable",
        "How UnlockConnector is answered, and whether the cable is then free.",
        _CONNECTOR
        | {
            "result": Param(
                str, "The answer.", default="UnlockFailed", choices=("Unlocked", "UnlockFailed", "NotSupported")
            ),
            "held": Param(bool, "true: the cable cannot be pulled out, whatever the answer was.", default=False),
            "after": Param(int, "The unlock of this number works and ends the fault; 0: none does.", default=0),
        }
        | _CURES,
    ),
    "car_holds": FaultKind("cable", "The car holds its end of the cable until the driver unlocks the car.", _CONNECTOR),
    # --- cards
    "reader_failure": FaultKind("cards", "The card reader reads nothing; ReaderFailure is reported for connector 0."),
    "stale_list": FaultKind(
        "cards",
        "Refuses a good token by an old entry of its own, without asking the central system.",
        _TOKEN
        | {
            "status": Param(str, "What the entry says.", default="Invalid", choices=("Invalid", "Blocked", "Expired")),
            "kept_in": Param(
                str,
                "Where the entry is: SendLocalList renews the list, ClearCache empties the cache.",
                default="either",
                choices=("list", "cache", "either"),
            ),
        },
    ),
    "concurrent_tx": FaultKind(
        "cards", "Refuses a token as ConcurrentTx: it believes that the token charges already.", _TOKEN
    ),
    # --- the charger as a whole
    "faulted": FaultKind(
        "charger",
        "A connector, or the whole charger, reports Faulted; a running transaction ends.",
        _CONNECTOR
        | {"error_code": Param(str, "OCPP 1.6 error code.", default="InternalError", choices=ERROR_CODES)}
        | _CURES,
    ),
    "inoperative": FaultKind(
        "charger",
        "Taken out of service by hand: Unavailable, until a remote hand makes it operative.",
        _CONNECTOR | {"locked": Param(bool, "true: a remote hand cannot put it back into service.", default=False)},
    ),
    "reserved": FaultKind(
        "charger",
        "Reserved for somebody else's token.",
        _CONNECTOR
        | {
            "token": Param(str, "Whose token may charge.", default="TOK-GRACE-0007"),
            "seconds": Param(float, "For how long.", default=3600.0),
        },
    ),
    "reset_rejected": FaultKind("charger", "Answers Reset with Rejected."),
    "reset_ignored": FaultKind("charger", "Accepts Reset and does not restart."),
    "reboot_never_returns": FaultKind("charger", "Restarts on Reset and never comes back."),
    "power_out": FaultKind(
        "charger", "Has no power: transactions end with PowerLoss, it is gone, and boots when power is back.", _WHILE
    ),
    # --- line
    "offline": FaultKind("line", "Its socket is dropped and not opened again.", _WHILE | _CURES),
    "silent": FaultKind("line", "Its socket stays open, but it sends nothing and answers nothing."),
    "slow_answers": FaultKind(
        "line", "Answers every call late.", {"seconds": Param(float, "How late, in seconds.", default=20.0)}
    ),
    "reconnects_late": FaultKind(
        "line",
        "Dials again only long after it lost its socket.",
        {"seconds": Param(float, "How long after, in seconds.", default=600.0)},
    ),
    "away_after_stop": FaultKind(
        "line",
        "Loses its socket for a while after every transaction.",
        {"seconds": Param(float, "How long, in seconds.", default=120.0)},
    ),
    # --- deviations of real models from the specification
    "extra_fields": FaultKind("quirk", "Adds fields of its own to boots, statuses and transactions."),
    "long_strings": FaultKind("quirk", "Serial number and model in BootNotification are longer than allowed."),
    "authorize_with_connector": FaultKind("quirk", "Sends a connectorId in Authorize, which has no such field."),
    "odd_meter_values": FaultKind(
        "quirk", "Meter values come with a unit Hz, an unknown measurand and an empty list of samples among them."
    ),
    "lower_case_keys": FaultKind("quirk", "Writes the keys of meter values in lower case."),
    "numeric_configuration": FaultKind("quirk", "Answers GetConfiguration with numbers where texts are asked for."),
    "times_without_zone": FaultKind("quirk", "Times carry no zone."),
    "longer_tag": FaultKind("quirk", "Echoes the token in StopTransaction longer than it was sent."),
    "stop_with_zero_id": FaultKind("quirk", "Ends transactions under the number 0."),
    "meter_after_stop": FaultKind("quirk", "Sends one more meter value after the end of a transaction."),
    "stop_not_told": FaultKind("quirk", "Never tells the end of a transaction: the central system keeps it open."),
    "unlock_accepted": FaultKind("quirk", "Answers UnlockConnector with Accepted, which is not among the answers."),
    "no_status_after_reconnect": FaultKind("quirk", "Tells no status after it has connected again, whatever changed."),
    "boots_on_reconnect": FaultKind("quirk", "Sends BootNotification on every new connection."),
    "available_with_cable": FaultKind("quirk", "Reports Available with a cable still in."),
    "trigger_of_connector_ignored": FaultKind(
        "quirk", "Accepts a TriggerMessage for one connector and then sends nothing."
    ),
    "trigger_of_all_rejected": FaultKind("quirk", "Rejects a TriggerMessage that names no connector, or connector 0."),
    "availability_of_all_rejected": FaultKind("quirk", "Rejects ChangeAvailability for connector 0."),
    "configuration_restarts": FaultKind("quirk", "Restarts after every change of its configuration."),
    "status_of_evse_zero": FaultKind("quirk", "OCPP 2: reports a status of EVSE 0 too."),
    "no_subprotocol": FaultKind("quirk", "OCPP 1.6: offers no subprotocol when it connects."),
}


class UnknownFault(LookupError):
    """No fault has this name."""


def kind_of(name: str) -> FaultKind:
    """Raises UnknownFault."""
    try:
        return FAULTS[name]
    except KeyError:
        raise UnknownFault(f"There is no fault {name[:50]!r}; there are: {', '.join(FAULTS)}.") from None


def read_params(name: str, params: Mapping[str, Any], connectors: frozenset[int] = frozenset()) -> dict[str, Any]:
    """The parameters with their defaults filled in. `connectors` (where given) are the numbers that exist.

    Raises UnknownFault or BadFault.
    """
    kind = kind_of(name)
    if unknown := set(params) - set(kind.params):
        known = ", ".join(kind.params) or "no parameters"
        raise BadFault(f"{name} has no parameter {', '.join(sorted(map(str, unknown)))[:200]}; it has: {known}.")
    values: dict[str, Any] = {}
    for key, param in kind.params.items():
        value = params.get(key)
        if value is None:
            value = param.default
        if value is not None:
            values[key] = param.read(key, value)
    if connectors and values.get("connector") not in {None, *connectors}:
        raise BadFault(f"The charger has no connector {values['connector']}.")
    return values


def table() -> list[dict[str, Any]]:
    """The table for the API and the page."""
    return [
        {
            "name": name,
            "group": kind.group,
            "help": kind.help,
            "params": {
                key: {
                    "type": param.kind.__name__,
                    "help": param.help,
                    "default": param.default,
                    "choices": list(param.choices),
                }
                for key, param in kind.params.items()
            },
        }
        for name, kind in FAULTS.items()
    ]
