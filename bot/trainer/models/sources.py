"""What a model is made from, and the hashes that name it. Runs in both environments, with the standard library alone.

A model's id is the hash of all its sources. The hash of the *frame* leaves out what trainers write: the messages (data/nlu) and the
wording (domain/responses, which Rasa reads from its folder and not from the model). Two models of one frame belong to the same
version of the product and may be exchanged; with another frame the rules, the actions or the code differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

CODE = Path(__file__).resolve().parents[3]  # where bot/nlu is
_LENGTH = 16
_TRAINERS = (("data", "nlu"), ("domain", "responses"))


def source_files(folder: Path) -> list[tuple[Path, Path]]:
    """Each file's name, and where it is, in the order in which they are hashed. `folder` holds data/, domain/ and config.yml."""
    found = [(path.relative_to(folder), path) for part in ("domain", "data") for path in (folder / part).rglob("*.yml")]
    found += [(path.relative_to(CODE), path) for path in (CODE / "bot/nlu").glob("*.py")]
    found += [(Path("config.yml"), folder / "config.yml")]
    found += [(Path("bot/nlu/requirements.lock"), CODE / "bot/nlu/requirements.lock")]
    return sorted((pair for pair in found if pair[1].is_file()), key=lambda pair: pair[0].as_posix().encode())


def model_id(folder: Path) -> str:
    return _hash(source_files(folder))


def frame_hash(folder: Path) -> str:
    return _hash(pair for pair in source_files(folder) if pair[0].parts[:2] not in _TRAINERS)


def code_hash() -> str:
    return _hash(pair for pair in source_files(CODE) if pair[0].parts[:2] == ("bot", "nlu"))


def _hash(files: Iterable[tuple[Path, Path]]) -> str:
    whole = hashlib.sha256()
    for name, path in files:
        whole.update(f"{name.as_posix()}\n".encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()[:_LENGTH]
