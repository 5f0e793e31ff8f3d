"""`GET /v1/chargers/{id}/diagnosis` and `/v1/authorizations`, with chargers over real sockets."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from tests.ocpp_bridge.conftest import Running


async def diagnosis(running: Running, query: str = "driver=drv-ada", charger: str = "CL-1042") -> dict[str, Any]:
    response = await running.api.get(f"/v1/chargers/{charger}/diagnosis?{query}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_a_refused_card_is_found_with_its_charger(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot("Preparing")
        await charger.send("Authorize", idTag="tagbad")
        found = await diagnosis(running)
        assert found["causes"][0]["cause"] == "token_blocked"
        assert found["connectivity"]["state"] == "connected"
        assert found["connector"] == 1
        [attempt] = found["authorizations"]
        assert (attempt["answer"], attempt["own"], attempt["token"]) == ("Blocked", True, "tagbad")
        rows = (await running.api.get("/v1/authorizations?driver=drv-ada")).json()["authorizations"]
        assert [(row["charger"], row["label"], row["answer"]) for row in rows] == [("CL-1042", "1042", "Blocked")]
        assert (await running.api.get("/v1/authorizations?driver=drv-ben")).json() == {"authorizations": []}
        assert (await running.api.get("/v1/authorizations?driver=drv-ada&charger=CL-LOCK")).json()[
            "authorizations"
        ] == []
        assert (await running.api.get("/v1/authorizations?driver=drv-ada&since_s=0")).json()["authorizations"] == []


async def test_another_drivers_card_shows_its_last_characters_only(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot("Preparing")
        await charger.send("Authorize", idTag="TAGBEN")
        found = await diagnosis(running)
        [attempt] = found["authorizations"]
        assert (attempt["own"], attempt["token"], attempt["token_last4"]) == (False, None, "BEN")
        rows = (await running.api.get("/v1/authorizations?charger=CL-1042")).json()["authorizations"]
        assert "TAGBEN" not in str(rows)


async def test_a_card_that_is_in_no_record_is_unknown(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot("Preparing")
        await charger.send("Authorize", idTag="04AABBCC")
        found = await diagnosis(running, "token=04aabbcc")
    assert found["causes"][0]["cause"] == "token_unknown"


async def test_a_session_of_ones_own_and_of_another_are_told_apart(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot("Preparing")
        transaction = (await charger.start("TAGBEN"))["transactionId"]
        await charger.status("Charging")
        await charger.meter(transaction, 2500)
        assert (await diagnosis(running, "driver=drv-ada&connector=1"))["causes"][0]["cause"] == "connector_in_use"
        own = await diagnosis(running, "driver=drv-ben")
        assert (own["connector"], own["session"]["own"], own["session"]["energy_wh"]) == (1, True, 1500)


async def test_a_charger_that_was_never_here_and_one_that_left(running: Running) -> None:
    assert (await diagnosis(running))["causes"][0]["cause"] == "charger_never_connected"
    async with running.charger() as charger:
        await charger.boot()
        site = (await diagnosis(running))["site"]
        assert site == {
            "id": "site-1",
            "name": "Rideau Centre P2",
            "chargers": 3,
            "gone": [],
            "never_connected": ["CL 9", "CL-LOCK"],
            "out_of_order": [],
            "free": [],
        }
        await charger.status("Faulted")
        assert (await running.start())["state"] == "refused"
    found = await diagnosis(running)
    assert found["causes"][0]["cause"] in {"charger_offline", "charger_returning"}
    assert [row["refused"] is not None for row in found["commands"]] == [True]


@pytest.mark.parametrize("query", ["connector=x", "connector=0", "connector=1000"])
async def test_bad_arguments_are_named(running: Running, query: str) -> None:
    response = await running.api.get(f"/v1/chargers/CL-1042/diagnosis?{query}")
    assert (response.status_code, response.json()["type"]) == (400, "urn:chargeline:bad-argument")


async def test_both_need_a_drivers_key_and_something_to_look_for(running: Running) -> None:
    read = {"Authorization": "Bearer key-read"}
    for path in ("/v1/chargers/CL-1042/diagnosis", "/v1/authorizations?driver=drv-ada"):
        assert (await running.api.get(path, headers=read)).status_code == 403
    assert (await running.api.get("/v1/authorizations")).status_code == 400
    assert (await running.api.get("/v1/chargers/CL-404/diagnosis")).status_code == 404


async def test_the_diagnosis_is_as_its_document_says(running: Running) -> None:
    document = (await running.api.get("/v1/openapi.json")).json()
    async with running.charger() as charger:
        await charger.boot("Faulted")
        found = await diagnosis(running)
    schema = {"$ref": "#/components/schemas/Diagnosis", "components": document["components"]}
    jsonschema_rs.Draft202012Validator(schema).validate(found)
