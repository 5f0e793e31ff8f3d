"""A small storm (see tests/channels/storm.py): doubles, disorder, a carrier that fails, each process killed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.channels.storm import Scripted, Storm

pytestmark = pytest.mark.slow


async def test_every_message_is_answered_once_and_in_order_whatever_fails(tmp_path: Path) -> None:
    report = await Storm(Scripted(tmp_path), messages=100, conversations=40, seed=7).run()
    assert sorted(report.kills) == ["bot", "carrier", "rasa"]
    assert report.posts > report.messages
    assert (report.lost, report.doubled, report.disordered, report.beside) == ([], [], [], [])
    assert report.failed == 0
