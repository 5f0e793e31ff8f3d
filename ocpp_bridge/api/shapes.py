"""Records as the API shows them (docs/contracts.md): every status with its age and source, never a whole id token."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from ocpp_bridge.model import Charger, Command, Connector, Deviation, Hold, Session, Site, Tariff, Token
from ocpp_bridge.picture import LiveCharger, Picture
from ocpp_bridge.versions.places import place_of


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round(max(0.0, (now - moment).total_seconds()), 1)


def last4(token: str) -> str:
    """Short tokens show fewer, so that what is shown is never the token."""
    return token[-min(4, len(token) // 2) :] if len(token) > 1 else ""


def charger_json(charger: Charger, picture: Picture, now: datetime) -> dict[str, Any]:
    live = picture.live(charger.id)
    site = picture.site(charger.site)
    boot = live.boot
    whole = live.statuses.get(0)
    last_frame = live.link.last_frame_at if live.link else live.last_frame_at
    return {
        "id": charger.id,
        "label": charger.label,
        "site": site_json(site) if site else None,
        "tariff": _tariff_json(picture.tariff(charger.tariff)),
        "vendor": (boot.vendor if boot else None) or charger.vendor,
        "model": (boot.model if boot else None) or charger.model,
        "firmware": boot.firmware if boot else None,
        "protocol": live.link.protocol if live.link else (boot.protocol if boot else None),
        "latitude": site.latitude if site else None,
        "longitude": site.longitude if site else None,
        "connection": {
            "state": live.connection_state(now),
            "since": live.connection_since,
            "last_frame_at": last_frame,
            "last_frame_age_s": _age(last_frame, now),
        },
        "boot": {"status": boot.status, "at": boot.at} if boot else None,
        "status": whole.status if whole else None,
        "error_code": whole.error_code if whole else None,
        "connectors": [connector_json(row, live, picture, now) for row in connectors_of(charger, live)],
    }


_ADDRESS = frozenset({"address", "city", "postal_code", "opening_hours", "time_zone"})


def site_json(site: Site) -> dict[str, Any]:
    """With its address and hours where the operator gave them."""
    shown: dict[str, Any] = {name: value for name, value in site.details.items() if name in _ADDRESS}
    return {"id": site.id, "name": site.name, **shown}


def _tariff_json(tariff: Tariff | None) -> dict[str, Any] | None:
    if tariff is None:
        return None
    shown = {field.name: getattr(tariff, field.name) for field in fields(tariff) if field.name != "details"}
    return {**tariff.details, **shown}


def connectors_of(charger: Charger, live: LiveCharger) -> list[Connector]:
    """What the operator provided, then what the charger reports beyond it."""
    given = {row.connector for row in charger.connectors}
    extra = sorted(number for number in live.statuses if number > 0 and number not in given)
    return [*charger.connectors, *(Connector(number, place_of(charger, number)[0]) for number in extra)]


def connector_json(row: Connector, live: LiveCharger, picture: Picture, now: datetime) -> dict[str, Any]:
    status = live.statuses.get(row.connector)
    sessions = live.sessions_on(row.connector)
    return {
        "connector": row.connector,
        "evse": row.evse,
        "plug": row.plug or None,
        "max_kw": row.max_kw,
        "tethered": row.tethered,
        "status": status.status if status else None,
        "error_code": status.error_code if status else None,
        "status_at": status.at if status else None,
        "status_age_s": _age(status.at, now) if status else None,
        "status_source": status.source if status else None,
        "tariff": _tariff_json(picture.tariff_on(live.id, row.connector)),
        "session": session_json(sessions[-1], picture) if sessions else None,
        "held": hold_json(live.hold_on(row.connector)),
    }


def hold_json(hold: Hold | None) -> dict[str, Any] | None:
    """Why the connector is out of service on purpose; who said so stays with the command."""
    return {"reason": hold.reason, "at": hold.at, "command": hold.command} if hold else None


def session_json(session: Session, picture: Picture) -> dict[str, Any]:
    """With the tariff that counts on its connector now."""
    return {
        "id": session.id,
        "charger": session.charger,
        "connector": session.connector,
        "token_last4": last4(session.token),
        "driver": session.driver,
        "transaction": session.transaction,
        "state": session.state,
        "authorization": session.authorization,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "stop_reason": session.stop_reason,
        "energy_wh": session.energy_wh,
        "power_w": session.power_w,
        "last_meter_at": session.last_meter_at,
        "meter_start_wh": session.meter_start_wh,
        "meter_stop_wh": session.meter_stop_wh,
        "tariff": _tariff_json(picture.tariff_on(session.charger, session.connector)),
    }


def deviation_json(deviation: Deviation) -> dict[str, Any]:
    return {
        "kind": deviation.kind,
        "action": deviation.action or None,
        "detail": deviation.detail,
        "count": deviation.count,
        "last_at": deviation.at,
        "model": deviation.model,
        "firmware": deviation.firmware,
    }


def token_json(token: Token, now: datetime) -> dict[str, Any]:
    return {
        "id": token.id,
        "last4": last4(token.id),
        "driver": token.driver,
        "status": token.status_at(now),
        "expires_at": token.expires_at,
        "guest": token.guest,
    }


def command_json(command: Command) -> dict[str, Any]:
    actor = command.actor
    return {
        "id": command.id,
        "action": command.action,
        "charger": command.charger,
        "connector": command.connector,
        "state": command.state,
        "outcome": command.outcome,
        "finished": command.finished,
        "answer": command.answer,
        "detail": command.detail,
        "refused": command.refused,
        "session": command.session,
        "effect": command.effect,
        "created_at": command.created_at,
        "sent_at": command.sent_at,
        "answered_at": command.answered_at,
        "finished_at": command.finished_at,
        "reason": command.reason,
        "actor": {"driver": actor.driver, "tier": actor.tier, "conversation": actor.conversation},
        "idempotency_key": command.idempotency_key,
    }


def command_event_json(command: Command) -> dict[str, Any]:
    """What the event log says of a finished command: nothing of who asked for it."""
    shown = command_json(command)
    names = ("id", "action", "connector", "state", "outcome", "answer", "refused", "session", "finished_at")
    return {"command": {name: shown[name] for name in names}}
