"""The sites and apps that may embed the chat (EMBEDS_FILE): allowed origins, and the keys with which their backends sign drivers.

An embed key is public: it stands in the page. What it opens is decided by its origins and, for a driver, by a signature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_KEY = re.compile(r"[A-Za-z0-9_\-]{8,64}")
_KID = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")
_MIN_SECRET = 32  # bytes: RFC 7518 section 3.2 wants the key as long as the hash
_MIN_RSA_BITS = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}

Algorithm = str  # "EdDSA", "RS256" or "HS256"


class EmbedsFileError(ValueError):
    """EMBEDS_FILE cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Signer:
    """One key of the operator's backend. Its algorithm is settled here, never by a token."""

    kid: str
    algorithm: Algorithm
    key: Any = field(repr=False)  # a public key of `cryptography`, or the bytes of a shared secret


@dataclass(frozen=True, slots=True)
class Embed:
    """`anonymous`: drivers may chat without being signed in. Origins are as browsers send them, without a slash at the end."""

    key: str
    name: str
    origins: frozenset[str]
    anonymous: bool
    signers: Mapping[str, Signer]


class Embeds:
    def __init__(self, embeds: Mapping[str, Embed] | None = None) -> None:
        self._by_key = dict(embeds or {})
        self._origins = frozenset(origin for embed in self._by_key.values() for origin in embed.origins)

    def get(self, key: str) -> Embed | None:
        return self._by_key.get(key)

    def any_has(self, origin: str) -> bool:
        """Whether some embed allows the origin: a preflight does not say which it is for."""
        return origin in self._origins


def load_embeds(path: str) -> Embeds:
    """Reads `[{"key", "name", "origins", "anonymous"?, "signers"?: [{"kid", "alg", "public_key" | "secret"}]}]`.

    An empty path means that only our own pages may chat. Raises EmbedsFileError naming the row.
    """
    if not path:
        return Embeds()
    try:
        rows = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EmbedsFileError(f"EMBEDS_FILE {path}: {error}") from error
    if not isinstance(rows, list):
        raise EmbedsFileError(f"EMBEDS_FILE {path}: a list of embeds is expected")
    embeds: dict[str, Embed] = {}
    for number, row in enumerate(rows, 1):
        where = f"EMBEDS_FILE {path}, embed {number}"
        embed = _embed(row, where)
        if embed.key in embeds:
            raise EmbedsFileError(f"{where}: another embed has the same key")
        embeds[embed.key] = embed
    return Embeds(embeds)


def _embed(row: object, where: str) -> Embed:
    if not isinstance(row, dict):
        raise EmbedsFileError(f"{where}: an object is expected")
    key, name, origins = row.get("key"), row.get("name"), row.get("origins")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise EmbedsFileError(f"{where}: key: 8 to 64 letters, digits, _ or - are expected")
    if not isinstance(name, str) or not name:
        raise EmbedsFileError(f"{where}: name: what people call this site or app is expected")
    if not isinstance(origins, list) or not origins:
        raise EmbedsFileError(f'{where}: origins: a list such as ["https://app.example.com"] is expected')
    anonymous = row.get("anonymous", True)
    if not isinstance(anonymous, bool):
        raise EmbedsFileError(f"{where}: anonymous: true or false is expected")
    signers: dict[str, Signer] = {}
    for count, given in enumerate(row.get("signers") or [], 1):
        signer = _signer(given, f"{where}, signer {count}")
        if signer.kid in signers:
            raise EmbedsFileError(f"{where}, signer {count}: another one has the same kid")
        signers[signer.kid] = signer
    if not anonymous and not signers:
        raise EmbedsFileError(f"{where}: nobody could chat: neither anonymous nor a signer")
    return Embed(key, name, frozenset(origin_of(origin, where) for origin in origins), anonymous, signers)


def origin_of(given: object, where: str = "origin") -> str:
    """An origin as a browser sends it. App schemes (capacitor://localhost) are origins too. Raises EmbedsFileError."""
    problem = EmbedsFileError(f"{where}: {given!r} is not an origin such as https://app.example.com")
    if not isinstance(given, str):
        raise problem
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise problem from None
    host = parts.hostname
    if not parts.scheme or not host or parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in given:
        raise problem
    if "*" in host:
        raise problem
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{shown}{suffix}"


def _signer(given: object, where: str) -> Signer:
    if not isinstance(given, dict):
        raise EmbedsFileError(f"{where}: an object is expected")
    kid, algorithm = given.get("kid"), given.get("alg")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise EmbedsFileError(f"{where}: kid: 1 to 64 letters, digits, _ . : or - are expected")
    if algorithm == "HS256":
        secret = given.get("secret")
        if not isinstance(secret, str) or len(secret.encode()) < _MIN_SECRET:
            raise EmbedsFileError(f"{where}: secret: at least {_MIN_SECRET} bytes are expected")
        if "-----BEGIN" in secret:
            raise EmbedsFileError(f"{where}: secret: this is a PEM key; HS256 takes a random secret")
        return Signer(kid, algorithm, secret.encode())
    if algorithm not in {"EdDSA", "RS256"}:
        raise EmbedsFileError(f"{where}: alg: EdDSA, RS256 or HS256 is expected")
    pem = given.get("public_key")
    try:
        public = load_pem_public_key(pem.encode()) if isinstance(pem, str) else None
    except (ValueError, UnsupportedAlgorithm):
        public = None
    fits = isinstance(public, Ed25519PublicKey) if algorithm == "EdDSA" else isinstance(public, RSAPublicKey)
    if not fits:
        kind = "an Ed25519" if algorithm == "EdDSA" else "an RSA"
        raise EmbedsFileError(f"{where}: public_key: {kind} public key in PEM is expected")
    if isinstance(public, RSAPublicKey) and public.key_size < _MIN_RSA_BITS:
        raise EmbedsFileError(f"{where}: public_key: at least {_MIN_RSA_BITS} bits are expected")
    return Signer(kid, algorithm, public)
