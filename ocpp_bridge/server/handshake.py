"""Who may connect, decided from the HTTP upgrade request alone.

1. The path's last segment, percent-decoded, is the identity (OCPP-J 1.6 section 3.1.1); a malformed one is 404.
2. An identity that the operator has not provisioned is 404 (section 3.2).
3. Its security profile (OCPP security whitepaper, A00) must be kept to, else 401: 0 nothing; 1 its password by Basic auth,
   its identity as user; 2 that over TLS; 3 TLS with a client certificate whose common name is the identity. A charger
   without a profile must give its password where it has one.
4. The subprotocol is the first that the charger offers and the bridge speaks; none offered means 1.6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from ocpp_bridge.model import Charger
from ocpp_bridge.server.channel import Channel
from ocpp_bridge.server.passwords import basic_credentials, matches

IDENTITY = re.compile(r"[^\s:/?#\x00-\x1f\x7f](?:[^:/?#\x00-\x1f\x7f]{0,46}[^\s:/?#\x00-\x1f\x7f])?")
DEFAULT_SUBPROTOCOL = "ocpp1.6"


@dataclass(frozen=True, slots=True)
class Turned:
    """Turned away: the HTTP status and a line for whoever reads the charger's log."""

    status: HTTPStatus
    why: str


def identity_of(path: str) -> str | None:
    """`/ocpp/CL%201` and `/CL%201` both name `CL 1`; None where there is no usable identity."""
    segments = urlsplit(path).path.split("/")
    if len(segments) not in (2, 3) or segments[0] != "" or (len(segments) == 3 and segments[1] != "ocpp"):
        return None
    try:
        identity = unquote(segments[-1], errors="strict")
    except UnicodeDecodeError:
        return None
    return identity if IDENTITY.fullmatch(identity) else None


def admit(identity: str | None, charger: Charger | None, authorization: str | None, channel: Channel) -> Turned | None:
    """None: welcome."""
    if identity is None:
        return Turned(HTTPStatus.NOT_FOUND, "Connect to /ocpp/<charger id>.")
    if charger is None:
        return Turned(HTTPStatus.NOT_FOUND, "No such charger.")
    profile = charger.security_profile
    if profile in (2, 3) and not channel.secure:
        return Turned(HTTPStatus.UNAUTHORIZED, "This charger must connect by TLS.")
    if profile == 3:
        if channel.name == identity:
            return None
        return Turned(HTTPStatus.UNAUTHORIZED, "A client certificate with the charger's id as common name is needed.")
    if profile == 0 or (profile is None and charger.password_hash is None):
        return None
    credentials = basic_credentials(authorization)
    stored = charger.password_hash or ""
    if credentials is None or credentials[0] != identity or not matches(credentials[1], stored):
        return Turned(HTTPStatus.UNAUTHORIZED, "The charger's id and password are needed.")
    return None


def choose_subprotocol(offered: Sequence[str], spoken: Sequence[str]) -> str | None:
    """The charger's order counts. None: nothing in common."""
    if not offered:
        return DEFAULT_SUBPROTOCOL
    return next((name for name in offered if name in spoken), None)
