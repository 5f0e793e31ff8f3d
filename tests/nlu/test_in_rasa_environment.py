"""Runs the checks of bot/nlu where that code runs: in the Rasa environment, which has no pytest (see checks/).

All in one process: importing Rasa takes longer than most of them.
"""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-rasa/bin/python"
CHECKS = sorted(path.stem for path in (Path(__file__).parent / "checks").glob("check_*.py"))


def run_checks(*names: str, **environment: str) -> str:
    """Runs them and returns what unittest said; fails where one failed."""
    assert PYTHON.exists(), "the Rasa environment is missing; run tools/setup rasa"
    done = subprocess.run(
        [str(PYTHON), "-W", "ignore", "-m", "unittest", *(f"tests.nlu.checks.{name}" for name in names)],
        cwd=ROOT,
        env={**os.environ, "SQLALCHEMY_SILENCE_UBER_WARNING": "1", **environment},
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return done.stderr


@pytest.mark.timeout(300)
def test_rasa_side() -> None:
    run_checks(*CHECKS)


@pytest.mark.mongo
@pytest.mark.timeout(300)
def test_conversations_in_mongodb(mongo_url: str) -> None:
    said = run_checks("check_tracker_store.Mongo", MONGODB_TEST_URL=mongo_url)
    assert "skipped" not in said
