"""The desk by commands: the same decisions, kept under the same name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.trainer import cli
from tests.trainer.test_responses import words_in
from tests.trainer.world import World, world


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world(tmp_path, monkeypatch) as there:
        words_in(there.folder)
        monkeypatch.chdir(tmp_path)  # no .env of the developer's
        monkeypatch.setenv("DESK_PORT", str(urlsplit(there.url).port))
        monkeypatch.setenv("DESK_KEYS", "ada:ada-has-this-key,ben:ben-has-this-key")
        yield there


async def test_a_message_is_found_labelled_and_the_label_undone(
    desk: World, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(*arguments: str) -> tuple[int, str]:
        code = await asyncio.to_thread(cli.main, [*arguments])
        said = capsys.readouterr()
        return code, "\n".join(line for line in (said.out + said.err).splitlines() if not line.startswith("20"))

    await desk.driver_writes("machine ate my visa", "nlu_fallback", 0.3, "say_did_you_mean")
    code, said = await run("inbox")
    assert code == 0
    assert "    machine ate my visa" in said
    message = next(line for line in said.splitlines() if "not_understood" in line).split()[0]
    before = desk.data()
    code, said = await run("label", message, "payment_failed", "--as", "ben")
    assert (code, said) == (0, "Labelled payment_failed: machine ate my visa")
    assert "      - machine ate my visa\n" in desk.data()
    assert (await run("label", message, "payment_failed"))[0] == 1
    assert (await desk.http.get("data/history")).json()["decisions"][0]["trainer"] == "ben"
    assert (await run("undo", "1")) == (0, "Undone: Labelled payment_failed: machine ate my visa")
    assert desk.data() == before
    assert (await run("undo", "1"))[0] == 1
    assert (await run("check"))[0] == 0
    (desk.folder / "data/nlu/es/bad.yml").write_text("nlu: [")
    code, said = await run("check")
    assert code == 1
    assert "es/bad.yml, line 1" in said
    code, said = await run("responses", "say_bye", "--language", "es", "--set", "Ya.")
    assert (code, said) == (0, "Translated say_bye (es): Ya.")
    assert "es, all (1 SMS): Ya." in (await run("responses", "say_bye"))[1]
    assert (await run("--as", "eve", "inbox"))[0] == 1
