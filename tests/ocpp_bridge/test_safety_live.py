"""The whole bridge over its sockets and its HTTP API: several drivers and an operator at each charger, all at once, and
chargers that obey, refuse, lie, fall silent and vanish.

Every call is held against what the bridge knew at the moment of making it, every command that is called verified against
what its charger said after the call, danger against what was sent after it. What happens is drawn from a seed; how it
interleaves is the machine's.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from ocpp_bridge.server.connection import Connection
from ocpp_bridge.versions.base import Request
from ocpp_bridge.wire import session as wire
from tests.ocpp_bridge.conftest import QUICK, Launch, Running
from tests.ocpp_bridge.scripted import CallErrorAnswer, ScriptedCharger

WISHES = 6  # of each driver
NAMES = [f"L-{number}" for number in range(16)]
DRIVERS = 3  # at each charger
RUNNING = {"Charging", "SuspendedEV", "SuspendedEVSE"}
STATUSES = ["Available", "Preparing", "Preparing", "Finishing", "Faulted", "Unavailable", "Charging"]
GONE = (ConnectionClosed, CallErrorAnswer, TimeoutError, OSError)
ACTIONS = ["start"] * 4 + ["stop", "stop", "unlock", "unlock", "reset", "operative", "inoperative", "trigger"]
OPERATOR = {"tier": 4}


def tag(name: str, driver: int) -> str:
    return f"T{driver}-{name}"


class Liar:
    """A charger with a mind of its own. `said`: what it said of which connector (0: of itself), and when it began to."""

    def __init__(self, running: Running, name: str, chance: random.Random) -> None:
        self.name = name
        self.said: list[tuple[datetime, str, int]] = []
        self._bridge = running
        self._chance = chance
        self._transactions: dict[int, int] = {}
        self._charger: ScriptedCharger
        self._answers: set[asyncio.Task[None]] = set()

    def said_since(self, moment: datetime, connector: int | None, *what: str) -> bool:
        return any(
            at >= moment and number in (connector, number if connector is None else -1) and (not what or word in what)
            for at, word, number in self.said
        )

    async def live(self) -> None:
        while True:
            with contextlib.suppress(*GONE):
                async with self._bridge.charger(self.name) as self._charger:
                    obeying = asyncio.create_task(self._obey())
                    try:
                        self.said.append((datetime.now(UTC), "boot", 0))
                        await self._charger.send("BootNotification", chargePointVendor="Acme", chargePointModel="Liar")
                        while self._chance.random() > 0.03:
                            await self._do_something(self._chance.choice([1, 2]))
                            await asyncio.sleep(self._chance.random() * 0.2)
                    finally:
                        obeying.cancel()
            await asyncio.sleep(self._chance.random() * 0.3)

    async def _do_something(self, connector: int) -> None:
        match self._chance.choice(["start", "stop", "meter", "say", "say", "say"]):
            case "start":
                await self._start(connector, tag(self.name, self._chance.randrange(DRIVERS)))
            case "stop":
                await self._stop(connector)
            case "meter":
                await self._meter(connector)
            case _:
                await self._say(connector, self._chance.choice(STATUSES))

    async def _say(self, connector: int, status: str) -> None:
        self.said.append((datetime.now(UTC), status, connector))
        await self._charger.status(status, connector)

    async def _start(self, connector: int, token: str) -> None:
        answer = await self._charger.start(token, connector, 1000, datetime.now(UTC).isoformat())
        self._transactions[connector] = answer["transactionId"]

    async def _stop(self, connector: int) -> None:
        transaction = self._transactions.pop(connector, None)
        if transaction is not None:
            at = datetime.now(UTC).isoformat()
            await self._charger.send("StopTransaction", transactionId=transaction, meterStop=1500, timestamp=at)

    async def _meter(self, connector: int) -> None:
        if connector in self._transactions:
            await self._charger.meter(self._transactions[connector], self._chance.choice([1000, 1200]), connector)

    # ---- what the bridge asks for

    async def _obey(self) -> None:
        while True:
            frame = await self._charger._requests.get()
            task = asyncio.create_task(self._answer(frame[1], frame[2], frame[3]))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _answer(self, message: str, action: str, payload: dict[str, Any]) -> None:
        with contextlib.suppress(*GONE):
            good = "Unlocked" if action == "UnlockConnector" else "Accepted"
            match self._chance.choice(["yes"] * 7 + ["no", "error", "nonsense", "silence", "gone"]):
                case "yes":
                    await self._charger.raw([3, message, {"status": good}])
                case "no":
                    await self._charger.raw([3, message, {"status": "Rejected"}])
                case "error":
                    await self._charger.raw([4, message, "InternalError", "", {}])
                case "nonsense":
                    await self._charger.raw([3, message, {"status": 7}])
                case "gone":
                    await self._charger.socket.close()
            if self._chance.random() < 0.7:  # whatever it answered
                await self._effect(action, payload)

    async def _effect(self, action: str, payload: dict[str, Any]) -> None:
        connector = payload.get("connectorId") or self._chance.choice([1, 2])
        match action:
            case "RemoteStartTransaction":
                await self._start(connector, payload["idTag"])
                await self._say(connector, "Charging")
                await self._meter(connector)
            case "RemoteStopTransaction":
                for number, transaction in list(self._transactions.items()):
                    if transaction == payload["transactionId"]:
                        await self._stop(number)
            case "UnlockConnector":
                await self._say(connector, "Available")
            case "ChangeAvailability":
                await self._say(connector, "Unavailable" if payload["type"] == "Inoperative" else "Available")
            case "TriggerMessage":
                await self._say(connector, self._chance.choice(STATUSES))
            case "Reset":
                await self._charger.socket.close()


def watch_calls(running: Running, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], Counter[str]]:
    """What is wrong with calls as they are made, and how many were made."""
    wrong: list[str] = []
    made: Counter[str] = Counter()
    call = Connection.call

    async def watched(self: Connection, request: Request, timeout_s: float) -> wire.Outcome:
        live = running.bridge.picture.live(self.charger)
        made[request.action] += 1
        busy = {session.connector for session in live.sessions.values()}
        charging = busy | {number for number, status in live.statuses.items() if status.status in RUNNING}
        connector = int(request.payload.get("connectorId") or 0)
        if request.action == "UnlockConnector" and connector in charging:
            wrong.append(f"unlock of {self.charger}/{connector} while it charges")
        if request.action == "Reset" and charging:
            wrong.append(f"reset of {self.charger} while {charging} charge")
        if request.action == "RemoteStartTransaction":
            status = live.statuses[connector]
            age = datetime.now(UTC) - status.at
            if connector in busy or status.status not in {"Available", "Preparing"} or age > timedelta(seconds=61):
                wrong.append(f"start on {self.charger}/{connector}, which is {status.status}, {age}")
            if running.bridge.picture.active_sessions_of(request.payload["idTag"]):
                wrong.append(f"start with {request.payload['idTag']}, which charges already")
        return await call(self, request, timeout_s)

    monkeypatch.setattr(Connection, "call", watched)
    return wrong, made


async def ask(running: Running, name: str, driver: int, chance: random.Random, number: int) -> str:
    """One wish of a driver, now and then an operator's or a report of danger; the command's id."""
    action, connector = chance.choice(ACTIONS), chance.choice([1, 2])
    actor: dict[str, Any] = {"driver": f"drv{driver}-{name}", "tier": 2}
    body: dict[str, Any] = {
        "action": action,
        "actor": actor,
        "idempotency_key": f"{name}-{driver}-{number}",
        "wait_s": 0,
    }
    if action == "stop":
        found = (await running.api.get(f"/v1/sessions?charger={name}&state=active")).json()["sessions"]
        body["session"] = chance.choice(found)["id"] if found else "ses_none"
    elif action != "reset":
        body["connector"] = connector
    if action == "start":
        body["token"] = tag(name, chance.choice([driver, driver, driver, 0, 1]))
    if action == "trigger":
        body["message"] = "StatusNotification"
    if action == "inoperative" and chance.random() < 0.3:
        body["reason"] = "hazard"
    elif chance.random() < 0.1:
        body["actor"] = OPERATOR
    api = running.operator if body["actor"] is OPERATOR else running.api
    response = await api.post(f"/v1/chargers/{name}/commands", json=body)
    assert response.status_code in (200, 202), response.text
    again = await api.post(f"/v1/chargers/{name}/commands", json=body) if chance.random() < 0.2 else response
    assert again.json()["id"] == response.json()["id"]
    return str(response.json()["id"])


def unproved(command: dict[str, Any], liar: Liar, sessions: dict[str, dict[str, Any]]) -> bool:
    """Called verified, and nothing that the charger said since the call bears it out."""
    if command["state"] != "verified" or command["sent_at"] is None:
        return False
    sent, connector = datetime.fromisoformat(command["sent_at"]), command["connector"]
    match command["action"]:
        case "start":
            session = sessions[command["session"]]
            energy = session["energy_wh"] > 0 and session["connector"] == connector
            by_status = command["effect"]["proof"] == "status" and liar.said_since(sent, connector, "Charging")
            return not (energy or by_status)
        case "stop":
            return bool(sessions[command["session"]]["state"] != "ended")
        case "unlock":
            return not liar.said_since(sent, connector, "Available")
        case "inoperative":
            return not liar.said_since(sent, connector, "Unavailable")
        case "operative":
            return not liar.said_since(sent, connector, *(set(STATUSES) - {"Unavailable", "Faulted"}))
        case "reset":
            return not liar.said_since(sent, 0, "boot")
        case _:
            return not liar.said_since(sent, connector)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_whoever_asks_for_whatever_of_whichever_charger(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    running: Running = await launch(QUICK)
    connectors = [{"connector": number, "evse": number} for number in (1, 2)]
    document = {
        "sites": [],
        "chargers": [{"id": name, "site": "site-1", "connectors": connectors} for name in NAMES],
        "tokens": [{"id": tag(name, n), "driver": f"drv{n}-{name}"} for name in NAMES for n in range(DRIVERS)],
    }
    assert (await running.operator.post("/v1/import", json=document)).status_code == 200
    wrong, made = watch_calls(running, monkeypatch)
    liars = {name: Liar(running, name, random.Random(f"charger {name}")) for name in NAMES}
    lives = [asyncio.create_task(liar.live()) for liar in liars.values()]

    async def wish(name: str, driver: int) -> list[str]:
        chance = random.Random(f"driver {driver} of {name}")
        found: list[str] = []
        for _ in range(WISHES):
            found.append(await ask(running, name, driver, chance, len(found)))
            await asyncio.sleep(chance.random() * 0.5)
        return found

    asked = await asyncio.gather(*(wish(name, driver) for name in NAMES for driver in range(DRIVERS)))
    commands = []
    for command_id in (command_id for ids in asked for command_id in ids):
        commands.append((await running.api.get(f"/v1/commands/{command_id}?wait_s=10")).json())
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)

    assert wrong == []
    assert {"RemoteStartTransaction", "UnlockConnector", "RemoteStopTransaction", "ChangeAvailability"} <= set(made), (
        made
    )
    sessions: dict[str, dict[str, Any]] = {}
    for command in commands:
        if command["session"] is not None and command["session"] != "ses_none":
            found = (await running.api.get(f"/v1/sessions/{command['session']}")).json()
            sessions[command["session"]] = found
    assert [command for command in commands if not command["finished"]] == []
    assert [command for command in commands if unproved(command, liars[command["charger"]], sessions)] == []
    assert [command for command in commands if command["refused"] and command["sent_at"]] == []
    done = Counter(command["action"] for command in commands if command["state"] == "verified" and command["sent_at"])
    assert len(done) >= 3, done  # the books were not kept in vain
    for name in NAMES:
        assert_danger_stands([command for command in commands if command["charger"] == name])


def assert_danger_stands(commands: list[dict[str, Any]]) -> None:
    """After a report of danger no driver's act is sent there, until an operator's operative has taken effect."""
    held: dict[int, bool] = {}
    moments: list[tuple[str, dict[str, Any]]] = []
    for command in commands:
        if command["reason"] == "hazard" and not command["refused"]:
            moments.append((command["sent_at"] or command["finished_at"], command))
        elif command["action"] == "operative" and command["actor"]["tier"] == 4 and command["state"] == "verified":
            moments.append((command["finished_at"], command))
        elif command["action"] in {"start", "unlock", "operative"} and command["sent_at"]:
            moments.append((command["sent_at"], command))
    for _, command in sorted(moments, key=lambda row: row[0]):
        where = command["connector"]
        if command["reason"] == "hazard":
            held[where] = True
        elif command["actor"]["tier"] == 4:
            held[where] = held.get(where, False) and command["action"] != "operative"
        else:
            assert not held.get(where), command
