"""A driver who orders a restart: never taken for a start, decided by the gate, and told why not."""

import pytest

from actions.charging import BridgeClient
from actions.dialogue.reading import orders_restart
from actions.playbooks.book import RESTART
from actions.playbooks.steps import Offer, Outcome
from tests.actions.fake_bridge import FakeBridge, charger, connector, session
from tests.actions.playing import contact, play, wake


@pytest.mark.parametrize(
    "text",
    [
        "reboot charger 6804",
        "just restart the whole thing please, support on the phone said to",
        "power cycle it",
        "you gotta restart 4410 its frozen",
        "can someone remotely restart this charger",
        "turn it off and on again",
        "it needs a reset",
        "reinicie el cargador 6804",
        "le pueden dar un reset a esta maquina",
        "faites un reset svp elle est gelée",
        "redémarrez la borne 4410",
    ],
)
def test_an_order_to_restart_is_heard(text: str) -> None:
    assert orders_restart(text)


@pytest.mark.parametrize(
    "text",
    [
        "i already tried to restart it",
        "it keeps restarting itself",
        "still nothing after the restart",
        "no dont reset it",
        "reset it or something so it starts?",
        "restart my charge please",
        "reset my password",
        "ya reinicié el carro y nada",
        "reinicia la carga",
        "j'ai déjà redémarré la borne",
        "redémarrez ma recharge",
    ],
)
def test_what_is_told_of_a_restart_or_meant_for_something_else_is_no_order(text: str) -> None:
    assert not orders_restart(text)


@pytest.mark.parametrize(
    ("rule", "words", "offer"),
    [
        ("neighbour-safe-reset", "say_restart_not_needed", Offer.START),
        ("tier-too-low", "say_refused", Offer.PERSON),
        ("rate", "say_reset_not_now", Offer.PERSON),
    ],
)
async def test_the_gates_no_is_told_by_its_rule(
    bridge: FakeBridge, chargers: BridgeClient, rule: str, words: str, offer: Offer
) -> None:
    bridge.ends = [{"state": "refused", "outcome": None, "refused": {"rule": rule, "why": "no"}}]
    played = await play(chargers, contact(RESTART))
    assert (played.said, played.offer) == ([words], offer)
    assert [one["action"] for one in bridge.commands.values()] == ["reset"]


@pytest.mark.parametrize(("driver", "words"), [("drv-ada", "say_restart_own"), ("drv-bob", "say_restart_others")])
async def test_nobody_loses_a_session_and_nothing_is_sent(
    bridge: FakeBridge, chargers: BridgeClient, driver: str, words: str
) -> None:
    busy = connector(2, "Charging", session=session(driver, 900, connector=2))
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Preparing"), busy)
    assert (await play(chargers, contact(RESTART))).said == [words]
    assert bridge.commands == {}


async def test_a_restart_that_the_gate_allows_is_watched_and_no_session_begins_after_it(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    bridge.ends = [{"state": "answered", "finished": False}]
    played = await play(chargers, contact(RESTART))
    assert (played.said, played.waiting) == (["say_restart_begun"], ["reset"])
    bridge.finish("cmd_1", state="verified", outcome="verified")
    told = await wake(chargers, contact(RESTART), "reset", command="cmd_1")
    assert told.said == ["say_reset_back", "say_restart_over"]
    assert (told.outcome, told.offer) == (Outcome.FIXED, Offer.START)
    assert [one["action"] for one in bridge.commands.values()] == ["reset"]


async def test_a_charger_that_is_gone_gets_no_order(bridge: FakeBridge, chargers: BridgeClient) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, None), state="disconnected")
    played = await play(chargers, contact(RESTART))
    assert played.said[0].startswith("say_offline")
    assert bridge.commands == {}


async def test_a_faulted_charger_is_restarted_as_its_own_playbook_does(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Faulted", error_code="InternalError"))
    bridge.ends = [{"state": "answered", "finished": False}]
    assert (await play(chargers, contact(RESTART))).said == ["say_resetting"]


async def test_a_charger_made_operative_on_the_order_begins_no_session(
    bridge: FakeBridge, chargers: BridgeClient
) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Unavailable"))
    bridge.ends = [{"state": "verified", "outcome": "verified", "then": {"status": "Preparing"}}]
    played = await play(chargers, contact(RESTART))
    assert played.said == ["say_making_operative", "say_operative", "say_restart_over"]
    assert [one["action"] for one in bridge.commands.values()] == ["operative"]
