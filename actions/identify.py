"""Which charger and connector a driver means, read from what they typed: forgiving, pure, and silent where nothing is meant.

Finding the charger that fits a code is the bridge's part (it knows ids and labels); here only the code is found in the words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from actions.spoken import in_digits

# Words after a number that make it an amount, a time or a count, and no charger's number.
_MEASURES = re.compile(
    r"\s*(?:%|°|min(?:ute)?s?\b|mins?\b|h(?:ou)?rs?\b|sec(?:ond)?s?\b|days?\b|weeks?\b|months?\b|years?\b|kwh?\b|kilowatts?\b|watts?\b"
    r"|amps?\b|volts?\b|v\b|a\b|percent\b|pct\b|bucks?\b|dollars?\b|cents?\b|usd\b|cad\b|miles?\b|mi\b|km\b|mph\b|times?\b|x\b|tries\b"
    r"|minutos?\b|horas?\b|heures?\b|h\b|segundos?\b|secondes?\b|d[ií]as?\b|jours?\b|semanas?\b|semaines?\b|mois\b|a[nñ]os?\b|ans\b"
    r"|por\s?ciento\b|pour\s?cent\b|pourcent\w*|kilovatios?\b|d[oó]lares\b|pesos\b|piasses?\b|piastres?\b|euros?\b|\$|€"
    r"|millas?\b|kil[oó]m[eè]t\w+|kms?\b|veces\b|fois\b|intentos?\b|essais?\b|metros?\b|m[eè]tres?\b|personas?\b|personnes?\b"
    r"|carros?\b|coches?\b|autos?\b|chars?\b|voitures?\b|grados?\b|degr[eé]s?\b"
    r"|ft\b|feet\b|meters?\b|people\b|cars?\b|degrees?\b|[ap]\.?m\b|o'?clock\b|st\b|nd\b|rd\b|th\b|street\b|avenue\b|ave\b|blvd\b)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?:\b(?:charger|station|unit|post|pole|stall|bay|spot|pump|evse|box|machine|number|num|nr|id|cargador|estaci[oó]n|poste|puesto"
    r"|caj[oó]n|m[aá]quina|equipo|n[uú]mero|borne|poteau|place|case|num[eé]ro)\b[\s.:#№-]*"
    r"(?:(?:number|no|id|is|it'?s|n[uú]mero|num[eé]ro|es|est|el|la|le)\b)?[\s.:#-]*|\bno\b[\s.:#-]*(?=\d|[a-z]{1,3}-?\d)|#\s*)"
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
_OTHER_NUMBER = re.compile(
    r"\b(?:error|erreur|err|fault|falla|code|c[oó]digo|pin|nip|zip|postal|not|isn'?t|exit|salida|sortie|route|ruta|rte|hwy|highway|interstate"
    r"|autopista|carretera|autoroute|mile|milla|marker|km|kil[oó]metro|kilom[eè]tre|level|nivel|niveau|version|type|tipo|since|until|till|depuis|desde|hasta"
    r"|no es(?: el| la)?|pas(?: la| le)?)"
    r"(?:\s(?:code|c[oó]digo|marker|number|n[uú]mero|num[eé]ro|no|postal))?\W{1,3}$",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19[89]|20[0-3])\d", re.IGNORECASE)
_CAR = re.compile(
    r"\s+(?:tesla|model|nissan|leaf|chevy|chevrolet|bolt|volt|spark|equinox|ford|f-?150|mustang|mach|lightning|kia|niro|soul|ev\d|hyundai|ioniq"
    r"|kona|bmw|i[348x]|audi|e-?tron|q[48]|vw|volkswagen|id|egolf|golf|rivian|r1[st]|lucid|polestar|volvo|xc40|toyota|prius|honda|prologue"
    r"|subaru|solterra|jeep|wrangler|mini|fiat|500e|porsche|taycan|mercedes|eq\w+|cadillac|lyriq|gmc|hummer|genesis|mazda|byd|jac|mitsubishi|outlander)\b",
    re.IGNORECASE,
)
# Plugs, roads and cars whose names look like a charger's.
_NAMES = re.compile(
    r"(?:(?:km|mi|pk|rte)[\s-]?\d+|j-?1772|ccs-?\d|l[23]|f-?150|i-?\d{1,3}|us-?\d{1,3}|sr-?\d{1,3}|rt-?\d{1,3}|x?c-?[49]0|ex-?[39]0|ev-?\d|id-?\d|bz\d\w*|eq[a-z]\d*|e-?\d{1,2})",
    re.IGNORECASE,
)
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
        *("sa", "ta", "une", "son", "sus", "tu"),
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

_NUMBER_ALONE = re.compile(
    r"\W*(?:(?:the|its|it's|it is|number|charger|el|la|le|es|est|c'est|n[uú]mero|num[eé]ro|dice|says|at|on)\W+)*(?P<word>[^\W\d_]{3,})\W*",
    re.IGNORECASE,
)
_CONNECTOR_NAMED = re.compile(
    r"\b(?:connector|plug|side|port|outlet|cable|socket|gun|handle|cord)\s*(?:number\s*|no\.?\s*|#\s*)?(?P<value>[1-9]|one|two|three|four|un[oae]?|dos|deux|tres|trois|[ab])\b",
    re.IGNORECASE,
)
_ORDINALS = {"1st": 1, "first": 1, "2nd": 2, "second": 2, "3rd": 3, "third": 3, "4th": 4, "fourth": 4}
_ORDINAL = re.compile(
    r"\b(?P<value>1st|first|2nd|second|3rd|third|4th|fourth)\s+(?:one|connector|plug|side|port|outlet|cable|socket|gun|handle|cord)\b",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r"(?<!tout )(?<!sigue )(?<!todo )\b(?P<value>left|right)\b(?!\s+(?:now|away|here|there|after|before|at|from))",
    re.IGNORECASE,
)
_SIDE_VERB = re.compile(
    r"\b(?:i(?:'ve)?|we|he|she|they|have|has|just|already|that'?s|thats|all)\s+(?:left|right)\b", re.IGNORECASE
)
_BARE_CONNECTOR = re.compile(
    r"\W*(?:(?:its?|it's|the|number|no|#|el|la|le|es|est|c'est|n[uú]mero|num[eé]ro)\s*)*(?P<value>[1-9]|one|two|three|four|un[oae]?|dos|deux|tres|trois|a|b)\W*",
    re.IGNORECASE,
)
_CONNECTOR_VALUES = {"one": 1, "two": 2, "three": 3, "four": 4, "a": 1, "b": 2} | {
    "un": 1,
    "uno": 1,
    "una": 1,
    "une": 1,
}
_CONNECTOR_VALUES |= {"dos": 2, "deux": 2, "tres": 3, "trois": 3}


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
    # One word alone ("el siete") is a number only as an answer.
    alone = _NUMBER_ALONE.fullmatch(text) if asked else None
    spoken = in_digits(f"number {alone['word']}" if alone else text)
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
        and not (_YEAR.fullmatch(match["code"]) and _CAR.match(spoken, match.end()))
        and not _OTHER_NUMBER.search(spoken, 0, match.start())
    ]
    if bare:
        return _clean(bare[-1])
    # An answer that is nothing but one digit ("7") names a charger only where one was asked for.
    if asked and (digit := re.fullmatch(r"\W*(\d)\W*", spoken)):
        return digit[1]
    return None


def _names_charger(match: re.Match[str], text: str) -> bool:
    if _MEASURES.match(text, match.end()) or _OTHER_NUMBER.search(text, 0, match.start("code")):
        return False
    if _NAMES.fullmatch(match["code"]):
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
