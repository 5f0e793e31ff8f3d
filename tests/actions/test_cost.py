"""What a session costs so far: the tariff's own arithmetic, and silence where no price is posted."""

import pytest

from actions.bridge import Tariff
from actions.charging import BridgeClient
from actions.playbooks.cost import cost_so_far, money_words
from tests.actions.fake_bridge import FakeBridge, charger, connector, session
from tests.actions.playing import contact, play

STATUS = ("session_status", None, None)


@pytest.mark.parametrize(
    ("tariff", "cost"),
    [
        (Tariff("CAD", price_per_kwh=0.26), 3.12),
        (Tariff("CAD", price_per_minute=0.025), 0.75),
        (Tariff("USD", price_per_kwh=0.5, session_fee=1.0), 7.0),
        (Tariff("USD", price_per_kwh=0.0), 0.0),
        (Tariff("USD"), None),
    ],
)
def test_twelve_kwh_in_half_an_hour(tariff: Tariff, cost: float | None) -> None:
    assert cost_so_far(tariff, 12_000, 1800) == (None if cost is None else pytest.approx(cost))


def test_money_names_its_currency() -> None:
    assert money_words(3.2, Tariff("CAD")) == "3.20 CAD"


def charging(bridge: FakeBridge, **more: object) -> None:
    running = session("drv-ada", 12_000, last_meter_at="2026-01-01T12:11:40Z")
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Charging", session=running), **more)


async def test_status_says_what_it_costs_so_far(bridge: FakeBridge, chargers: BridgeClient) -> None:
    charging(bridge, tariff={"id": "t", "currency": "CAD", "price_per_kwh": 0.26, "tax_included": False})
    played = await play(chargers, contact(*STATUS))
    assert played.said == ["say_session_now", "say_cost_so_far_before_tax"]
    assert (played.values["cost"], played.values["duration"]) == ("3.12 CAD", "30 min")
    assert bridge.triggers == [], "the meter was read a moment ago"


async def test_an_old_meter_value_is_asked_for_again(bridge: FakeBridge, chargers: BridgeClient) -> None:
    charging(bridge)
    bridge.chargers["CL-1042"]["connectors"][0]["session"]["last_meter_at"] = "2026-01-01T12:05:00Z"
    bridge.meter = {"energy_wh": 13_400, "last_meter_at": "2026-01-01T12:12:00Z"}
    played = await play(chargers, contact(*STATUS))
    assert (played.said, played.values["energy"]) == (["say_session_now"], "13.4 kWh")
    assert bridge.triggers == [("CL-1042", "MeterValues", 1)]


async def test_who_asks_for_the_cost_where_no_price_is_posted_is_told_so(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    charging(bridge)
    played = await play(chargers, contact(*STATUS, reported=["asks_cost"]))
    assert played.said == ["say_session_now", "say_cost_unknown"]
