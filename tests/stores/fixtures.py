"""A fresh MongoDB database for a test: `from tests.stores.fixtures import mongo_database, mongo_url` in a conftest.py.

The server is SecantusDB, a wire-compatible stand-in that runs as a process of its own from `.venv-mongo` (made by
`tools/setup mongo`). Where MONGODB_TEST_URL names a real MongoDB, every test runs on that one too.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from chargeline.mongo import Database, connect
from chargeline.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / ".venv-mongo" / "bin" / "secantusd-py"
REAL_URL = os.environ.get("MONGODB_TEST_URL", "")
START_TIMEOUT_S = 30.0


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the MongoDB stand-in ended with {process.returncode}: {log.read_text()[-2000:]}")
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the MongoDB stand-in did not listen within {START_TIMEOUT_S:.0f} s: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def mongo_stand_in() -> Iterator[str]:
    """URL of the stand-in, started once a test run on a free port, its files in a folder that goes with it."""
    if not SERVER.exists():
        pytest.skip("no MongoDB stand-in: run tools/setup mongo")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="chargeline-mongo-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(SERVER, "--host", "127.0.0.1", "--port", str(port), "--storage-path", Path(folder) / "data"),
                    *("--cache-size", "128M", "--sync-on-commit", "--log-level", "WARNING"),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
        try:
            _wait_until_listening(process, port, log)
            yield f"mongodb://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(
    params=[pytest.param("stand-in", marks=pytest.mark.mongo)]
    + ([pytest.param("real", marks=pytest.mark.mongo)] if REAL_URL else [])
)
def mongo_url(request: pytest.FixtureRequest) -> str:
    """URL of each server that the suite runs on."""
    if request.param == "real":
        return REAL_URL
    url: str = request.getfixturevalue("mongo_stand_in")
    return url


@pytest.fixture
async def mongo_database(mongo_url: str) -> AsyncIterator[Database]:
    """A database of its own for the test, dropped afterwards."""
    database = connect(mongo_url, f"chargeline_test_{secrets.token_hex(6)}", server_selection_timeout_s=15)
    try:
        yield database
    finally:
        await database.drop()
        await database.close()


class _Opens(Protocol):
    def open(self) -> Awaitable[None]: ...

    def close(self) -> Awaitable[None]: ...


S = TypeVar("S", bound=_Opens)
EACH_STORE = ["sqlite", pytest.param("mongo", marks=pytest.mark.mongo)]  # params of a fixture that calls `opened_store`


@asynccontextmanager
async def opened_store(
    request: pytest.FixtureRequest, sqlite: Callable[[], S], mongo: Callable[[Database], S]
) -> AsyncIterator[S]:
    """The store that `request.param` names, open and empty; a module that uses it has `mongo_stand_in` in reach."""
    if request.param == "sqlite":
        store = sqlite()
        await store.open()
        yield store
        await store.close()
        return
    url = request.getfixturevalue("mongo_stand_in")
    database = connect(url, f"chargeline_test_{secrets.token_hex(6)}", server_selection_timeout_s=15)
    store = mongo(database)
    await store.open()
    yield store
    await database.drop()
    await store.close()
