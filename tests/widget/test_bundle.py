"""The committed script: built from the sources beside it, within its size; and the widget's unit tests. Needs Node."""

from __future__ import annotations

import gzip
import re
import subprocess

import pytest

from tests.widget.tools import FOLDER, node_packages

BUDGET = 20 * 1024


def test_the_committed_script_is_within_its_budget_and_asks_nobody_else() -> None:
    script = (FOLDER / "dist" / "chargeline-chat.js").read_bytes()
    assert len(gzip.compress(script, 9)) <= BUDGET
    addresses = set(re.findall(rb"https?://[\w.\-]+", script))
    assert addresses <= {b"http://www.w3.org"}, addresses  # SVG's namespace, which nobody fetches
    assert b"innerHTML" not in script
    assert b"eval(" not in script


def test_no_registry_is_named_in_the_lock() -> None:
    assert '"resolved"' not in (FOLDER / "package-lock.json").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["test", "check"])
def test_the_widgets_own_tests_and_a_fresh_build(command: str) -> None:
    """`check`: types, build, size, and that the committed script is what the sources build to."""
    node_packages()
    done = subprocess.run(["npm", "run", "--silent", command], cwd=FOLDER, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
