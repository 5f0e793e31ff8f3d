"""A scripted Rasa, and both lines open to a real front door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.fake_rasa import FakeRasa
from tests.channels.lines import Lines, open_lines


@pytest.fixture
async def rasa() -> AsyncIterator[FakeRasa]:
    fake = FakeRasa()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def lines(tmp_path: Path, rasa: FakeRasa) -> AsyncIterator[Lines]:
    async with open_lines(tmp_path, rasa) as opened:
        yield opened
