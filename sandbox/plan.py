"""The network as data, read and checked: `network.json` (what the bridge imports too), `simulator.json`, `cars.json`, `drivers.json`.

A mistake in a file is one clear sentence that names the file and the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from sandbox.car import Garage, UnknownCar
from sandbox.connector import ConnectorPlan
from sandbox.fault_table import BadFault, UnknownFault, read_params
from sandbox.protocols import PROTOCOLS

BUILT_IN = Path(__file__).parent / "network"


class BadNetwork(ValueError):
    """A file of the network cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Site:
    id: str
    name: str
    latitude: float
    longitude: float
    city: str


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What all chargers of a model have in common. Times in seconds of the clock. `after_power_loss`: whether a transaction
    goes on when the power is back, or has ended with reason PowerLoss, which is told then.
    """

    firmware: str = "1.0.0"
    protocol: str = "ocpp1.6"
    reboot_s: float = 20.0
    after_power_loss: Literal["ends", "resumes"] = "ends"
    quirks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChargerPlan:
    """`cars`: connector to the car that is in it at the start; `swiped`: connector to the token that charges there at the start."""

    id: str
    label: str
    site: Site
    vendor: str
    model_name: str
    model: ModelPlan
    connectors: tuple[ConnectorPlan, ...]
    password: str | None
    cars: Mapping[int, Any]
    swiped: Mapping[int, str]
    faults: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    seed: int
    garage: Garage
    chargers: tuple[ChargerPlan, ...]
    drivers: tuple[Mapping[str, Any], ...]
    tokens: tuple[Mapping[str, Any], ...]


def load(folder: Path = BUILT_IN) -> NetworkPlan:
    """Raises BadNetwork."""
    network, simulator = _read(folder / "network.json"), _read(folder / "simulator.json")
    cars, drivers = _read(folder / "cars.json"), _read(folder / "drivers.json")
    try:
        garage = Garage(cars)
        sites = {row["id"]: _site(row) for row in network["sites"]}
        models = {name: ModelPlan(**row) for name, row in simulator["models"].items()}
        own = simulator["chargers"]
        if strangers := set(own) - {row["id"] for row in network["chargers"]}:
            raise BadNetwork(f"simulator.json names chargers that network.json lacks: {', '.join(sorted(strangers))}")
        chargers = tuple(_charger(row, own.get(row["id"], {}), sites, models, garage) for row in network["chargers"])
        seed = int(simulator["seed"])
    except KeyError as error:
        raise BadNetwork(f"{folder}: {error} is missing or unknown") from None
    except (TypeError, AttributeError, UnknownCar, UnknownFault, BadFault) as error:
        raise BadNetwork(f"{folder}: {error}") from None
    return NetworkPlan(seed, garage, chargers, tuple(drivers), tuple(network.get("tokens", [])))


def _read(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise BadNetwork(f"{path}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise BadNetwork(f"{path} is not JSON: {error}") from None


def _site(row: Mapping[str, Any]) -> Site:
    return Site(row["id"], row["name"], float(row["latitude"]), float(row["longitude"]), row.get("city", ""))


def _charger(
    row: Mapping[str, Any],
    own: Mapping[str, Any],
    sites: Mapping[str, Site],
    models: Mapping[str, ModelPlan],
    garage: Garage,
) -> ChargerPlan:
    name = row["id"]
    model = models[row["model"]]
    if model.protocol not in PROTOCOLS:
        raise BadNetwork(f"charger {name}: protocol {model.protocol} is not one of {', '.join(PROTOCOLS)}")
    if model.after_power_loss not in {"ends", "resumes"}:
        raise BadNetwork(f"charger {name}: after_power_loss of its model must be ends or resumes")
    connectors = tuple(
        ConnectorPlan(each["connector"], each["evse"], each["plug"], float(each["max_kw"]), each["tethered"])
        for each in row["connectors"]
    )
    numbers = frozenset(each.number for each in connectors)
    cars = {int(number): car for number, car in own.get("cars", {}).items()}
    swiped = {int(number): token for number, token in own.get("swiped", {}).items()}
    if strangers := (set(cars) | set(swiped)) - numbers:
        raise BadNetwork(f"charger {name} has no connector {min(strangers)}")
    for car in cars.values():
        garage.car(car)
    faults = own.get("faults", {})
    for fault, params in [*model.quirks.items(), *faults.items()]:
        read_params(fault, params, numbers)
    return ChargerPlan(
        id=name,
        label=row["label"],
        site=sites[row["site"]],
        vendor=row["vendor"],
        model_name=row["model"],
        model=model,
        connectors=connectors,
        password=row.get("password"),
        cars=cars,
        swiped=swiped,
        faults=faults,
    )
