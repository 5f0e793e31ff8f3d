"""What a message is made of, counted: words, pairs of words and groups of letters, each rare one weighing more (tf-idf).

Accents are left out, as drivers leave them out. Each kind is brought to unit length, so that neither swamps the other nor
the sentence embedding beside them. Kept as plain arrays; scikit-learn does the counting.
"""

from __future__ import annotations

import unicodedata
from typing import Dict, List, Text

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

# Letters in groups of three to five within a word carry most of what misspelt messages have in common.
KINDS: Dict[Text, Dict] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "letters": {"analyzer": "char_wb", "ngram_range": (3, 5)},
}


def unaccented(text: Text) -> Text:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


class Counts:
    """Learns which pieces there are and how rare each is; then turns texts into rows."""

    def __init__(self, pieces: Dict[Text, List[Text]], rarity: Dict[Text, np.ndarray]) -> None:
        self._rarity = rarity
        self._pieces = pieces
        self._counters = {
            kind: CountVectorizer(
                lowercase=False, vocabulary={piece: at for at, piece in enumerate(pieces[kind])}, **options
            )
            for kind, options in KINDS.items()
        }

    @classmethod
    def learn(cls, texts: List[Text]) -> Counts:
        pieces, rarity = {}, {}
        for kind, options in KINDS.items():
            counter = CountVectorizer(lowercase=False, **options)
            counted = counter.fit_transform(map(unaccented, texts))
            pieces[kind] = [str(piece) for piece in counter.get_feature_names_out()]
            rarity[kind] = TfidfTransformer().fit(counted).idf_
        return cls(pieces, rarity)

    def rows(self, texts: List[Text]) -> csr_matrix:
        """One row a text; each kind at unit length, a repeated piece counting 1 + ln(times)."""
        blocks = []
        for kind, counter in self._counters.items():
            counted = csr_matrix(counter.transform(map(unaccented, texts)), dtype=np.float64)
            counted.data = (1.0 + np.log(counted.data)) * self._rarity[kind][counted.indices]
            blocks.append(normalize(counted))
        return hstack(blocks, format="csr")

    def arrays(self) -> Dict[Text, np.ndarray]:
        """For storing; no piece holds a line break, since pieces are made of words."""
        stored = {f"{kind}_pieces": np.array("\n".join(self._pieces[kind])) for kind in KINDS}
        return {**stored, **{f"{kind}_rarity": self._rarity[kind] for kind in KINDS}}

    @classmethod
    def restore(cls, arrays: Dict[Text, np.ndarray]) -> Counts:
        return cls(
            {kind: str(arrays[f"{kind}_pieces"]).split("\n") for kind in KINDS},
            {kind: arrays[f"{kind}_rarity"] for kind in KINDS},
        )
