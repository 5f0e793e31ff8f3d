"""The five problems through the widget, in real Chromium against the whole product; judged by the simulated chargers.

With WIDGET_PICTURES=<folder> the pictures of the docs are taken on the way.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright, expect

from chargeline.processes import ROOT
from tests.e2e.stack import Stack, running, until
from tests.widget.browser import Chat, sizes
from tests.widget.conftest import EMBED, embeds, token
from tests.widget.tools import CHROMIUM, needs_chromium

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), needs_chromium]

SOON_MS = 40_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not any((ROOT / "models").glob("*.tar.gz")):
        pytest.skip("there is no trained model; run make train")
    folder = tmp_path_factory.mktemp("widget")
    file = folder / "embeds.json"
    file.write_text(json.dumps(embeds()))
    with running(folder / "var", EMBEDS_FILE=str(file)) as started:
        yield started


@asynccontextmanager
async def driver(
    stack: Stack, path: str, *, signed: str | None = None, size: str = "phone", **more: Any
) -> AsyncIterator[Chat]:
    """A driver's browser at a page of the product; `signed`: who the operator's backend says it is."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(viewport=sizes()[size], device_scale_factor=2, **more)
        chat = await Chat.at(context, stack.bot + path)
        if signed is not None:
            who = {"embed": EMBED, "token": token(signed)}
            await chat.element.evaluate(
                "(chat, who) => { chat.setAttribute('embed', who.embed); return chat.identify(who.token); }", who
            )
            await chat.element.evaluate("chat => chat.open()")
        yield chat
        assert chat.errors == []
        await browser.close()


async def hears(chat: Chat, words: str) -> None:
    await expect(chat.log.get_by_text(words).last).to_be_visible(timeout=SOON_MS)


async def sandbox(stack: Stack, path: str, **body: Any) -> None:
    answer = await asyncio.to_thread(stack.http.post, f"{stack.sandbox}/v1/chargers/{path}", json=body)
    assert answer.is_success, answer.text


async def station(stack: Stack, charger: str, what: str, is_so: Callable[[dict[str, Any]], bool]) -> None:
    await asyncio.to_thread(until, what, lambda: is_so(stack.station(charger)["connectors"][0]), 40)


async def picture(chat: Chat, name: str) -> None:
    folder = os.environ.get("WIDGET_PICTURES")
    if folder:
        await chat.page.wait_for_timeout(400)
        await chat.page.screenshot(path=Path(folder) / f"{name}.png")


async def test_charging_that_does_not_start_and_a_cable_that_is_stuck(stack: Stack) -> None:
    async with driver(stack, "/c/CL-1052/1") as chat:
        await picture(chat, "widget-sticker")
        await chat.button("Plugged in, nothing happens").click()
        await hears(chat, "Charging:")
        await station(stack, "CL-1052", "a transaction runs", lambda plug: plug["transaction"] is not None)
        card = chat.page.get_by_role("region", name="Your charging session")
        await expect(card).to_be_visible(timeout=SOON_MS)
        await expect(card.get_by_text("kWh").or_(card.get_by_text("Wh")).first).to_be_visible()
        energy = await card.locator("dd").nth(1).inner_text()
        await expect(card.locator("dd").nth(1)).not_to_have_text(energy, timeout=SOON_MS)  # by itself
        await picture(chat, "widget-phone")
        await chat.button("Finish charging").click()
        await hears(chat, "has ended")
        await station(stack, "CL-1052", "the transaction is over", lambda plug: plug["transaction"] is None)
        await expect(card.get_by_text("Session over")).to_be_visible(timeout=SOON_MS)
        await chat.say("the cable is stuck in the socket, it will not come out")
        await hears(chat, "let go")
        await sandbox(stack, "CL-1052/unplug", connector=1)
        await hears(chat, "The plug is out")


async def test_a_charger_that_is_offline(stack: Stack) -> None:
    async with driver(stack, "/", color_scheme="dark") as chat:
        await chat.say("charger 1044 is completely dead, black screen")
        await hears(chat, "offline")
        assert await chat.log.get_by_text("Charging:").count() == 0
        await picture(chat, "widget-dark")


async def test_a_card_that_is_not_accepted(stack: Stack) -> None:
    async with driver(stack, f"/?embed={EMBED}&language=fr", signed="drv-carla", locale="fr-CA") as chat:
        await sandbox(stack, "CL-1042/swipe", connector=1, token="TOK-CARLA-0003")
        await chat.say("ma carte ne passe pas à la borne 1042")
        await hears(chat, "bloqu")
        assert stack.station("CL-1042")["connectors"][0]["transaction"] is None


async def test_a_payment_that_fails_is_no_reason_not_to_charge(stack: Stack) -> None:
    async with driver(stack, "/widget", signed="drv-ada", size="desktop") as chat:
        await chat.say("the card reader at 1042 says my visa is declined")
        await hears(chat, "GO")
        await chat.say("GO")
        await hears(chat, "Charging:")
        await station(stack, "CL-1042", "a transaction runs", lambda plug: plug["transaction"] is not None)
        (session,) = [row for row in stack.sessions("CL-1042") if row["state"] == "active"]
        assert session["driver"] == "drv-ada"
        await expect(chat.page.get_by_role("region", name="Your charging session")).to_be_visible(timeout=SOON_MS)
        await picture(chat, "widget-desktop")
