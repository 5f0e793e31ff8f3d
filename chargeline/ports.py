"""Ports for a product of one's own beside others (scores, tests, benchmarks): free now, and not given away to a connection meanwhile."""

from __future__ import annotations

import random
import socket

# Below what Linux (from 32768) and macOS (from 49152) hand to outgoing connections: between the choice here and the
# moment a process listens, a busy machine opens hundreds of those.
_FROM, _TO = 20_000, 32_700


def free_port() -> int:
    """A port of the loopback that nobody listens on. Raises OSError where none is found."""
    for _ in range(200):
        port = random.randint(_FROM, _TO)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {_FROM} to {_TO}")


def free_ports(count: int) -> list[int]:
    """So many, all different."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)
