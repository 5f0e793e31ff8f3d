"""The widget's own tools (Node, its packages, Chromium), found or made once; tests that lack one skip and say why."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

from chargeline.processes import ROOT

FOLDER = ROOT / "bot" / "widget"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def node_packages() -> Path:
    """The folder of the locked packages, installed where they are not yet; skips without Node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node on this machine")
    installed, marker = FOLDER / "node_modules", FOLDER / "node_modules" / ".package-lock.json"
    (ROOT / "var").mkdir(exist_ok=True)
    with (ROOT / "var" / "npm.lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = FOLDER / "package-lock.json"
        if not marker.is_file() or marker.stat().st_mtime < wanted.stat().st_mtime:
            done = subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stderr[-2000:]
            marker.touch()
    return installed
