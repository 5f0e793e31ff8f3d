"""The control page in a real browser, over the whole network: found, broken, mended, read; by keyboard, on a phone, in the dark."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from sanic import Sanic

from chargeline.clock import FastClock
from sandbox import api
from sandbox.plan import load
from sandbox.world import World
from tests.sandbox.conftest import SPEED

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing"),
]

# Contrast as WCAG 2.1 counts it, of every text that is seen, against the first background that is not transparent.
CONTRAST = """() => {
  const rgb = (css) => (css.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255, c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || !element.checkVisibility() || element.closest("option, .skip")) continue;
    let behind = element;
    while (behind && (rgb(getComputedStyle(behind).backgroundColor)[3] === 0)) behind = behind.parentElement;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(rgb(getComputedStyle(behind || document.body).backgroundColor))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(`${element.textContent.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return bad;
}"""
UNNAMED = """() => [...document.querySelectorAll("button, input, select, dialog, ol[tabindex]")]
  .filter((each) => !(each.ariaLabel || each.textContent.trim() && each.tagName === "BUTTON" || each.labels?.length || each.getAttribute("aria-labelledby")))
  .map((each) => each.outerHTML)"""


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """The page's address; its chargers find nobody to talk to, which the page has to show too."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        world = World(load(), f"ws://127.0.0.1:{nobody.getsockname()[1]}", FastClock(SPEED, time.time()))
        Sanic.test_mode = True
        listener = socket.create_server(("127.0.0.1", 0))
        app = api.build(world, f"sandbox-{id(world)}")
        server: Any = await app.create_server(sock=listener, return_asyncio_server=True)
        await server.startup()
        world.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        await world.close()
        server.close()
        await server.wait_closed()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def _page(browser: Browser, url: str, **context: Any) -> tuple[Page, list[str]]:
    page = await (await browser.new_context(**context)).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await page.goto(url)
    await expect(page.locator("article")).to_have_count(60)
    return page, errors


async def test_a_charger_is_found_broken_mended_and_its_messages_read(browser: Browser, url: str) -> None:
    page, errors = await _page(browser, url)
    await page.get_by_label("Find").fill("1042")
    await expect(page.locator("article:visible")).to_have_count(1)
    await expect(page.locator("section:visible")).to_have_count(1)
    card = page.get_by_role("article", name="Charger CL-1042")
    await card.get_by_text("Break or inspect").click()
    await card.get_by_label("Fault for CL-1042").select_option("faulted")
    await card.get_by_role("button", name="Break CL-1042").click()
    await expect(card.get_by_text("Faulted (InternalError)")).to_be_visible()
    await expect(card.get_by_text("a running transaction ends")).to_have_count(2)
    await card.get_by_role("button", name="Mend faulted of CL-1042").click()
    await expect(card.get_by_text("Preparing")).to_be_visible()
    await card.get_by_role("button", name="Unplug: CL-1042").click()
    await expect(card.get_by_text("No car")).to_be_visible()
    await card.get_by_role("button", name="Last messages of CL-1042").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Nothing yet.")
    await page.keyboard.press("Escape")
    await page.get_by_label("Find").fill("")
    await page.get_by_label("Show").select_option("free")
    await expect(page.locator("#summary")).to_contain_text("0 shown. 0 of 60")
    assert errors == []


async def test_a_whole_site_loses_its_power_and_a_scenario_is_played(browser: Browser, url: str) -> None:
    page, errors = await _page(browser, url)
    card = page.get_by_role("article", name="Charger CL-1042")
    await card.get_by_text("Break or inspect").click()
    await card.get_by_label("Fault for CL-1042").select_option("power_out")
    await card.get_by_label("Where to break").select_option(label="the whole site")
    await card.get_by_role("button", name="Break CL-1042").click()
    neighbour = page.get_by_role("article", name="Charger CL-1043")
    await expect(neighbour.get_by_label("Mend power out of CL-1043")).to_be_visible()
    await page.get_by_label("Scenario").select_option("cards-refused")
    await page.get_by_role("button", name="Play it").click()
    await expect(page.locator("#said")).to_contain_text("cards refused")
    await expect(neighbour.get_by_label("Mend power out of CL-1043")).to_have_count(0)
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_it_can_be_read_and_named_everywhere(browser: Browser, url: str, scheme: Any, width: int) -> None:
    page, errors = await _page(browser, url, color_scheme=scheme, viewport={"width": width, "height": 844})
    assert await page.evaluate(CONTRAST) == []
    assert await page.evaluate(UNNAMED) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert errors == []


async def test_it_can_be_used_by_keyboard_alone(browser: Browser, url: str) -> None:
    page, errors = await _page(browser, url)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the chargers")).to_be_focused()
    find = page.get_by_label("Find")
    for _ in range(8):
        await page.keyboard.press("Tab")
        if await find.evaluate("element => element === document.activeElement"):
            break
    await page.keyboard.type("2004")
    await expect(page.locator("article:visible")).to_have_count(1)
    focused = "document.activeElement.ariaLabel || document.activeElement.textContent"
    for _ in range(12):
        await page.keyboard.press("Tab")
        if "Break or inspect" in str(await page.evaluate(focused)):
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Fault for CL-2004")).to_be_visible()
    await asyncio.sleep(2.5)  # the page has refreshed meanwhile: focus stays where it was
    assert "Break or inspect" in str(await page.evaluate(focused))
    assert errors == []
