"""What a command costs the store, and what stands there when: the decision before the call, the end before it is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ocpp_bridge.commands.watcher import AT_ONCE_S
from ocpp_bridge.model import Command
from tests.ocpp_bridge.conftest import Launch, Running


def writes(running: Running, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The states that go to the store, in order."""
    seen: list[str] = []
    store = running.bridge._store
    add, save = store.add_command, store.save_command

    async def adding(command: Command) -> Command:
        seen.append(f"add {command.state}")
        return await add(command)

    async def saving(command: Command) -> None:
        seen.append(command.state)
        await save(command)

    monkeypatch.setattr(store, "add_command", adding)
    monkeypatch.setattr(store, "save_command", saving)
    return seen


async def test_a_command_that_waits_for_nothing_is_stored_before_it_is_sent_and_with_its_end(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = writes(quick, monkeypatch)
    async with quick.charger() as charger:
        await charger.boot()
        asked = asyncio.create_task(quick.command("get_local_list_version", "k1"))
        frame = await charger.take("GetLocalListVersion")
        [stored] = await quick.bridge._store.unfinished_commands()
        assert (stored.state, stored.decision is not None and stored.decision["allowed"]) == ("sent", True)
        await charger.raw([3, frame[1], {"listVersion": 3}])
        done = await asked
    assert done["state"] == "verified"
    assert seen == ["add sent", "verified"]


async def test_an_effect_that_comes_with_the_answer_is_stored_with_the_end_and_a_later_one_is_waited_for_in_the_store(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = writes(quick, monkeypatch)
    async with quick.charger() as charger:
        await charger.boot()
        asked = asyncio.create_task(quick.command("trigger", "k1", message="StatusNotification", connector=1))
        await charger.expect_request("TriggerMessage", {"status": "Accepted"})
        await charger.status("Preparing")
        assert (await asked)["state"] == "verified"
        assert seen == ["add sent", "verified"]
        seen.clear()
        asked = asyncio.create_task(quick.command("trigger", "k2", message="StatusNotification", connector=1))
        await charger.expect_request("TriggerMessage", {"status": "Accepted"})
        for _ in range(100):
            [stored] = await quick.bridge._store.unfinished_commands()
            if stored.state == "answered":
                break
            await asyncio.sleep(AT_ONCE_S)
        assert (stored.state, stored.answer) == ("answered", "Accepted")
        await charger.status("Preparing")
        assert (await asked)["state"] == "verified"
        assert seen == ["add sent", "answered", "verified"]


async def test_what_a_charger_says_while_the_command_goes_to_the_store_counts(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with quick.charger() as charger:
        await charger.boot("Finishing")
        add = quick.bridge._store.add_command

        async def somebody_plugs_in(command: Command) -> Command:
            found = await add(command)
            await charger.start("TAGBEN")
            return found

        monkeypatch.setattr(quick.bridge._store, "add_command", somebody_plugs_in)
        body = {"action": "unlock", "connector": 1, "actor": {"tier": 4}, "idempotency_key": "k1", "wait_s": 5}
        done = (await quick.operator.post("/v1/chargers/CL-1042/commands", json=body)).json()
        assert (done["state"], done["sent_at"]) == ("refused", None)
        assert done["refused"]["rule"] == "no-unlock-while-charging"
        await charger.no_request()


async def test_a_command_that_waits_for_its_turn_is_stored_while_it_waits(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        first = asyncio.create_task(quick.command("get_local_list_version", "k1"))
        frame = await charger.take("GetLocalListVersion")
        seen = writes(quick, monkeypatch)
        behind = await quick.command("trigger", "k2", wait_s=0, message="Heartbeat")
        assert (behind["state"], seen) == ("queued", ["add queued"])
        await charger.raw([3, frame[1], {"listVersion": 3}])
        await first


async def test_a_refusal_is_stored_once(quick: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = writes(quick, monkeypatch)
    async with quick.charger() as charger:
        await charger.boot()
        assert (await quick.start("k1", token="TAGBEN"))["refused"]["rule"] == "own-session-only"
    assert seen == ["add refused"]


async def test_two_posts_with_one_key_at_the_same_moment_are_one_command(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        asked = [asyncio.create_task(quick.command("get_local_list_version", "same")) for _ in range(5)]
        await charger.expect_request("GetLocalListVersion", {"listVersion": 3})
        assert len({(await one)["id"] for one in asked}) == 1
        await charger.no_request()
        again: dict[str, Any] = await quick.command("get_local_list_version", "same")
        assert again["state"] == "verified"
        await charger.no_request()


async def test_a_store_that_fails_before_the_call_means_that_nothing_is_sent(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with quick.charger() as charger:
        await charger.boot()

        async def full(command: Command) -> Command:
            raise OSError("no space left on the disk")

        body = {"action": "get_local_list_version", "actor": {"tier": 1, "driver": "d"}, "idempotency_key": "k1"}
        with monkeypatch.context() as patch:
            patch.setattr(quick.bridge._store, "add_command", full)
            assert (await quick.api.post("/v1/chargers/CL-1042/commands", json=body)).status_code == 500
            await charger.no_request()
        asked = asyncio.create_task(quick.api.post("/v1/chargers/CL-1042/commands", json={**body, "wait_s": 5}))
        await charger.expect_request("GetLocalListVersion", {"listVersion": 3})  # the same key may ask again
        assert (await asked).json()["state"] == "verified"


async def test_limits_hold_over_a_restart(launch: Launch) -> None:
    """The gate's memory is read from the store: a second reset is as early after a restart as before it."""
    for turn in range(2):
        running: Running = await launch()
        async with running.charger() as charger:
            await charger.boot("Faulted")
            body = {"action": "reset", "actor": {"driver": "drv-ada", "tier": 1}, "wait_s": 0}
            asked = asyncio.create_task(
                running.api.post("/v1/chargers/CL-1042/commands", json={**body, "idempotency_key": f"k{turn}"})
            )
            if turn == 0:
                await asked
                await charger.expect_request("TriggerMessage", {"status": "Accepted"})
                await charger.status("Faulted", 2)
                await charger.status("Faulted", 1)
                await charger.expect_request("Reset", {"status": "Rejected"})
                await asyncio.sleep(0.1)
            else:
                found = (await asked).json()
                assert found["refused"] is None or found["refused"]["rule"] == "rate"
                done = (await running.api.get(f"/v1/commands/{found['id']}?wait_s=5")).json()
                assert done["refused"]["rule"] == "rate"
        await running.bridge.stop()
