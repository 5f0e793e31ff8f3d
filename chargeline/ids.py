"""Ids that sort by time and cannot be guessed. Randomness is passed in, so tests can fix it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, remainder = divmod(number, 32)
        digits.append(_ALPHABET[remainder])
    return "".join(reversed(digits))


def new_id(prefix: str, now: datetime, random_bits: Callable[[int], int] = secrets.randbits) -> str:
    """`prefix` + "_" + 26 characters: 48 bits of milliseconds, 80 random bits (the layout of a ULID)."""
    milliseconds = int(now.timestamp() * 1000)
    return f"{prefix}_{_base32(milliseconds, 10)}{_base32(random_bits(80), 16)}"
