"""The audit log: every frame to and from chargers and every finished command, as JSON lines in files that rotate.

Id tokens are shortened before anything reaches the disk. Whoever notes a thing never waits and never fails for it: a
thread writes; what does not fit its bounded queue, or cannot be written, is counted and left out.
"""

from __future__ import annotations

import queue
import re
import threading
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import structlog

log = structlog.get_logger(__name__)
WAITING_LIMIT = 20_000
FILE_BYTES = 16 * 1024 * 1024
FILES = 8
LONGEST_FRAME = 4096  # characters; longer ones are cut
WRITE_S = 0.5
# As text, so that a frame that is no JSON is shortened too. `idToken` is text or, from OCPP 2 on, an object with one in it.
_TOKEN = re.compile(
    r'("(?:idTag|parentIdTag|idToken|authorizationKey|password)"\s*:\s*")((?:[^"\\]|\\.)*)', re.IGNORECASE
)

Entry = tuple[datetime, str, str, Any]


_SHORTEST = len('{"idTag":""}')
_KEYS = ('idtag"', 'idtoken"', 'authorizationkey"', 'password"')


def without_tokens(text: str) -> str:
    """Tokens become their last characters, as everywhere else."""
    if len(text) < _SHORTEST:
        return text
    lowered = text.lower()  # most frames have none, and the search below is ten times as dear
    if not any(key in lowered for key in _KEYS):
        return text
    return _TOKEN.sub(
        lambda found: found[1] + "…" + found[2][-min(4, len(found[2]) // 2) :] * (len(found[2]) > 1), text
    )


class AuditLog:
    def __init__(self, folder: Path, *, file_bytes: int = FILE_BYTES, files: int = FILES) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._files = files
        self._waiting: queue.SimpleQueue[Entry] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = 0

    @property
    def path(self) -> Path:
        """The file that is written now; older ones are `.1`, `.2` and so on."""
        return self._folder / "ocpp.jsonl"

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Writes what waits."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(10)

    def frame(self, at: datetime, charger: str, direction: str, text: str | bytes) -> None:
        """`direction` is `in` (from the charger) or `out`."""
        self._note((at, charger, direction, text))

    def command(self, at: datetime, charger: str, command: dict[str, Any]) -> None:
        self._note((at, charger, "command", command))

    def _note(self, entry: Entry) -> None:
        if self._waiting.qsize() >= WAITING_LIMIT:
            self.lost += 1
            return
        self._waiting.put(entry)

    def _run(self) -> None:
        while not self._ended.wait(WRITE_S):
            self._write()
        self._write()

    def _write(self) -> None:
        entries = [self._waiting.get() for _ in range(self._waiting.qsize())]
        if not entries:
            return
        try:
            lines = [_line(entry) for entry in entries]
            self._folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                self._append(file, lines)
            if self.path.stat().st_size >= self._file_bytes:
                self._rotate()
        except Exception as error:  # whatever it is, the next lines may fare better
            self.lost += len(entries)
            log.error("audit_not_written", lines=len(entries), why=str(error)[:200])

    def _append(self, file: BinaryIO, lines: list[bytes]) -> None:
        file.write(b"".join(lines))

    def _rotate(self) -> None:
        for number in range(self._files - 1, 0, -1):
            older = self._folder / f"ocpp.jsonl.{number}"
            if older.exists() and number + 1 < self._files:
                older.replace(self._folder / f"ocpp.jsonl.{number + 1}")
        self.path.replace(self._folder / "ocpp.jsonl.1")


def _line(entry: Entry) -> bytes:
    at, charger, direction, what = entry
    if isinstance(what, bytes):
        what = f"{len(what)} binary bytes"
    if isinstance(what, str):
        row = {"at": at, "charger": charger, "kind": direction, "frame": without_tokens(what[:LONGEST_FRAME])}
    else:
        row = {"at": at, "charger": charger, "kind": direction, **what}
    try:
        return orjson.dumps(row, default=str) + b"\n"
    except orjson.JSONEncodeError:  # a lone surrogate in a frame
        return (
            orjson.dumps({"at": at, "charger": charger, "kind": direction, "frame": ascii(what)[:LONGEST_FRAME]})
            + b"\n"
        )
