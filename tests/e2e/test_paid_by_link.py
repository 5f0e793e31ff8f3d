"""A driver without an account pays by link, in a real browser against the whole product: link opened, paid, the charger starts, and the
message arrives in the chat unasked. With PAYMENT_PICTURES=<folder> the pictures of the docs are taken on the way.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from tests.e2e.stack import Stack, until
from tests.widget.browser import Chat
from tests.widget.tools import CHROMIUM, needs_chromium

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), needs_chromium]

SOON_MS = 45_000


async def picture(page: object, name: str) -> None:
    folder = os.environ.get("PAYMENT_PICTURES")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png")  # type: ignore[attr-defined]  # any page of a browser


async def test_link_opened_paid_charging_and_the_receipt_all_unasked(stack: Stack) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": 420, "height": 860}, device_scale_factor=2)
        chat = await Chat.at(context, f"{stack.bot}/")
        await chat.box.fill("my bank card got declined at charger 1042, how can I pay")
        await chat.page.keyboard.press("Enter")
        link = chat.log.get_by_role("link").filter(has_text="/pay/")
        await expect(link.last).to_be_visible(timeout=SOON_MS)
        assert "0.26 CAD/kWh" in await chat.log.inner_text()
        assert "40.00 CAD" in await chat.log.inner_text()
        assert stack.station("CL-1042")["connectors"][0]["transaction"] is None

        async with context.expect_page() as opened:
            await link.last.click()
        pay = await opened.value
        await expect(pay.get_by_role("heading", name="Pay 40.00 CAD")).to_be_visible(timeout=SOON_MS)
        await pay.get_by_label("Card number").fill("4000000000009979")
        await pay.get_by_role("button", name="Pay", exact=True).click()
        await expect(pay.get_by_role("alert")).to_be_visible()
        await expect(chat.log.get_by_text("only your bank can say why")).to_be_visible(timeout=SOON_MS)
        await pay.get_by_label("Card number").fill("4242 4242 4242 4242")
        await picture(pay, "payment-page")
        await pay.get_by_role("button", name="Pay", exact=True).click()
        await expect(pay.get_by_text("go back to your messages")).to_be_visible(timeout=SOON_MS)

        await expect(chat.log.get_by_text("Your payment is in")).to_be_visible(timeout=SOON_MS)
        await expect(chat.log.get_by_text("Charging at 1042").last).to_be_visible(timeout=SOON_MS)
        assert stack.station("CL-1042")["connectors"][0]["transaction"] is not None
        await chat.page.bring_to_front()
        await chat.page.wait_for_timeout(300)
        await picture(chat.page, "paid-by-link")
        assert "stolen" not in (await chat.log.inner_text()).lower()

        ended = stack.http.post(
            f"{stack.sandbox}/v1/chargers/CL-1042/unplug", json={"connector": 1, "car_unlocked": True}
        )
        assert ended.is_success, ended.text
        await expect(chat.log.get_by_text("Your session at 1042 is over")).to_be_visible(timeout=60_000)
        await browser.close()
    state = await asyncio.to_thread(
        lambda: stack.http.get(f"http://127.0.0.1:{stack.ports['PAYMENTS_PORT']}/sandbox/state")
    )
    intents = state.json()["payment_intent"]
    assert [one["status"] for one in intents if one["status"] in ("requires_capture", "succeeded")] in (
        [],
        ["succeeded"],
    )
    until("no hold is left", lambda: all(one["amount_capturable"] == 0 for one in intents), 1)
