"""Which charger and connector a driver means, read from what they typed: forgiving, pure, and silent where nothing is meant.

Finding the charger that fits a code is the bridge's part (it knows ids and labels); here only the code is found in the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_UNITS = {
    word: str(number)
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
} | {"oh": "0", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16", "seventeen": "17"}
_UNITS |= {"eighteen": "18", "nineteen": "19", "double": ""}
_TENS = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
} | {"fourty": 40}
_SCALES = {"hundred": 100, "thousand": 1000}

# Words after a number that make it an amount, a time or a count, and no charger's number.
_MEASURES = re.compile(
    r"\s*(?:%|°|min(?:ute)?s?\b|mins?\b|h(?:ou)?rs?\b|sec(?:ond)?s?\b|days?\b|weeks?\b|months?\b|years?\b|kwh?\b|kilowatts?\b|watts?\b"
    r"|amps?\b|volts?\b|v\b|a\b|percent\b|pct\b|bucks?\b|dollars?\b|cents?\b|usd\b|cad\b|miles?\b|mi\b|km\b|mph\b|times?\b|x\b|tries\b"
    r"|ft\b|feet\b|meters?\b|people\b|cars?\b|degrees?\b|[ap]\.?m\b|o'?clock\b|st\b|nd\b|rd\b|th\b|street\b|avenue\b|ave\b|blvd\b)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?:\b(?:charger|station|unit|post|pole|stall|evse|box|machine|number|num|nr|no|id)\b[\s.:#№-]*(?:number\b|no\b|id\b|is\b|it'?s\b)?[\s.:#-]*|#\s*)"
    r"(?P<code>(?:[a-z]{1,3}-?|[a-z]{1,2}\s)?[0-9oil]*\d[0-9oil]*(?:-\d+)?)\b",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"(?<![\w-])(?P<code>(?P<letters>[a-z]{1,3}(?=[0-9-])|[a-z]{1,2}(?=\s))\s?-?\s?[0-9oil]*\d[0-9oil]*)(?![\w-])",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"(?<![\w$€£.,:/-])(?<!\d[\s-])(?P<code>[oil]{0,2}\d[0-9oil]{1,7})(?![\w%:/]|[.,]\d|[\s-]\d{3})", re.IGNORECASE
)
# What makes the number behind it something else: an error code, a PIN, or a charger that it is not.
_OTHER_NUMBER = re.compile(r"(?:\b(?:error|err|fault|code|pin|zip|not|isn'?t)\W{1,3})$", re.IGNORECASE)
# Short words before a number that are no charger prefix ("at 1042", "es el 1042", "au 1042").
_NO_PREFIX = frozenset(
    [
        *("al", "con", "de", "del", "el", "en", "es", "eso", "esta", "la", "las", "lo", "los", "mi", "se", "si", "su"),
        *(
            "un",
            "una",
            "y",
            "ya",
            "au",
            "aux",
            "ce",
            "cet",
            "c",
            "du",
            "est",
            "et",
            "j",
            "le",
            "les",
            "ma",
            "ou",
            "que",
        ),
        *("sa", "ta", "une"),
        "a",
        "am",
        "an",
        "at",
        "be",
        "by",
        "do",
        "for",
        "go",
        "got",
        "has",
        "id",
        "im",
        "in",
        "is",
        "it",
        "its",
        "me",
        "my",
        "no",
        "nr",
        "of",
        "off",
        "on",
        "one",
        "or",
        "the",
        "to",
        "up",
        "us",
        "was",
        "we",
    ]
)

_CONNECTOR_NAMED = re.compile(
    r"\b(?:connector|plug|side|port|outlet|cable|socket|gun|handle|cord)\s*(?:number\s*|no\.?\s*|#\s*)?(?P<value>[1-9]|one|two|three|four|[ab])\b",
    re.IGNORECASE,
)
_ORDINALS = {"1st": 1, "first": 1, "2nd": 2, "second": 2, "3rd": 3, "third": 3, "4th": 4, "fourth": 4}
_ORDINAL = re.compile(
    r"\b(?P<value>1st|first|2nd|second|3rd|third|4th|fourth)\s+(?:one|connector|plug|side|port|outlet|cable|socket|gun|handle|cord)\b",
    re.IGNORECASE,
)
_SIDE = re.compile(r"\b(?P<value>left|right)\b(?!\s+(?:now|away|here|there|after|before|at|from))", re.IGNORECASE)
_SIDE_VERB = re.compile(
    r"\b(?:i(?:'ve)?|we|he|she|they|have|has|just|already|that'?s|thats|all)\s+(?:left|right)\b", re.IGNORECASE
)
_BARE_CONNECTOR = re.compile(
    r"\W*(?:(?:its?|it's|the|number|no|#)\s*)*(?P<value>[1-9]|one|two|three|four|a|b)\W*", re.IGNORECASE
)
_CONNECTOR_VALUES = {"one": 1, "two": 2, "three": 3, "four": 4, "a": 1, "b": 2}


@dataclass(frozen=True, slots=True)
class Side:
    """A connector as drivers say it: a number, or left (-1) and right (+1) as they face the charger."""

    number: int | None = None
    side: int | None = None


def charger_code(text: str, *, asked: bool = False) -> str | None:
    """The charger's id or number as the driver gave it, or None. `asked`: the message answers "which charger?", so less is enough.

    A number with a name ("charger 42", "#42") or a letter prefix ("CL-1042") counts before a bare one; amounts, times and
    counts never do. The last of several wins: "not 1042, 1043".
    """
    spoken = _with_spoken_numbers(text)
    for pattern in (_NAMED, _PREFIXED):
        found = [match for match in pattern.finditer(spoken) if _names_charger(match, spoken)]
        if found:
            return _clean(_code(found[-1]))
    shortest = 2 if asked else 3
    bare = [
        match["code"]
        for match in _BARE.finditer(spoken)
        if _digits(match["code"]) >= shortest
        and not _MEASURES.match(spoken, match.end())
        and not _OTHER_NUMBER.search(spoken, 0, match.start())
    ]
    if bare:
        return _clean(bare[-1])
    # An answer that is nothing but one digit ("7") names a charger only where one was asked for.
    if asked and (alone := re.fullmatch(r"\W*(\d)\W*", spoken)):
        return alone[1]
    return None


def _names_charger(match: re.Match[str], text: str) -> bool:
    if _MEASURES.match(text, match.end()) or _OTHER_NUMBER.search(text, 0, match.start()):
        return False
    if match.re is not _PREFIXED:
        return True
    little_word = match["letters"].lower() in _NO_PREFIX and match["code"][len(match["letters"])].isspace()
    return not little_word and sum(map(str.isdigit, match["code"])) >= 2


def _code(match: re.Match[str]) -> str:
    """The code alone; a little word before it ("number is 1042") is no prefix of it."""
    letters, _, rest = match["code"].partition(" ")
    return rest if rest and letters.lower() in _NO_PREFIX else match["code"]


def _digits(code: str) -> int:
    return sum(character.isdigit() or character.lower() in "oil" for character in code)


def _clean(code: str) -> str:
    return re.sub(r"\s+", "-", code.strip()).strip("-").upper()


def connector_side(text: str, *, asked: bool = False) -> Side | None:
    """The connector that the driver names, or None. `asked`: the message answers "which cable?", so "2" or "the b" is enough."""
    if found := _CONNECTOR_NAMED.search(text):
        return Side(number=_connector_number(found["value"]))
    if found := _ORDINAL.search(text):
        return Side(number=_ORDINALS[found["value"].lower()])
    if asked and (found := _BARE_CONNECTOR.fullmatch(text)):
        return Side(number=_connector_number(found["value"]))
    if asked and (word := text.strip(" .!?").lower()) in _ORDINALS:
        return Side(number=_ORDINALS[word])
    if (found := _SIDE.search(text)) and (asked or not _SIDE_VERB.search(text)):
        return Side(side=-1 if found["value"].lower() == "left" else 1)
    return None


def _connector_number(word: str) -> int:
    return _CONNECTOR_VALUES.get(word.lower()) or int(word)


def connector_for(said: Side, connectors: Sequence[int]) -> int | None:
    """The connector that `said` means on a charger with `connectors`; None where it has none like that.

    Left and right are the ends of the row; on a charger with one connector both are it.
    """
    ordered = sorted(connectors)
    if not ordered:
        return None
    if said.number is not None:
        return said.number if said.number in ordered else None
    return ordered[0] if said.side == -1 else ordered[-1]


def _with_spoken_numbers(text: str) -> str:
    """`text` with runs of spoken numbers written as digits: "ten forty two" → "1042", "one oh four" → "104"."""
    result: list[str] = []
    run: list[str] = []
    for piece in re.findall(r"[^\W\d_]+|\d+|[^\w]+|_", text):
        word = piece.lower()
        if word in _UNITS or word in _TENS or word in _SCALES:
            run.append(word)
        elif (run and piece.isspace()) or (run and piece == "-"):
            run.append(" ")
        else:
            result += [*_written(run), piece]
            run = []
    return "".join([*result, *_written(run)])


def _written(run: Iterable[str]) -> list[str]:
    words = [word for word in run if word != " "]
    if not words:
        return []
    tail = [" "] if list(run)[-1:] == [" "] else []
    # One such word alone is mostly no number that is meant ("the second one", "try one more"), so it stays a word.
    if len(words) == 1 or not any(word in _UNITS or word in _TENS for word in words):
        return ["".join(run)]
    return ["".join(_groups(words)), *tail]


def _groups(words: Sequence[str]) -> Iterable[str]:
    """Digits of each group: tens take a unit behind them, hundred and thousand multiply, all else stands side by side."""
    position = 0
    while position < len(words):
        scaled, used = _scaled(words, position)
        if used:
            yield str(scaled)
            position += used
            continue
        word = words[position]
        following = words[position + 1] if position + 1 < len(words) else ""
        if (
            word in _TENS
            and following in _UNITS
            and following not in {"", "oh", "zero", "double"}
            and len(_UNITS[following]) == 1
        ):
            yield str(_TENS[word] + int(_UNITS[following]))
            position += 2
            continue
        if word == "double" and len(_UNITS.get(following, "")) == 1:
            yield _UNITS[following] * 2
            position += 2
            continue
        yield str(_TENS[word]) if word in _TENS else _UNITS.get(word, "")
        position += 1


def _scaled(words: Sequence[str], position: int) -> tuple[int, int]:
    """(value, words used) of a number with "hundred" or "thousand" in it that begins at `position`; (0, 0) where there is none."""
    total = current = used = 0
    scaled = False
    for word in words[position:]:
        if word in _SCALES:
            if current == 0:
                break
            if word == "thousand":
                total, current = (total + current) * 1000, 0
            else:
                current *= 100
            scaled = True
        elif word in _TENS and current % 100 == 0:
            current += _TENS[word]
        elif word in _UNITS and _UNITS[word] and (current % 10 == 0 and (current % 100 != 10 or not used)):
            current += int(_UNITS[word])
        else:
            break
        used += 1
        if not scaled and used >= 2:
            following = words[position + used : position + used + 1]
            if not following or following[0] not in _SCALES:
                break
    return (total + current, used) if scaled else (0, 0)
