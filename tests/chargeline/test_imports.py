"""A module that is missing is looked for once."""

from __future__ import annotations

import subprocess
import sys


def test_httpx_works_after_a_missing_module_was_noted_and_does_not_look_for_it_again() -> None:
    code = """
import sys, httpx
from chargeline.imports import note_missing_modules
note_missing_modules()
from httpcore._synchronization import current_async_library
class Finder:
    def find_spec(self, name, path=None, target=None):
        assert name != "sniffio", "looked for again"
sys.meta_path.insert(0, Finder())
print(current_async_library())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() in {"asyncio", "anyio"}, done.stderr
