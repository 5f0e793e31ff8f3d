"""kill -9 of the front door's process at the moments that hurt; a second process goes on with its file."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from chargeline.ports import free_port
from tests.bot.doors import ADA, Door, until
from tests.bot.fake_carrier import FakeCarrier
from tests.bot.fake_rasa import FakeRasa, Turn

pytestmark = pytest.mark.slow


async def start(env: dict[str, str], port: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot"),
        env={**os.environ, **env, "BOT_PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def process(env: dict[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, Door]]:
    """A front door as it is really run; killed, not ended, when the block is left."""
    port = free_port()
    running = await start(env, port)
    try:
        async with Door.at(port) as door:

            async def ready() -> bool:
                try:
                    return (await door.http.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready, "the front door is ready", 30)
            yield running, door
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def test_killed_right_after_the_acknowledgement_the_message_is_answered_once(
    env: dict[str, str], rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    await rasa.stop()
    async with process(env) as (_, door):
        assert (await door.sms("1042", sid="SM1")).status_code == 200
    await rasa.start()
    async with process(env) as (_, door):
        assert (await door.sms("1042", sid="SM1")).status_code == 200
        await until(lambda: "You said: 1042" in carrier.bodies(ADA), "the answer")
        await door.sms("more")
        await until(lambda: "You said: more" in carrier.bodies(ADA), "the next answer")
    assert rasa.messages == ["1042", "more"]
    assert len(carrier.bodies(ADA)) == 3


async def test_killed_in_the_middle_of_a_turn_its_replies_come_from_the_tracker(
    env: dict[str, str], rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(lines=[{"text": "Starting."}, {"text": "Started."}], hold=hold)]
    async with process(env) as (_, door):
        await door.sms("1042")
        await until(lambda: len(carrier.bodies(ADA)) == 3, "the replies so far")
    async with process(env) as (_, door):
        await until(lambda: rasa.checks == 1, "the second process asks for the turn")
        hold.set()
        await door.sms("more")
        await until(lambda: "You said: more" in carrier.bodies(ADA), "the next answer")
    assert rasa.messages == ["1042", "more"]
    assert carrier.bodies(ADA)[1:] == ["Starting.", "Started.", "You said: more"]


async def test_killed_while_the_carrier_answers_the_text_is_not_sent_again(
    env: dict[str, str], rasa: FakeRasa, carrier: FakeCarrier
) -> None:
    carrier.faults.extend(["", "hold"])
    async with process(env) as (_, door):
        await door.sms("1042")
        await until(lambda: len(carrier.taken) == 2, "the carrier has the text, we do not know it")
    carrier.go_on.set()
    async with process(env) as (_, door):
        await door.sms("more")
        await until(lambda: len(carrier.taken) == 3, "the next text")
    assert carrier.bodies(ADA)[1:] == ["You said: 1042", "You said: more"]
    assert carrier.listed == 1


async def test_a_port_in_use_is_one_line_and_a_term_signal_ends_cleanly(env: dict[str, str]) -> None:
    async with process(env) as (running, door):
        port = door.http.base_url.port
        assert port is not None
        second = await start({**env, "VAR_DIR": env["VAR_DIR"] + "2"}, port)
        _, err = await asyncio.wait_for(second.communicate(), 30)
        assert second.returncode == 1
        assert err.decode().strip() == f"bot: cannot listen on 127.0.0.1:{port}: Address already in use"
        async with door.http.stream("GET", "/terminal/bo/events", headers=door.key):  # an open stream must not hold it
            running.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(running.wait(), 10) == 0
