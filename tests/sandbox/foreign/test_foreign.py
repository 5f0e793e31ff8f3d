"""The simulated chargers against a central system that this project did not write: npm's ocpp-rpc in strict mode.

Any frame that its schemas do not allow fails the test. Skipped where Node.js or npm is missing or the package cannot be had.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.charger import Charger
from sandbox.fault_table import FAULTS
from sandbox.quirks import WRITTEN
from tests.sandbox.conftest import GARAGE, Build

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
WAIT_S = 20.0


@pytest.fixture(scope="session")
def modules() -> Path:
    """A folder with server.mjs and its modules, made once for each state of the lock file."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing")
    lock = (HERE / "package-lock.json").read_bytes()
    folder = ROOT / "var" / "foreign" / hashlib.sha256(lock).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copyfile(HERE / name, folder / name)
    if not (folder / "node_modules" / "ocpp-rpc" / "package.json").is_file():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode != 0:
            pytest.skip(f"npm ci failed: {done.stderr.strip()[-300:]}")
    return folder


class Foreign:
    """The other program: what it tells, what it is asked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.port = 0
        self._seen = 0
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def violations(self) -> list[Any]:
        return [event["what"] for event in self.told if event["event"] == "violation"]

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.told.append(json.loads(line))
            self.news.set()

    async def expect(self, event: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The next event of this kind that fits; others before it are passed over."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    while self._seen < len(self.told):
                        told = self.told[self._seen]
                        self._seen += 1
                        if told["event"] == event and fits(told):
                            return told
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise TimeoutError(f"{event} did not come: {self.told[-8:]}") from None

    async def call(self, action: str, **fields: Any) -> dict[str, Any]:
        """The next CALL of the charger with this action and these fields at its top."""
        told = await self.expect(
            "call",
            lambda each: (
                each["action"] == action and all(each["params"].get(key) == value for key, value in fields.items())
            ),
        )
        params: dict[str, Any] = told["params"]
        return params

    async def ask(self, action: str, **params: Any) -> Any:
        """The charger's answer, or the code of its CALLERROR."""
        number = next(self._numbers)
        assert self.process.stdin is not None
        line = json.dumps({"id": number, "charger": "CL-1", "action": action, "params": params})
        self.process.stdin.write(line.encode() + b"\n")
        seen = self._seen
        answer = await self.expect("answer", lambda each: each["id"] == number)
        self._seen = seen  # what came before the answer may still be waited for
        return answer.get("result", answer.get("code"))


@pytest.fixture
async def central(modules: Path) -> AsyncIterator[Foreign]:
    process = await asyncio.create_subprocess_exec(
        "node", "server.mjs", cwd=modules, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    foreign = Foreign(process)
    reader = asyncio.create_task(foreign.read())
    try:
        foreign.port = (await foreign.expect("listening"))["port"]
        yield foreign
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.gather(reader, return_exceptions=True)
    assert foreign.violations == []


async def test_a_1_6_charger_lives_a_day_of_its_life(central: Foreign, build: Build) -> None:
    charger: Charger = build(cars={1: {"kind": "small", "soc": 20}}, tethered=False, plug="CCS", max_kw=50)
    assert (await central.expect("connected"))["protocol"] == "ocpp1.6"
    await central.call("BootNotification")
    await central.call("StatusNotification", connectorId=1, status="Preparing")

    assert (await central.ask("RemoteStartTransaction", idTag="TOK-A", connectorId=1))["status"] == "Accepted"
    await central.call("Authorize", idTag="TOK-A")
    await central.call("StartTransaction", idTag="TOK-A", connectorId=1)
    await central.call("StatusNotification", status="Charging")
    await central.call("MeterValues", transactionId=1)
    assert (await central.ask("RemoteStopTransaction", transactionId=1))["status"] == "Accepted"
    await central.call("StopTransaction", transactionId=1, reason="Remote")
    await central.call("StatusNotification", status="Finishing")

    charger.faults.set("unlock", {"result": "UnlockFailed", "held": True})
    assert (await central.ask("UnlockConnector", connectorId=1))["status"] == "UnlockFailed"
    charger.faults.clear("unlock")
    assert (await central.ask("UnlockConnector", connectorId=1))["status"] == "Unlocked"
    charger.station.unplug(1)
    await central.call("StatusNotification", status="Available")

    for action, params in (
        ("GetConfiguration", {}),
        ("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "90"}),
        ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}),
        ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
        ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}),
        ("GetLocalListVersion", {}),
        ("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": []}),
        ("ClearCache", {}),
        ("ReserveNow", {"connectorId": 1, "expiryDate": "2099-01-01T00:00:00Z", "idTag": "TOK-A", "reservationId": 4}),
        ("CancelReservation", {"reservationId": 4}),
        ("DataTransfer", {"vendorId": "nobody"}),
    ):
        assert isinstance(await central.ask(action, **params), dict), action
    assert await central.ask("GetDiagnostics", location="https://example.org/") == "NotSupported"
    charger.faults.set("faulted", {"error_code": "GroundFailure"})
    await central.call("StatusNotification", connectorId=1, errorCode="GroundFailure")
    charger.faults.clear("faulted")
    assert (await central.ask("Reset", type="Soft"))["status"] == "Accepted"
    await central.call("BootNotification")
    await central.call("StatusNotification", connectorId=1, status="Available")


