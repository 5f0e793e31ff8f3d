"""Runs the checks of bot/nlu where that code runs: in the Rasa environment, which has no pytest (see checks/).

All in one process: importing Rasa takes longer than most of them.
"""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-rasa/bin/python"
CHECKS = sorted(path.stem for path in (Path(__file__).parent / "checks").glob("check_*.py"))


@pytest.mark.timeout(300)
def test_rasa_side() -> None:
    assert PYTHON.exists(), "the Rasa environment is missing; run tools/setup rasa"
    done = subprocess.run(
        [str(PYTHON), "-W", "ignore", "-m", "unittest", *(f"tests.nlu.checks.{check}" for check in CHECKS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert done.returncode == 0, done.stderr[-6000:]
