"""A scripted bridge behind real HTTP, and the client that the action server uses."""

from collections.abc import AsyncIterator

import pytest

from actions.charging import BridgeClient
from chargeline.clock import SystemClock
from tests.actions.fake_bridge import FakeBridge, charger, connector


@pytest.fixture
def bridge() -> FakeBridge:
    return FakeBridge(charger("1042", connector(1, "Preparing")))


@pytest.fixture
async def chargers(bridge: FakeBridge) -> AsyncIterator[BridgeClient]:
    async with bridge.serve() as url:
        client = BridgeClient(url, "key", SystemClock(), keep_trying_s=2)
        yield client
        await client.close()
