"""What a charger is told of an id token beside its status, and of one that charges elsewhere; the list version seen."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.ocpp_bridge.conftest import Launch, Running
from tests.ocpp_bridge.scripted2 import ScriptedCharger2

END = "2031-01-01T00:00:00.000Z"


async def with_family(running: Running) -> None:
    document = {"tokens": [{"id": "FAMILY1", "driver": "drv-fay", "group": "FAMILY", "expires_at": END}]}
    assert (await running.operator.post("/v1/import", json=document)).status_code == 200


async def test_tc_004_authorize_tells_group_and_end(running: Running) -> None:
    await with_family(running)
    told = {"status": "Accepted", "parentIdTag": "FAMILY", "expiryDate": END}
    async with running.charger() as charger:
        await charger.boot()
        assert (await charger.send("Authorize", idTag="FAMILY1"))["idTagInfo"] == told
        begun = await charger.start("FAMILY1")
        assert begun["idTagInfo"] == told
        row = {"transactionId": begun["transactionId"], "meterStop": 1500, "timestamp": "2026-01-01T12:00:00Z"}
        assert (await charger.send("StopTransaction", idTag="FAMILY1", **row))["idTagInfo"] == told
        assert (await charger.send("Authorize", idTag="NOBODYS"))["idTagInfo"] == {"status": "Invalid"}


async def test_tc_c_39_authorize_tells_group_and_cache_end(running: Running) -> None:
    await with_family(running)
    async with ScriptedCharger2(f"{running.ws_url}/ocpp/CL-1042") as charger:
        await charger.boot()
        info = (await charger.send("Authorize", idToken={"idToken": "FAMILY1", "type": "ISO14443"}))["idTokenInfo"]
    assert info["groupIdToken"]["idToken"] == "FAMILY"
    assert (info["status"], info["cacheExpiryDateTime"]) == ("Accepted", END)


async def answers(running: Running) -> tuple[str, str, str]:
    """At a second charger, while the token charges at a first: Authorize, StartTransaction; and a repeated start there."""
    async with running.charger() as first, running.charger("CL%209") as second:
        await first.boot()
        await second.boot()
        begun = await first.start("TAGADA")
        assert begun["idTagInfo"]["status"] == "Accepted"
        seen = (await second.send("Authorize", idTag="tagada"))["idTagInfo"]["status"]
        refused = (await second.start("TAGADA"))["idTagInfo"]["status"]
        again = (await first.start("TAGADA"))["idTagInfo"]["status"]  # its answer was lost: the same transaction
        return seen, refused, again


async def test_a_token_that_charges_elsewhere_may_stop_there_but_not_start_here(running: Running) -> None:
    assert await answers(running) == ("Accepted", "ConcurrentTx", "Accepted")


async def test_an_operator_may_allow_several_sessions_on_a_token(launch: Launch) -> None:
    assert await answers(await launch(several_sessions=True)) == ("Accepted", "Accepted", "Accepted")


async def test_a_session_of_a_charger_that_is_gone_bars_nobody(running: Running) -> None:
    async with running.charger() as first:
        await first.boot()
        await first.start("TAGADA")
    for _ in range(100):
        if running.bridge.picture.live("CL-1042").link is None:
            break
        await asyncio.sleep(0.01)
    async with running.charger("CL%209") as second:
        await second.boot()
        assert (await second.start("TAGADA"))["idTagInfo"]["status"] == "Accepted"


async def test_tc_e_transaction_event_of_a_token_in_use_is_concurrent_tx(running: Running) -> None:
    async with running.charger("CL%209") as first, ScriptedCharger2(f"{running.ws_url}/ocpp/CL-1042") as second:
        await first.boot()
        await first.start("TAGADA")
        await second.boot()
        told = await second.event("Started", trigger="Authorized", tag="TAGADA", charging="EVConnected")
        assert told["idTokenInfo"]["status"] == "ConcurrentTx"
        assert (await second.event("Updated", trigger="MeterValuePeriodic", charging="EVConnected")) == {}
        told = await second.event("Ended", trigger="StopAuthorized", tag="TAGADA", reason="DeAuthorized")
        assert told["idTokenInfo"]["status"] == "ConcurrentTx"


async def test_the_diagnosis_knows_the_list_version_that_a_command_was_told(quick: Running) -> None:
    async with quick.charger() as charger:
        await charger.boot()
        asked = asyncio.create_task(quick.command("get_local_list_version", "k1"))
        await charger.expect_request("GetLocalListVersion", {"listVersion": 12})
        assert (await asked)["effect"]["version"] == 12
        found: dict[str, Any] = (await quick.api.get("/v1/chargers/CL-1042/diagnosis")).json()
    assert found["local_list_version"] == 12
