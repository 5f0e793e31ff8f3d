"""How fast messages may go to a carrier: so many a second in all, and to one number slowly after a first burst. Pure."""

from __future__ import annotations

BURST = 10  # messages to one number at once; a turn has two to four
_MOST_NUMBERS = 10_000


class Pace:
    """Times are seconds of one monotonic clock."""

    def __init__(self, per_s: float, per_number_s: float, burst: int = BURST) -> None:
        self._gap = 1.0 / per_s
        self._number_gap = 1.0 / per_number_s
        self._burst = burst
        self._free_at = 0.0  # when the next message of all may go
        self._numbers: dict[str, float] = {}  # when each number's allowance is whole again

    def wait_s(self, number: str, now: float) -> float:
        """How long the next message to this number has to wait; its place is taken by asking."""
        whole = max(now, self._numbers.get(number, now))
        number_at = whole - (self._burst - 1) * self._number_gap
        free_at = max(now, self._free_at)
        at = max(free_at, number_at)
        if at == free_at:  # a message that waits for its number keeps no place among the others
            self._free_at = free_at + self._gap
        self._numbers[number] = max(whole, at) + self._number_gap
        if len(self._numbers) > _MOST_NUMBERS:
            self._numbers = {name: moment for name, moment in self._numbers.items() if moment > now}
        return at - now

    def pause(self, until: float) -> None:
        """Nothing goes before `until`: the carrier has asked for it."""
        self._free_at = max(self._free_at, until)
