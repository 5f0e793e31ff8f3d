"""The driver's own charging sessions as the web page shows them live: read from the bridge while somebody looks.

Only reads, with the read key, and only sessions of the conversation's own driver. What is not known is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import structlog

log = structlog.get_logger(__name__)

RUNNING_POLL_S = 4.0
IDLE_POLL_S = 30.0
_SHOWN_AFTER_END = timedelta(minutes=15)
_MOST = 3  # cards of one driver; a fleet's account has more sessions than a screen
# A connector's status while a session of the driver's runs on it → what the card says.
_STATES = {
    "Charging": "charging",
    "SuspendedEV": "paused_by_car",
    "SuspendedEVSE": "paused_by_charger",
    "Finishing": "finishing",
    "Preparing": "starting",
}

Card = dict[str, Any]


class LiveSessions:
    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(4.0, connect=1.0),
            trust_env=False,
        )
        self._away = False

    async def close(self) -> None:
        await self._http.aclose()

    async def of(self, driver: str, now: datetime) -> list[Card] | None:
        """Cards of the running sessions and of one that has just ended; None while the bridge cannot be asked."""
        try:
            running = (await self._get("/v1/sessions", driver=driver, state="active", limit=str(_MOST)))["sessions"]
            ended = (await self._get("/v1/sessions", driver=driver, state="ended", limit="1"))["sessions"]
            rows = [*running, *(row for row in ended if _just(row.get("ended_at"), now))]
            cards = [
                card_of(row, await self._get(f"/v1/chargers/{quote(str(row['charger']), safe='')}"), now)
                for row in rows[:_MOST]
            ]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            if not self._away:
                log.warning("sessions_cannot_be_read", why=repr(error))
            self._away = True
            return None
        self._away = False
        return cards

    async def _get(self, path: str, **params: str) -> dict[str, Any]:
        answer = await self._http.get(path, params=params)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body


def card_of(session: Mapping[str, Any], charger: Mapping[str, Any], now: datetime) -> Card:
    """The card of a session. `energy_wh`, `power_w` as the meter last said; `cost` only where the tariff settles it."""
    ended = session["state"] == "ended"
    plug: Mapping[str, Any] = next(
        (one for one in charger["connectors"] if one["connector"] == session["connector"]), {}
    )
    length = _length_s(session, now)
    return {
        "id": session["id"],
        "charger": session["charger"],
        "label": charger["label"],
        "site": (charger.get("site") or {}).get("name"),
        "connector": session["connector"],
        "state": "ended" if ended else _STATES.get(plug.get("status") or "", "running"),
        "started_at": session.get("started_at"),
        "ended_at": session.get("ended_at"),
        "energy_wh": session.get("energy_wh"),
        "power_w": None if ended else session.get("power_w"),
        "max_kw": plug.get("max_kw"),
        "cost": cost_of(session.get("tariff") or charger.get("tariff"), session.get("energy_wh"), length),
        "at": session.get("last_meter_at"),
    }


def cost_of(tariff: Mapping[str, Any] | None, energy_wh: float | None, length_s: float | None) -> Card | None:
    """What the session comes to so far, before taxes and idle fees; None where the tariff does not say enough."""
    if not tariff or energy_wh is None:
        return None
    prices = {name: tariff.get(name) or 0 for name in ("price_per_kwh", "price_per_minute", "session_fee")}
    if not all(isinstance(price, int | float) for price in prices.values()) or not any(prices.values()):
        return None
    if prices["price_per_minute"] and length_s is None:
        return None
    amount = (
        prices["session_fee"]
        + prices["price_per_kwh"] * energy_wh / 1000
        + prices["price_per_minute"] * (length_s or 0) / 60
    )
    return {"amount_cents": round(amount * 100), "currency": str(tariff.get("currency") or "")}


def _length_s(session: Mapping[str, Any], now: datetime) -> float | None:
    begun, over = _moment(session.get("started_at")), _moment(session.get("ended_at"))
    return None if begun is None else max(0.0, ((over or now) - begun).total_seconds())


def _just(ended_at: object, now: datetime) -> bool:
    over = _moment(ended_at)
    return over is not None and now - over < _SHOWN_AFTER_END


def _moment(given: object) -> datetime | None:
    return datetime.fromisoformat(given) if isinstance(given, str) else None
