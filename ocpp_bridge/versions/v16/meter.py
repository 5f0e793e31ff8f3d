"""Energy and power out of OCPP 1.6 MeterValues. Samples that cannot be read are passed over: chargers send odd ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ocpp_bridge.reports import Meter

ENERGY = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
_ENERGY_UNITS = {"Wh": 1.0, "kWh": 1000.0}
_POWER_UNITS = {"W": 1.0, "kW": 1000.0}


def read(meter_value: Any) -> Meter:
    """The last energy register and power in it; a power given by phase only is added up."""
    energy: float | None = None
    power: float | None = None
    for sampled in _groups(meter_value):
        group_energy, group_power = _group(sampled)
        energy = group_energy if group_energy is not None else energy
        power = group_power if group_power is not None else power
    return Meter(energy, power)


def last_energy(transaction_data: Any) -> float | None:
    return read(transaction_data).energy_wh


def _groups(meter_value: Any) -> Iterator[list[Any]]:
    if isinstance(meter_value, list):
        for entry in meter_value:
            if isinstance(entry, dict) and isinstance(entry.get("sampledValue"), list):
                yield entry["sampledValue"]


def _group(sampled: list[Any]) -> tuple[float | None, float | None]:
    energy: float | None = None
    power: float | None = None
    phases: list[float] = []
    for sample in sampled:
        if not isinstance(sample, dict):
            continue
        measurand = sample.get("measurand", ENERGY)  # section 7.44: the default measurand
        if measurand == ENERGY and sample.get("phase") is None:
            value = _value(sample, _ENERGY_UNITS, "Wh")
            energy = value if value is not None else energy
        elif measurand == POWER:
            value = _value(sample, _POWER_UNITS, "W")
            if value is not None and sample.get("phase") is not None:
                phases.append(value)
            elif value is not None:
                power = value
    if power is None and phases:
        power = sum(phases)
    return energy, power


def _value(sample: dict[str, Any], units: dict[str, float], default: str) -> float | None:
    unit = sample.get("unit", default)
    factor = units.get(unit) if isinstance(unit, str) else None
    if factor is None:
        return None
    try:
        value = float(sample["value"]) * factor
    except (KeyError, TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
