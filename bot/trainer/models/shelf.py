"""The shelf: the models that were trained, each with its card, which of them is live, and who decided that, when and why.

Everything is a file in the models folder, so that Rasa, the desk and `make train` see the same without asking one another:
`<id>.tar.gz` the model, `<id>.json` its card (what it was made from, what comparisons said), `live.json` the pointer, `history.jsonl`
one line a decision. Where there is no pointer the newest model is the live one. Standard library only: `make train` uses it too.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

KEPT = 8  # models that are kept besides the live one and those before it
BEFORE_KEPT = 5  # how far one can roll back
MAKE_TRAIN = "make train"  # who decides where no trainer has
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class ShelfError(Exception):
    """What was asked for cannot be done; the message says why."""


class NoSuchModel(ShelfError):
    """The shelf has no model of this id."""


class NothingBefore(ShelfError):
    """There is no model to go back to."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """`before`: the models that were live before this one, the latest first, each by the decision that a roll-back takes back."""

    model: str
    by: str
    at: str
    why: str
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the history. `override`: the stops of the verdict that were set aside, by name."""

    at: str
    who: str
    did: str  # promoted, rolled back, kept
    model: str
    instead_of: str | None
    why: str
    override: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    file: Path
    made: float  # Unix seconds
    card: dict[str, Any] = field(default_factory=dict)


