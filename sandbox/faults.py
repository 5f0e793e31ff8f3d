"""The faults that one charger has now, out of `fault_table`. Who misbehaves asks here; who wants to know of changes listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.fault_table import BadFault, UnknownFault, kind_of, read_params

__all__ = ["BadFault", "Faults", "UnknownFault", "read_params"]


class Faults:
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

    def recall(self, active: Mapping[str, Mapping[str, Any]]) -> None:
        """These faults and no others, as they were before a power cut: nothing happens by it, so nobody is told."""
        self._active = {name: read_params(name, params) for name, params in active.items()}

    def clear(self, name: str) -> bool:
        """True where the fault was there. Raises UnknownFault."""
        kind_of(name)
        there = self._active.pop(name, None) is not None
        if there:
            self._tell(name)
        return there

    def get(self, name: str, connector: int | None = None) -> Mapping[str, Any] | None:
        """The fault's parameters where it is there and (with `connector`) holds for that connector."""
        kind_of(name)
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
