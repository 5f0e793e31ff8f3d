"""The carrier's memory over a restart: one line of JSON a message, written before anybody hears that it was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import orjson

from sandbox.carrier.network import Message


def append(path: Path, message: Message) -> None:
    with path.open("ab") as file:
        file.write(orjson.dumps(asdict(message)) + b"\n")


def read_journal(path: Path) -> Iterator[Message]:
    """The messages in their order; a last line that a killed process left half written is no message."""
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        yield Message(**{**row, "at": datetime.fromisoformat(row["at"])})
