"""What takes a fault away besides the hand that set it: a restart, a new plug, a remote hand, a renewed list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sandbox.faults import Faults


def cure(faults: Faults, by: Literal["cured_by_reset", "cured_by_replug"], number: int | None = None) -> None:
    """Takes away the faults that say they end this way, those of connector `number` only where one is given."""
    for name, params in faults.all().items():
        if params.get(by) and (number is None or params.get("connector") in {None, number}):
            faults.clear(name)


def put_into_service(faults: Faults, numbers: Sequence[int] | None) -> None:
    """A remote hand made these connectors (None: all) operative: `inoperative` ends where it is not locked."""
    fault = faults.get("inoperative")
    if fault is not None and not fault["locked"] and (numbers is None or fault.get("connector") in numbers):
        faults.clear("inoperative")


def list_renewed(faults: Faults, kind: Literal["list", "cache"]) -> None:
    """The local list was sent anew, or the cache cleared: a stale entry in it is gone."""
    fault = faults.get("stale_list")
    if fault is not None and fault["kept_in"] in {kind, "either"}:
        faults.clear("stale_list")
