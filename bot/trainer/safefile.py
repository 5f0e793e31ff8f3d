"""Files that several people and programs write: one lock a folder, whole writes, and nothing written over a change that was not seen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


class ChangedMeanwhile(Exception):
    """The file is not what it was when the edit was made; nothing was written."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer at a time in this folder, over all desks on this machine. The lock ends with its process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, before: bytes | None, content: bytes) -> None:
    """Replaces the file as a whole, or leaves it as it is. `before`: what it must hold now, None where it must not be there.

    Raises ChangedMeanwhile (somebody's editor wrote it) and OSError.
    """
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if before is None:
            fresh.chmod(0o644)
            try:
                os.link(fresh, path)  # fails where a file is there, unlike a rename
            except FileExistsError:
                raise ChangedMeanwhile(f"{path.name} was made by somebody else meanwhile") from None
            return
        try:
            now, mode = path.read_bytes(), path.stat().st_mode
        except FileNotFoundError:
            raise ChangedMeanwhile(f"{path.name} was removed meanwhile") from None
        if now != before:
            raise ChangedMeanwhile(f"{path.name} was changed meanwhile")
        fresh.chmod(mode & 0o7777)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
