"""Looks a message through for danger words of every language: drivers mix them."""

from __future__ import annotations

from dataclasses import dataclass

from bot.hazard.fold import folded
from bot.hazard.patterns import languages

MAX_LOOKED_AT = 4000  # characters; longer than any message that is let in


@dataclass(frozen=True, slots=True)
class Match:
    """`kind`: smoke, fire, smell, sparks, shock, heat, melting, bang, wire, water, gas. `language` is that of the words found."""

    kind: str
    language: str
    words: str


def match(text: str) -> Match | None:
    """The first danger that `text` names; None where it names none, or only in words that mean something else."""
    plain = folded(text[:MAX_LOOKED_AT])
    every = languages()
    for language in every:
        plain = language.harmless.sub(" . ", plain)
    plain = " ".join(plain.split())
    for language in every:
        for kind, pattern in language.dangers.items():
            if found := pattern.search(plain):
                return Match(kind, language.name, found.group())
    return None
