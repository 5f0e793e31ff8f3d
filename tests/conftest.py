"""For every test: files with slow tests come first, so that no worker is left alone with them at the end."""

from __future__ import annotations

from itertools import groupby

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    files.sort(key=lambda tests: not any(test.get_closest_marker("slow") for test in tests))
    items[:] = [test for tests in files for test in tests]
