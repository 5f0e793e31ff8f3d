"""The five problems over the sandbox's two phones, by SMS and by WhatsApp, each to its end, by hand in a browser; with pictures.

`python -m tests.channels.five_problems --shots docs/images` needs a trained model and Chromium. The whole product runs, with its
simulated chargers, carrier and payment system. It prints what was said, and fails where a problem did not end as it should: on
the phone, unasked where the charger or the payment has to be waited for, and at the charger itself.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from chargeline.ports import free_port
from chargeline.settings import SANDBOX_CARRIER_SID
from tests.e2e.stack import Stack

ADA, BEN, GRACE, STRANGER = "+16135550101", "+16135550102", "+15125550107", "+16135550199"
LINES = ("sms", "whatsapp")
_ANSWER_MS = 60_000.0


class Phone:
    """One line of the page, in somebody's hand."""

    def __init__(self, page: Page, line: str) -> None:
        self.line = line
        self._page = page
        self._phone = page.locator(f".phone[data-line={line}]")

    def of(self, number: str) -> None:
        self._page.get_by_label("Your number").fill(number)
        expect(self._page.locator("#people [aria-pressed=true], #people [aria-pressed=false]").first).to_be_visible()
        self._page.wait_for_timeout(1500)  # the page shows this number's messages within 0.7 s

    def write(self, text: str) -> None:
        self._phone.locator(".write input").fill(text)
        self._phone.get_by_role("button", name="Send", exact=True).click()

    def hears(self, text: str, count: int = 1) -> None:
        """Waits until so many messages of the bot have these words in them."""
        said = self._phone.locator(".talk li:not(.mine)", has_text=text)
        expect(said).to_have_count(count, timeout=_ANSWER_MS)

    def choose(self, title: str, number: int) -> None:
        """Taps the button, or where there are none texts the number of the choice."""
        if self.line == "sms":
            self.write(str(number))
        else:
            self._phone.get_by_role("button", name=title, exact=True).last.click()

    def pays(self) -> None:
        """Follows the link in the last message that has one, and pays on the page that it leads to."""
        with self._page.expect_popup() as opened:
            self._phone.get_by_role("link").last.click()
        checkout = opened.value
        checkout.get_by_role("button", name="Pay", exact=True).click()
        expect(checkout.get_by_text("You can go back to your messages")).to_be_visible()
        checkout.close()

    def transcript(self) -> list[str]:
        rows = self._phone.locator(".talk li")
        return [
            f"{'you' if 'mine' in (row.get_attribute('class') or '') else 'bot'}: {row.inner_text()}"
            for row in rows.all()
        ]


def session_not_starting(phone: Phone, stack: Stack) -> None:
    phone.of(ADA)
    phone.write("plugged in, nothing happens")
    phone.hears("Which charger are you at?")
    phone.write("1042")
    phone.hears("Charging: 1042")
    assert running(stack, "CL-1042")


def connector_stuck(phone: Phone, stack: Stack) -> None:
    phone.of(ADA)
    phone.write("i have to go and 1042 wont let go of my cable")
    phone.hears("Your session has ended.")
    assert not running(stack, "CL-1042")
    stack.http.post(f"{stack.sandbox}/v1/chargers/CL-1042/unplug", json={"connector": 1}).raise_for_status()
    phone.hears("The plug is out")


def charger_offline(phone: Phone, stack: Stack) -> None:
    phone.of(BEN)
    phone.write("charger 1044 is completely dead")
    phone.hears("I can't reach 1044 right now")
    stack.http.delete(f"{stack.sandbox}/v1/chargers/CL-1044/faults/offline").raise_for_status()
    phone.hears("1044 is back online")
    car = {"connector": 1, "car": {"kind": "family", "soc": 30}}
    stack.http.post(f"{stack.sandbox}/v1/chargers/CL-1044/plug", json=car).raise_for_status()
    phone.write("GO")
    phone.hears("Charging: 1044")
    assert running(stack, "CL-1044")


def card_not_read(phone: Phone, stack: Stack) -> None:
    phone.of(GRACE)
    phone.write("i tapped my card at 3041 and nothing happens at all")
    phone.hears("bank card, or a charging card")
    phone.choose("Charging card", 2)
    phone.hears("Charging: 3041")
    assert running(stack, "CL-3041")


def payment_failed(phone: Phone, stack: Stack) -> None:
    phone.of(STRANGER)
    phone.write("my card was declined at 1052, how can i pay")
    phone.hears("pay here and I begin by myself")
    phone.pays()
    phone.hears("Charging at 1052")
    assert running(stack, "CL-1052")


PROBLEMS: dict[str, tuple[Callable[[Phone, Stack], None], str]] = {
    "session not starting": (session_not_starting, ADA),
    "connector stuck": (connector_stuck, ADA),
    "charger offline": (charger_offline, BEN),
    "card not read": (card_not_read, GRACE),
    "payment failed": (payment_failed, STRANGER),
}
PICTURES = {"phones": ADA, "phones-offline": BEN, "phones-card": GRACE, "phones-payment": STRANGER}


def running(stack: Stack, charger: str) -> bool:
    """Whether the simulated charger itself has a transaction, whatever anybody says about it."""
    return any(connector["transaction"] is not None for connector in stack.station(charger)["connectors"])


def play(page: Page, stack: Stack, line: str) -> list[str]:
    """What went wrong."""
    wrong: list[str] = []
    for problem, (ends_well, _) in PROBLEMS.items():
        phone = Phone(page, line)
        try:
            ends_well(phone, stack)
        except AssertionError as error:
            wrong.append(f"{line}, {problem}: {str(error)[:300]}")
        print(f"--- {problem}, {line}", *phone.transcript(), sep="\n")
    return wrong


def shoot(page: Page, folder: Path) -> None:
    for name, number in PICTURES.items():
        Phone(page, "sms").of(number)
        page.get_by_role("heading", name="Two phones").click()  # no box has the focus
        page.wait_for_timeout(1500)
        page.screenshot(path=str(folder / f"{name}.png"))


def one_line(browser: Browser, line: str, var: Path, shots: Path | None) -> list[str]:
    port = free_port()
    account = {
        "TWILIO_ACCOUNT_SID": SANDBOX_CARRIER_SID,
        "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
        "WHATSAPP_VERIFY_TOKEN": "sandbox",
        "CARRIER_PORT": str(port),
    }
    stack = Stack(var, **account)
    stack.start()
    try:
        page = browser.new_page(viewport={"width": 1000, "height": 820}, locale="en-CA")
        page.goto(f"http://127.0.0.1:{port}")
        wrong = play(page, stack, line)
        if shots is not None:
            shoot(page, shots)
    finally:
        stack.stop()
    return wrong


def main(shots: Path | None) -> int:
    """Each line on a product of its own, which knows nobody yet; what the phones have heard goes along, so that pictures show both."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="five-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        first, second = (Path(folder) / line for line in LINES)
        wrong += one_line(browser, "sms", first, None)
        second.mkdir()
        shutil.copy(first / "carrier.jsonl", second)
        wrong += one_line(browser, "whatsapp", second, shots)
        browser.close()
    for each in wrong:
        print("WRONG", each)
    print(f"{len(LINES) * len(PROBLEMS) - len(wrong)} of {len(LINES) * len(PROBLEMS)} ended as they should")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.channels.five_problems", description=__doc__)
    parser.add_argument("--shots", type=Path, help="folder for the pictures")
    sys.exit(main(parser.parse_args().shots))
