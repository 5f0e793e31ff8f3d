"""`kill -9` of the real process: commands under way get an honest end, and no session is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chargeline.ports import free_port
from tests.ocpp_bridge.conftest import NETWORK
from tests.ocpp_bridge.scripted import ScriptedCharger

COMMAND = [sys.executable, "-m", "ocpp_bridge"]
ACCEPTED = {"status": "Accepted"}


class Process:
    def __init__(self, folder: Path, document: dict[str, Any] = NETWORK) -> None:
        self.ocpp_port, self.api_port = free_port(), free_port()
        network = folder / "network.json"
        network.write_text(json.dumps(document))
        self._env = {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
            "VAR_DIR": str(folder),
            "OCPP_PORT": str(self.ocpp_port),
            "BRIDGE_PORT": str(self.api_port),
            "BRIDGE_DRIVER_KEY": "key-driver",
            "CHARGERS_FILE": str(network),
            "BOT_URL": "http://127.0.0.1:9",
        }
        self.api = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.api_port}", headers={"Authorization": "Bearer key-driver"}, timeout=30
        )
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._process = await asyncio.to_thread(subprocess.Popen, COMMAND, env=self._env)
        for _ in range(200):
            try:
                if (await self.api.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                assert self._process.poll() is None, "the bridge ended"
            await asyncio.sleep(0.05)
        raise AssertionError("the bridge did not become ready")

    async def end(self, number: int) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return await asyncio.to_thread(self._process.wait, 10)

    def charger(self, identity: str = "CL-1042") -> ScriptedCharger:
        return ScriptedCharger(f"ws://127.0.0.1:{self.ocpp_port}/ocpp/{identity}")

    async def start_command(
        self, key: str, wait_s: float = 0, charger: str = "CL-1042", **changes: Any
    ) -> dict[str, Any]:
        body = {
            "action": "start",
            "connector": 1,
            "token": "TAGADA",
            "actor": {"driver": "drv-ada", "tier": 1},
            "idempotency_key": key,
            "wait_s": wait_s,
            **changes,
        }
        found: dict[str, Any] = (await self.api.post(f"/v1/chargers/{charger}/commands", json=body)).json()
        return found

    async def command(self, command_id: str, wait_s: float = 0) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get(f"/v1/commands/{command_id}?wait_s={wait_s}")).json()
        return found

    async def until(self, command_id: str, state: str) -> None:
        for _ in range(200):
            if (await self.command(command_id))["state"] == state:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"the command did not become {state}")


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    found = Process(tmp_path)
    await found.start()
    yield found
    await found.api.aclose()
    if found._process is not None and found._process.poll() is None:
        await found.end(signal.SIGKILL)


async def test_the_effect_is_seen_after_the_bridge_was_killed_between_answer_and_effect(process: Process) -> None:
    async with process.charger() as charger:
        await charger.boot()
        command = await process.start_command("k1")
        await charger.expect_request("RemoteStartTransaction", ACCEPTED)
        await process.until(command["id"], "answered")
        await process.end(signal.SIGKILL)
    await process.start()
    assert (await process.command(command["id"]))["state"] == "answered"
    async with process.charger() as charger:
        transaction = (await charger.start("TAGADA"))["transactionId"]
        await charger.status("Charging")
        await charger.meter(transaction, 1005)
        done = await process.command(command["id"], wait_s=5)
        assert (done["state"], done["outcome"]) == ("verified", "verified")
        assert (await process.start_command("k1"))["id"] == command["id"]
        await charger.no_request(but="TriggerMessage")


async def test_a_command_whose_answer_was_lost_with_the_bridge_is_still_watched(process: Process) -> None:
    async with process.charger() as charger:
        await charger.boot()
        command = await process.start_command("k1")
        await charger.take("RemoteStartTransaction")
        await process.end(signal.SIGKILL)
    await process.start()
    assert (await process.command(command["id"]))["state"] == "sent"
    async with process.charger() as charger:
        transaction = (await charger.start("TAGADA"))["transactionId"]
        await charger.status("Charging")
        await charger.meter(transaction, 1005)
        assert (await process.command(command["id"], wait_s=5))["state"] == "verified"


async def test_a_charger_that_was_connected_is_awaited_after_a_restart(process: Process) -> None:
    async with process.charger() as charger:
        await charger.boot()
        await asyncio.sleep(0.7)  # real time: what the bridge knows is written twice a second
        await process.end(signal.SIGKILL)
    await process.start()
    connection = (await process.api.get("/v1/chargers/CL-1042")).json()["connection"]
    assert connection["state"] == "returning"
    command = await process.start_command("k1")
    assert command["state"] == "queued"
    async with process.charger() as charger:
        await charger.status("Preparing")
        await charger.expect_request("RemoteStartTransaction", {"status": "Rejected"})
        assert (await process.command(command["id"], wait_s=5))["outcome"] == "rejected"
    other = (await process.api.get("/v1/chargers/CL-LOCK")).json()
    assert other["connection"]["state"] == "disconnected"


async def test_no_session_is_lost_or_doubled_by_a_kill(process: Process) -> None:
    async with process.charger() as charger:
        await charger.boot()
        transaction = (await charger.start("TAGADA", meter=0))["transactionId"]
        await process.end(signal.SIGKILL)
    await process.start()
    async with process.charger() as charger:
        assert (await charger.start("TAGADA", meter=0))["transactionId"] == transaction
        shown = (await process.api.get("/v1/chargers/CL-1042")).json()
        assert shown["connectors"][0]["session"]["transaction"] == str(transaction)
        await charger.send(
            "StopTransaction", transactionId=transaction, meterStop=5000, timestamp="2026-01-01T13:00:00Z"
        )
    sessions = (await process.api.get("/v1/sessions?charger=CL-1042")).json()["sessions"]
    assert [(s["state"], s["energy_wh"]) for s in sessions] == [("ended", 5000)]


async def test_sigterm_ends_it_cleanly_and_a_taken_port_is_one_line(process: Process) -> None:
    second = await asyncio.to_thread(
        subprocess.run, COMMAND, env=process._env, capture_output=True, text=True, timeout=20, check=False
    )
    assert second.returncode == 1
    [line] = second.stderr.strip().splitlines()
    assert str(process.ocpp_port) in line
    assert "OCPP_PORT" in line
    async with process.charger() as charger:
        await charger.boot()
        assert await process.end(signal.SIGTERM) == 0


async def test_sigterm_ends_the_bridge_within_five_seconds_whoever_waits(process: Process) -> None:
    """With a command under way, a reader of events and a charger that never answers the closing handshake."""
    async with process.charger() as charger:
        await charger.boot()
        asked = asyncio.create_task(process.start_command("k1", wait_s=25))
        await charger.take("RemoteStartTransaction")
        charger.socket.transport.pause_reading()
        async with process.api.stream("GET", "/v1/events") as events:
            assert events.status_code == 200
            began = asyncio.get_running_loop().time()
            assert await process.end(signal.SIGTERM) == 0
            assert asyncio.get_running_loop().time() - began < 5
        told = await asked
        assert (told["state"], told["finished"]) == ("sent", False)
        charger.socket.transport.abort()
