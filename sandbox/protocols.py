"""The protocol versions that a simulated charger can speak, by WebSocket subprotocol. A new version is a new row."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.session import Session
from sandbox.v16.protocol import Protocol16
from sandbox.v21.protocol import Protocol21
from sandbox.v201.protocol import Protocol201

PROTOCOLS: Mapping[str, type[Session]] = {each.name: each for each in (Protocol16, Protocol201, Protocol21)}
