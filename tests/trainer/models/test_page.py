"""The models' view in real Chromium: train, read the verdict, promote over a stop, roll back; by keyboard, without an axe violation."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.trainer.models.conftest import ADA, GOOD, Room
from tests.widget.browser import RULES
from tests.widget.tools import CHROMIUM, needs_chromium, node_packages

pytestmark = [pytest.mark.slow, needs_chromium]
WORSE = {**GOOD, "it gives me a funny feeling in my hand": "connector_stuck"}
REASON = "that message was labelled wrongly"


@pytest.fixture
async def page(room: Room) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1200, "height": 900})
        await page.goto(f"{room.http.base_url}#models")
        await page.get_by_label("Your key").fill(ADA)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
        yield page
        await browser.close()


async def violations(page: Page) -> list[str]:
    await page.evaluate((node_packages() / "axe-core" / "axe.min.js").read_text())
    found = await page.evaluate("rules => axe.run(document, rules)", RULES)
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found["violations"]]


async def test_from_training_to_a_promotion_over_a_stop_and_back(room: Room, page: Page) -> None:
    room.said[:] = ["it wont let go", "hello there"]
    first = await room.trained({**GOOD, "it wont let go": "connector_stuck?"})
    room.will_train(WORSE)
    await page.reload()
    await expect(page.get_by_text("The data has changed since")).to_be_visible()
    await page.get_by_role("button", name="Train and compare").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="See the comparison").click()
    await expect(page.locator("main")).to_contain_text("Do not promote: it is worse on dangers")
    assert "null" not in (await page.locator("main").inner_text()).split()
    assert await violations(page) == []
    # Without the override the desk refuses, whatever the page shows.
    await page.get_by_label("Why, for the history").fill(REASON)
    await page.get_by_role("button", name="Promote all the same").click()
    await expect(page.locator("#said")).to_contain_text("Do not promote")
    assert await room.live() == first
    await page.get_by_label("I set these stops aside").check()
    await page.get_by_role("button", name="Promote all the same").click()
    await expect(page.get_by_text("This model is live.")).to_be_visible()
    assert await room.live() != first
    await page.get_by_role("link", name="← All models").click()
    await expect(page.get_by_role("cell", name=REASON)).to_be_visible()
    await expect(page.get_by_text("override: hazards")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("button", name=f"Roll back to {first[:8]}").click()
    await expect(page.get_by_text(f"{first[:8]} is live again")).to_be_visible()
    assert await room.live() == first


async def test_what_is_wrong_with_a_file_is_shown_with_its_line(room: Room, page: Page) -> None:
    room.will_train({"fail": {"reason": "mapping values are not allowed here", "file": "data/nlu/en/a.yml", "line": 12}})
    await page.get_by_role("button", name="Train and compare").click()
    await expect(page.get_by_text("data/nlu/en/a.yml:12")).to_be_visible()
    await expect(page.get_by_role("heading", name="Training: failed")).to_be_visible()
    assert await violations(page) == []
