"""Numbers that drivers write as words, in English, Spanish and French, put into digits: "mil cuarenta y dos" → "1042".

Pure. What a number means (a charger, an amount, a time) is decided by who reads the text; see identify.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence


def _counted(words: str, first: int = 0, step: int = 1) -> dict[str, int]:
    return {word: first + step * place for place, word in enumerate(words.split())}


_SMALL = {  # 0 to 19, and in Spanish to 29, in one word
    **_counted("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"),
    **_counted("seventeen eighteen nineteen", 17),
    **_counted("cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis"),
    **_counted("diecisiete dieciocho diecinueve", 17),
    **_counted(
        "veintiuno veintidos veintitres veinticuatro veinticinco veintiseis veintisiete veintiocho veintinueve", 21
    ),
    **_counted("zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"),
    "oh": 0,
    "una": 1,
    "une": 1,
}
_TENS = {
    **_counted("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10),
    **_counted("veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa", 20, 10),
    **_counted("vingt trente quarante cinquante soixante septante octante nonante", 20, 10),
    "fourty": 40,
}
_HUNDREDS = {
    **_counted(
        "doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos", 200, 100
    ),
    "cien": 100,
    "ciento": 100,
}
_HUNDRED = {"hundred", "cent", "cents"}
_THOUSAND = {"thousand", "mil", "mille"}
_AND = {"y", "et", "and"}
_TWICE = {"double", "doble"}
# "Cents" is a hundred only beside words that are French alone; in English it is money.
_FRENCH = {
    *_counted("deux trois quatre cinq sept huit neuf dix onze douze treize quatorze quinze seize vingt trente mille")
}
_NUMBERS = {*_SMALL, *_TENS, *_HUNDREDS, *_HUNDRED, *_THOUSAND, *_TWICE}
_ONE = {"one", "un", "una", "une", "uno"}

# One number word alone is mostly no number that is meant ("try one more"), except right behind what has a number.
_NAMING = re.compile(
    r"\b(?:charger|station|unit|post|pole|stall|bay|spot|pump|evse|machine|number|num|cargador|estacion|poste|puesto|cajon|maquina"
    r"|equipo|numero|borne|poteau|place|case)\W+(?:(?:number|numero|is|its|es|el|la|est|le)\W+)*$",
    re.IGNORECASE,
)
_PIECE = re.compile(r"[^\W\d_]+|\d+|[^\w]+|_")
_DIGITS_APART = re.compile(r"(?<![\w$€£.,:/-])(?:\d[ -]){2,7}\d(?![\w%:/]|[.,]\d)")
_LETTERS_APART = re.compile(r"\b([b-df-hj-np-tv-xz])[\s.]+([b-df-hj-np-tv-xz])[\s.-]+(?=\d{2})", re.IGNORECASE)
_DASH = re.compile(r"(?<=[a-z])\s+(?:dash|hyphen|guion|gui[oó]n|tiret)\s+(?=\d)", re.IGNORECASE)


def in_digits(text: str) -> str:
    """`text` with its number words as digits; digits and letters that were spelt out one by one are put together."""
    pieces = _PIECE.findall(text)
    words = [_plain(piece) for piece in pieces]
    result = ""
    at = 0
    while at < len(pieces):
        end, run = _run(words, at)
        if not run or (len(run) == 1 and not _meant(run[0], result, pieces[end:])):
            result += pieces[at]
            at += 1
        else:
            result += _digits(run)
            at = end
    result = _DASH.sub("-", _LETTERS_APART.sub(r"\1\2-", result))
    return _DIGITS_APART.sub(lambda found: re.sub(r"[ -]", "", found[0]), result)


def _plain(piece: str) -> str:
    parts = unicodedata.normalize("NFKD", piece.lower())
    return "".join(character for character in parts if not unicodedata.combining(character))


def _run(words: Sequence[str], at: int) -> tuple[int, list[str]]:
    """The number words that follow each other from `at` on, parted by spaces and hyphens, and where they end."""
    run: list[str] = []
    end = at
    while at < len(words):
        word = words[at]
        joins = word in _AND and run and at + 2 < len(words) and words[at + 2] in _NUMBERS
        if not (joins or _is_number(word, run)):
            break
        run.append(word)
        at += 1
        end = at
        if at < len(words) and words[at] in (" ", "-"):
            at += 1
        elif at < len(words):
            break
    return end, run


def _is_number(word: str, run: list[str]) -> bool:
    return word in _NUMBERS and (word != "cents" or bool(_FRENCH & set(run)))


def _meant(word: str, before: str, following: list[str]) -> bool:
    if word not in _SMALL and word not in _TENS:
        return False
    last = not any(piece[0].isalnum() for piece in following[:2])
    return bool(_NAMING.search(_plain(before))) and (last or word not in _ONE)


def _digits(run: Sequence[str]) -> str:
    """Numbers that stand side by side are read out group by group: "ten forty two" is 1042, "one oh four" 104."""
    written = ""
    at = 0
    while at < len(run):
        if run[at] in _AND:
            at += 1
        elif run[at] in _TWICE and at + 1 < len(run) and _SMALL.get(run[at + 1], 10) < 10:
            written += 2 * str(_SMALL[run[at + 1]])
            at += 2
        else:
            value, used = _scaled(run, at)
            written += str(value) if used else ""
            at += max(1, used)
    return written


def _scaled(run: Sequence[str], at: int) -> tuple[int, int]:
    """(value, words used) of the number up to 999,999 that begins at `at`."""
    value, used = _below_thousand(run, at)
    if not (used and value) and run[at] not in _THOUSAND:
        return value, used
    if at + used < len(run) and run[at + used] in _THOUSAND:
        rest, more = _below_thousand(run, _after_and(run, at + used + 1))
        skipped = _after_and(run, at + used + 1) - (at + used + 1)
        thousands = 1000 * (value or 1)
        return (thousands + rest, used + 1 + skipped + more) if more and rest else (thousands, used + 1)
    return value, used


def _below_thousand(run: Sequence[str], at: int) -> tuple[int, int]:
    if at >= len(run):
        return 0, 0
    if run[at] in _HUNDREDS:
        hundreds, used = _HUNDREDS[run[at]], 1
    elif run[at] == "cent":
        hundreds, used = 100, 1
    else:
        value, used = _below_hundred(run, at)
        if not (used and 0 < value < 100 and at + used < len(run) and run[at + used] in _HUNDRED):
            return value, used
        hundreds, used = 100 * value, used + 1
    behind = _after_and(run, at + used)
    rest, more = _below_hundred(run, behind)
    return (hundreds + rest, behind - at + more) if more and rest else (hundreds, used)


def _below_hundred(run: Sequence[str], at: int) -> tuple[int, int]:
    if at >= len(run):
        return 0, 0
    word, following = run[at], run[at + 1] if at + 1 < len(run) else ""
    if word == "quatre" and following in ("vingt", "vingts"):
        return _with_rest(run, 80, at, at + 2)
    if word in _TENS:
        return _with_rest(run, _TENS[word], at, at + 1)
    if word == "dix" and following in ("sept", "huit", "neuf"):
        return 10 + _SMALL[following], 2
    if word == "diez" and following == "y" and at + 2 < len(run) and _SMALL.get(run[at + 2], 0) in range(6, 10):
        return 10 + _SMALL[run[at + 2]], 3
    return (_SMALL[word], 1) if word in _SMALL else (0, 0)


def _with_rest(run: Sequence[str], tens: int, start: int, at: int) -> tuple[int, int]:
    """`tens` with the unit behind them; sixty and eighty take ten to nineteen too, as French does ("soixante-douze")."""
    behind = _after_and(run, at)
    if behind >= len(run) or run[behind] not in _SMALL:
        return tens, at - start
    rest, used = _below_hundred(run, behind)
    french = tens in (60, 80) and run[start] in ("soixante", "quatre")
    if 0 < rest < 10 or (french and 10 <= rest < 20):
        return tens + rest, behind - start + used
    return tens, at - start


def _after_and(run: Sequence[str], at: int) -> int:
    return at + 1 if at + 1 < len(run) and run[at] in _AND else at
