"""The five problems while the network is broken live: each cured as its playbook says, each failure told for what it is."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.e2e.drivers import TerminalDriver
from tests.e2e.stack import Stack, until

pytestmark = pytest.mark.slow

ADA = "+16135550101"


def breaks(stack: Stack, charger: str, fault: str, **params: Any) -> None:
    url = f"{stack.sandbox}/v1/chargers/{charger}/faults/{fault}"
    stack.http.put(url, json=params).raise_for_status()


def mends(stack: Stack, charger: str, fault: str) -> None:
    stack.http.delete(f"{stack.sandbox}/v1/chargers/{charger}/faults/{fault}").raise_for_status()


def does(stack: Stack, charger: str, what: str, **body: Any) -> httpx.Response:
    return stack.http.post(f"{stack.sandbox}/v1/chargers/{charger}/{what}", json={"connector": 1, **body})


def runs(stack: Stack, charger: str) -> bool:
    return stack.station(charger)["connectors"][0]["transaction"] is not None


def test_a_start_that_is_refused_until_the_plug_is_put_in_anew(stack: Stack) -> None:
    breaks(stack, "CL-1042", "start_rejected", cured_by_replug=True)
    driver = TerminalDriver(stack)
    driver.say("1042 wont start, cable is in")
    driver.hears("refused to begin. Unplug")
    assert not runs(stack, "CL-1042")
    does(stack, "CL-1042", "unplug")
    does(stack, "CL-1042", "plug")
    driver.say("done")
    driver.hears("Charging: 1042")
    assert runs(stack, "CL-1042")


def test_a_card_that_is_declined_and_paid_for_by_link(stack: Stack) -> None:
    driver = TerminalDriver(stack)
    driver.say("my card was declined at 1042, how can i pay")
    offer = driver.hears("/pay/")["text"]
    assert not runs(stack, "CL-1042")
    page = stack.http.get(re.findall(r"https?://\S+/pay/\w+", offer)[0], follow_redirects=True)
    stack.http.post(str(page.url), data={"number": "4000000000009995", "do": "pay"})
    driver.hears("the money or the limit doesn't reach")
    assert not runs(stack, "CL-1042")
    stack.http.post(str(page.url), data={"number": "4242424242424242", "do": "pay"})
    driver.hears("Charging at 1042")
    assert runs(stack, "CL-1042")


def test_a_charger_that_goes_and_comes_back(stack: Stack) -> None:
    breaks(stack, "CL-1042", "offline")
    driver = TerminalDriver(stack)
    driver.say("1042 is dead, black screen")
    driver.hears("I'll text you when it's back")
    assert not any("charging" in text.lower() for text in driver.heard())
    mends(stack, "CL-1042", "offline")
    driver.hears("1042 is back online and sees a plug")
    assert not runs(stack, "CL-1042")  # it was not asked for yet
    driver.say("go")
    driver.hears("Charging: 1042")


def test_a_plug_that_its_lock_holds(stack: Stack) -> None:
    mends(stack, "CL-2004", "unlock")
    driver = TerminalDriver(stack)
    driver.say("charger 2004 plugged in and it isnt charging")
    driver.hears("Charging: 2004")
    breaks(stack, "CL-2004", "unlock", result="Unlocked", held=True, after=1)
    driver.say("i cant get the cable out of the post")
    driver.hears("Pull the plug out now")
    assert not runs(stack, "CL-2004")  # ended first: nobody is cut off under load
    assert not any("the plug is out" in text.lower() for text in driver.heard())
    does(stack, "CL-2004", "unplug")
    driver.hears("The plug is out")


def test_a_members_card_that_the_reader_does_not_see(stack: Stack) -> None:
    # Not at 1042: the gate bounds the starts of one charger, and the tests before this one start it often.
    breaks(stack, "CL-2004", "reader_failure")
    before = len(stack.carrier.to(ADA))
    stack.text(ADA, "my fob does nothing at 2004")

    def heard() -> str:
        return " ".join(stack.carrier.to(ADA)[before:])

    until("the session that began from here", lambda: "Charging: 2004" in heard(), 40)
    assert "No card has reached us from 2004" in heard()
    assert runs(stack, "CL-2004")
