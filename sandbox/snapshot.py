"""A charger as the API shows it and as the event log keeps it. Tokens are shortened: the page may be on a shared screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.car import Car

if TYPE_CHECKING:
    from sandbox.charger import Charger


def snapshot(charger: Charger) -> dict[str, Any]:
    charger.station.advance()
    plan, whole = charger.plan, charger.station.shown(0)
    return {
        "id": plan.id,
        "label": plan.label,
        "site": {"id": plan.site.id, "name": plan.site.name, "city": plan.site.city},
        "vendor": plan.vendor,
        "model": plan.model_name,
        "protocol": charger.protocol.name,
        "connected": charger.link.connected,
        "version_refused": charger.link.version_refused,
        "booted": charger.protocol.booted,
        "boot_status": charger.protocol.boot_status,
        "restarting": charger.restarting,
        "untold_messages": len(charger.outbox),
        "status": whole.status,
        "error_code": None if whole.error_code == "NoError" else whole.error_code,
        "faults": charger.faults.all(),
        "connectors": [_connector(charger, number) for number in charger.station.connectors],
    }


def essence(shown: dict[str, Any]) -> dict[str, Any]:
    """What makes a snapshot a new state: all but what merely runs on (energy, power, charge, what is yet to be told)."""
    dull = {"untold_messages", "connectors"}
    kept = {key: value for key, value in shown.items() if key not in dull}
    return kept | {"connectors": [_connector_essence(row) for row in shown["connectors"]]}


def _connector_essence(row: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in row.items() if key not in {"meter_wh", "power_w", "car", "transaction"}}
    run = row["transaction"]
    return kept | {
        "car": row["car"] and row["car"]["kind"],
        "transaction": run and (run["number"], run["started_at"]),
        "draws": row["power_w"] > 0,
    }


def _connector(charger: Charger, number: int) -> dict[str, Any]:
    station = charger.station
    connector, shown = station.connectors[number], station.shown(number)
    transaction, last = connector.transaction, connector.last_session
    return {
        "connector": number,
        "evse": connector.plan.evse,
        "plug": connector.plan.plug,
        "max_kw": connector.plan.max_kw,
        "tethered": connector.plan.tethered,
        "status": shown.status,
        "error_code": None if shown.error_code == "NoError" else shown.error_code,
        "meter_wh": int(connector.meter_wh),
        "power_w": round(station.power_w(number)),
        "authorised_token_last4": connector.authorisation.token[-4:] if connector.authorisation else None,
        "reserved": connector.reservation is not None,
        "held": station.held(number) is not None,
        "car": _car(connector.car),
        "transaction": None
        if transaction is None
        else {
            "number": transaction.number,
            "token_last4": transaction.token[-4:],
            "started_at": transaction.started_at.isoformat(),
            "energy_wh": int(connector.meter_wh) - transaction.meter_start_wh,
        },
        "last_session": None
        if last is None
        else {
            "token_last4": last.token_last4,
            "stop_reason": last.stop_reason,
            "energy_wh": last.energy_wh,
            "ended_at": last.ended_at.isoformat(),
        },
    }


def _car(car: Car | None) -> dict[str, Any] | None:
    if car is None:
        return None
    return {
        "kind": car.kind.name,
        "soc": round(car.soc, 1),
        "limit_soc": car.limit_soc,
        "willing": car.willing,
        "full": car.full,
    }
