"""For every test: files with slow tests come first, so that no worker is left alone with them at the end; and logging that a test
set up, as the processes do when they start, does not go on into a file that was closed with it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import groupby

import pytest
import structlog


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    files.sort(key=lambda tests: not any(test.get_closest_marker("slow") for test in tests))
    items[:] = [test for tests in files for test in tests]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    if root.handlers != handlers:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**config)
        structlog.contextvars.clear_contextvars()
