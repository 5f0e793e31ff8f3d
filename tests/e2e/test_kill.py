"""kill -9 of any process at any moment of a conversation: it goes on, nothing is lost, nothing is done or said twice."""

from __future__ import annotations

import secrets
import time
from collections import Counter

import pytest

from tests.e2e.stack import Stack, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# A waiting car at each, over three versions of OCPP; several, since the gate bounds the starts of one charger.
CHARGERS = ("CL-1052", "CL-1061", "CL-2011", "CL-2012", "CL-2021", "CL-2051")


def everyone_ready(stack: Stack) -> bool:
    rasa = f"http://127.0.0.1:{stack.ports['RASA_PORT']}/status?token={stack.key('RASA_TOKEN')}"
    actions = f"http://127.0.0.1:{stack.ports['ACTIONS_PORT']}"
    urls = [f"{url}/readyz" for url in (stack.bot, stack.bridge, stack.sandbox, actions)]
    return all(stack.http.get(url).status_code == 200 for url in (*urls, rasa))


def told_charging(stack: Stack, number: str) -> list[str]:
    """Said after the start, or after a look by a run that found the start done: "is already charging your car"."""
    said = stack.carrier.to(number)
    return [text for text in said if text.startswith("Charging") or "already charging your car" in text]


def nothing_twice(stack: Stack, number: str, since: int = 0) -> None:
    """`since`: how many texts there were before the driver wrote again, whose answer may be in the same words."""
    time.sleep(3)  # whatever would come twice comes now
    sent = Counter(stack.carrier.to(number)[since:])
    assert all(times == 1 for times in sent.values()), sent


def begin(stack: Stack) -> str:
    """A new number whose first message has been answered with the question for the charger."""
    until("everyone is ready", lambda: everyone_ready(stack), 120, 0.3)
    number = f"+1613555{secrets.randbelow(9000) + 1000}"
    assert stack.text(number, "plugged in and nothing happens").status_code == 200
    until("the question", lambda: [text for text in stack.carrier.to(number) if "which charger" in text.lower()])
    return number


def ends_well(stack: Stack, number: str, charger: str, since: int = 0) -> None:
    """The driver is told that it charges, once, and one session runs there."""
    invited = False

    def charges() -> list[str]:
        nonlocal invited
        if not invited and any("text me GO" in text or "Text me GO" in text for text in stack.carrier.to(number)):
            invited = stack.text(number, "GO").status_code == 200  # the charger was away, is back, and waits for a word
        return told_charging(stack, number)

    try:
        until("the driver hears that it charges", charges, 150, 0.3)
    except AssertionError as error:
        raise AssertionError(f"{error}; they heard {stack.carrier.to(number)}") from None
    nothing_twice(stack, number, since)
    assert stack.station(charger)["connectors"][0]["transaction"] is not None
    assert len([session for session in stack.sessions(charger) if session["state"] == "active"]) == 1


@pytest.mark.parametrize("process", ["bot", "actions", "bridge", "rasa"])
@pytest.mark.parametrize("delay_s", [0.0, 0.4])
def test_killed_in_the_middle_of_the_turn_that_starts_the_charger(stack: Stack, process: str, delay_s: float) -> None:
    charger = CHARGERS[["bot", "actions", "bridge", "rasa"].index(process)]
    number = begin(stack)
    before = len(stack.sessions(charger))
    assert stack.text(number, charger.removeprefix("CL-")).status_code == 200
    time.sleep(delay_s)
    stack.kill(process)
    ends_well(stack, number, charger)
    assert len(stack.sessions(charger)) == before + 1
    until("everyone is ready again", lambda: everyone_ready(stack), 120, 0.3)


@pytest.mark.parametrize("delay_s", [0.0, 0.6])
def test_after_a_power_cut_at_every_charger_nothing_false_is_said(stack: Stack, delay_s: float) -> None:
    """The sandbox killed: its cars stay plugged in, its transactions are gone, as with chargers that do not resume."""
    charger = CHARGERS[4]
    number = begin(stack)
    assert stack.text(number, charger.removeprefix("CL-")).status_code == 200
    time.sleep(delay_s)
    stack.kill("sandbox")
    until("everyone is ready again", lambda: everyone_ready(stack), 120, 0.3)
    until("the driver hears more", lambda: len(stack.carrier.to(number)) > 2, 90, 0.3)
    deadline = time.monotonic() + 60
    while not told_charging(stack, number) and time.monotonic() < deadline:
        time.sleep(0.5)
    nothing_twice(stack, number)
    if told_charging(stack, number):
        return  # it was true when it was said: the start was proved by energy
    since = len(stack.carrier.to(number))
    assert stack.text(number, "plugged in but it is not charging").status_code == 200
    ends_well(stack, number, charger, since)


@pytest.mark.parametrize("process", ["bot", "actions", "rasa"])
def test_killed_between_two_messages_the_conversation_remembers(stack: Stack, process: str) -> None:
    number = begin(stack)
    stack.kill(process)
    # Twilio tries a webhook again that nobody answers; so do we.
    until("the text is accepted", lambda: stack.text(number, "number 2051").status_code == 200, 60)
    ends_well(stack, number, "CL-2051")
    until("everyone is ready again", lambda: everyone_ready(stack), 120, 0.3)
