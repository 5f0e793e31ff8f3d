"""The bridge's client: patience while it is away, named errors for all else."""

import asyncio

import httpx
import pytest

from actions.bridge import Actor, BridgeAnswerInvalid, BridgeAway, BridgeRefused
from actions.charging import BridgeClient
from chargeline.clock import ManualClock
from tests.actions.fake_bridge import FakeBridge

ADA = Actor("drv-ada", 1, "sms_a")


async def test_a_restart_of_the_bridge_is_waited_out(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.unavailable = 3
    assert (await chargers.charger("CL-1042")).label == "1042"
    assert len(bridge.calls) == 4


async def test_a_bridge_that_stays_away_is_named_so() -> None:
    clock = ManualClock()
    client = BridgeClient("http://127.0.0.1:9", "key", clock, jitter=lambda: 1.0)
    call = asyncio.create_task(client.charger("CL-1042"))
    for _ in range(60):
        await asyncio.sleep(0.01)  # the refused connection itself is real
        await clock.advance(1)
        if call.done():
            break
    with pytest.raises(BridgeAway):
        await call
    assert 40 <= clock.monotonic() <= 50
    await client.close()


async def test_a_refusal_is_not_repeated(bridge: FakeBridge, chargers: BridgeClient) -> None:
    with pytest.raises(BridgeRefused) as refused:
        await chargers.charger("CL-9999")
    assert (refused.value.status, refused.value.slug) == (404, "unknown-charger")
    assert len(bridge.calls) == 1


async def test_the_same_key_is_the_same_command(bridge: FakeBridge, chargers: BridgeClient) -> None:
    first, second = [
        await chargers.start("CL-1042", 1, "tok_ada", actor=ADA, reason="r", key="in_1:start:1", wait_s=1)
        for _ in range(2)
    ]
    assert first == second
    assert len(bridge.commands) == 1


@pytest.mark.parametrize(
    "body", [b"no json", b"[]", b'{"id": "CL-1"}', b'{"id": 1, "connection": null, "connectors": 3}']
)
async def test_an_answer_against_the_contract_is_named_so(body: bytes) -> None:
    client = BridgeClient("http://bridge", "key", ManualClock())
    client._http = httpx.AsyncClient(
        base_url="http://bridge", transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    )
    with pytest.raises(BridgeAnswerInvalid):
        await client.charger("CL-1")


async def test_an_id_with_a_slash_stays_one_part_of_the_path(bridge: FakeBridge, chargers: BridgeClient) -> None:
    with pytest.raises(BridgeRefused):
        await chargers.charger("../commands/x y")
    assert bridge.calls == ["GET /v1/chargers/..%2Fcommands%2Fx%20y"]
