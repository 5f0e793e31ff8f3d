"""The desk in real Chromium: every view and state without an axe violation, light and dark, wide and narrow; a label by keyboard alone."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.trainer.test_responses import words_in
from tests.trainer.world import KEYS, World, world
from tests.widget.browser import RULES
from tests.widget.tools import CHROMIUM, needs_chromium, node_packages

pytestmark = [pytest.mark.slow, needs_chromium, pytest.mark.timeout(240)]
PICTURES = os.environ.get("DESK_PICTURES")  # a folder: every state that is checked is also kept as a picture


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world(tmp_path, monkeypatch) as there:
        words_in(there.folder)
        yield there


@pytest.fixture
async def page(desk: World) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(base_url=desk.url, viewport={"width": 1280, "height": 860})
        opened = await context.new_page()
        opened.set_default_timeout(15_000)
        trouble: list[str] = []
        opened.on("pageerror", lambda error: trouble.append(str(error)))
        yield opened
        await browser.close()
        assert trouble == []


async def sign_in(page: Page, trainer: str = "ada") -> None:
    await page.goto("/")
    await page.get_by_label("Your key").fill(KEYS[trainer])
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()


async def looked_at(page: Page, name: str) -> list[str]:
    """What axe finds in this state, in both colour schemes and both widths."""
    await page.evaluate((node_packages() / "axe-core" / "axe.min.js").read_text())
    found: list[str] = []
    for scheme in ("light", "dark"):
        for width in (1280, 375):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.set_viewport_size({"width": width, "height": 860})
            told = await page.evaluate("rules => axe.run(document, rules)", RULES)
            found += [
                f"{name}, {scheme}, {width}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in told["violations"]
            ]
            wide = await page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                found.append(f"{name}, {width}: the page is {wide} wide")
            if PICTURES:
                await page.screenshot(path=f"{PICTURES}/{name}-{scheme}-{width}.png", full_page=True)
    await page.set_viewport_size({"width": 1280, "height": 860})
    return found


async def drivers_write(desk: World) -> None:
    buttons = [{"title": "Paying", "payload": "/payment_failed"}, {"title": "A tag", "payload": "/rfid_failed"}]
    await desk.driver_writes(
        "machine ate my visa at 1042, call 613 555 0177", "nlu_fallback", 0.3, "say_did_you_mean", buttons=buttons
    )
    await desk.driver_writes("machine ate my plastic", "rfid_failed", 0.55, sender="+16135550112")
    await desk.driver_writes("zorp qux frob", "greet", 0.4, sender="+16135550113")
    await desk.driver_writes("who won last night", "out_of_scope", 0.5, sender="+16135550114")


async def test_every_view_and_state_is_accessible(desk: World, page: Page) -> None:
    found: list[str] = []
    await page.goto("/")
    await expect(page.get_by_label("Your key")).to_be_visible()
    found += await looked_at(page, "sign-in")
    await page.get_by_label("Your key").fill("not the key")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("This key opens nothing here")).to_be_visible()
    found += await looked_at(page, "sign-in-refused")
    await sign_in(page)
    await expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    found += await looked_at(page, "inbox-empty")
    await drivers_write(desk)
    await page.reload()
    await expect(page.get_by_role("button", name="2 alike")).to_be_visible(timeout=20_000)
    await page.get_by_role("button", name="2 alike").click()
    await expect(page.locator(".talk li.this")).to_be_visible()
    found += await looked_at(page, "inbox")
    await page.get_by_role("button", name="Two problems").click()
    words = page.get_by_label("Its words").first
    await words.evaluate("field => { field.focus(); field.setSelectionRange(23, 27); }")
    await page.get_by_role("button", name="charger id").first.click()
    await expect(page.locator("mark")).to_have_text("1042 charger id×")
    await page.get_by_role("button", name="Save the label").click()
    await expect(page.locator("#said.bad")).to_contain_text("Choose what it means")
    await page.locator("summary", has_text="Keys").click()
    found += await looked_at(page, "inbox-split")
    (desk.folder / "data/nlu/es/broken.yml").write_text("nlu:\n  - intent: greet\n   examples: |\n")
    path = desk.folder / "data/nlu/en/talk.yml"
    path.write_text(
        path.read_text().replace("      - nope\n", "      - nope\n      - hi\n      - go to 10[42](charger_id)\n")
    )
    await page.goto("/#data")
    await expect(page.get_by_text("One text, two meanings")).to_be_visible()
    await page.get_by_role("button", name="Change: hi").first.click()
    found += await looked_at(page, "data-health")
    await page.goto("/#data/examples")
    await expect(page.get_by_text("card declined")).to_be_visible()
    await page.locator("summary", has_text="Add an example").click()
    found += await looked_at(page, "data-examples")
    await page.goto("/#data/counts")
    await expect(page.get_by_role("rowheader", name="payment failed")).to_be_visible()
    found += await looked_at(page, "data-counts")
    await page.goto("/#responses")
    await expect(page.get_by_text("SMS segment").first).to_be_visible()
    found += await looked_at(page, "responses")
    await page.get_by_role("textbox", name="English").fill("😀 Say STOP about {charger} " + "x" * 200)
    await expect(page.get_by_text("is a word that carriers act on").first).to_be_visible()
    found += await looked_at(page, "responses-mind")
    await page.goto("/#data/history")
    await expect(page.get_by_text("Nothing was decided yet.")).to_be_visible()
    await desk.http.post("data/add", json={"language": "en", "intent": "greet", "text": "well hello"})
    await page.reload()
    await expect(page.get_by_role("button", name="Undo: Added to greet")).to_be_visible()
    found += await looked_at(page, "data-history")
    assert found == []


async def test_a_message_is_labelled_by_keyboard_alone_and_taken_back(desk: World, page: Page) -> None:
    await drivers_write(desk)
    await sign_in(page)
    before = desk.data()
    await expect(page.get_by_role("button", name="2 alike")).to_be_visible(timeout=20_000)
    await page.keyboard.press("k")
    await expect(page.get_by_role("heading", name="machine ate my visa")).to_be_focused()
    await expect(page.get_by_role("button", name="payment failed 80 %")).to_be_visible()
    await page.keyboard.press("1")
    await page.keyboard.press("Enter")
    await expect(page.locator("#said")).to_contain_text("Labelled payment_failed")
    assert desk.data() == before.replace(
        "at [1042](charger_id)\n",
        "at [1042](charger_id)\n      - machine ate my visa at 1042, call [number]\n      - machine ate my plastic\n",
    )
    await page.keyboard.press("s")
    await expect(page.locator("#said")).to_contain_text("Skipped 1 message")
    await page.keyboard.press("u")
    await expect(page.locator("#said")).to_contain_text("Undone: Skipped")
    await page.goto("/#data/history")
    await page.get_by_role("button", name="Undo: Labelled payment_failed").click()
    await expect(page.get_by_text("undone by ada")).to_have_count(2)
    assert desk.data() == before
