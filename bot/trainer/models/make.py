"""`tools/train`, `make train`: a model for the present data, by the worker that the desk trains with, on the same shelf.

    python -m bot.trainer.models.make [--force] [--serve]

Does nothing where the shelf has the model already, and with `--serve` (`make run`) where trainers have decided on one that fits. It goes live as long as no trainer has promoted one; see `Shelf.settle`.
A failed training is one clear line and exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.trainer.models.shelf import MAKE_TRAIN, Shelf, ShelfError
from bot.trainer.models.sources import frame_hash, model_id
from bot.trainer.models.worker import LOG, Progress, Worker, WorkerError
from chargeline.processes import ROOT, model_worker
from chargeline.settings import Settings, SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools/train", description=__doc__)
    parser.add_argument("--force", action="store_true", help="train although there is a model for the present data")
    parser.add_argument("--serve", action="store_true", help="only what is needed to have a live model that fits")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.load()
        asyncio.run(make(settings, force=options.force, serve=options.serve))
    except WorkerError as error:
        place = f"{error.file}:{error.line}: " if error.file and error.line else f"{error.file}: " if error.file else ""
        print(f"train: training failed: {place}{error.reason} (log: {settings.var / LOG})", file=sys.stderr)
    except (SettingsError, ShelfError, OSError) as error:
        print(f"train: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    else:
        return 0
    return 1


async def make(settings: Settings, *, force: bool = False, serve: bool = False) -> None:
    """Raises WorkerError, ShelfError."""
    shelf = Shelf(Path(settings.models_dir))
    name, frame = model_id(ROOT), frame_hash(ROOT)
    decided = shelf.decided_for(frame)
    if serve and decided is not None:
        print(f"train: {decided.model} is live, as {decided.by} decided on {decided.at[:10]}")
        return
    file = shelf.file(name)
    if file.is_file() and not force:
        file.touch()  # what measures the newest model means the one of the present data
        shelf.note(name, frame=frame)
        print(f"train: {file} is up to date")
    else:
        print(f"train: training {file} (log: {settings.var / LOG})", flush=True)
        with shelf.training():
            made = await _trained(shelf, settings, name)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        shelf.note(name, frame=frame, by=MAKE_TRAIN, at=at, trained=made)
        shelf.clean_up(keep=[name])
        print(f"train: {file} is ready ({sum(made['seconds'].values()):.0f} s)")
    not_live = shelf.settle(name, frame, datetime.now(UTC))
    if not_live is not None:
        print(f"train: {not_live}; promote the new one at the trainers' desk, or with make desk-promote")


async def _trained(shelf: Shelf, settings: Settings, name: str) -> dict[str, Any]:
    worker = Worker(model_worker(settings, ROOT), settings.var / LOG)
    phases: list[str] = []

    def tell(progress: Progress) -> None:
        if not phases or phases[-1] != progress.phase:
            phases.append(progress.phase)
            print(f"train:   {progress.phase}", flush=True)

    try:
        made: dict[str, Any] = await worker.call(
            "train", progress=tell, out=str(shelf.folder.absolute()), name=name
        )
        return made
    finally:
        await worker.close()


if __name__ == "__main__":
    sys.exit(main())
