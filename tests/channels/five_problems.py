"""The five problems over the sandbox's two phones, by SMS and by WhatsApp, against the whole product; with pictures.

`python -m tests.channels.five_problems --shots docs/images` needs a trained model and Chromium. It prints what was said and
fails where a line stayed silent or a charge that was asked for does not run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from chargeline.settings import SANDBOX_CARRIER_SID
from tests.e2e.stack import Stack, free_port, until

PROBLEMS = {
    "session not starting": ("+16135550101", ["plugged in, nothing happens", "1042"]),
    "connector stuck": ("+16135550101", ["i have to go and 1042 wont let go of my cable"]),
    "charger offline": ("+16135550102", ["charger 1044 is completely dead"]),
    "card not read": ("+12065550106", ["my card doesnt work at 2001", "1"]),
    "payment failed": ("+17165550105", ["payment wont go through at 2001", "1"]),
}
_QUIET_S = 6.0


class Phones:
    def __init__(self, stack: Stack, url: str) -> None:
        self._stack, self._url = stack, url

    def write(self, line: str, number: str, text: str) -> None:
        answer = self._stack.http.post(f"{self._url}/v1/phones/{number}/messages", json={"line": line, "text": text})
        assert answer.status_code == 202, answer.text

    def heard(self, line: str, number: str) -> list[dict[str, Any]]:
        rows = self._stack.http.get(f"{self._url}/v1/phones/{number}/messages").json()["messages"]
        return [row for row in rows if row["line"] == line]

    def until_quiet(self, line: str, number: str, before: int) -> None:
        """An answer has come, and nothing more for a while."""
        until(f"an answer on {line}", lambda: self._answers(line, number) > before, 60, 0.2)
        count, since = 0, time.monotonic()
        while time.monotonic() - since < _QUIET_S:
            now = self._answers(line, number)
            if now != count:
                count, since = now, time.monotonic()
            time.sleep(0.3)

    def _answers(self, line: str, number: str) -> int:
        return sum(row["outbound"] for row in self.heard(line, number))


def play(stack: Stack, phones: Phones, line: str) -> list[str]:
    """What went wrong."""
    wrong: list[str] = []
    stack.reset_network()
    for problem, (number, texts) in PROBLEMS.items():
        begun = len(phones.heard(line, number))
        for text in texts:
            before = sum(row["outbound"] for row in phones.heard(line, number))
            phones.write(line, number, text)
            try:
                phones.until_quiet(line, number, before)
            except AssertionError as error:
                wrong.append(f"{line}, {problem}: {error}")
        print(f"--- {problem}, {line}")
        for row in phones.heard(line, number)[begun:]:
            print(f"{'bot' if row['outbound'] else 'you'}: {row['text']}")
        if problem == "session not starting" and not stack.sessions("CL-1042"):
            wrong.append(f"{line}: no session at 1042")
    return wrong


def shoot(url: str, folder: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 760})
        for name, problem in (("phones", "session not starting"), ("phones-more", "charger offline")):
            page.goto(url)
            page.get_by_label("Your number").fill(PROBLEMS[problem][0])
            page.locator(".talk li").first.wait_for()
            page.wait_for_timeout(1500)
            page.screenshot(path=str(folder / f"{name}.png"))
        browser.close()


def main(shots: Path | None) -> int:
    port = free_port()
    account = {
        "TWILIO_ACCOUNT_SID": SANDBOX_CARRIER_SID,
        "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
        "WHATSAPP_VERIFY_TOKEN": "sandbox",
        "CARRIER_PORT": str(port),
    }
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="five-") as folder:
        stack = Stack(Path(folder) / "var", **account)
        stack.start()
        try:
            phones = Phones(stack, url)
            wrong = [each for line in ("sms", "whatsapp") for each in play(stack, phones, line)]
            if shots is not None:
                shoot(url, shots)
        finally:
            stack.stop()
    for each in wrong:
        print("WRONG", each)
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.channels.five_problems", description=__doc__)
    parser.add_argument("--shots", type=Path, help="folder for the pictures")
    sys.exit(main(parser.parse_args().shots))
