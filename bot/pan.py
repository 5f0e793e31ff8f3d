"""Takes card numbers out of text before anything is stored, logged or sent to Rasa.

A card number (PAN, ISO/IEC 7812) is 13 to 19 digits with a valid Luhn check digit. People break it up with spaces,
dashes, dots or commas, so those are looked through. What remains visible is the last four digits, as on a receipt.
"""

from __future__ import annotations

import re

MIN_DIGITS = 13
MAX_DIGITS = 19

# Digits of any script with at most eight separators between two of them: blanks of every kind, invisible characters,
# dashes, dots, commas, slashes, underscores, asterisks.
_SEPARATOR = r"[\s.,_/*·•\-\u2010-\u2015\u2212\u00ad\u200b-\u200f\u2060\ufeff]"
_RUN = re.compile(rf"\d(?:{_SEPARATOR}{{0,8}}\d){{{MIN_DIGITS - 1},}}")
# How often the second digit of a doubled pair counts: Luhn's 2d, less 9 where that has two digits.
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def passes_luhn(digits: list[int]) -> bool:
    """Whether the last digit is the Luhn check digit of the ones before it."""
    total = sum(digits[-1::-2]) + sum(_DOUBLED[digit] for digit in digits[-2::-2])
    return total % 10 == 0


def _card_digits(digits: list[int]) -> list[bool]:
    """For each digit of a run, whether it is part of some Luhn-valid stretch of 13 to 19 digits."""
    marked = [False] * len(digits)
    for start in range(len(digits) - MIN_DIGITS + 1):
        for end in range(min(start + MAX_DIGITS, len(digits)), start + MIN_DIGITS - 1, -1):
            if passes_luhn(digits[start:end]):
                marked[start:end] = [True] * (end - start)
                break
    return marked


def _mask_run(found: re.Match[str]) -> str:
    run = found.group()
    positions = [index for index, character in enumerate(run) if character.isdecimal()]
    digits = [int(run[index]) for index in positions]
    marked = _card_digits(digits)
    pieces, copied, at = [], 0, 0
    while at < len(digits):
        if not marked[at]:
            at += 1
            continue
        end = at
        while end < len(digits) and marked[end]:
            end += 1
        last_four = "".join(str(digit) for digit in digits[end - 4 : end])
        pieces += [run[copied : positions[at]], f"[card ending {last_four}]"]
        copied, at = positions[end - 1] + 1, end
    return "".join([*pieces, run[copied:]])


def mask_cards(text: str) -> str:
    """The text with every card number replaced by `[card ending 1234]`. Masking twice changes nothing more."""
    return _RUN.sub(_mask_run, text)
