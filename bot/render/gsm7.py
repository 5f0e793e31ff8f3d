"""What a text costs as SMS, and how it is written so that it costs less: GSM-7 letters, segments, folding. Pure.

GSM-7 (3GPP TS 23.038, 6.2.1) has é è à ù ì ò ñ ü Ç but not á í ó ú ê ç: one such letter turns the whole text into UCS-2,
where a segment holds 70 characters in place of 160. They are written without their accent (docs/adr/0010).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # two places each
_OTHER = {
    **dict.fromkeys("‘’‚‛′´`", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\t", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
    "…": "...",
    "•": "-",
    "·": "-",
    "×": "x",
    "°": " ",
    "œ": "oe",
    "Œ": "OE",
    "º": "o",
    "ª": "a",
    "™": "TM",
}


@dataclass(frozen=True, slots=True)
class Cost:
    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    segments: int


def cost(text: str) -> Cost:
    """How the text is sent and how many segments it takes: 160 or 70 units alone, 153 or 67 in a chain."""
    if is_gsm7(text):
        units = sum(2 if character in _EXTENDED else 1 for character in text)
        return Cost("GSM-7", units, _segments(units, 160, 153))
    units = len(text.encode("utf-16-be")) // 2
    return Cost("UCS-2", units, _segments(units, 70, 67))


def is_gsm7(text: str) -> bool:
    return all(character in _BASIC or character in _EXTENDED for character in text)


def fold(text: str) -> str:
    """The text in GSM-7 where it can be written so without a loss of sense; else unchanged (another script, an emoji)."""
    if is_gsm7(text):
        return text
    folded = "".join(_fold(character) for character in unicodedata.normalize("NFC", text))
    return folded if is_gsm7(folded) else text


def _fold(character: str) -> str:
    if character in _BASIC or character in _EXTENDED:
        return character
    if character in _OTHER:
        return _OTHER[character]
    plain = unicodedata.normalize("NFD", character)[0]
    return plain if plain in _BASIC else character


def _segments(units: int, alone: int, chained: int) -> int:
    return 1 if units <= alone else -(-units // chained)
