"""The page with two phones, in a real browser: text by SMS, tap a button on WhatsApp, share a place, send a picture."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.async_api import Geolocation, async_playwright, expect

from tests.bot.doors import until
from tests.channels.lines import Lines
from tests.channels.test_whatsapp import JPEG

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


async def test_a_person_texts_by_hand_on_both_lines(lines: Lines, tmp_path: Path) -> None:
    def offer(message: str) -> list[dict[str, object]]:
        if message == "which one":
            buttons = [{"title": f"Connector {n}", "payload": f"/pick{n}"} for n in (1, 2)]
            return [{"text": "Which <b>connector</b>?", "buttons": buttons}]
        if message == "near":
            return [{"text": "Where are you?", "custom": {"request": "location"}}]
        if message == "pay":
            return [{"text": f"Pay here: {lines.url}/healthz."}]
        return [{"text": f"You said: {message}"}]

    def places() -> list[tuple[float, float]]:
        told = [metadata["location"] for _, _, metadata in lines.rasa.asked if metadata["location"]]
        return [(round(one["latitude"], 3), round(one["longitude"], 3)) for one in told]

    lines.rasa.answer = offer
    picture = tmp_path / "plug.jpg"
    picture.write_bytes(JPEG)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        here: Geolocation = {"latitude": 29.424, "longitude": -98.494}
        context = await browser.new_context(geolocation=here, permissions=["geolocation"])
        page = await context.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        await page.goto(lines.url)
        await page.get_by_label("Text message").fill("1042 is dead")
        await page.keyboard.press("Enter")
        sms, whatsapp = page.get_by_role("log", name="SMS"), page.get_by_role("log", name="WhatsApp")
        await expect(sms.get_by_text("You said: 1042 is dead")).to_be_visible()
        await expect(sms.get_by_text("1 × GSM-7").last).to_be_visible()
        await page.get_by_label("Text message").fill("pay")
        await page.keyboard.press("Enter")
        async with page.expect_popup() as opened:
            await sms.get_by_role("link", name="/healthz").click()  # the full stop after it is no part of it
        await expect((await opened.value).get_by_text("ok")).to_be_visible()
        await page.get_by_label("WhatsApp message").fill("which one")
        await page.keyboard.press("Enter")
        await expect(whatsapp.get_by_text("Which <b>connector</b>?")).to_be_visible()
        await whatsapp.get_by_role("button", name="Connector 2").click()
        await until(lambda: "/pick2" in lines.rasa.messages, "the tap is the payload")
        await page.get_by_role("button", name="Location").click()
        await page.get_by_label("Share a place").fill("nowhere")
        await page.get_by_role("button", name="Share this place").click()
        await expect(page.get_by_text("A place begins with its latitude")).to_be_visible()
        await page.get_by_label("Share a place").fill("45.4254, -75.6919 Rideau Centre")
        await page.get_by_role("button", name="Share this place").click()
        await until(lambda: places() == [(45.425, -75.692)], "the pin is told")
        await expect(whatsapp.get_by_text("Rideau Centre")).to_be_visible()
        await page.get_by_label("WhatsApp message").fill("near")
        await page.keyboard.press("Enter")
        await whatsapp.get_by_role("button", name="Send location").click()
        await page.get_by_role("button", name="Where I am").click()
        await until(lambda: places()[1:] == [(29.424, -98.494)], "the device's own place is told")
        await page.get_by_label("Send a picture", exact=True).set_input_files(picture)
        await expect(whatsapp.get_by_text("kept the picture")).to_be_visible()
        await page.get_by_role("button", name="a stranger").click()
        await expect(whatsapp.get_by_text("which one")).to_have_count(0)
        await expect(page.get_by_label("Your number")).to_have_value("+16135550199")
        await browser.close()
    assert errors == []


async def test_manners_are_checked_and_other_pages_may_not_text(lines: Lines) -> None:
    http, url = lines.door.http, lines.url
    assert (await http.put(f"{url}/v1/manners", json={"fail": 0.5})).json()["fail"] == 0.5
    for wrong in ({"fail": 2}, {"fail": True}, {"surprise": 1}, {"answer_s": -1}):
        assert (await http.put(f"{url}/v1/manners", json=wrong)).status_code == 400
    path = f"{url}/v1/phones/%2B16135550101/messages"
    say = {"line": "sms", "text": "hi"}
    assert (await http.post(path, json=say, headers={"Origin": "https://elsewhere.example"})).status_code == 403
    for odd in ({"line": "fax", "text": "hi"}, {"line": "sms"}, {"place": {"latitude": "x"}}, {"choice": 1}):
        assert (await http.post(path, json=odd)).status_code == 400
    assert (await http.post(path, json=say)).status_code == 202
    assert (await http.get(f"{url}/v1/phones/nobody/messages")).status_code == 400
