"""The desk's commands for models, as a terminal runs them."""

from __future__ import annotations

import argparse
import asyncio

import pytest

from bot.trainer.client import DeskClient, DeskRefused
from bot.trainer.models.commands import add_commands
from tests.trainer.models.conftest import GOOD, Room

ONE_WRONG = {**GOOD, "cant pull it out": "payment_failed"}


async def run(room: Room, *arguments: str, trainer: str | None = None) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(required=True))
    options = parser.parse_args(arguments)
    code: int = await asyncio.to_thread(options.run, DeskClient(room.settings, trainer), options)
    return code


async def test_train_promote_and_roll_back_by_name(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    first = await room.trained(ONE_WRONG)
    room.will_train(GOOD)
    assert await run(room, "train") == 0
    said = capsys.readouterr().out
    assert "Good to promote: 1 of 7" in said
    assert "better  connector_stuck: payment_failed -> connector_stuck  cant pull it out" in said
    assert await run(room, "promote", "--why", "understands pulling", trainer="ben") == 0
    assert await room.live() != first
    assert await run(room, "rollback", "--why", "drivers complain") == 0
    assert await room.live() == first
    assert await run(room, "history") == 0
    newest, second, _ = capsys.readouterr().out.splitlines()[-3:]
    assert f"ada  rolled back {first}" in newest
    assert newest.endswith("drivers complain")
    assert "ben  promoted" in second
    assert await run(room, "models") == 0
    assert "live" in capsys.readouterr().out


async def test_what_the_verdict_bars_is_barred_in_the_terminal_too(room: Room) -> None:
    live = await room.trained(GOOD)
    worse = await room.trained(ONE_WRONG)
    with pytest.raises(DeskRefused, match="Do not promote"):
        await run(room, "promote", worse[:6], "--why", "because")
    assert await room.live() == live
    assert await run(room, "promote", worse[:6], "--why", "agreed with the operator", "--override") == 0
    assert room.shelf.history()[0].override == ("loses-more",)


async def test_a_failed_training_is_said_with_its_place(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    room.will_train({"fail": {"reason": "not a list", "file": "data/nlu/en/a.yml", "line": 3}})
    assert await run(room, "train") == 1
    assert "failed: data/nlu/en/a.yml:3: not a list" in capsys.readouterr().err
    with pytest.raises(DeskRefused, match="no model"):
        await run(room, "compare", "zzz")
