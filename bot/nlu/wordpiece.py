"""Cuts text into the word pieces that MiniLM was trained on (BERT's uncased vocabulary), without a tokenizer library.

Pure: lower case, no accents, marks on their own, then the longest known beginning of what is left of each word.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Dict, Iterator, List, Text

_LONGEST_WORD = 100  # characters; longer ones are unknown


class WordPieces:
    """`vocabulary`: one piece a line, its number is its line; pieces that go on within a word begin with `##`."""

    def __init__(self, vocabulary: Path) -> None:
        lines = vocabulary.read_text("utf-8").splitlines()
        self._numbers: Dict[Text, int] = {piece: number for number, piece in enumerate(lines)}
        self._begin, self._end, self._unknown = (self._numbers[name] for name in ("[CLS]", "[SEP]", "[UNK]"))

    def numbers(self, text: Text, limit: int) -> List[int]:
        """The pieces' numbers, at most `limit` with the marks of beginning and end."""
        found = [number for word in _words(text) for number in self._pieces(word)]
        return [self._begin, *found[: limit - 2], self._end]

    def _pieces(self, word: Text) -> List[int]:
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found: List[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                number = self._numbers.get(("##" if start else "") + word[start:end])
                if number is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return [self._unknown]
        return found


def _words(text: Text) -> Iterator[Text]:
    """Words and single marks, lower case, without accents and control characters."""
    plain = unicodedata.normalize("NFD", text.lower())
    word = ""
    for character in plain:
        kind = unicodedata.category(character)
        if kind == "Mn" or (kind in ("Cc", "Cf") and not character.isspace()):
            continue
        # Symbols beyond ASCII (emoji, currency) belong to words in BERT; ASCII ones and all punctuation stand alone.
        mark = kind.startswith("P") or (kind.startswith("S") and character.isascii())
        if mark or character.isspace():
            if word:
                yield word
            word = ""
            if mark:
                yield character
        else:
            word += character
    if word:
        yield word
