"""Runs the checks of bot/nlu where that code runs: in the Rasa environment, which has no pytest (see checks/)."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-rasa/bin/python"
CHECKS = sorted(path.stem for path in (Path(__file__).parent / "checks").glob("check_*.py"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("check", CHECKS)
def test_rasa_side(check: str) -> None:
    assert PYTHON.exists(), "the Rasa environment is missing; run tools/setup rasa"
    done = subprocess.run(
        [str(PYTHON), "-W", "ignore", "-m", "unittest", f"tests.nlu.checks.{check}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr[-6000:]
