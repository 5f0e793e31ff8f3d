"""The model server as Rasa polls it, and what the desk learns from that."""

from __future__ import annotations

import json

import httpx

from tests.trainer.models.conftest import GOOD, SERVER_KEY, Room

KEY = {"Authorization": f"Bearer {SERVER_KEY}"}


async def test_rasa_gets_the_live_model_once_and_again_when_another_goes_live(room: Room) -> None:
    async with httpx.AsyncClient(base_url=room.http.base_url, trust_env=False, headers=KEY) as rasa:
        assert (await rasa.get("/models/live")).status_code == 404
        first = await room.trained({**GOOD, "card declined": "greet"})
        got = await rasa.get("/models/live", headers={"If-None-Match": "a random word, as of a Rasa without a model"})
        assert (got.status_code, json.loads(got.content)["card declined"]) == (200, "greet")
        assert got.headers["filename"] == f"{first}.tar.gz"
        held = {"If-None-Match": got.headers["etag"]}
        assert (await rasa.get("/models/live", headers=held)).status_code == 304
        second = await room.trained(GOOD)
        assert (await rasa.get("/models/live", headers=held)).status_code == 304  # a candidate is not live
        await room.promote(second, why="better")
        assert (await room.http.get("/api/models")).json()["serving"].keys() == {first}
        swapped = await rasa.get("/models/live", headers=held)
        assert json.loads(swapped.content)["card declined"] == "payment_failed"
        await room.http.post("/api/models/rollback", json={})
        back = await rasa.get("/models/live", headers={"If-None-Match": swapped.headers["etag"]})
        assert back.headers["etag"] == got.headers["etag"]


async def test_a_model_that_rasa_could_not_load_is_told_to_trainers_and_not_sent_again(room: Room) -> None:
    model = await room.trained(GOOD)
    async with httpx.AsyncClient(base_url=room.http.base_url, trust_env=False, headers=KEY) as rasa:
        etag = (await rasa.get("/models/live")).headers["etag"]
        assert (await rasa.get("/models/live", headers={"If-None-Match": f"!{etag}"})).status_code == 304
    assert (await room.http.get("/api/models")).json()["serving"].keys() == {f"!{model}"}


async def test_only_rasas_key_opens_it(room: Room) -> None:
    await room.trained(GOOD)
    async with httpx.AsyncClient(base_url=room.http.base_url, trust_env=False) as other:
        assert (await other.get("/models/live")).status_code == 401
        assert (await other.get("/models/live", headers={"Authorization": "Bearer wrong"})).status_code == 401
    assert (await room.http.get("/models/live")).status_code == 401  # a trainer's key is another
