"""Reads the token with which an operator's backend says who a driver is. Pure: the time is an argument.

The token is a JWT (RFC 7519) with `sub` (the driver's id), `aud` (the embed key), `iat` and `exp`; the key is chosen by `kid` and
brings its algorithm along, so that a token can name neither (RFC 8725 section 3.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jwt

from bot.identity.embeds import Embed

LEEWAY_S = 30.0  # clocks of two companies
MOST_S = 3600.0  # a token that lives longer is refused: it could not be taken back
MOST_CHARACTERS = 4096
# What a driver's id may be. Not a guest's (`guest:<conversation>`), whose sessions are somebody else's.
_SUBJECT = re.compile(r"(?!guest:)[a-z0-9_.:@+|\-]{1,128}", re.IGNORECASE)


class TokenRefused(Exception):
    """`slug` names the reason for the caller; the message says what their backend should do."""

    def __init__(self, slug: str, why: str) -> None:
        super().__init__(why)
        self.slug = slug


@dataclass(frozen=True, slots=True)
class Claims:
    """`expires_at`: Unix seconds."""

    driver: str
    expires_at: float


def verify(token: str, embed: Embed, now: float) -> Claims:
    """The driver whom the token names at `now` (Unix seconds, real time). Raises TokenRefused."""
    if len(token) > MOST_CHARACTERS:
        raise TokenRefused("bad-token", "The token is too long.")
    try:
        header = jwt.get_unverified_header(token)
        signer = embed.signers.get(str(header.get("kid", "")))
        if signer is None:
            raise TokenRefused("bad-token", "The token's kid is not one of this embed's signers.")
        if header.get("alg") != signer.algorithm:
            raise TokenRefused("bad-token", "The token's algorithm is not that of its key.")
        claims: dict[str, Any] = jwt.decode(
            token,
            signer.key,
            algorithms=[signer.algorithm],
            audience=embed.key,
            options={
                "require": ["sub", "aud", "iat", "exp"],
                "verify_exp": False,  # below, against the time that was given
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.InvalidTokenError, ValueError) as error:
        raise TokenRefused("bad-token", f"The token cannot be accepted: {error}.") from None
    issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
    begins = _seconds(claims, "nbf") if "nbf" in claims else issued
    if expires - issued > MOST_S:
        raise TokenRefused("bad-token", f"The token may live at most {MOST_S:.0f} s.")
    if now < max(issued, begins) - LEEWAY_S:
        raise TokenRefused("bad-token", "The token is not valid yet.")
    if now >= expires + LEEWAY_S:
        raise TokenRefused("token-expired", "The token has expired: get a new one from the backend.")
    subject = claims["sub"]
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise TokenRefused("bad-token", "The token's sub: 1 to 128 letters, digits, _ . : @ + | or - are expected.")
    return Claims(subject, expires + LEEWAY_S)


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e11:
        raise TokenRefused("bad-token", f"The token's {name}: Unix seconds are expected.")
    return float(value)
