"""Chargers of the bridge as the ranking sees them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from actions.bridge import Charger, Connector
from actions.places.hours import is_open
from actions.places.ranking import Candidate, Stall


def candidate(charger: Charger, now: datetime, open_cases: Mapping[str, int] | None = None) -> Candidate | None:
    """None for a charger whose place nobody knows. `open_cases`: by charger."""
    if charger.latitude is None or charger.longitude is None:
        return None
    refused = charger.boot not in (None, "Accepted")
    return Candidate(
        id=charger.id,
        label=charger.label,
        site=charger.site,
        latitude=charger.latitude,
        longitude=charger.longitude,
        connected=charger.connected,
        stalls=tuple(_stall(one, now) for one in charger.connectors),
        broken=refused or charger.status in ("Faulted", "Unavailable"),
        heard_s=charger.last_frame_age_s,
        delivered_s=None if charger.delivered_at is None else max(0.0, (now - charger.delivered_at).total_seconds()),
        failures=charger.failures,
        open_cases=(open_cases or {}).get(charger.id, 0),
        price_per_kwh=charger.tariff.price_per_kwh if charger.tariff else None,
        is_open=is_open(charger.opening_hours, charger.time_zone, now),
    )


def _stall(one: Connector, now: datetime) -> Stall:
    running = one.session
    since = None if running is None else running.started_at or now
    return Stall(
        one.connector,
        one.plug,
        one.max_kw,
        None if one.held else one.status,
        None if since is None else max(0.0, (now - since).total_seconds()),
    )
