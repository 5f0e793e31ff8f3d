"""kill -9 of any process at any moment of a conversation: it goes on, nothing is lost, nothing is done or said twice."""

from __future__ import annotations

import secrets
import time
from collections import Counter

import pytest

from tests.e2e.stack import Stack, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PROCESSES = ("bot", "actions", "bridge", "sandbox", "rasa")


def everyone_ready(stack: Stack) -> bool:
    rasa = f"http://127.0.0.1:{stack.ports['RASA_PORT']}/status?token={stack.key('RASA_TOKEN')}"
    actions = f"http://127.0.0.1:{stack.ports['ACTIONS_PORT']}"
    urls = [f"{url}/readyz" for url in (stack.bot, stack.bridge, stack.sandbox, actions)]
    return all(stack.http.get(url).status_code == 200 for url in (*urls, rasa))


def check_conversation(stack: Stack, number: str) -> None:
    """The driver was told the truth once: charging, one transaction, no sentence twice."""

    def told() -> list[str]:
        return [text for text in stack.carrier.to(number) if text.startswith("Charging")]

    until(f"the driver hears that it charges; heard: {stack.carrier.to(number)}", told, 150, 0.3)
    time.sleep(3)  # whatever would come twice comes now
    sent = Counter(stack.carrier.to(number))
    assert all(times == 1 for times in sent.values()), sent
    connector = stack.station("CL-1042")["connectors"][0]
    if connector["transaction"] is not None:  # a killed sandbox has forgotten its cars
        assert len([session for session in stack.sessions("CL-1042") if session["state"] == "active"]) == 1


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("delay_s", [0.0, 0.4])
def test_killed_in_the_middle_of_the_turn_that_starts_the_charger(stack: Stack, process: str, delay_s: float) -> None:
    until("everyone is ready", lambda: everyone_ready(stack), 120, 0.3)
    number = f"+1613555{secrets.randbelow(9000) + 1000}"
    before = len(stack.sessions("CL-1042"))
    assert stack.text(number, "plugged in and nothing happens").status_code == 200
    until("the question", lambda: [text for text in stack.carrier.to(number) if "which charger" in text.lower()])
    assert stack.text(number, "1042").status_code == 200
    time.sleep(delay_s)
    stack.kill(process)
    check_conversation(stack, number)
    if process != "sandbox":
        assert len(stack.sessions("CL-1042")) == before + 1
    until("everyone is ready again", lambda: everyone_ready(stack), 120, 0.3)


@pytest.mark.parametrize("process", ["bot", "actions", "rasa"])
def test_killed_between_two_messages_the_conversation_remembers(stack: Stack, process: str) -> None:
    until("everyone is ready", lambda: everyone_ready(stack), 120, 0.3)
    number = f"+1613555{secrets.randbelow(9000) + 1000}"
    assert stack.text(number, "my car is plugged in but it wont charge").status_code == 200
    until("the question", lambda: [text for text in stack.carrier.to(number) if "which charger" in text.lower()])
    stack.kill(process)
    # Twilio tries a webhook again that nobody answers; so do we.
    until("the text is accepted", lambda: stack.text(number, "number 1042").status_code == 200, 60)
    check_conversation(stack, number)
    until("everyone is ready again", lambda: everyone_ready(stack), 120, 0.3)
