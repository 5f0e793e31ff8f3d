"""How long to wait before the next attempt."""

from __future__ import annotations


def delay_s(attempt: int, first_s: float, most_s: float, random: float) -> float:
    """Seconds before attempt `attempt` + 1: doubling from `first_s` to `most_s`, of which `random` (0 to 1) takes up to half."""
    full = min(most_s, first_s * 2.0 ** min(max(attempt - 1, 0), 30))
    return full * (1.0 - random / 2.0)
