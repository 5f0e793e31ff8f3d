"""Brings a message into the plain form that the danger patterns are written in."""

from __future__ import annotations

import re
import unicodedata

_ENGLISH_ENDING = re.compile(r"(?<=\w)'(?=(?:s|t|re|ve|m|ll|d)\b)")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_SENTENCE_END = re.compile(r"[.!?;\n]+")
_FIRE = re.compile("[\U0001f525\U0001f4a5\U0001f692]")  # fire, collision, fire engine
_NO_WORD = re.compile(r"[^\w.]+|_+")


def folded(message: str) -> str:
    """Lower case, no accents, apostrophes joined in English and parted elsewhere ("it's" → "its", "l'eau" → "l eau").

    Letters stretched for stress become one, sentence ends " . ", other marks a space; a fire emoji is the word "fireemoji".
    """
    # Before and after lower case: styled letters have none of their own, and some capitals fall apart in it.
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", message).lower())
    text = "".join(character for character in text if not unicodedata.combining(character))
    text = text.replace("’", "'").replace("œ", "oe")
    text = _FIRE.sub(" fireemoji ", _ENGLISH_ENDING.sub("", text))
    text = _SENTENCE_END.sub(" . ", _STRETCHED.sub(r"\1", text))
    return " ".join(_NO_WORD.sub(" ", text).split())