@pytest.mark.parametrize("start_point", ["PowerPathClosed", "EVConnected"])
async def test_an_ocpp_2_charger_lives_a_day_of_its_life(central: Foreign, build: Build, start_point: str) -> None:
    charger: Charger = build(
        protocol="ocpp2.0.1", tethered=False, plug="CCS", max_kw=50, configuration={"TxCtrlr.TxStartPoint": start_point}
    )
    assert (await central.expect("connected"))["protocol"] == "ocpp2.0.1"
    await central.call("BootNotification")
    await central.call("StatusNotification", evseId=1, connectorStatus="Available")
    charger.station.plug(1, GARAGE.car("small"))
    await central.call("StatusNotification", evseId=1, connectorStatus="Occupied")

    token = {"idToken": "TOK-A", "type": "Central"}
    start = await central.ask("RequestStartTransaction", evseId=1, remoteStartId=3, idToken=token)
    assert start["status"] == "Accepted"
    await central.call("Authorize", idToken=token)
    started = await central.call("TransactionEvent", triggerReason="RemoteStart")
    transaction = started["transactionInfo"]["transactionId"]
    await central.call("TransactionEvent", triggerReason="ChargingStateChanged")
    await central.call("TransactionEvent", triggerReason="MeterValuePeriodic")
    assert (await central.ask("RequestStopTransaction", transactionId=transaction))["status"] == "Accepted"
    await central.call("TransactionEvent", eventType="Ended", triggerReason="RemoteStop")

    assert (await central.ask("UnlockConnector", evseId=1, connectorId=1))["status"] == "Unlocked"
    charger.station.unplug(1)
    await central.call("StatusNotification", connectorStatus="Available")

    variable = {"component": {"name": "TxCtrlr"}, "variable": {"name": "EVConnectionTimeOut"}}
    log = {"remoteLocation": "https://example.org/logs"}
    for action, params in (
        ("GetVariables", {"getVariableData": [variable]}),
        ("SetVariables", {"setVariableData": [variable | {"attributeValue": "90"}]}),
        ("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}),
        ("ChangeAvailability", {"operationalStatus": "Inoperative", "evse": {"id": 1}}),
        ("ChangeAvailability", {"operationalStatus": "Operative"}),
        ("TriggerMessage", {"requestedMessage": "MeterValues", "evse": {"id": 1}}),
        ("GetLocalListVersion", {}),
        ("SendLocalList", {"versionNumber": 1, "updateType": "Full"}),
        ("ClearCache", {}),
        ("GetTransactionStatus", {"transactionId": transaction}),
        ("ReserveNow", {"id": 4, "expiryDateTime": "2099-01-01T00:00:00Z", "idToken": token, "evseId": 1}),
        ("CancelReservation", {"reservationId": 4}),
        ("GetLog", {"logType": "SecurityLog", "requestId": 2, "log": log}),
        ("DataTransfer", {"vendorId": "nobody"}),
    ):
        assert isinstance(await central.ask(action, **params), dict), action
    assert await central.ask("GetInstalledCertificateIds") == "NotSupported"
    charger.faults.set("faulted", {"error_code": "GroundFailure"})
    await central.call("NotifyEvent")
    charger.faults.clear("faulted")
    assert (await central.ask("Reset", type="Immediate"))["status"] == "Accepted"
    await central.call("BootNotification", reason="RemoteReset")
    await central.call("StatusNotification", evseId=1)


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
async def test_only_what_is_a_quirk_of_writing_leaves_the_schemas(
    central: Foreign, build: Build, protocol: str
) -> None:
    """Every other fault, one after the other on one charger that is plugged, swiped, unplugged and restarted under it."""
    charger: Charger = build(protocol=protocol, connectors=2, tethered=False)
    await central.call("BootNotification")
    names = [name for name in FAULTS if name not in WRITTEN and name != "no_subprotocol"]
    assert len(names) >= 30
    for name in names:
        charger.faults.set(name, {})
        if charger.station.connectors[1].car is None:
            charger.plug(1, GARAGE.car("small"))
        await charger.swipe_quietly(1, "TOK-A")
        await charger.clock.sleep(12)
        charger.faults.clear(name)
        if charger.station.connectors[1].car is not None:
            charger.unplug(1, car_unlocked=True)
    charger.restart()
    await central.call("BootNotification")
    assert await charger.outbox.drained(within_s=600)
    assert central.violations == []


async def test_the_foreign_judge_sees_a_deviation(central: Foreign, build: Build) -> None:
    build(quirks={"extra_fields": {}})
    told = await central.expect("violation")
    assert "additional properties" in json.dumps(told)
    central.told.clear()
