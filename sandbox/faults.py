"""What can be wrong with a simulated charger: one table of named faults with their parameters, and the set that a charger has now.

A fault is only data here; the part that misbehaves (link, station, protocol) asks for it by name at the moment it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ocpp.v16.enums import ChargePointErrorCode

ERROR_CODES = tuple(code.value for code in ChargePointErrorCode if code.value != "NoError")


class UnknownFault(LookupError):
    """No fault has this name."""


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
        if self.kind is str and len(value) > 50:
            raise BadFault(f"{name} may have at most 50 characters.")
        return value


@dataclass(frozen=True, slots=True)
class FaultKind:
    help: str
    params: Mapping[str, Param] = field(default_factory=dict)


_CONNECTOR = Param(int, "Only this connector; left out: all of them.")

FAULTS: Mapping[str, FaultKind] = {
    "start_rejected": FaultKind("Answers every remote start with Rejected.", {"connector": _CONNECTOR}),
    "accepted_then_nothing": FaultKind("Accepts a remote start, then does nothing at all.", {"connector": _CONNECTOR}),
    "start_timeout": FaultKind(
        "Accepts a start and waits for a plug that it never sees, until its connection time-out ends.",
        {"connector": _CONNECTOR},
    ),
    "stop_ignored": FaultKind("Accepts a remote stop and goes on charging.", {"connector": _CONNECTOR}),
    "offline": FaultKind(
        "Its socket is dropped and not opened again.",
        {"seconds": Param(float, "How long; left out: until the fault is taken away.")},
    ),
    "silent": FaultKind("Its socket stays open, but it sends nothing and answers nothing."),
    "slow_answers": FaultKind(
        "Answers every call late.", {"seconds": Param(float, "How late, in seconds.", default=20.0)}
    ),
    "faulted": FaultKind(
        "A connector, or the whole charger, reports Faulted; a running transaction ends.",
        {
            "connector": _CONNECTOR,
            "error_code": Param(str, "OCPP 1.6 error code.", default="InternalError", choices=ERROR_CODES),
            "cured_by_reset": Param(bool, "Whether a reset takes the fault away.", default=False),
        },
    ),
    "car_refuses": FaultKind("The car takes no energy: SuspendedEV.", {"connector": _CONNECTOR}),
    "meter_stuck": FaultKind("Charges, but the energy register does not rise.", {"connector": _CONNECTOR}),
    "stuck_finishing": FaultKind(
        "Is stuck in Finishing, also when the cable is gone.",
        {
            "connector": _CONNECTOR,
            "cured_by_reset": Param(bool, "Whether a reset takes the fault away.", default=True),
        },
    ),
    "unlock": FaultKind(
        "How UnlockConnector is answered, and whether the cable is then free.",
        {
            "connector": _CONNECTOR,
            "result": Param(
                str, "The answer.", default="UnlockFailed", choices=("Unlocked", "UnlockFailed", "NotSupported")
            ),
            "held": Param(bool, "true: the cable cannot be pulled out, whatever the answer was.", default=False),
        },
    ),
    "reset_rejected": FaultKind("Answers Reset with Rejected."),
    "reset_ignored": FaultKind("Accepts Reset and does not restart."),
    "reboot_never_returns": FaultKind("Restarts on Reset and never comes back."),
    "reader_failure": FaultKind("The card reader reads nothing; ReaderFailure is reported for connector 0."),
}


class Faults:
    """The faults that one charger has now."""

    def __init__(self) -> None:
        self._active: dict[str, dict[str, Any]] = {}
        self._listeners: list[Callable[[str], None]] = []

    def on_change(self, listener: Callable[[str], None]) -> None:
        """`listener(name)` is called after a fault came, changed or went."""
        self._listeners.append(listener)

    def set(self, name: str, params: Mapping[str, Any], connectors: frozenset[int] = frozenset()) -> None:
        """Raises UnknownFault or BadFault. A fault that is there already gets the new parameters."""
        self._active[name] = read_params(name, params, connectors)
        self._tell(name)

    def clear(self, name: str) -> bool:
        """True where the fault was there. Raises UnknownFault."""
        _kind(name)
        there = self._active.pop(name, None) is not None
        if there:
            self._tell(name)
        return there

    def get(self, name: str, connector: int | None = None) -> Mapping[str, Any] | None:
        """The fault's parameters where it is there and (with `connector`) holds for that connector."""
        _kind(name)
        params = self._active.get(name)
        if params is None:
            return None
        only = params.get("connector")
        return params if connector is None or only is None or only == connector else None

    def has(self, name: str, connector: int | None = None) -> bool:
        return self.get(name, connector) is not None

    def all(self) -> dict[str, dict[str, Any]]:
        return {name: dict(params) for name, params in self._active.items()}

    def _tell(self, name: str) -> None:
        for listener in self._listeners:
            listener(name)


def read_params(name: str, params: Mapping[str, Any], connectors: frozenset[int] = frozenset()) -> dict[str, Any]:
    """The parameters with their defaults filled in. `connectors` (where given) are the numbers that exist. Raises."""
    kind = _kind(name)
    if unknown := set(params) - set(kind.params):
        known = ", ".join(kind.params) or "no parameters"
        raise BadFault(f"{name} has no parameter {', '.join(sorted(unknown))}; it has: {known}.")
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


def _kind(name: str) -> FaultKind:
    try:
        return FAULTS[name]
    except KeyError:
        raise UnknownFault(f"There is no fault {name!r}; there are: {', '.join(FAULTS)}.") from None


def table() -> list[dict[str, Any]]:
    """The table for the API and the page."""
    return [
        {
            "name": name,
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
