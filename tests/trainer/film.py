"""Films the way from a message that was misunderstood in the chat to a promoted model that understands it, in a real browser.

`make run` with a key of its own, then: python -m tests.trainer.film --bot URL --desk URL --key KEY --into FOLDER. It does what a trainer
does, at a machine's speed, and says how long each step took and which of them a trainer would have been busy with.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.widget.tools import CHROMIUM

# Three drivers who mean the same, in words that no example has; the last is said when the new model is live.
SAID = [
    "the slot wants nothing to do with my plastic",
    "your slot wants nothing to do with my plastic today",
    "slot there wants nothing to do with my plastic",
]
LATER = "this slot wants nothing at all to do with my plastic"
MEANING = "payment_failed"
NOT_UNDERSTOOD = "I'm not sure I got that"
UNDERSTOOD = "Which charger are you at?"


class Film:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._began = time.monotonic()
        self._last = self._began
        self.trainer = 0.0
        self._number = 0

    async def shot(self, page: Page, name: str, what: str, *, trainer: bool = False) -> None:
        now = time.monotonic()
        took, self._last = now - self._last, now
        self.trainer += took if trainer else 0.0
        self._number += 1
        print(f"{now - self._began:7.1f} s  (+{took:6.1f} s{', trainer' if trainer else ''})  {what}", flush=True)
        await page.screenshot(path=self._folder / f"desk-{self._number}-{name}.png")
        self._last = time.monotonic()


async def chat(browser: Browser, url: str, text: str) -> Page:
    """A driver of their own on the full page; returns once the bot has answered."""
    context = await browser.new_context(viewport={"width": 420, "height": 760})
    page = await context.new_page()
    await page.goto(url)
    box = page.get_by_role("textbox")
    await box.fill(text)
    await box.press("Enter")
    await expect(page.locator("chargeline-chat")).to_contain_text(text, timeout=20_000)
    return page


async def film(bot: str, desk: str, key: str, folder: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        reel = Film(folder)
        driver = await chat(browser, bot, SAID[0])
        await expect(driver.get_by_text(NOT_UNDERSTOOD)).to_be_visible(timeout=30_000)
        for text in SAID[1:]:
            other = await chat(browser, bot, text)
            await expect(other.get_by_text(NOT_UNDERSTOOD)).to_be_visible(timeout=30_000)
        await reel.shot(driver, "misunderstood", "a driver is not understood")

        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        await page.goto(desk)
        await page.get_by_label("Your key").fill(key)
        await page.get_by_role("button", name="Sign in").click()
        alike = page.get_by_role("button", name="3 alike").first
        await expect(alike).to_be_visible(timeout=120_000)
        await reel.shot(page, "inbox-list", "signed in; the three messages are one decision")
        await alike.click()
        await expect(page.locator(".talk li.this")).to_be_visible(timeout=60_000)
        await page.get_by_label("means").first.select_option(MEANING)
        await reel.shot(page, "label", "what it means is chosen", trainer=True)
        await page.get_by_role("button", name="Save the label").click()
        await expect(page.locator("#said")).to_contain_text("Labelled", timeout=20_000)
        await reel.shot(page, "labelled", "one decision has labelled three messages", trainer=True)

        await page.get_by_role("link", name="Models").click()
        await page.get_by_role("button", name="Train and compare").click()
        await expect(page.get_by_role("progressbar").first).to_be_visible(timeout=30_000)
        await reel.shot(page, "training", "training has begun", trainer=True)
        await page.get_by_role("link", name="See the comparison").click(timeout=900_000)
        await expect(page.get_by_role("heading", name="Verdict")).to_be_visible(timeout=30_000)
        await reel.shot(page, "verdict", "trained and compared with the live model")
        await page.get_by_label("Why").fill("Understands what the card slot did in plainer words")
        await page.locator("#promote").click()
        await expect(page.locator("#said")).to_contain_text("live", timeout=60_000)
        await reel.shot(page, "promoted", "promoted", trainer=True)

        deadline = time.monotonic() + 120
        while True:  # Rasa looks for a new model every five seconds
            driver = await chat(browser, bot, LATER)
            try:
                await expect(driver.get_by_text(UNDERSTOOD)).to_be_visible(timeout=8_000)
                break
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
        await reel.shot(driver, "understood", "another driver's words of the kind are understood")
        print(f"the trainer's own steps, at a machine's speed: {reel.trainer:.1f} s")
        await browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bot", default="http://localhost:8080/")
    parser.add_argument("--desk", default="http://localhost:8090/")
    parser.add_argument("--key", required=True)
    parser.add_argument("--into", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    asyncio.run(film(options.bot, options.desk, options.key, options.into))
    return 0


if __name__ == "__main__":
    sys.exit(main())
