"""Hand-made scenarios and histories for the judge's tests: short to write, and only what a test is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.conversations.history import Book, ChargerState, ConnectorState, Frame, History, Said, Token
from sandbox.conversations.load import load
from sandbox.conversations.scenario import Scenario

ADA, BEN, GUEST = "TOK-ADA-0001", "TOK-BEN-0002", "GUEST-77"
BOOK = Book((Token(ADA, "ada", "Accepted"), Token(BEN, "ben", "Accepted")), (ADA, BEN, "+16135550101"))

SCENARIO = """
shows: Two cables, two drivers.
chargers:
  "7001": {plugs: [J1772, J1772], cars: {1: ada, 2: ben}}
  "7002": {}
drivers:
  ada: {channel: sms, stands_at: {charger: "7001", connector: 1}, may: [start, stop, unlock], steps: []}
  ben: {channel: sms, may: [], stands_at: {charger: "7001", connector: 2}, steps: []}
expect: {end: refused}
"""


def scenario(folder: Path, text: str = SCENARIO, **changes: str) -> Scenario:
    """The scenario of a YAML text; `changes` replace whole lines that begin with their name."""
    for name, value in changes.items():
        text = "\n".join(f"{name}: {value}" if line.startswith(f"{name}:") else line for line in text.splitlines())
    path = folder / "made" / "one.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return load(path, folder)


def connector(number: int = 1, status: str = "Available", token: str | None = None, **more: Any) -> ConnectorState:
    """With a token a session runs there."""
    if token is not None:
        more = {"transaction": f"{number}0", "token_last4": token[-4:], "car": True, **more}
        status = "Charging" if status == "Available" else status
    return ConnectorState(number, status, evse=number, **more)


def charger(
    *connectors: ConnectorState, label: str = "7001", connected: bool = True, booted: bool = True
) -> ChargerState:
    return ChargerState(f"CL-{label}", connected, booted, connectors or (connector(),))


class Story:
    """A history that is told in the order in which things happen."""

    def __init__(self, *states: ChargerState) -> None:
        self.history = History(speed=1.0)
        self._calls = 0
        for state in states:
            self.history.saw(0.0, state)

    def state(self, at: float, state: ChargerState) -> Story:
        self.history.saw(at, state)
        return self

    def call(
        self, at: float, action: str, answer: str | None = "Accepted", label: str = "7001", **payload: Any
    ) -> Story:
        """A call to the charger, answered half a second later (None: never)."""
        self._calls += 1
        name, before = f"CL-{label}", self.history.state(f"CL-{label}", at)
        number = f"m{self._calls}"
        self.history.frames.append(Frame(at, name, True, "call", number, action, payload, before))
        if answer is not None:
            self.history.frames.append(Frame(at + 0.5, name, False, "result", number, "", {"status": answer}))
        return self

    def tells(self, at: float, action: str, label: str = "7001") -> Story:
        """The charger sends a call of its own."""
        self._calls += 1
        self.history.frames.append(Frame(at, f"CL-{label}", False, "call", f"m{self._calls}", action))
        return self

    def driver(self, at: float, text: str, name: str = "ada", **more: Any) -> Story:
        self.history.said.append(Said(at, name, "driver", text, **more))
        return self

    def bot(self, at: float, text: str, name: str = "ada", **more: Any) -> Story:
        self.history.said.append(Said(at, name, "bot", text, **more))
        return self

    def end(self, at: float) -> History:
        self.history.ended_at = at
        return self.history
