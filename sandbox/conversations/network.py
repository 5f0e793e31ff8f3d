"""The network that the scenarios ask for, in the sandbox's and the bridge's file format: every scenario has sites of its own.

So scenarios run side by side and none sees another's chargers. Ids, phones and tokens follow from the scenarios' order.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from sandbox.conversations.history import Book, Token
from sandbox.conversations.scenario import Charger, Driver, Scenario
from sandbox.plan import BUILT_IN

UNKNOWN_CARD = "TOK-NOBODY-9999"
# Where a scenario has a price: CA$0.30 a kWh.
TARIFF: Mapping[str, Any] = {
    "id": "scenario",
    "name": "Scenario",
    "currency": "CAD",
    "per_kwh": 0.3,
    "per_hour": 0,
    "session_fee": 0,
    "idle_per_minute": 0,
    "idle_grace_s": 0,
    "tax_included": True,
}
_KW = {"J1772": 7.2, "CCS": 150.0, "NACS": 150.0, "CHAdeMO": 50.0}
_AREAS = ("613", "416", "514", "716", "802", "206", "503", "213", "512", "617")
_NAMES = ("Mill Street Garage", "Harbour Lot", "Station Yard", "Orchard Plaza", "Foundry Deck", "Lakeview Mall")
_VENDORS = {"Kerb": "Northgate", "Lode": "Amberline", "Post": "Amberline", "Torrent": "Halcyon Power"}


class TooManyDrivers(ValueError):
    """There are more known drivers than fictitious phone numbers."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a scenario's driver is to the product. `phone` E.164; `id` and `token` None: a guest."""

    phone: str
    id: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """All drivers of all scenarios by (scenario id, name), and each scenario's book."""

    identities: Mapping[tuple[str, str], Identity]
    books: Mapping[str, Book]


def phone(number: int) -> str:
    """Numbers of the 555-01xx range are fictitious by the numbering plan. Raises TooManyDrivers."""
    area, rest = divmod(number, 100)
    if area >= len(_AREAS):
        raise TooManyDrivers(f"{number + 1} drivers, and only {len(_AREAS) * 100} phone numbers")
    return f"+1{_AREAS[area]}55501{rest:02d}"


def cast(scenarios: Sequence[Scenario]) -> Cast:
    identities: dict[tuple[str, str], Identity] = {}
    tokens: dict[str, list[Token]] = {each.id: [] for each in scenarios}
    for scenario in scenarios:
        for driver in scenario.drivers.values():
            number = len(identities)
            has_token = driver.known and driver.token != "none"  # noqa: S105 - the word for no token
            token = f"TOK-SCN-{number:04d}" if has_token else None
            identities[scenario.id, driver.name] = Identity(
                phone(number), f"drv-{number:04d}" if driver.known else None, token
            )
            if token is not None:
                tokens[scenario.id].append(Token(token, driver.name, driver.token))
    # Nobody may be told any driver's token or phone, of whichever scenario.
    secrets = tuple(s for each in identities.values() for s in (each.token, each.phone if each.id else None) if s)
    return Cast(identities, {name: Book(tuple(rows), secrets) for name, rows in tokens.items()})


def write(scenarios: Sequence[Scenario], people: Cast, folder: Path) -> None:
    """Writes the four files of a network. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / "network.json", _network(scenarios, people))
    built_in = orjson.loads((BUILT_IN / "simulator.json").read_bytes())
    _save(folder / "simulator.json", {"seed": built_in["seed"], "models": built_in["models"], "chargers": {}})
    shutil.copyfile(BUILT_IN / "cars.json", folder / "cars.json")
    _save(folder / "drivers.json", [row for each in scenarios for row in _drivers(each, people)])


def _network(scenarios: Sequence[Scenario], people: Cast) -> dict[str, Any]:
    sites: dict[str, dict[str, Any]] = {}
    chargers: list[dict[str, Any]] = []
    for index, scenario in enumerate(scenarios):
        for charger in scenario.chargers.values():
            site = f"site-{scenario.id.replace('/', '-')}-{charger.site}"
            if site not in sites:
                near = sum(name.startswith(f"site-{scenario.id.replace('/', '-')}-") for name in sites)
                sites[site] = _site(site, index, near)
            chargers.append(_charger(charger, site))
    tokens = [
        {
            "id": token.id,
            "driver": people.identities[scenario.id, token.driver].id,
            "status": token.status,
            **({"expires_at": "2026-01-31T00:00:00Z"} if token.status == "Expired" else {}),
        }
        for scenario in scenarios
        for token in people.books[scenario.id].tokens
    ]
    return {"sites": list(sites.values()), "chargers": chargers, "tokens": tokens, "tariffs": [TARIFF]}


def _site(name: str, index: int, near: int) -> dict[str, Any]:
    """Scenarios lie two degrees apart, the sites of one scenario about a kilometre."""
    return {
        "id": name,
        "name": f"{_NAMES[(index + near) % len(_NAMES)]} {index + 1}",
        "latitude": 30.0 + 2 * (index % 9) + 0.01 * near,
        "longitude": -120.0 + 2 * (index // 9),
        "city": "Springfield",
    }


def _charger(charger: Charger, site: str) -> dict[str, Any]:
    return {
        "id": charger.id,
        "label": charger.label,
        "site": site,
        "vendor": _VENDORS[charger.model.split()[0]],
        "model": charger.model,
        **({"tariff": TARIFF["id"]} if charger.priced else {}),
        "connectors": [
            {"connector": n, "evse": n, "plug": plug, "max_kw": _KW[plug], "tethered": charger.tethered}
            for n, plug in enumerate(charger.plugs, 1)
        ],
    }


def _drivers(scenario: Scenario, people: Cast) -> list[dict[str, Any]]:
    return [
        _driver(each, people.identities[scenario.id, each.name]) for each in scenario.drivers.values() if each.known
    ]


def _driver(driver: Driver, identity: Identity) -> dict[str, Any]:
    return {
        "driver_id": identity.id,
        "phone": identity.phone,
        "name": driver.name.title(),
        "language": driver.language,
    }


def _save(path: Path, value: Any) -> None:
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2))
