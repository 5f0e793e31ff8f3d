"""Takes card numbers, and the code and date beside them, out of text before anything is stored, logged or sent to Rasa.

A card number (PAN, ISO/IEC 7812) is 13 to 19 digits with a valid Luhn check digit. People break it up with spaces, dashes, dots or
line ends, and some spell it in words, so those are looked through. What remains visible is the last four digits, as on a receipt.
"""

from __future__ import annotations

import re

MIN_DIGITS = 13
MAX_DIGITS = 19

_WORDS = {
    **{
        word: digit
        for digit, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    },
    **{
        word: digit
        for digit, word in enumerate(
            ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"]
        )
    },
    **{
        word: digit
        for digit, word in enumerate(["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"])
    },
    "oh": 0,
}
# Digits of any script, or digits in words, with at most eight separators between two of them: blanks of every kind, invisible
# characters, dashes, dots, commas, slashes, underscores, asterisks, bars, the parts of keycap emoji.
_SEPARATOR = r"[\s.,;|'\"_/*·•\-\u2010-\u2015\u2212\u00ad\u200b-\u200f\u2060\ufe0f\u20e3\ufeff]"
_DIGIT = re.compile(r"\d|(?<![^\W\d_])(?:" + "|".join(_WORDS) + r")(?![^\W\d_])", re.IGNORECASE)
_RUN = re.compile(
    rf"(?:{_DIGIT.pattern})(?:{_SEPARATOR}{{0,8}}(?:{_DIGIT.pattern})){{{MIN_DIGITS - 1},}}", re.IGNORECASE
)
# How often the second digit of a doubled pair counts: Luhn's 2d, less 9 where that has two digits.
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

MASK = re.compile(r"\[card ending \d{4}\]")
_CODE_WORD = (
    r"(?:cvc2?|cvv2?|cid|csc|(?:security|card)[ -]?code|c[oó]d(?:igo|\.)?(?: de seguridad)?|code de s[eé]curit[eé]"
    r"|cryptogramme|secret code)"
)
_DATE_WORD = r"(?:exp(?:iry|ires?|iration|\.)?(?: date)?|valid(?: thru| until)?|good thru|vence|vencimiento|fecha|date)"
_LINK = r"(?:code|clave|is|it'?s|es|est|and|y|et|with|the|my|mi|mon)"
_DATE = r"(?:0?[1-9]|1[0-2])\s*[/.\-]\s*(?:20)?\d{2}(?!\d)|(?:0[1-9]|1[0-2])\s?(?:20)?[2-4]\d(?!\d)"
# A code that is called one, wherever it stands; a date or three or four digits that follow a card number at once.
_NAMED_CODE = re.compile(rf"\b({_CODE_WORD})(\W{{0,3}}(?:(?:is|es|est)\b\W{{0,3}})?)\d{{3,4}}(?!\d)", re.IGNORECASE)
_GLUE = rf"(?:[\s,;:|/.\-]|\b(?:{_CODE_WORD}|{_DATE_WORD}|{_LINK})\b){{0,8}}"
_DATE_BESIDE = re.compile(rf"(\[card ending \d{{4}}\]{_GLUE})(?<!\d)(?:{_DATE})", re.IGNORECASE)
_CODE_BESIDE = re.compile(
    rf"(\[(?:card ending \d{{4}}|date removed)\]{_GLUE})(?<![\d$€£.])\d{{3,4}}(?![\d.,]\d|\d)", re.IGNORECASE
)
_DATE_BEFORE = re.compile(rf"\b({_DATE_WORD}\W{{0,3}})(?:{_DATE})", re.IGNORECASE)


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
    places = list(_DIGIT.finditer(run))
    digits = [_WORDS.get(one.group().lower(), -1) if one.group().isalpha() else int(one.group()) for one in places]
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
        pieces += [run[copied : places[at].start()], f"[card ending {last_four}]"]
        copied, at = places[end - 1].end(), end
    return "".join([*pieces, run[copied:]])


def mask_cards(text: str) -> str:
    """The text with every card number replaced by `[card ending 1234]`, and what stands beside one. Masking twice changes nothing more."""
    masked = _NAMED_CODE.sub(r"\1\2[code removed]", _RUN.sub(_mask_run, text))
    if not MASK.search(masked):
        return masked
    masked = _DATE_BESIDE.sub(r"\1[date removed]", masked)
    masked = _DATE_BEFORE.sub(r"\1[date removed]", masked)
    return _CODE_BESIDE.sub(r"\1[code removed]", masked)


def had_card(masked: str) -> bool:
    """Whether a card number was taken out of this text."""
    return MASK.search(masked) is not None


def is_mostly_card(masked: str) -> bool:
    """Whether hardly more than card details was written: then it was meant as a payment."""
    rest = re.sub(r"\[(?:card ending \d{4}|date removed|code removed)\]", " ", masked)
    return had_card(masked) and len(re.findall(r"[^\W\d_]{2,}", rest)) <= 4 and not re.search(r"\d{3}", rest)
