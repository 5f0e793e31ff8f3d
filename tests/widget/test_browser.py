"""The widget in real Chromium: every state without an axe violation, by keyboard alone, over a line that is cut."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect

from bot.front_door import front_door
from chargeline.settings import Settings
from tests.bot.doors import FAST, until
from tests.bot.fake_rasa import FakeRasa, Turn
from tests.widget.browser import Chat, HostPage, Line, sizes
from tests.widget.conftest import EMBED, FakeBridge, embeds, token
from tests.widget.tools import CHROMIUM, needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]

OFFER = [
    {
        "text": "Which <b>side</b>?",
        "buttons": [{"title": "Left side", "payload": "/left"}, {"title": "Right", "payload": "/right"}],
    }
]
NEARBY = {
    "kind": "chargers",
    "chargers": [
        {
            "id": "CL-1050",
            "name": "Glebe Market",
            "distance_m": 640,
            "plugs": ["CCS1"],
            "free": 2,
            "price": "$0.59/kWh",
            "map_url": "https://maps.example/1",
        },
        {"id": "CL-1060", "name": "Quai des Pins", "free": 0},
    ],
}
PAY = {"kind": "pay", "url": "https://pay.example/x", "amount_cents": 2500, "currency": "CAD"}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        await launched.close()


async def test_a_driver_chats_taps_a_choice_and_finds_it_all_again(browser: Browser, url: str, rasa: FakeRasa) -> None:
    rasa.plans = [Turn(lines=OFFER)]
    context = await browser.new_context(viewport=sizes()["narrow"], color_scheme="dark")
    chat = await Chat.at(context, f"{url}/c/CL-1042/2")
    await expect(chat.page.get_by_text("Charger 1042, connector 2")).to_be_visible()
    await chat.say("1042 is dead, card 4111 1111 1111 1111 <img src=x onerror=alert(1)>")
    await expect(chat.log.get_by_text("Which <b>side</b>?")).to_be_visible()
    await expect(chat.log.get_by_text("[card ending 1111] <img src=x onerror=alert(1)>")).to_be_visible()
    await expect(chat.log.get_by_text("Delivered")).to_be_visible()
    assert await chat.log.locator("img, b").count() == 0
    assert await chat.page.evaluate("document.documentElement.scrollWidth") <= 320
    for button in await chat.page.get_by_role("button").all():
        box = await button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, await button.inner_html()
    await chat.button("Left side").click()
    await expect(chat.log.get_by_text("You said: /left")).to_be_visible()
    await expect(chat.button("Left side")).to_have_count(0)
    hints = [(metadata["charger_hint"], metadata["connector_hint"]) for _, _, metadata in rasa.asked]
    assert hints == [("CL-1042", 2)] * 2
    shown = await chat.lines.count()
    await chat.page.reload()
    await expect(chat.lines).to_have_count(shown)
    await chat.page.goto(f"{url}/widget")
    await chat.page.go_back()
    await expect(chat.lines).to_have_count(shown)
    other = await Chat.at(context, url)
    await other.say("hello from the second tab")
    await expect(chat.log.get_by_text("You said: hello from the second tab")).to_be_visible()
    await expect(chat.lines).to_have_count(shown + 2)
    assert chat.errors + other.errors == []
    await context.close()


async def test_a_line_cut_in_mid_sentence_loses_nothing_and_doubles_nothing(
    browser: Browser, env: dict[str, str], rasa: FakeRasa
) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(lines=[{"text": "one moment"}], hold=hold)]
    async with front_door(Settings.load(env), FAST, port=0) as port, Line(port).up() as line:
        context = await browser.new_context()
        chat = await Chat.at(context, f"http://127.0.0.1:{line.port}")
        await chat.say("first")
        await expect(chat.log.get_by_text("one moment")).to_be_visible()
        await expect(chat.status).to_have_text("The assistant is working")
        line.cut()
        await expect(chat.status).to_contain_text("No connection")
        hold.set()  # the rest of the answer comes while nobody can hear it
        await chat.say("second")
        await chat.say("third")
        await expect(chat.log.get_by_text("Waiting for the connection")).to_have_count(1)
        await chat.page.evaluate("() => window.dispatchEvent(new Event('online'))")
        line.restore()
        await chat.page.evaluate("() => window.dispatchEvent(new Event('online'))")
        await expect(chat.log.get_by_text("You said: third")).to_be_visible(timeout=15_000)
        await until(lambda: rasa.messages == ["first", "second", "third"], "each is asked once, in order")
        await expect(chat.status).to_have_text("")
        await expect(chat.log.get_by_text("Delivered")).to_have_count(3)
        texts = [await one.locator(".said").inner_text() for one in await chat.lines.all()]
        assert len(texts) == len(set(texts)) == 7  # three of the driver's, the introduction, three answers
        # What could not be sent before the page is closed goes out when it is opened again.
        line.cut()
        await chat.say("fourth")
        await expect(chat.log.get_by_text("Waiting for the connection")).to_be_visible()
        line.restore()
        await chat.page.reload()
        await expect(chat.log.get_by_text("You said: fourth")).to_be_visible(timeout=15_000)
        assert rasa.messages == ["first", "second", "third", "fourth"]
        await context.close()


@asynccontextmanager
async def embedding(env: dict[str, str], page: HostPage) -> AsyncIterator[tuple[str, Line]]:
    """A front door that lets the page embed the chat, behind a line that can be cut."""
    file = Path(env["EMBEDS_FILE"]).with_name("embeds-of-site.json")
    file.write_text(json.dumps([{**embeds()[0], "origins": [page.url]}]))
    settings = Settings.load({**env, "EMBEDS_FILE": str(file)})
    async with front_door(settings, FAST, port=0) as port, Line(port).up() as line:
        page.front = f"http://127.0.0.1:{line.port}"
        yield page.front, line


HOST = """
window.heard = [];
addEventListener('DOMContentLoaded', () => setTimeout(() => {
  const chat = document.querySelector('chargeline-chat');
  for (const name of ['open', 'close', 'message', 'unread', 'session', 'identify', 'sent']) chat.on(name, detail => heard.push([name, detail]));
  chat.identify(async () => { window.fetched = (window.fetched || 0) + 1; return (await fetch('/token')).text(); });
}));
"""


async def test_embedded_on_the_operators_own_site_a_signed_driver_is_known_and_signs_out(
    browser: Browser, env: dict[str, str], rasa: FakeRasa, bridge: FakeBridge
) -> None:
    bridge.session("drv-ada")
    now = int(time.time())
    # The first token has run out already: the widget asks the host for another.
    tokens = [token(iat=now - 900, exp=now - 300), token(), token(jti="2")]
    page = HostPage(f'data-embed="{EMBED}" data-charger="CL-1042"', HOST, tokens=tokens)
    async with page.up(), embedding(env, page):
        context = await browser.new_context(viewport=sizes()["desktop"])
        chat = await Chat.at(context, page.url)
        await chat.page.wait_for_function("window.fetched === undefined || window.fetched >= 0")
        assert (
            await chat.page.evaluate(
                "performance.getEntriesByType('resource').filter(e => e.name.includes('/web/')).length"
            )
            == 0
        )
        paints = []
        for _ in range(2):
            paints.append(await chat.page.evaluate(PAINT))
        assert min(paints) < 100, paints
        await expect(chat.page.get_by_text("Canal Quarter P2")).to_be_visible()
        await expect(chat.page.get_by_text("Cost so far")).to_be_visible()
        await chat.say("why so slow")
        await expect(chat.log.get_by_text("You said: why so slow")).to_be_visible()
        assert rasa.asked[0][2]["driver"] == "drv-ada"
        assert rasa.asked[0][2]["charger_hint"] == "CL-1042"
        assert await chat.page.evaluate("window.fetched") >= 2
        # Figures change by themselves, quietly, in place.
        await chat.listen()
        bridge.session("drv-ada", energy_wh=5250)
        await expect(chat.page.get_by_text("5.25 kWh")).to_be_visible(timeout=10_000)
        assert await chat.told() == []
        # Closed, what comes counts on the launcher.
        await chat.page.keyboard.press("Escape")
        rasa.answer = lambda message: [{"text": f"Answer to {message}"}]
        await chat.element.evaluate("chat => { chat.panel.say({ text: 'still there' }, 'still there') }")
        await expect(chat.page.get_by_role("button", name="unread messages: 1")).to_be_visible()
        await chat.element.evaluate("chat => chat.open()")
        await expect(chat.log.get_by_text("Answer to still there")).to_be_visible()
        names = [name for name, _ in await chat.page.evaluate("window.heard")]
        assert {"open", "close", "message", "unread", "session", "sent"} <= set(names)
        await chat.button("More").click()
        await chat.button("Sign out of this chat").click()
        await expect(chat.lines).to_have_count(0)
        await expect(chat.page.get_by_text("Canal Quarter P2")).to_have_count(0)
        kept = await chat.page.evaluate(
            "Object.keys(localStorage).filter(k => k.includes('ada') || k.includes('unsent'))"
        )
        assert kept == []
        assert [error for error in chat.errors if "401" not in error] == []  # nothing of the policy, nothing else
        await context.close()


PAINT = """async () => {
  const chat = document.querySelector('chargeline-chat'); chat.close();
  const began = performance.now(); chat.open();
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - began; }"""


async def test_by_keyboard_alone_from_the_launcher_to_the_rating(
    browser: Browser, env: dict[str, str], rasa: FakeRasa
) -> None:
    rasa.plans = [Turn(lines=OFFER)]
    page = HostPage(f'data-embed="{EMBED}"')
    async with page.up(), embedding(env, page):
        context = await browser.new_context(viewport=sizes()["desktop"], reduced_motion="reduce")
        chat = await Chat.at(context, page.url)
        keys = chat.page.keyboard
        await keys.press("Tab")
        await keys.press("Tab")
        assert await chat.focused() == "Open charging help"
        await keys.press("Enter")
        assert await chat.focused() == "Your message"
        await keys.type("it is dead")
        await keys.press("Enter")
        await expect(chat.button("Left side")).to_be_visible()
        assert await chat.focused() == "Your message"  # what comes does not take the focus
        for _ in range(3):
            await keys.press("Shift+Tab")
        assert await chat.focused() == "Left side"
        await keys.press("Space")
        await expect(chat.log.get_by_text("You said: /left")).to_be_visible()
        assert await chat.focused() == "Your message"  # the choice is gone, the focus is not lost
        await chat.button("More").focus()
        await keys.press("Enter")
        assert await chat.focused() == "English"
        await keys.press("Escape")  # the menu first
        assert await chat.focused() == "More"
        await keys.press("Enter")
        for _ in range(5):
            await keys.press("Tab")
        assert await chat.focused() == "Rate the help"
        await keys.press("Enter")
        assert await chat.focused() == "1 of 5"
        for _ in range(3):
            await keys.press("Tab")
        await keys.press("Enter")
        await expect(chat.log.get_by_text("★★★★☆")).to_be_visible()
        await keys.press("Escape")
        await expect(chat.box).to_be_hidden()
        assert await chat.focused() == "Open charging help"
        await keys.press("Shift+Tab")
        assert await chat.focused() == "BUTTON"  # out of the widget, back to the page
        assert chat.errors == []
        await context.close()


async def test_each_message_is_announced_once_and_nothing_else_is(browser: Browser, url: str, rasa: FakeRasa) -> None:
    rasa.plans = [Turn(lines=[{"text": "Old answer"}])]
    context = await browser.new_context()
    chat = await Chat.at(context, url)
    await chat.say("old")
    await expect(chat.log.get_by_text("Old answer")).to_be_visible()
    await expect(chat.log.get_by_text("Delivered")).to_be_visible()
    await chat.page.reload()
    await chat.listen()
    await expect(chat.log.get_by_text("Old answer")).to_be_visible()
    await chat.page.wait_for_function(
        "document.querySelector('chargeline-chat').shadowRoot.querySelector('[role=log]').ariaLive === 'polite'"
    )
    assert await chat.told() == []  # what was said before is not news
    hold = asyncio.Event()
    rasa.plans = [
        Turn(
            lines=[
                {"text": "Charging.", "buttons": OFFER[0]["buttons"]},
                {"text": "¿Algo más que pueda hacer por usted?"},
            ],
            hold=hold,
        )
    ]
    await chat.say("new")
    await expect(chat.log.get_by_text("Algo más")).to_be_visible()
    await expect(chat.status).to_have_text("The assistant is working")
    hold.set()
    await expect(chat.button("Right")).to_be_visible()
    await expect(chat.log.get_by_text("Delivered")).to_have_count(2)
    told = await chat.told()
    assert [one for one in told if one.startswith("status")] == ["status: The assistant is working"]
    messages = [one for one in told if not one.startswith("status")]
    assert len(messages) == 3, messages
    assert messages[0].startswith("You: new")
    assert messages[1].startswith("Assistant: Charging.")
    assert "Answers to choose from" in messages[1]
    assert await chat.log.get_by_text("Algo más").get_attribute("lang") == "es"
    assert await chat.log.get_by_text("Charging.").get_attribute("lang") == "en"
    await context.close()


async def test_no_state_has_an_accessibility_violation(
    browser: Browser, env: dict[str, str], rasa: FakeRasa, bridge: FakeBridge
) -> None:
    bridge.session("drv-ada")
    rasa.plans = [
        Turn(lines=OFFER),
        Turn(
            lines=[
                {"text": "Nearest:", "custom": NEARBY},
                {"text": "Pay here", "custom": PAY},
                {
                    "text": "Restarting.",
                    "custom": {"kind": "progress", "text": "Restarting charger 1042", "within_s": 180},
                },
            ]
        ),
    ]
    script = f"addEventListener('DOMContentLoaded', () => setTimeout(() => document.querySelector('chargeline-chat').identify({token()!r})));"
    page = HostPage(f'data-embed="{EMBED}" data-charger="CL-1042"', script)
    async with page.up(), embedding(env, page) as (front, line):
        for scheme, size in (("light", "desktop"), ("dark", "phone")):
            context = await browser.new_context(viewport=sizes()[size], color_scheme=scheme, permissions=[])  # type: ignore[arg-type]
            chat = await Chat.at(context, page.url)
            first = size == "desktop"
            if first:
                assert await chat.violations() == [], "closed"
            await chat.element.evaluate("chat => chat.open()")
            await expect(chat.page.get_by_text("Cost so far")).to_be_visible()
            if first:
                assert await chat.violations() == [], "opened"
                await chat.say("dead")
                await expect(chat.button("Right")).to_be_visible()
                assert await chat.violations() == [], "choices"
                await chat.say("others")
            await expect(chat.log.get_by_text("Restarting.", exact=True)).to_be_visible()
            await expect(chat.status).to_have_text("Restarting charger 1042")
            for line_of_log in await chat.lines.all():
                assert await line_of_log.locator(".said, .card").count() > 0  # progress alone is no line
            assert await chat.violations() == [], f"cards, {scheme}"
            await chat.button("Share where I am").click()
            await expect(chat.status).to_contain_text("does not tell where it is")
            await chat.button("More").click()
            assert await chat.violations() == [], f"menu, {scheme}"
            if first:
                await chat.button("Rate the help").click()
                assert await chat.violations() == [], "rating"
            await chat.element.evaluate("chat => chat.language('fr')")
            await expect(chat.page.get_by_role("heading", name="Aide à la recharge")).to_be_visible()
            line.cut()
            await expect(chat.status).to_contain_text("Pas de connexion")
            await chat.say("encore là?")
            assert await chat.violations() == [], f"French, offline, {scheme}"
            line.restore()
            await context.close()
        for path in ("/", "/c/CL-1042", "/widget"):
            context = await browser.new_context(forced_colors="active" if path == "/" else "none")
            chat = await Chat.at(context, front + path)
            await expect(chat.page.get_by_role("heading", level=1)).to_be_visible()
            assert await chat.violations() == [], path
            assert chat.errors == []
            await context.close()


async def test_what_drivers_use_beside_words(browser: Browser, url: str, rasa: FakeRasa) -> None:
    context = await browser.new_context(
        viewport=sizes()["phone"],
        geolocation={"latitude": 45.4215, "longitude": -75.6972},
        permissions=["geolocation"],
        locale="fr-CA",
    )
    chat = await Chat.at(context, url)
    await expect(chat.page.get_by_role("heading", name="Aide à la recharge")).to_be_visible()
    await chat.button("Plus").click()
    await chat.button("English").click()
    await expect(chat.page.get_by_role("heading", name="Charging help")).to_be_visible()
    rasa.plans = [Turn(lines=[{"text": "Nearest:", "custom": NEARBY}])]
    await chat.button("My cable is stuck").click()
    await expect(chat.log.get_by_text("2 free now")).to_be_visible()
    await chat.page.get_by_role("button", name="I am here: Glebe Market").click()
    await expect(chat.log.get_by_text("You said: CL-1050")).to_be_visible()
    await chat.button("Share where I am").click()
    await until(lambda: rasa.asked[-1][2]["location"] is not None, "the place arrives")
    await expect(chat.log.get_by_text("45.42150")).to_be_visible()
    await chat.button("Talk to a person").click()
    await until(lambda: rasa.messages[-1] == "Talk to a person", "a person is asked for")
    await chat.button("More").click()
    async with chat.page.expect_download() as waiting:
        await chat.button("Save what was said").click()
    saved = await asyncio.to_thread((await (await waiting.value).path()).read_text, "utf-8")
    assert "You: My cable is stuck" in saved
    assert "Assistant: Nearest:" in saved
    # Whatever takes room from the log, its end stays in sight.
    await chat.button("More").click()
    await expect(chat.lines.last).to_be_in_viewport(ratio=1)
    await chat.button("More").click()
    # At 200 % text nothing is cut off or covered.
    await chat.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert await chat.page.evaluate("document.documentElement.scrollWidth") <= 390
    await expect(chat.box).to_be_in_viewport()
    await expect(chat.button("Send")).to_be_in_viewport()
    assert chat.errors == []
    await context.close()
