"""Each of the five problems in English, Spanish and French through the front door of one whole product: with another subject in
between and a charger that is corrected. The chargers' own telemetry says what came of it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from chargeline.processes import ROOT
from sandbox.conversations.__main__ import COULD_NOT_RUN
from sandbox.conversations.load import load_all

FOLDER = Path(__file__).with_name("languages")
SCENARIOS = load_all(FOLDER)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    if not any((ROOT / "models").glob("*.tar.gz")):
        pytest.skip("there is no trained model; run make train")
    out = tmp_path_factory.mktemp("score")
    # A process of its own: it sets up logging for good.
    command = [sys.executable, "-m", "sandbox.conversations", "--folder", str(FOLDER), "--out", str(out)]
    played = subprocess.run([*command, "--parallel", "8"], cwd=ROOT, capture_output=True, text=True)
    assert played.returncode != COULD_NOT_RUN, played.stderr
    scored = orjson.loads((out / "score.json").read_bytes())["scenarios"]
    return {row["scenario"]: row for row in scored}


@pytest.mark.parametrize("scenario", [one.id for one in SCENARIOS])
def test_the_right_charger_is_helped_and_the_wrong_one_left_alone(
    verdicts: dict[str, dict[str, Any]], scenario: str
) -> None:
    verdict = verdicts[scenario]
    assert verdict["reasons"] == []
    assert verdict["end"] == "resolved"
    assert verdict["asked_twice"] == []
