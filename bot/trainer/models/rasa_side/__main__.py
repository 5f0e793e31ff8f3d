"""The warm worker: `.venv-rasa/bin/python -m bot.trainer.models.rasa_side`, started by `bot.trainer.models.worker`.

One JSON object a line. In: `{"id": 1, "call": "train", ...}`, or `{"cancel": 1}` at any time. Out, by the same id: any number of
`progress` objects, then one `result` or one `error` (`reason`, and `file` and `line` where they are known). It keeps Rasa, the
sentence encoders, what they made of each text, and the last models in memory, so that a call costs its own work only.
Standard output belongs to this protocol: whatever Rasa prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import traceback
from typing import Any, Dict, Optional, TextIO

from bot.trainer.models.rasa_side.reasons import reason_of

_EVERY_S = 0.25  # seconds between two words on one phase


class Cancelled(Exception):
    """The call that is being worked on is not wanted any more."""


class Talk:
    """The two ends of the pipe. Lines are read by a thread, so that a cancellation reaches the call that is running."""

    def __init__(self, lines: TextIO, out: TextIO) -> None:
        self._lines = lines
        self._out = out
        self._calls: "queue.Queue[Optional[Dict[str, Any]]]" = queue.Queue()
        self._now: Optional[int] = None
        self._unwanted: set = set()
        self._phase, self._told = "", 0.0
        threading.Thread(target=self._read, daemon=True).start()

    def next_call(self) -> Optional[Dict[str, Any]]:
        """None when the other side is gone."""
        call = self._calls.get()
        self._now = call["id"] if call else None
        self._phase = ""
        return call

    def progress(self, phase: str, done: int = 0, of: int = 0) -> None:
        """Tells how far the call is; raises Cancelled where it is not wanted any more."""
        if self._now in self._unwanted:
            raise Cancelled
        now = time.monotonic()
        if phase == self._phase and now - self._told < _EVERY_S:
            return
        self._phase, self._told = phase, now
        self.say({"id": self._now, "progress": {"phase": phase, "done": done, "of": of}})

    @property
    def unwanted(self) -> bool:
        return self._now in self._unwanted

    def say(self, message: Dict[str, Any]) -> None:
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def _read(self) -> None:
        for line in self._lines:
            try:
                message = json.loads(line)
            except ValueError:
                self.say({"id": None, "error": {"reason": "a line that is not JSON"}})
                continue
            if "cancel" in message:
                self._unwanted.add(message["cancel"])
            else:
                self._calls.put(message)
        self._calls.put(None)


def main() -> int:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # from here on `print` and C code write to standard error
    sys.stdout = sys.stderr
    talk = Talk(sys.stdin, out)
    from bot.trainer.models.rasa_side.calls import Calls

    os.chdir(os.environ.get("DESK_FOLDER") or ".")  # holds data/, domain/ and config.yml; the code stays where it was found
    calls = Calls(talk.progress)
    talk.say({"ready": True})
    while True:
        call = talk.next_call()
        if call is None:
            return 0
        number = call.pop("id")
        try:
            talk.say({"id": number, "result": calls.answer(call.pop("call"), call)})
        except Exception as error:  # Whatever it is, the other side is told, and the worker goes on.
            if talk.unwanted:
                talk.say({"id": number, "error": {"reason": "cancelled", "cancelled": True}})
            else:
                traceback.print_exc(file=sys.stderr)
                talk.say({"id": number, "error": reason_of(error)})


if __name__ == "__main__":
    sys.exit(main())
