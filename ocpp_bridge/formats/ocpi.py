"""OCPI 2.2.1 Locations and Tariffs as an import document: one, a list of them, or either inside `data` as a response has it.

OCPI has EVSEs but no OCPP identity. A charger's id is its EVSEs' `uid`, less a last part `*<number>`, which is then the EVSE's
number on the charger: `CL-1042*1` and `CL-1042*2` are one charger with two EVSEs, `CL-7` is one with one.
"""

from __future__ import annotations

from typing import Any

from ocpp_bridge.formats import tariffs

PLUGS = {
    "IEC_62196_T1": "J1772",
    "IEC_62196_T1_COMBO": "CCS1",
    "IEC_62196_T2": "Type2",
    "IEC_62196_T2_COMBO": "CCS2",
    "CHADEMO": "CHAdeMO",
    "TESLA_R": "NACS",
    "TESLA_S": "NACS",
    "SAE_J3400": "NACS",
}
SITE_DETAILS = ("address", "city", "state", "postal_code", "country", "time_zone")


class NotOcpi(ValueError):
    """What is not as OCPI has it, and where."""


def is_ocpi(document: Any) -> bool:
    """Whether the document looks like locations or tariffs rather than like this project's own form."""
    rows = _rows(document)
    return bool(rows) and all(isinstance(row, dict) and ("coordinates" in row or tariffs.is_ocpi(row)) for row in rows)


def _rows(document: Any) -> list[Any]:
    if isinstance(document, dict) and "data" in document:
        document = document["data"]
    if isinstance(document, dict):
        return [document]
    return document if isinstance(document, list) else []


def to_document(document: Any) -> dict[str, Any]:
    """Raises NotOcpi where a thing that is needed is missing or of another kind; values are checked by `parse`."""
    sites, chargers, prices = [], [], []
    for number, location in enumerate(_rows(document)):
        if tariffs.is_ocpi(location):
            prices.append(tariffs.from_ocpi(location, f"tariffs[{number}]"))
            continue
        where = f"locations[{number}]"
        site = _site(_object(location, where), where)
        sites.append(site)
        chargers += _chargers(location, site["id"], where)
    return {"sites": sites, "chargers": chargers, "tariffs": prices}


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotOcpi(f"{where}: an object is expected")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise NotOcpi(f"{where}: a list is expected")
    return value


def _number(value: Any, where: str) -> float | None:
    """OCPI writes coordinates as text."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise NotOcpi(f"{where}: a number is expected") from None


def _site(location: dict[str, Any], where: str) -> dict[str, Any]:
    place = _object(location.get("coordinates"), f"{where}.coordinates")
    site = {
        "id": location.get("id"),
        "name": location.get("name") or location.get("address") or location.get("id"),
        "latitude": _number(place.get("latitude"), f"{where}.coordinates.latitude"),
        "longitude": _number(place.get("longitude"), f"{where}.coordinates.longitude"),
    }
    return site | {name: location[name] for name in SITE_DETAILS if isinstance(location.get(name), str)}


def _chargers(location: dict[str, Any], site: str, where: str) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(_list(location.get("evses"), f"{where}.evses")):
        here = f"{where}.evses[{number}]"
        evse = _object(row, here)
        if evse.get("status") == "REMOVED":
            continue
        uid = evse.get("uid")
        if not isinstance(uid, str) or not uid:
            raise NotOcpi(f"{here}.uid: text is expected")
        head, star, tail = uid.rpartition("*")
        own = head if star and tail.isascii() and tail.isdecimal() else uid
        charger = found.setdefault(own, {"id": own, "site": site, "label": _label(evse, own), "connectors": []})
        evse_number = int(tail) if own != uid else len({c["evse"] for c in charger["connectors"]}) + 1
        for count, connector in enumerate(_list(evse.get("connectors"), f"{here}.connectors")):
            _add(charger, evse_number, _object(connector, f"{here}.connectors[{count}]"), f"{here}.connectors[{count}]")
    return list(found.values())


def _label(evse: dict[str, Any], own: str) -> str:
    printed = evse.get("physical_reference")
    return printed if isinstance(printed, str) and printed else own


def _add(charger: dict[str, Any], evse: int, connector: dict[str, Any], where: str) -> None:
    standard = str(connector.get("standard") or "")
    prices = _list(connector.get("tariff_ids"), f"{where}.tariff_ids")
    if prices:
        charger.setdefault("tariff", prices[0])
    charger["connectors"].append(
        {
            "tariff": prices[0] if prices and prices[0] != charger["tariff"] else None,  # its own, where it differs
            "connector": len(charger["connectors"]) + 1,
            "evse": evse,
            "plug": PLUGS.get(standard, standard),
            "max_kw": _kilowatts(connector, where),
            "tethered": connector.get("format") == "CABLE",
        }
    )


def _kilowatts(connector: dict[str, Any], where: str) -> float | None:
    """`max_electric_power` in watts, else volts times amperes, over three phases where there are three."""
    power = _number(connector.get("max_electric_power"), f"{where}.max_electric_power")
    if power is not None:
        return power / 1000
    volts = _number(connector.get("max_voltage"), f"{where}.max_voltage")
    amperes = _number(connector.get("max_amperage"), f"{where}.max_amperage")
    if volts is None or amperes is None:
        return None
    phases = 3 if connector.get("power_type") == "AC_3_PHASE" else 1
    return round(volts * amperes * phases / 1000, 1)
