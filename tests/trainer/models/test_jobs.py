"""Training as a job: one at a time, with progress, cancelled, failing with file and line, surviving a worker that dies."""

from __future__ import annotations

import asyncio

import pytest

from bot.trainer.models import worker
from tests.trainer.models.conftest import GOOD, Room


async def _start(room: Room) -> int:
    return (await room.http.post("/api/models/train", json={})).status_code


async def _until_phase(room: Room, phase: str) -> None:
    async with asyncio.timeout(20):
        while (await room.http.get("/api/models/job")).json()["job"]["phase"] != phase:
            await asyncio.sleep(0.01)


async def test_one_job_at_a_time_and_a_cancelled_one_changes_nothing(room: Room) -> None:
    live = await room.trained(GOOD)
    room.will_train({"hang": True})
    assert await _start(room) == 202
    await _until_phase(room, "training")
    second = await room.http.post("/api/models/train", json={})
    assert (second.status_code, second.json()["type"]) == (409, "urn:chargeline:busy")
    assert "ada" in second.json()["detail"]
    cancelled = (await room.http.post("/api/models/job/cancel", json={})).json()["job"]
    assert cancelled["state"] == "cancelled"
    assert [one.id for one in room.shelf.models()] == [live]
    assert await room.trained(GOOD) != live


async def test_a_worker_that_does_not_listen_is_ended_by_a_cancellation(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "CANCEL_WITHIN_S", 0.2)
    room.will_train({"deaf": True})
    assert await _start(room) == 202
    await _until_phase(room, "training")
    cancelled = (await room.http.post("/api/models/job/cancel", json={})).json()["job"]
    assert cancelled["state"] == "cancelled"
    assert await room.trained(GOOD)


async def test_a_broken_file_is_named_with_its_line(room: Room) -> None:
    fault = {"reason": "mapping values are not allowed here", "file": "data/nlu/en/money.yml", "line": 12}
    room.will_train({"fail": fault})
    await _start(room)
    job = await room.job()
    assert (job["state"], job["words"], job["file"], job["line"]) == ("failed", fault["reason"], fault["file"], 12)


async def test_a_worker_that_dies_is_reported_and_replaced(room: Room) -> None:
    room.will_train({"crash": True})
    await _start(room)
    job = await room.job()
    assert job["state"] == "failed"
    assert "ended in the middle of its work" in job["words"]
    assert await room.trained(GOOD)


async def test_a_broken_test_set_is_a_clear_message(room: Room) -> None:
    await room.trained(GOOD)
    (room.folder / "tests/nlu/dev/en.yml").write_text("nlu: [\n")
    room.will_train(GOOD)
    await _start(room)
    job = await room.job()
    assert job["state"] == "failed"
    assert "en.yml cannot be read" in job["words"]


async def test_a_model_of_the_present_data_is_not_trained_again(room: Room) -> None:
    model = await room.trained(GOOD)
    (room.folder / "next.json").write_text('{"crash": true}')
    await _start(room)
    job = await room.job()
    assert (job["state"], job["model"]) == ("done", model)
    assert "has not changed" in job["words"]
