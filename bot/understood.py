"""What the front door keeps of how Rasa took a driver's words: small, of known shape, without the words themselves. Pure.

Rasa's channel (bot/nlu/channel.py) sends it as the last line of a turn; trainers look for what was misunderstood by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_MEANINGS = 4
MOST_SAID = 8
_LONGEST = 80


def understood_of(raw: Any) -> dict[str, Any] | None:
    """`intent`, `confidence`, `ranking` (name, confidence), `said` (names of responses), `model`; None where it is no such thing."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("intent"), str):
        return None
    ranking, said = raw.get("ranking"), raw.get("said")
    return {
        "intent": raw["intent"][:_LONGEST],
        "confidence": _share(raw.get("confidence")),
        "ranking": [
            [str(pair[0])[:_LONGEST], _share(pair[1])]
            for pair in (ranking if isinstance(ranking, list) else [])[:MOST_MEANINGS]
            if isinstance(pair, list) and len(pair) == 2
        ],
        "said": [str(name)[:_LONGEST] for name in (said if isinstance(said, list) else [])[:MOST_SAID]],
        "model": str(raw.get("model") or "")[:_LONGEST],
    }


def _share(value: Any) -> float:
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    return round(min(1.0, max(0.0, number)), 4)
