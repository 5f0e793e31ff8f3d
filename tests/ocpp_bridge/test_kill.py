"""`kill -9` of the real process in the middle of 200 transactions (half of them on OCPP 2.0.1) and 40 commands: nothing is
lost, doubled or made up."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.ocpp_bridge.scripted import ScriptedCharger
from tests.ocpp_bridge.scripted2 import ScriptedCharger2
from tests.ocpp_bridge.test_restart import ACCEPTED, Process

CHARGERS = 200
COMMANDED = 40
NAMES = [f"CL-{number:03d}" for number in range(CHARGERS + COMMANDED)]
NETWORK: dict[str, Any] = {
    "sites": [{"id": "s", "name": "Site"}],
    "chargers": [{"id": name, "site": "s", "connectors": [{"connector": 1, "evse": 1}]} for name in NAMES],
    "tokens": [{"id": f"TAG-{name}", "driver": f"drv-{name}"} for name in NAMES],
}
pytestmark = pytest.mark.slow


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    found = Process(tmp_path, NETWORK)
    await found.start()
    yield found
    await found.api.aclose()
    if found._process is not None and found._process.poll() is None:
        await found.end(signal.SIGKILL)


async def connect(process: Process, names: list[str], stack: AsyncExitStack) -> dict[str, ScriptedCharger]:
    found = [of_version(process, name) for name in names]
    await asyncio.gather(*(stack.enter_async_context(charger) for charger in found))
    return dict(zip(names, found, strict=True))


def of_version(process: Process, name: str) -> ScriptedCharger:
    """The even ones speak 1.6, the odd ones 2.0.1; those that are commanded all speak 1.6."""
    number = NAMES.index(name)
    if number < CHARGERS and number % 2:
        return ScriptedCharger2(f"ws://127.0.0.1:{process.ocpp_port}/ocpp/{name}")
    return process.charger(name)


async def begin(charger: ScriptedCharger, name: str) -> int | str | None:
    """The transaction's id; None where the answer was lost with the bridge: then the charger says it again later."""
    try:
        if isinstance(charger, ScriptedCharger2):
            answer = await charger.event("Started", f"tx-{name}", tag=f"TAG-{name}", begin=0, seq=0)
            assert answer["idTokenInfo"]["status"] == "Accepted"
            return f"tx-{name}"
        return int((await charger.start(f"TAG-{name}", meter=0))["transactionId"])
    except (TimeoutError, ConnectionClosed):
        return None


async def finish(charger: ScriptedCharger, transaction: int | str | None) -> None:
    if isinstance(charger, ScriptedCharger2):
        await charger.event("Ended", str(transaction), wh=5000, seq=9, reason="Local")
        return
    row = {"transactionId": transaction, "meterStop": 5000, "timestamp": "2026-01-01T13:00:00Z"}
    await charger.send("StopTransaction", **row)


async def sessions_of(process: Process, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await process.api.get(f"/v1/sessions?charger={name}")).json()["sessions"]
    return found


async def in_flight(process: Process, chargers: dict[str, ScriptedCharger]) -> dict[str, str]:
    """A start for each of the commanded chargers; a third is answered, a third only reached, a third waits for status."""
    commands: dict[str, str] = {}
    for number, name in enumerate(NAMES[CHARGERS:]):
        if number % 3 < 2:
            await chargers[name].status("Preparing")
        body = {"charger": name, "token": f"TAG-{name}", "actor": {"driver": f"drv-{name}", "tier": 1}}
        commands[name] = (await process.start_command(f"k-{name}", **body))["id"]
    for number, name in enumerate(NAMES[CHARGERS:]):
        if number % 3 < 2:
            await chargers[name].expect_request("RemoteStartTransaction", ACCEPTED if number % 3 == 0 else None)
    return commands


@pytest.mark.timeout(180)
async def test_a_kill_during_200_transactions_loses_doubles_and_invents_nothing(process: Process) -> None:
    async with AsyncExitStack() as stack:
        chargers = await connect(process, NAMES, stack)
        await asyncio.gather(*(charger.boot() for charger in list(chargers.values())[:CHARGERS]))
        commands = await in_flight(process, chargers)
        starts = [asyncio.create_task(begin(chargers[name], name)) for name in NAMES[:CHARGERS]]
        first = asyncio.as_completed(starts)
        for _ in range(CHARGERS // 4):
            await next(first)
        await process.end(signal.SIGKILL)
        answered = dict(zip(NAMES, await asyncio.gather(*starts), strict=False))
    assert None in answered.values(), "the kill came too late to interrupt anything"

    await process.start()
    for number, (name, command_id) in enumerate(commands.items()):
        found = await process.command(command_id)
        assert (found["state"], found["outcome"]) != ("verified", "verified"), name
        if number % 3 == 2:
            assert (found["state"], found["sent_at"]) == ("disconnected", None), found
        else:
            assert found["state"] in {"sent", "answered"}, found

    async with AsyncExitStack() as stack:
        chargers = await connect(process, NAMES, stack)
        again = await asyncio.gather(*(begin(chargers[name], name) for name in NAMES[:CHARGERS]))
        for name, transaction in zip(NAMES, again, strict=False):
            assert transaction is not None
            assert answered[name] in (None, transaction), name  # the same start is the same transaction
        assert len(set(again)) == CHARGERS
        stopped = NAMES[: CHARGERS // 2]
        await asyncio.gather(
            *(finish(chargers[name], transaction) for name, transaction in zip(stopped, again, strict=False))
        )
        rows = [row for name in NAMES[:CHARGERS] for row in await sessions_of(process, name)]
        assert Counter(row["charger"] for row in rows) == Counter(NAMES[:CHARGERS])
        for row in rows:
            ended = row["charger"] in stopped
            assert (row["state"], row["energy_wh"]) == (("ended", 5000) if ended else ("active", 0)), row

        # A command whose effect comes after the restart is verified; one whose effect stays out is never called done.
        done, undone = NAMES[CHARGERS], NAMES[CHARGERS + 1]
        transaction = await begin(chargers[done], done)
        assert isinstance(transaction, int)
        await chargers[done].status("Charging")
        await chargers[done].meter(transaction, 500)
        assert (await process.command(commands[done], wait_s=10))["state"] == "verified"
        assert (await process.command(commands[undone]))["state"] == "sent"
        for name in NAMES[CHARGERS:]:
            assert len(await sessions_of(process, name)) == (1 if name == done else 0)
