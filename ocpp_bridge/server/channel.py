"""How a charger reached the bridge: in clear or over TLS, ended here or by a proxy in front, and whose certificate it showed.

A proxy's word counts only when the connection comes from one of its addresses; anybody else's headers are not looked at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from websockets.datastructures import Headers

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Channel:
    """`name` is the common name of a verified client certificate. `address` is the charger's own, as far as is known."""

    address: str
    secure: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Proxies:
    """Whose headers are believed. `name_header` carries the common name of the client certificate that the proxy verified."""

    networks: tuple[Network, ...] = ()
    name_header: str = ""

    @classmethod
    def read(cls, addresses: str, name_header: str) -> Proxies:
        """Addresses and networks divided by commas. Raises ValueError for one that is neither."""
        given = [part.strip() for part in addresses.split(",") if part.strip()]
        return cls(tuple(ipaddress.ip_network(part, strict=False) for part in given), name_header.strip())

    def trusted(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found.version == network.version and found in network for network in self.networks)


def common_name(certificate: Mapping[str, Any] | None) -> str | None:
    """CN of a certificate as Python's ssl gives it; None where there is none."""
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return None


def name_in(header: str | None) -> str | None:
    """A proxy gives the bare name, or the whole subject (`CN=CL-1,O=Operator`, or `/O=Operator/CN=CL-1`)."""
    if not header:
        return None
    if "=" not in header:
        return header.strip() or None
    parts = (part.strip().partition("=") for part in header.replace("/", ",").split(","))
    names = [value.strip() for kind, _, value in parts if kind.upper() == "CN"]
    return names[0] or None if len(names) == 1 else None  # two names are nobody's


def channel_of(
    peer: str, certificate: Mapping[str, Any] | None, tls: bool, headers: Headers, proxies: Proxies
) -> Channel:
    """`tls` and `certificate` are of the connection itself."""
    if tls or not proxies.trusted(peer):
        return Channel(peer, tls, common_name(certificate))
    forwarded = _last(headers, "X-Forwarded-For") or peer
    if (_last(headers, "X-Forwarded-Proto") or "").lower() not in {"https", "wss"}:
        return Channel(forwarded)
    names = headers.get_all(proxies.name_header) if proxies.name_header else []
    return Channel(forwarded, True, name_in(names[-1]) if names else None)


def _last(headers: Headers, name: str) -> str | None:
    """The last value: what stands before it may be the client's own invention."""
    values = headers.get_all(name)
    return values[-1].rpartition(",")[2].strip() if values else None
