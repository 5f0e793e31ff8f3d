"""The bridge and a charger on a client that this project did not write: npm's ocpp-rpc, strict, over 1.6 and 2.0.1.

Any frame of the bridge that the library's schemas do not allow fails the test. Skipped where Node.js or npm is missing or
the package cannot be had.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.ocpp_bridge.conftest import Running

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", "charger.mjs")
FOLDER = HERE.parents[2] / "var" / "foreign-charger"
PATIENCE_S = 20.0
OPERATOR = {"tier": 4}


@pytest.fixture(scope="session")
def program() -> Path:
    """charger.mjs beside its modules, in a folder for this state of its files."""
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is missing")
    state = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    folder = FOLDER / state
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(HERE / name, folder / name)
    if not (folder / "node_modules" / "ocpp-rpc" / "package.json").is_file():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode != 0:
            pytest.skip(f"npm ci failed: {done.stderr.strip()[-300:]}")
    return folder / "charger.mjs"


class ForeignCharger:
    def __init__(self, program: Path, url: str, protocol: str) -> None:
        self._command = ("node", str(program), f"{url}/ocpp", "CL-1042", protocol)
        self.protocol = protocol
        self.told: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self._seen = 0

    async def __aenter__(self) -> ForeignCharger:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        self._reader = asyncio.create_task(self._read())
        await self.tells("booted")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._news:
                self.told.append(json.loads(line))
                self._news.notify_all()

    async def tells(self, what: str) -> dict[str, Any]:
        """The next thing of this kind that it tells; all before it are passed over."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            while True:
                while self._seen < len(self.told):
                    self._seen += 1
                    if self.told[self._seen - 1]["what"] == what:
                        return self.told[self._seen - 1]
                await self._news.wait()

    async def obeys(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    @property
    def complaints(self) -> list[dict[str, Any]]:
        return [row for row in self.told if row["what"] in {"against the schema", "bad message", "failed"}]


@pytest.fixture(params=["ocpp1.6", "ocpp2.0.1"])
async def foreign(request: pytest.FixtureRequest, program: Path, running: Running) -> AsyncIterator[ForeignCharger]:
    one = {"id": "CL-1042", "label": "1042", "site": "site-1", "connectors": [{"connector": 1, "evse": 1}]}
    assert (await running.operator.post("/v1/import", json={"chargers": [one]})).status_code == 200
    async with ForeignCharger(program, running.ws_url, request.param) as charger:
        yield charger
        assert charger.complaints == []


async def until_status(running: Running, status: str) -> None:
    for _ in range(200):
        if (await running.connector())["status"] == status:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the connector did not become {status}: {await running.connector()}")


async def operate(running: Running, action: str, key: str, **fields: Any) -> dict[str, Any]:
    body = {"action": action, "actor": OPERATOR, "idempotency_key": key, "wait_s": 20, "reason": "test", **fields}
    response = await running.operator.post("/v1/chargers/CL-1042/commands", json=body)
    assert response.status_code in (200, 202), response.text
    found: dict[str, Any] = response.json()
    return found


async def test_it_boots_and_its_cards_are_answered(running: Running, foreign: ForeignCharger) -> None:
    shown = (await running.api.get("/v1/chargers/CL-1042")).json()
    assert (shown["protocol"], shown["vendor"], shown["boot"]["status"]) == (foreign.protocol, "Foreign", "Accepted")
    for token, expected in (("TAGADA", "Accepted"), ("TAGBAD", "Blocked"), ("NOBODY", {"Invalid", "Unknown"})):
        await foreign.obeys(f"tap {token}")
        answer = (await foreign.tells("authorized"))["answer"]
        status = (answer.get("idTagInfo") or answer.get("idTokenInfo"))["status"]
        assert status == expected or status in expected


async def test_it_charges_on_a_card_and_is_stopped(running: Running, foreign: ForeignCharger) -> None:
    await foreign.obeys("plug")
    await until_status(running, "Preparing")
    await foreign.obeys("present TAGADA")
    await foreign.tells("started")
    await until_status(running, "Charging")
    session = (await running.connector())["session"]
    done = await running.command("stop", "stop", wait_s=20, session=session["id"])
    assert done["outcome"] == "verified", done
    found = (await running.api.get(f"/v1/sessions/{session['id']}")).json()
    assert (found["state"], found["stop_reason"], found["driver"]) == ("ended", "Remote", "drv-ada")


async def test_it_is_started_stopped_unlocked_and_reset(running: Running, foreign: ForeignCharger) -> None:
    await foreign.obeys("plug")
    await until_status(running, "Preparing")
    begun = await running.start("start", wait_s=20)
    assert (begun["outcome"], begun["effect"]["proof"]) == ("verified", "energy"), begun
    stopped = await running.command("stop", "stop", wait_s=20, session=begun["session"])
    assert stopped["outcome"] == "verified", stopped
    unlocked = await running.command("unlock", "unlock", wait_s=20, connector=1, session=begun["session"])
    assert unlocked["outcome"] == "verified", unlocked
    reset = await operate(running, "reset", "reset", kind="soft")
    assert reset["outcome"] == "verified", (reset["outcome"], reset["detail"], reset["refused"])
    await foreign.tells("booted")
    assert (await running.api.get("/v1/chargers/CL-1042")).json()["connection"]["state"] == "connected"
