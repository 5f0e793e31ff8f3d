"""The bridge's JSON as the port's types. Raises BridgeAnswerInvalid for what docs/contracts.md does not allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from actions.bridge import (
    Authorization,
    BridgeAnswerInvalid,
    Charger,
    Command,
    Connector,
    Diagnosis,
    Session,
    Tariff,
    Token,
)
from actions.places.resolve import Site


def rows(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = body.get(name)
    if not isinstance(found, list):
        raise BridgeAnswerInvalid(f"no list of {name}")
    return found


def charger(row: Mapping[str, Any]) -> Charger:
    try:
        connection = row["connection"]
        since = connection.get("since")
        return Charger(
            id=row["id"],
            label=row.get("label") or row["id"],
            site=(row.get("site") or {}).get("name") or "",
            connected=connection["state"] == "connected",
            since=datetime.fromisoformat(since) if since else None,
            boot=(row.get("boot") or {}).get("status"),
            status=row.get("status"),
            error_code=row.get("error_code"),
            connectors=tuple(connector(one) for one in row["connectors"]),
            returning=connection["state"] == "returning",
            latitude=row.get("latitude"),
            longitude=row.get("longitude"),
            tariff=tariff(row.get("tariff")),
            last_frame_age_s=connection.get("last_frame_age_s"),
            opening_hours=(row.get("site") or {}).get("opening_hours"),
            time_zone=(row.get("site") or {}).get("time_zone"),
            delivered_at=_moment((row.get("lately") or {}).get("delivered_at")),
            failures=int((row.get("lately") or {}).get("failures") or 0),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BridgeAnswerInvalid(f"a charger that is none: {error!r}") from error


def tariff(row: Mapping[str, Any] | None) -> Tariff | None:
    if not row or not row.get("currency"):
        return None
    included = row.get("tax_included")
    return Tariff(
        currency=str(row["currency"]),
        price_per_kwh=row.get("price_per_kwh"),
        price_per_minute=row.get("price_per_minute"),
        session_fee=row.get("session_fee"),
        tax_included=included if isinstance(included, bool) else None,
    )


def site(row: Mapping[str, Any]) -> Site | None:
    """None for a site without coordinates."""
    if row.get("latitude") is None or row.get("longitude") is None:
        return None
    try:
        address, city, code = (str(row.get(name) or "") for name in ("address", "city", "postal_code"))
        place = float(row["latitude"]), float(row["longitude"])
        return Site(str(row["id"]), str(row.get("name") or ""), *place, address, city, code)
    except (KeyError, TypeError, ValueError) as error:
        raise BridgeAnswerInvalid(f"a site that is none: {error!r}") from error


def _waits(row: Mapping[str, Any]) -> bool:
    """A transaction that nobody has authorised and that delivers nothing: on OCPP 2 some chargers begin one as the plug goes
    in. To a driver that is a plug that waits, and no session of anybody's.
    """
    return not row.get("token_last4") and not row.get("driver") and not row.get("power_w") and not row.get("energy_wh")


def connector(row: Mapping[str, Any]) -> Connector:
    running = row.get("session")
    if running is not None and row.get("status") == "Preparing" and _waits(running):
        running = None
    return Connector(
        connector=int(row["connector"]),
        plug=row.get("plug"),
        status=row.get("status"),
        error_code=row.get("error_code"),
        session=None if running is None else session(running),
        status_age_s=row.get("status_age_s"),
        max_kw=row.get("max_kw"),
        tethered=row.get("tethered"),
        tariff=tariff(row.get("tariff")),
        held=row.get("held") is not None,
    )


def session(row: Mapping[str, Any]) -> Session:
    try:
        return Session(
            id=row["id"],
            charger=row["charger"],
            driver=row.get("driver"),
            state=row.get("state", "active"),
            energy_wh=row.get("energy_wh"),
            power_w=row.get("power_w"),
            connector=row.get("connector"),
            started_at=_moment(row.get("started_at")),
            ended_at=_moment(row.get("ended_at")),
            stop_reason=row.get("stop_reason"),
            last_meter_at=_moment(row.get("last_meter_at")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BridgeAnswerInvalid(f"a session that is none: {error!r}") from error


def token(row: Mapping[str, Any]) -> Token:
    try:
        return Token(row["id"], str(row.get("last4", "")), str(row["status"]), bool(row.get("guest", False)))
    except (KeyError, TypeError) as error:
        raise BridgeAnswerInvalid(f"a token that is none: {error!r}") from error


def command(row: Mapping[str, Any]) -> Command:
    try:
        effect = row.get("effect") or {}
        return Command(
            id=row["id"],
            action=row["action"],
            charger=row["charger"],
            connector=row.get("connector"),
            state=row["state"],
            outcome=row.get("outcome"),
            finished=bool(row["finished"]),
            refused_rule=(row.get("refused") or {}).get("rule"),
            session=row.get("session"),
            effect_status=effect.get("status"),
            energy_wh=effect.get("energy_wh"),
            idempotency_key=row.get("idempotency_key") or "",
            reason=row.get("reason"),
            actor=row.get("actor") or {},
            answer=row.get("answer"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BridgeAnswerInvalid(f"a command that is none: {error!r}") from error


def authorization(row: Mapping[str, Any]) -> Authorization:
    try:
        return Authorization(
            charger=row["charger"],
            connector=row.get("connector"),
            own=bool(row["own"]),
            last4=str(row.get("token_last4") or ""),
            answer=str(row["answer"]),
            age_s=float(row.get("age_s") or 0),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BridgeAnswerInvalid(f"an authorization that is none: {error!r}") from error


def diagnosis(row: Mapping[str, Any]) -> Diagnosis:
    """The charger inside a diagnosis lies flat in it."""
    try:
        site = row.get("site") or {}
        seen = charger({**row, "id": row["charger"], "connection": row["connectivity"]})
        running = row.get("session")
        plug = seen.connector(row.get("connector"))
        if running is not None and plug is not None and plug.session is None and _waits(running):
            running = None
        return Diagnosis(
            charger=seen,
            connector=row.get("connector"),
            session=None if running is None else session(running),
            session_own=bool((running or {}).get("own")),
            own_sessions_elsewhere=tuple(session(one) for one in row["own_sessions_elsewhere"]),
            authorizations=tuple(authorization(one) for one in row["authorizations"]),
            hold=(row.get("hold") or {}).get("reason"),
            site_gone=tuple(str(one) for one in site.get("gone") or ()),
            site_free=tuple(str(one) for one in site.get("free") or ()),
            causes=tuple(str(one["cause"]) for one in row["causes"]),
            own_start=_own_start(row.get("commands") or (), row.get("connector")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BridgeAnswerInvalid(f"a diagnosis that is none: {error!r}") from error


def _own_start(commands: Iterable[Mapping[str, Any]], connector: int | None) -> str | None:
    """Times are ISO 8601 in UTC, so the greatest is the newest."""
    starts = [
        (str(one.get("created_at") or ""), str(one["id"]))
        for one in commands
        if one.get("action") == "start"
        and one.get("own")
        and one.get("connector") == connector
        and one.get("state") != "refused"
    ]
    return max(starts)[1] if starts else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
