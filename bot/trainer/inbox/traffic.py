"""Reads from the front door what drivers wrote of late. Nothing of it is kept: what is gone there is gone here a few seconds later."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from bot.trainer.inbox.signals import Line
from chargeline.settings import Settings

MOST_LINES = 20_000
FRESH_S = 4.0  # how long one reading serves


class TrafficAway(Exception):
    """The front door does not tell; the message says why."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """`about`: channel, language and whether a person has it, by conversation; `lines`: oldest first, by conversation."""

    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, list[Line]] = field(default_factory=dict)


class TrafficReader:
    def __init__(self, settings: Settings, monotonic: Any) -> None:
        self._days = settings.desk_days
        self._monotonic = monotonic
        self._http = httpx.AsyncClient(
            base_url=settings.url_of("bot"),
            headers={"Authorization": f"Bearer {settings.traffic_key}"},
            timeout=httpx.Timeout(20, connect=3),
            trust_env=False,
        )
        self._read: Traffic | None = None
        self._read_at = 0.0

    async def close(self) -> None:
        await self._http.aclose()

    async def recent(self) -> Traffic:
        """Raises TrafficAway."""
        if self._read is not None and self._monotonic() - self._read_at < FRESH_S:
            return self._read
        self._read = None
        about: dict[str, dict[str, Any]] = {}
        lines: list[dict[str, Any]] = []
        before: str | None = None
        while len(lines) < MOST_LINES:
            page = await self._page(before)
            about |= page["conversations"]
            lines += page["lines"]
            before = page["next"]
            if before is None:
                break
        by_conversation: defaultdict[str, list[Line]] = defaultdict(list)
        for raw in lines:
            by_conversation[raw["conversation"]].append(_line(raw))
        for each in by_conversation.values():
            each.sort(key=lambda line: line.seq)
        self._read, self._read_at = Traffic(about, dict(by_conversation)), self._monotonic()
        return self._read

    async def _page(self, before: str | None) -> dict[str, Any]:
        params = {"days": f"{self._days:g}", **({"before": before} if before is not None else {})}
        try:
            response = await self._http.get("/v1/traffic", params=params)
        except httpx.TransportError as error:
            raise TrafficAway(
                "The front door does not answer, so new messages cannot be shown. Is Chargeline running?"
            ) from error
        if response.status_code != 200:
            raise TrafficAway(f"The front door does not tell what drivers wrote: {_detail(response)}")
        page: dict[str, Any] = response.json()
        return page


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json().get("detail") or response.status_code)
    except ValueError:
        return str(response.status_code)


def _line(raw: dict[str, Any]) -> Line:
    return Line(
        id=raw["id"],
        conversation=raw["conversation"],
        seq=raw["seq"],
        author=raw["author"],
        kind=raw["kind"],
        turn=raw["turn"],
        text=raw["text"],
        at=datetime.fromisoformat(raw["at"].replace("Z", "+00:00")),
        choices=tuple(raw.get("choices", ())),
        handed_over=bool(raw.get("handed_over")),
        understood=raw.get("understood"),
        chose=raw.get("chose"),
    )
