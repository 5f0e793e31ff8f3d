"""How often one caller may do one thing: token buckets in memory, a bounded number of them. Pure: the time is an argument."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

_MOST_CALLERS = 20_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rate:
    """`burst` at once, then `per_s` a second; callers not seen for long are forgotten, the longest unseen first."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str, now: float) -> bool:
        """Whether the caller may do it once more at `now` (seconds of any steady clock)."""
        bucket = self._buckets.pop(caller, None) or _Bucket(self._burst, now)
        bucket.left = min(self._burst, bucket.left + max(0.0, now - bucket.at) * self._per_s)
        bucket.at = now
        allowed = bucket.left >= 1
        if allowed:
            bucket.left -= 1
        self._buckets[caller] = bucket
        if len(self._buckets) > _MOST_CALLERS:
            self._buckets.popitem(last=False)
        return allowed
