"""Energy and power out of OCPP 2 meter values. Samples that cannot be read are passed over: chargers send odd ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypedDict

ENERGY = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
LONGEST_ID = 36
_UNITS = {ENERGY: {"Wh": 1.0, "kWh": 1000.0}, POWER: {"W": 1.0, "kW": 1000.0}}
_DEFAULT = {ENERGY: "Wh", POWER: "W"}
MULTIPLIERS = range(-9, 10)


@dataclass(frozen=True, slots=True)
class Reading:
    """`begin_wh` is the reading of the transaction's start, if one is among them."""

    begin_wh: float | None = None
    energy_wh: float | None = None
    power_w: float | None = None


class Measured(TypedDict):
    begin_wh: float | None
    energy_wh: float | None
    power_w: float | None


def of_transaction(meter_value: Any) -> Measured:
    found = read(meter_value)
    return {"begin_wh": found.begin_wh, "energy_wh": found.energy_wh, "power_w": found.power_w}


def read(meter_value: Any) -> Reading:
    """The last energy register and power in it; a power given by phase only is added up."""
    begin: float | None = None
    energy: float | None = None
    power: float | None = None
    for entry in meter_value if isinstance(meter_value, list) else ():
        sampled = entry.get("sampledValue") if isinstance(entry, dict) else None
        phases: list[float] = []
        whole: float | None = None
        for sample in sampled if isinstance(sampled, list) else ():
            if not isinstance(sample, dict):
                continue
            measurand = sample.get("measurand", ENERGY)  # the default one (Part 2, SampledValueType)
            if measurand != ENERGY and measurand != POWER:  # most are neither
                continue
            value = _value(sample, measurand)
            if value is None:
                continue
            if measurand == POWER and sample.get("phase") is not None:
                phases.append(value)
            elif measurand == POWER:
                whole = value
            elif sample.get("phase") is None:
                energy = value
                if sample.get("context") == "Transaction.Begin":
                    begin = value
        if whole is not None or phases:
            power = whole if whole is not None else sum(phases)
    return Reading(begin, energy, power)


def _value(sample: dict[str, Any], measurand: str) -> float | None:
    """In Wh or W."""
    given = sample.get("unitOfMeasure")
    unit = given if isinstance(given, dict) else {}
    name = unit.get("unit", _DEFAULT[measurand])
    factor = _UNITS[measurand].get(name) if isinstance(name, str) else None
    multiplier, value = unit.get("multiplier", 0), sample.get("value")
    if factor is None or type(multiplier) is not int or multiplier not in MULTIPLIERS:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) * factor * 10.0**multiplier
