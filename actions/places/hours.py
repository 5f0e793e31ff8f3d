"""Whether a site is open, from hours as operators write them: "24/7", "Mo-Sa 08:00-21:00; Su 10:00-18:00". Pure.

The part of OpenStreetMap's notation that charging sites use. What is written otherwise is not known, and never guessed.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_RULE = re.compile(
    r"(?:(?P<days>(?:Mo|Tu|We|Th|Fr|Sa|Su)(?:\s*[-,]\s*(?:Mo|Tu|We|Th|Fr|Sa|Su))*)\s+)?"
    r"(?:(?P<from>\d{1,2}:\d{2})\s*-\s*(?P<to>\d{1,2}:\d{2})|(?P<off>off|closed))"
)


def is_open(hours: str | None, time_zone: str | None, now: datetime) -> bool | None:
    """None where hours or zone are missing or cannot be read. `now` is aware; the last rule of a day counts."""
    text = (hours or "").strip()
    if not text:
        return None
    if text == "24/7":
        return True
    if not time_zone:
        return None
    try:
        there = now.astimezone(ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        return None
    spans: dict[int, tuple[int, int] | None] = {}
    for part in text.split(";"):
        rule = _RULE.fullmatch(part.strip())
        if rule is None:
            return None
        span = None if rule["off"] else (_minutes(rule["from"]), _minutes(rule["to"]))
        for day in _days(rule["days"]):
            spans[day] = span
    minute = there.hour * 60 + there.minute
    today, yesterday = spans.get(there.weekday()), spans.get((there.weekday() - 1) % 7)
    if today is not None and _within(minute, *today):
        return True
    # Open past midnight: "18:00-02:00" of the day before.
    return yesterday is not None and yesterday[1] <= yesterday[0] and minute < yesterday[1]


def _within(minute: int, opens: int, closes: int) -> bool:
    return opens <= minute < closes if closes > opens else minute >= opens


def _minutes(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _days(text: str | None) -> set[int]:
    if text is None:
        return set(range(7))
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return found
