"""What a driver says to have done already, so that nobody asks for it again. English, Spanish and French; pure."""

from __future__ import annotations

import re

_DONE: dict[str, re.Pattern[str]] = {
    "replugged": re.compile(
        r"\b(?:re-?plugg(?:ed|ing)|re-?seated"
        r"|(?:un)?plugg(?:ed|ing)\b.{0,40}\b(?:again|back|twice|times|re-?plug\w*)"
        r"|(?:tried|already).{0,20}\b(?:un|re)-?plug\w*"
        r"|(?:desconect|desenchuf)\w+.{0,40}\b(?:volv|conect|enchuf|otra vez|veces)\w*"
        r"|(?:debranch|débranch)\w+.{0,40}\b(?:rebranch|encore|fois)\w*|rebranch\w+)",
        re.IGNORECASE | re.DOTALL,
    ),
    "tapped": re.compile(
        r"\b(?:tapped|swiped|scanned|held up|beeped)\b|\b(?:pas[eé]|acerqu[eé])\b.{0,20}\btarjeta\b|\b(?:passé|tapé|scanné)\b",
        re.IGNORECASE,
    ),
    "unlocked_car": re.compile(
        r"\b(?:car|doors?|vehicle|truck)\b.{0,15}\bunlocked\b|\bunlocked\b.{0,15}\b(?:car|doors?|vehicle|truck)\b"
        r"|\bcarro\b.{0,15}\babierto\b|\bvoiture\b.{0,20}\bdéverrouillée?\b",
        re.IGNORECASE,
    ),
}


def reported_in(text: str) -> frozenset[str]:
    """The names of what the text says was done: replugged, tapped, unlocked_car."""
    return frozenset(name for name, pattern in _DONE.items() if pattern.search(text))
