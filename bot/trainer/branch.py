"""Keeps each change also as a commit on a branch of its own, without touching what is checked out or staged.

The branch holds what is checked out (HEAD) with the trainers' folders as they stand now, so it can be reviewed and merged like any
other. A repository that cannot take the commit costs the commit, never the change: the file is written already.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from chargeline.processes import inherited


class NoCommit(Exception):
    """The commit could not be made; the message says why."""


def commit(folder: Path, branch: str, paths: Sequence[str], message: str, trainer: str) -> str | None:
    """The commit's id; None where `folder` is in no repository or no branch is wanted. `paths`: folders or files under `folder`.

    Raises NoCommit.
    """
    if not branch:
        return None
    try:
        top = _git(folder, "rev-parse", "--show-toplevel").strip()
    except (NoCommit, FileNotFoundError):
        return None
    reference = f"refs/heads/{branch}"
    if subprocess.run(["git", "check-ref-format", reference], check=False).returncode != 0:
        raise NoCommit(f"“{branch}” is no name for a branch (DESK_BRANCH)")
    try:
        checked_out = _git(folder, "symbolic-ref", "--quiet", "HEAD").strip()
    except NoCommit:
        checked_out = ""  # a detached head
    if checked_out == reference:
        raise NoCommit(f"the branch {branch} is checked out; commit there by hand, or set DESK_BRANCH to another one")
    head = _git(folder, "rev-parse", "--verify", "HEAD").strip()
    tip = _revision(folder, reference)
    with tempfile.TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        _git(folder, "read-tree", head, environment=index)
        there = [path for path in paths if (folder / path).exists()]
        _git(folder, "add", "--all", "--", *there, environment=index)
        tree = _git(folder, "write-tree", environment=index).strip()
    if tip is not None and _git(folder, "rev-parse", f"{tip}^{{tree}}").strip() == tree:
        return tip
    parents = [tip] if tip is not None else [head]
    if tip is not None and not _is_ancestor(folder, head, tip):
        parents.append(head)
    who = {"GIT_AUTHOR_NAME": trainer, "GIT_AUTHOR_EMAIL": "trainers-desk@localhost"}
    who |= {"GIT_COMMITTER_NAME": "Trainers' desk", "GIT_COMMITTER_EMAIL": "trainers-desk@localhost"}
    chosen = [argument for parent in parents for argument in ("-p", parent)]
    made = _git(Path(top), "commit-tree", tree, *chosen, "-m", message, environment=who).strip()
    _git(folder, "update-ref", "-m", "trainers' desk", reference, made, tip or "0" * len(made))
    return made


def _revision(folder: Path, reference: str) -> str | None:
    try:
        return _git(folder, "rev-parse", "--verify", "--quiet", reference).strip()
    except NoCommit:
        return None


def _is_ancestor(folder: Path, older: str, newer: str) -> bool:
    done = subprocess.run(
        ["git", "-C", str(folder), "merge-base", "--is-ancestor", older, newer], check=False, capture_output=True
    )
    return done.returncode == 0


def _git(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env=inherited(**(environment or {}), LC_ALL="C"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        raise NoCommit(
            (done.stderr or done.stdout).strip().splitlines()[-1] if done.stderr or done.stdout else "git failed"
        )
    return done.stdout
