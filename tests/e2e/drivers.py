"""A driver at the terminal channel, and what they have read so far."""

from __future__ import annotations

import json
import secrets
import threading
from typing import Any

import httpx

from tests.e2e.stack import Stack, until


class TerminalDriver:
    def __init__(self, stack: Stack, name: str | None = None, charger: str | None = None) -> None:
        self.stack = stack
        self.name = name or f"t-{secrets.token_hex(4)}"
        self.charger = charger
        self.entries: list[dict[str, Any]] = []
        self._last = 0
        self._closed = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.stack.key('TERMINAL_KEY')}"}

    def _listen(self) -> None:
        url = f"{self.stack.bot}/terminal/{self.name}/events"
        while not self._closed.wait(0.2):
            try:
                with httpx.stream(
                    "GET", url, params={"after": self._last}, headers=self._headers, timeout=30, trust_env=False
                ) as response:
                    kind = ""
                    for line in response.iter_lines():
                        if self._closed.is_set():
                            return
                        if line.startswith("event: "):
                            kind = line[7:]
                        elif line.startswith("data: ") and kind == "entry":
                            entry = json.loads(line[6:])
                            self.entries.append(entry)
                            self._last = entry["seq"]
            except httpx.HTTPError:
                continue  # the front door was killed, or is not back yet

    def say(self, text: str, client_id: str | None = None) -> None:
        """Posts a message; repeats it with the same id while the front door is away, as any client must."""
        body = {"client_id": client_id or secrets.token_hex(8), "text": text}
        if self.charger is not None:
            body["charger"] = self.charger

        def accepted() -> bool:
            answer = self.stack.http.post(
                f"{self.stack.bot}/terminal/{self.name}/messages", json=body, headers=self._headers
            )
            return answer.status_code in {200, 202}

        until(f"the front door accepts {text!r}", accepted, 60)

    def heard(self) -> list[str]:
        """What the bot said, without the front door's own first sentence."""
        return [entry["text"] for entry in self.entries if entry["author"] == "bot" and not entry.get("own")]

    def hears(self, words: str, seconds: float = 40.0) -> dict[str, Any]:
        """Waits for a reply that contains the words; returns it."""

        def found() -> dict[str, Any] | None:
            for entry in self.entries:
                if entry["author"] == "bot" and words.lower() in (entry["text"] or "").lower():
                    return entry
            return None

        try:
            return until(f"the bot says {words!r}", found, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said: {self.heard()}") from None

    def close(self) -> None:
        self._closed.set()
