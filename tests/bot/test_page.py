"""The page in a real browser: chat, choices, reload, a second tab, a lost connection."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from bot.front_door import front_door
from chargeline.settings import Settings
from tests.bot.doors import FAST, until
from tests.bot.fake_rasa import FakeRasa, Turn

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        await launched.close()


@pytest.fixture
async def url(env: dict[str, str]) -> AsyncIterator[str]:
    async with front_door(Settings.load({**env, "PUBLIC_URL": ""}), FAST, port=0) as port:
        yield f"http://127.0.0.1:{port}"


async def send(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


async def test_a_driver_chats_taps_a_choice_and_finds_it_all_again(browser: Browser, url: str, rasa: FakeRasa) -> None:
    offer = [{"text": "Which <b>side</b>?", "buttons": [{"title": "Left side", "payload": "/left"}]}]
    rasa.plans = [Turn(lines=offer)]
    context = await browser.new_context(viewport={"width": 320, "height": 640}, color_scheme="dark")
    page = await context.new_page()
    console: list[ConsoleMessage] = []
    page.on("console", lambda message: console.append(message))
    await page.goto(f"{url}/?charger=CL-1042&connector=2")
    await send(page, "1042 is dead, card 4111 1111 1111 1111")
    log = page.get_by_role("log")
    await expect(log.get_by_text("Which <b>side</b>?")).to_be_visible()
    await expect(log.get_by_text("[card ending 1111]")).to_be_visible()
    await expect(log.get_by_text("Delivered")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    button = page.get_by_role("button", name="Left side")
    box = await button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    await button.click()
    await expect(log.get_by_text("You said: /left")).to_be_visible()
    await expect(button).to_have_count(0)
    assert rasa.asked[0][2]["charger_hint"] == "CL-1042"
    shown = await log.get_by_role("listitem").count()
    await page.reload()
    await expect(log.get_by_role("listitem")).to_have_count(shown)
    other = await context.new_page()
    await other.goto(url)
    await send(other, "hello from the second tab")
    await expect(page.get_by_role("log").get_by_text("You said: hello from the second tab")).to_be_visible()
    assert [message.text for message in console if message.type == "error"] == []
    await context.close()


async def test_a_message_written_without_connection_goes_out_once_when_it_is_back(
    browser: Browser, url: str, rasa: FakeRasa
) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(lines=[{"text": "one moment"}], hold=hold)]
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(url)
    await send(page, "first")
    await expect(page.get_by_role("log").get_by_text("one moment")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("The assistant is working")
    await context.set_offline(True)
    await send(page, "second")
    await expect(page.get_by_text("Not delivered yet")).to_be_visible()
    await context.set_offline(False)
    hold.set()
    await expect(page.get_by_role("log").get_by_text("You said: second")).to_be_visible(timeout=15_000)
    await until(lambda: rasa.messages == ["first", "second"], "each is asked once")
    await expect(page.get_by_role("status")).to_have_text("")
    await context.close()
