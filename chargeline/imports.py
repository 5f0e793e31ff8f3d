"""Spares a running process imports that fail anew at every call.

httpcore tries `import sniffio` whenever it makes a lock, that is for each request; where the package is not installed, every
try searches the whole path on disk (measured: two fifths of the processor time of an HTTP call). What is known to be missing
is noted once, as Python's import system offers: a None in `sys.modules` fails at once.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import cast

_TRIED_AGAIN_AND_AGAIN = ("sniffio",)


def note_missing_modules() -> None:
    """To be called once, before the first request."""
    for name in _TRIED_AGAIN_AND_AGAIN:
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            sys.modules[name] = cast(ModuleType, None)
