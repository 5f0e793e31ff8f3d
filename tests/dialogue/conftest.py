"""A conversation at a small site: 1042 and 1043 with a waiting plug, 1045 with two cables, 1046 without a plug, 1044 offline."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.actions.fake_bridge import FakeBridge, charger, connector
from tests.dialogue.talk import Talk, talking


@pytest.fixture
def bridge() -> FakeBridge:
    return FakeBridge(
        charger("1042", connector(1, "Preparing")),
        charger("1043", connector(1, "Preparing")),
        charger("1044", connector(1, None), state="disconnected"),
        charger("1045", connector(1, "Preparing"), connector(2, "Preparing")),
        charger("1046", connector(1, "Available")),
    )


@pytest.fixture
async def talk(bridge: FakeBridge, tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(bridge, tmp_path) as talk:
        yield talk
