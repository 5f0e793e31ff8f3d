"""A real bridge on free ports of this machine, with a small network, and the hands to play charger and API client."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from chargeline.clock import SystemClock
from chargeline.settings import Settings
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.commands.windows import Windows, default_windows
from ocpp_bridge.importing import parse, store_network
from ocpp_bridge.store.sqlite import SqliteStore
from tests.ocpp_bridge.scripted import ScriptedCharger
from tests.stores.fixtures import mongo_database, mongo_stand_in, mongo_url

__all__ = ["mongo_database", "mongo_stand_in", "mongo_url"]

NETWORK: dict[str, Any] = {
    "sites": [{"id": "site-1", "name": "Rideau Centre P2", "latitude": 45.42, "longitude": -75.69}],
    "chargers": [
        {
            "id": "CL-1042",
            "label": "1042",
            "site": "site-1",
            "connectors": [
                {"connector": 1, "evse": 1, "plug": "J1772", "max_kw": 7.2, "tethered": True},
                {"connector": 2, "evse": 2, "plug": "CCS1", "max_kw": 50, "tethered": True},
            ],
        },
        {"id": "CL-LOCK", "label": "77", "site": "site-1", "password": "0123456789abcdef"},
        {"id": "CL 9", "label": "9", "site": "site-1"},
    ],
    "tokens": [
        {"id": "TAGADA", "driver": "drv-ada"},
        {"id": "TAGBEN", "driver": "drv-ben"},
        {"id": "TAGOLD", "driver": "drv-ada", "expires_at": "2020-01-01T00:00:00Z"},
        {"id": "TAGBAD", "driver": "drv-ada", "status": "Blocked"},
    ],
}
QUICK = Windows(
    call_timeout_s=1.0,
    refresh_wait_s=0.6,
    returning_after_restart_s=0.6,
    returning_after_drop_s=0.4,
    returning_wait_s=0.5,
    start_connection_timeout_s=1.5,
    start_grace_s=0.1,
    start_charging_s=1.2,
    start_ask_again_s=0.1,
    start_suspended_s=0.3,
    stop_ended_s=1.0,
    unlock_available_s=1.0,
    reset_leaves_s=0.5,
    reset_soft_s=1.5,
    reset_hard_s=1.5,
    reset_ask_s=0.1,
    reset_settles_s=0.3,
    availability_changed_s=0.5,
    trigger_heard_s=0.5,
    reservation_shown_s=0.5,
    upload_done_s=0.5,
)


def listener() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen(64)
    found.setblocking(False)
    return found


def url_of(found: socket.socket, scheme: str) -> str:
    return f"{scheme}://127.0.0.1:{found.getsockname()[1]}"


@dataclass
class Running:
    """A bridge under test."""

    bridge: Bridge
    ws_url: str
    api: httpx.AsyncClient
    operator: httpx.AsyncClient

    def charger(self, identity: str = "CL-1042", **options: Any) -> ScriptedCharger:
        return ScriptedCharger(f"{self.ws_url}/ocpp/{identity}", **options)

    async def command(self, action: str, key: str, wait_s: float = 5, **fields: Any) -> dict[str, Any]:
        body = {
            "action": action,
            "actor": {"driver": "drv-ada", "tier": 1},
            "idempotency_key": key,
            "wait_s": wait_s,
            "reason": "test",
            **fields,
        }
        response = await self.api.post(f"/v1/chargers/{fields.pop('charger', 'CL-1042')}/commands", json=body)
        assert response.status_code in (200, 202), response.text
        found: dict[str, Any] = response.json()
        return found

    async def start(self, key: str = "k1", **fields: Any) -> dict[str, Any]:
        return await self.command("start", key, **{"connector": 1, "token": "TAGADA", **fields})

    async def connector(self, number: int = 1) -> dict[str, Any]:
        found = (await self.api.get("/v1/chargers/CL-1042")).json()
        row: dict[str, Any] = next(row for row in found["connectors"] if row["connector"] == number)
        return row


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(
        Settings(),
        var_dir=str(tmp_path),
        bridge_read_key="key-read",
        bridge_driver_key="key-driver",
        bridge_operator_key="key-operator",
        bridge_webhook_secret="secret",
        bot_url="http://127.0.0.1:9",  # the discard port: nobody listens
    )


Launch = Callable[..., Any]


@pytest.fixture
async def launch(settings: Settings, tmp_path: Path) -> AsyncIterator[Launch]:
    """Starts bridges over the test's own store; each is ended with the test, or earlier by `bridge.stop()`."""
    running: list[Running] = []

    async def go(windows: Windows | None = None, **changes: Any) -> Running:
        charger_socket, api_socket = listener(), listener()
        store = SqliteStore(tmp_path / "bridge.sqlite3")
        bridge = Bridge(replace(settings, **changes), store, SystemClock(), windows or default_windows())
        await bridge.start(charger_socket, api_socket)
        await store_network(parse(NETWORK), store, bridge.picture)
        base = url_of(api_socket, "http")
        api, operator = (
            httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=30)
            for key in ("key-driver", "key-operator")
        )
        found = Running(bridge, url_of(charger_socket, "ws"), api, operator)
        running.append(found)
        return found

    yield go
    for found in running:
        await found.api.aclose()
        await found.operator.aclose()
        await found.bridge.stop()


@pytest.fixture
async def running(launch: Launch) -> Running:
    found: Running = await launch()
    return found


@pytest.fixture
async def quick(launch: Launch) -> Running:
    """A bridge whose windows are about a second: short to wait out, long enough for a busy machine to keep."""
    found: Running = await launch(QUICK)
    return found
