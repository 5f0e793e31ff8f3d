"""Which keys were surely never stored: a Bloom filter, so that a new command costs no search for an old one of its key.

Two megabytes: with a million keys in it, one new key in eighty is looked up for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

_BITS = 24  # two to the power of so many
_MASK = (1 << _BITS) - 1


class Seen:
    """Holds no key itself; a key that was put in is always found again by the same process."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._bits = bytearray(1 << (_BITS - 3))
        for key in keys:
            self.put(key)

    def put(self, key: str) -> None:
        for place in _places(key):
            self._bits[place >> 3] |= 1 << (place & 7)

    def may_hold(self, key: str) -> bool:
        """False: it was never put in. True: perhaps it was."""
        return all(self._bits[place >> 3] >> (place & 7) & 1 for place in _places(key))


def _places(key: str) -> tuple[int, int]:
    number = hash(key)  # of 64 bits, by a secret of the process: nobody can choose keys that meet
    return number & _MASK, number >> _BITS & _MASK
