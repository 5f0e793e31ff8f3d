"""CLOCK_SPEED for the sandbox and the bridge alike: two real processes agree on an hour's charging that takes seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from chargeline.ports import free_port
from sandbox.plan import BUILT_IN

SPEED = 600
WAIT_S = 40.0

pytestmark = pytest.mark.slow


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """The sandbox's and the bridge's API."""
    ports = {name: str(free_port()) for name in ("OCPP_PORT", "BRIDGE_PORT", "SANDBOX_PORT")}
    env = {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
        **ports,
        "VAR_DIR": str(tmp_path),
        "BRIDGE_DRIVER_KEY": "key-driver",
        "CHARGERS_FILE": str(BUILT_IN / "network.json"),
        "BOT_URL": "http://127.0.0.1:9",
        "CLOCK_SPEED": str(SPEED),
        "CLOCK_EPOCH": f"{time.time():.3f}",
        "LOG_LEVEL": "warning",
    }
    with ExitStack() as open_:
        clients = []
        for module, port in (("ocpp_bridge", "BRIDGE_PORT"), ("sandbox", "SANDBOX_PORT")):
            process = subprocess.Popen([sys.executable, "-m", module], env=env)
            open_.callback(process.wait, 15)
            open_.callback(process.terminate)
            client = httpx.Client(
                base_url=f"http://127.0.0.1:{ports[port]}",
                headers={"Authorization": "Bearer key-driver"},
                timeout=10,
                trust_env=False,
            )
            open_.callback(client.close)
            _until(f"{module} is ready", partial(_ready, client))
            clients.append(client)
        bridge, sandbox = clients
        yield sandbox, bridge


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _until(what: str, true: Any) -> Any:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.1)
    raise TimeoutError(what)


def test_an_hours_session_takes_seconds_for_both(stack: tuple[httpx.Client, httpx.Client]) -> None:
    sandbox, bridge = stack
    began = time.monotonic()
    sandbox.post("/v1/scenarios", json={"name": "a-day-at-the-station"}).raise_for_status()

    def ended() -> dict[str, Any] | None:
        rows = bridge.get("/v1/sessions", params={"charger": "CL-1062", "state": "ended"}).json()["sessions"]
        return rows[0] if rows else None

    session = _until("the session ended", ended)
    assert time.monotonic() - began < 30
    lasted = datetime.fromisoformat(session["ended_at"]) - datetime.fromisoformat(session["started_at"])
    assert 3500 < lasted.total_seconds() < 3700
    assert 6900 < session["energy_wh"] < 7500
    assert session["token_last4"] == "0001"
