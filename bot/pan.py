"""Takes card numbers, and the code and date beside them, out of text before anything is stored, logged or sent to Rasa.

A card number (PAN, ISO/IEC 7812) is 13 to 19 digits with a valid Luhn check digit. People break it up with spaces, dashes, dots or
line ends, and some spell it in words, so those are looked through. What remains visible is the last four digits, as on a receipt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
PART = "[part of a card number]"
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
    digits = [_digit(one) for one in places]
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


# Where a number is put together from several messages, chance has more to play with: charger and phone numbers are digits too.
# So there only what card brands really issue counts: first digits and lengths of Visa, Mastercard, American Express, Discover, JCB, Diners, UnionPay, Maestro.
_BRANDED = re.compile(
    r"4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35\d{14}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|62\d{14}|(?:5018|5020|5038|6304|6759|676[1-3])\d{12}"
)


def mask_spread_card(texts: Sequence[str]) -> list[str] | None:
    """The texts of one writer, in their order, without the card number that the last of them completes; None where it does none.

    A text takes part where nothing but digits stands between it and its neighbour: "my visa 4111 1111" and "1111 1111 exp 12/29".
    """
    pieces = [list(_DIGIT.finditer(text)) for text in texts]
    begin = len(texts) - 1
    while begin > 0 and pieces[begin] and _touches(texts[begin], pieces[begin], head=True):
        if not pieces[begin - 1] or not _touches(texts[begin - 1], pieces[begin - 1], head=False):
            break
        begin -= 1
        if not _only_digits(texts[begin], pieces[begin]):
            break
    places = [(at, place) for at in range(begin, len(texts)) for place in pieces[at]]
    digits = "".join(str(_digit(place)) for _, place in places)
    for start, (at, _) in enumerate(places):
        found = _BRANDED.match(digits, start)
        if found is None or at == len(texts) - 1 or places[found.end() - 1][0] != len(texts) - 1:
            continue
        if not passes_luhn([int(digit) for digit in found.group()]):
            continue
        masked = list(texts)
        for piece in {at for at, _ in places[start : found.end()]}:
            mine = [place for at, place in places[start : found.end()] if at == piece]
            shown = f"[card ending {found.group()[-4:]}]" if piece == len(texts) - 1 else PART
            masked[piece] = texts[piece][: mine[0].start()] + shown + texts[piece][mine[-1].end() :]
        masked[-1] = mask_cards(masked[-1])  # what stands beside it
        return masked
    return None


def may_go_on(text: str) -> bool:
    """Whether the text begins with digits, as the rest of a number does. Cheap, since every text is asked."""
    found = _DIGIT.search(text)
    return found is not None and _touches(text, [found], head=True)


def _digit(place: re.Match[str]) -> int:
    return _WORDS[place.group().lower()] if place.group().isalpha() else int(place.group())


def _touches(text: str, places: list[re.Match[str]], *, head: bool) -> bool:
    """Whether the text begins (or ends) with digits, separators aside."""
    outside = text[: places[0].start()] if head else text[places[-1].end() :]
    return re.fullmatch(rf"{_SEPARATOR}*", outside) is not None


def _only_digits(text: str, places: list[re.Match[str]]) -> bool:
    ends = [0, *(place.end() for place in places)]
    begins = [*(place.start() for place in places), len(text)]
    return all(
        re.fullmatch(rf"{_SEPARATOR}*", text[end:begin]) is not None for end, begin in zip(ends, begins, strict=True)
    )


def had_card(masked: str) -> bool:
    """Whether a card number was taken out of this text."""
    return MASK.search(masked) is not None


def is_mostly_card(masked: str) -> bool:
    """Whether hardly more than card details was written: then it was meant as a payment."""
    rest = re.sub(r"\[(?:card ending \d{4}|part of a card number|date removed|code removed)\]", " ", masked)
    return had_card(masked) and len(re.findall(r"[^\W\d_]{2,}", rest)) <= 4 and not re.search(r"\d{3}", rest)
