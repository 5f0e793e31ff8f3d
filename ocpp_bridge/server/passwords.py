"""Charger passwords (Basic auth, security profiles 1 and 2), kept as salted hashes.

One fast SHA-256 with a salt, not a slow password hash: these are random keys of 16 to 40 characters that nobody chooses,
so guessing is hopeless anyway, and 5,000 chargers that reconnect at once must all be checked within half a minute.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets


def hashed(password: str, salt: bytes | None = None) -> str:
    """`sha256$<salt hex>$<digest hex>`"""
    salt = secrets.token_bytes(16) if salt is None else salt
    return f"sha256${salt.hex()}${hashlib.sha256(salt + password.encode()).hexdigest()}"


def matches(password: str, stored: str) -> bool:
    kind, _, rest = stored.partition("$")
    salt, _, digest = rest.partition("$")
    if kind != "sha256" or not digest:
        return False
    try:
        given = hashlib.sha256(bytes.fromhex(salt) + password.encode()).hexdigest()
    except ValueError:
        return False
    return hmac.compare_digest(given, digest)


def basic_credentials(header: str | None) -> tuple[str, str] | None:
    """User and password of an `Authorization: Basic` header; None where there is no readable one."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None
