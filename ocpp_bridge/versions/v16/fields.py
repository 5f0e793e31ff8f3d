"""Reads optional fields of a 1.6 payload that may be missing or of a wrong type: then they are None."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

ID_STATUSES = frozenset({"Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"})


def text(payload: dict[str, Any], name: str) -> str | None:
    value = payload.get(name)
    return value[:255] if isinstance(value, str) and value else None


def number(payload: dict[str, Any], name: str) -> float | None:
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def time(payload: dict[str, Any], name: str) -> datetime | None:
    """A time without a zone is taken as UTC (OCPP 1.6 section 3.11 asks for it)."""
    value = payload.get(name)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso(moment: datetime) -> str:
    """Milliseconds and Z: what every charger's parser takes."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def id_status(status: str) -> str:
    """A token's status in 1.6's words; a reason that came with OCPP 2 (no credit, wrong place) is Blocked here."""
    if status in ID_STATUSES:
        return status
    return "Invalid" if status == "Unknown" else "Blocked"
