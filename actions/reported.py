"""What a driver says beside the problem: what was done already, which card it is, that it is urgent. So that nobody asks again.

English, Spanish and French; pure.
"""

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
    "distress": re.compile(
        r"\b(?:can'?t|cannot|cant)\b.{0,12}\b(?:leave|get (?:out|away|home))\b|\b(?:i'?m|i am|we'?re|we are|am|are) (?:locked|trapped|stuck) (?:in|inside|here)\b"
        r"|\b(?:trapped|stranded)\b|\b(?:kids?|baby|child|children|toddler|dog)\b.{0,25}\b(?:in|inside)\b.{0,8}\b(?:car|truck|vehicle)\b"
        r"|\b(?:hospital|ambulance|emergency|freezing)\b"
        r"|\bno (?:me )?puedo (?:ir(?:me)?|salir)\b|\b(?:atrapad|varad)[oa]s?\b|\b(?:ni[nñ][oa]s?|beb[eé])\b.{0,25}\b(?:carro|coche|auto)\b"
        r"|\b(?:peux|peut) (?:pas|plus) (?:partir|m'en aller|sortir)\b|\b(?:coincée?s?|pris|prise) (?:ici|dans|dedans)\b"
        r"|\b(?:enfants?|bébé|petite?)\b.{0,25}\b(?:auto|char|voiture)\b|\bh[oô]pital\b|\burgence\b",
        re.IGNORECASE | re.DOTALL,
    ),
    "bank_card": re.compile(
        r"\b(?:visa|master ?card|amex|american express|interac|debit|credit|bank|apple pay|google pay|wallet|tap to pay|payments?|funds|declin\w+|pre-?auth\w*)\b"
        r"|\b(?:banco|bancaria|d[eé]bito|cr[eé]dito|rechaz\w+ el pago|pago)\b|\b(?:banque|bancaire|débit|crédit|paiement)\b",
        re.IGNORECASE,
    ),
    "member_card": re.compile(
        r"\b(?:rf ?id|nfc|fobs?|tags?|badge|key ?(?:card|tag|fob)|member(?:ship)?|fleet|company card|work card|charge ?card|charging card|my account card)\b"
        r"|\b(?:llavero|membres[ií]a|socio|flotilla|tarjeta de (?:carga|la empresa|trabajo))\b"
        r"|\b(?:porte-clés?|membre|abonnement|flotte|carte (?:de recharge|du travail|d'entreprise))\b",
        re.IGNORECASE,
    ),
    "asks_cost": re.compile(
        r"\b(?:cost|price|pay(?:ing)?|owe|bill|charged me|money|dollars?|bucks|spent|spending)\b|\$"
        r"|\b(?:cuesta|costo|pagar|debo|dinero|pesos|d[oó]lares|gast\w+)\b|\b(?:coûte\w*|cout|coût|prix|payer|argent|piasses|dois)\b",
        re.IGNORECASE,
    ),
}


def reported_in(text: str) -> frozenset[str]:
    """Names of what the text says: replugged, tapped, unlocked_car, distress, bank_card, member_card, asks_cost."""
    return frozenset(name for name, pattern in _DONE.items() if pattern.search(text))