class Shelf:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- what is there
    def models(self) -> list[Model]:
        """Newest first."""
        found = [self._model(file) for file in self.folder.glob("*.tar.gz")]
        return sorted((one for one in found if one is not None), key=lambda one: (-one.made, one.id))

    def model(self, model_id: str) -> Model:
        """Raises NoSuchModel."""
        found = self._model(self.file(model_id)) if _ID.fullmatch(model_id) else None
        if found is None:
            raise NoSuchModel(f"there is no model {model_id[:64]!r} on the shelf")
        return found

    def file(self, model_id: str) -> Path:
        return self.folder / f"{model_id}.tar.gz"

    def pointer(self) -> Pointer | None:
        """None where nobody has decided, or the model that was decided on is gone."""
        try:
            row = json.loads((self.folder / "live.json").read_text("utf-8"))
            found = Pointer(**{**row, "before": tuple(row.get("before", ()))})
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return found if self.file(found.model).is_file() else None

    def live(self) -> Model | None:
        pointer = self.pointer()
        if pointer is not None:
            return self._model(self.file(pointer.model))
        return next(iter(self.models()), None)

    def history(self) -> list[Decision]:
        """Newest first."""
        try:
            lines = (self.folder / "history.jsonl").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        rows = [json.loads(line) for line in lines if line.strip()]
        return [Decision(**{**row, "override": tuple(row.get("override", ()))}) for row in reversed(rows)]

    # --- what is decided
    def promote(
        self,
        model_id: str,
        who: str,
        why: str,
        now: datetime,
        *,
        override: Sequence[str] = (),
        expect: str | None = None,
        did: str = "promoted",
    ) -> Pointer:
        """`expect`: the model that the decision was made against; raises ShelfError where another one is live by now."""
        with self.lock():
            model, live = self.model(model_id), self.live()
            if expect is not None and (live is None or live.id != expect):
                raise ShelfError("another model went live meanwhile; compare with that one")
            pointer = self.pointer()
            older = pointer.before if pointer else ()
            if live is not None and live.id != model.id:
                older = (live.id, *older)
            before = tuple(dict.fromkeys(one for one in older if one != model.id))[:BEFORE_KEPT]
            at = now.isoformat(timespec="seconds")
            return self._point(
                Pointer(model.id, who, at, why, before),
                Decision(at, who, did, model.id, live.id if live else None, why, tuple(override)),
            )

    def roll_back(self, who: str, why: str, now: datetime) -> Pointer:
        """The model before the live one is live again. Raises NothingBefore."""
        with self.lock():
            pointer = self.pointer()
            before = [one for one in (pointer.before if pointer else ()) if self.file(one).is_file()]
            if pointer is None or not before:
                raise NothingBefore("no model was live before this one")
            at = now.isoformat(timespec="seconds")
            return self._point(
                Pointer(before[0], who, at, why, tuple(before[1:])),
                Decision(at, who, "rolled back", before[0], pointer.model, why),
            )

    def pin(self, who: str, now: datetime) -> None:
        """Where no trainer has decided yet: what is live stays live, whatever `make train` makes next. From now on trainers decide."""
        live, pointer = self.live(), self.pointer()
        if live is None or (pointer is not None and pointer.by != MAKE_TRAIN):
            return
        self.promote(
            live.id, who, "it was live when trainers began to change the data", now, did="kept")

    def settle(self, model_id: str, frame: str, now: datetime) -> str | None:
        """After `make train`: its model goes live unless a trainer has promoted one of the same frame. None, or why it did not."""
        pointer, decided = self.pointer(), self.decided_for(frame)
        if pointer is not None and pointer.model == model_id:
            return None
        if decided is not None:
            when = decided.at[:16].replace("T", " ")
            return f"{decided.model} stays live: {decided.by} decided so on {when} ({decided.why})"
        if pointer is not None and pointer.by != MAKE_TRAIN:
            why = f"the product has changed since {pointer.model} was trained (rules, domain, configuration or code)"
        else:
            why = "trained from the present data"
        self.promote(model_id, MAKE_TRAIN, why, now)
        return None

    def decided_for(self, frame: str) -> Pointer | None:
        """The pointer, where a trainer has set it to a model of this frame."""
        pointer = self.pointer()
        if pointer is None or pointer.by == MAKE_TRAIN or self.model(pointer.model).card.get("frame") != frame:
            return None
        return pointer

    # --- cards
    def note(self, model_id: str, **fields: Any) -> None:
        """Adds to the model's card; a field of the same name is replaced."""
        with self.lock():
            card = self._card(model_id)
            _write(self.folder / f"{model_id}.json", json.dumps({**card, **fields}, ensure_ascii=False))

    def clean_up(self, keep: Sequence[str] = ()) -> list[str]:
        """Removes the oldest models beyond KEPT; never the live one, those one can roll back to, or those in `keep`."""
        with self.lock():
            pointer, live = self.pointer(), self.live()
            needed = {*keep, *(pointer.before if pointer else ()), *([live.id] if live else [])}
            gone = [one.id for one in self.models() if one.id not in needed][KEPT:]
            for model_id in gone:
                self.file(model_id).unlink(missing_ok=True)
                (self.folder / f"{model_id}.json").unlink(missing_ok=True)
            return gone

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One writer at a time, whichever process it is in."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def training(self) -> Iterator[None]:
        """Held while a model is trained. Raises ShelfError where another process trains already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".training").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ShelfError("a model is being trained already (make train, or the desk)") from None
            yield

    # ------------------------------------------------------------------------------------------------------------
    def _model(self, file: Path) -> Model | None:
        model_id = file.name.removesuffix(".tar.gz")
        try:
            made = file.stat().st_mtime
        except FileNotFoundError:
            return None
        return Model(model_id, file, made, self._card(model_id))

    def _card(self, model_id: str) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / f"{model_id}.json").read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _point(self, pointer: Pointer, decision: Decision) -> Pointer:
        with (self.folder / "history.jsonl").open("a", encoding="utf-8") as history:
            history.write(json.dumps(asdict(decision), ensure_ascii=False) + "\n")
            history.flush()
            os.fsync(history.fileno())
        _write(self.folder / "live.json", json.dumps(asdict(pointer), ensure_ascii=False))
        return pointer


def etag_of(model: Path) -> str:
    """What names the file's content to Rasa: the model's id and a hash."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()[:16]
    return f'"{model.name.removesuffix(".tar.gz")}-{digest}"'


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    with part.open("w", encoding="utf-8") as out:
        out.write(text + "\n")
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
