"""Fixtures of the front door's tests: a Rasa and a carrier that are scripted, a front door that is real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.front_door import front_door
from chargeline.settings import Settings
from tests.bot.doors import EARS, FAST, Door, settings_env
from tests.bot.fake_actions import FakeActions
from tests.bot.fake_carrier import FakeCarrier
from tests.bot.fake_rasa import FakeRasa
from tests.stores.fixtures import mongo_database, mongo_stand_in, mongo_url

__all__ = ["mongo_database", "mongo_stand_in", "mongo_url"]


@pytest.fixture
async def rasa() -> AsyncIterator[FakeRasa]:
    fake = FakeRasa()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def carrier() -> AsyncIterator[FakeCarrier]:
    fake = FakeCarrier()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def actions() -> AsyncIterator[FakeActions]:
    fake = FakeActions()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def env(tmp_path: Path, rasa: FakeRasa, carrier: FakeCarrier, actions: FakeActions) -> dict[str, str]:
    return settings_env(tmp_path, rasa.url, carrier.url, actions.url)


@pytest.fixture
async def door(env: dict[str, str]) -> AsyncIterator[Door]:
    """A front door in this process, on a port of its own."""
    async with front_door(Settings.load(env), FAST, port=0, ears=EARS) as port, Door.at(port) as opened:
        yield opened
