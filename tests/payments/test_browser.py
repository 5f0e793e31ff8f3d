"""In a real browser: link opened, a card declined, another paid, the charger starts, the message arrives in the chat unasked, the receipt too.

Front door, action server, bridge, simulated chargers and payment system are the real processes; only the language model is a script, since
what a driver means is not in question here. With PAYMENT_PICTURES=<folder> the pictures of the docs are taken on the way.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from chargeline.ports import free_port
from chargeline.processes import ROOT
from tests.bot.fake_rasa import FakeRasa, Line
from tests.e2e.stack import until
from tests.payments.world import TEXTS
from tests.widget.browser import Chat
from tests.widget.tools import CHROMIUM, needs_chromium

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), needs_chromium]

SOON_MS = 45_000
PORTS = ("BOT_PORT", "OCPP_PORT", "BRIDGE_PORT", "ACTIONS_PORT", "SANDBOX_PORT", "PAYMENTS_PORT", "CARRIER_PORT")


class ScriptedMind(FakeRasa):
    """Takes every text for a failed payment at 1042, and gives news of payments to the action that is for them."""

    def __init__(self, actions: str) -> None:
        super().__init__()
        self._http = httpx.Client(base_url=actions, timeout=60, trust_env=False)
        self.answer = self._answered

    def _answered(self, message: str) -> list[Line]:
        sender, _, metadata = self.asked[-1]
        name, _, facts = message.partition("{")
        latest: dict[str, Any] = {"text": message, "metadata": metadata, "intent": {"name": name.removeprefix("/")}}
        slots: dict[str, Any] = {
            "charger_id": "CL-1042",
            "connector": 1,
            "problem": "payment_failed",
            "next_step": "look",
        }
        if facts:
            values = httpx.Response(200, content="{" + facts).json()
            latest["entities"] = [{"entity": key, "value": value} for key, value in values.items()]
            return self._act("action_payment_news", sender, latest, slots)[0]
        latest |= {"text": "my card was declined", "intent": {"name": "payment_failed"}}
        lines, changed = self._act("action_look", sender, latest, slots)
        more, _ = self._act("action_go_on", sender, latest, {**slots, **changed})
        return lines + more

    def _act(self, action: str, sender: str, latest: Any, slots: Any) -> tuple[list[Line], dict[str, Any]]:
        tracker = {"sender_id": sender, "slots": slots, "latest_message": latest, "events": [], "active_loop": {}}
        tracker |= {
            "paused": False,
            "followup_action": None,
            "latest_input_channel": "rest",
            "latest_action_name": None,
        }
        call = {"next_action": action, "tracker": tracker, "sender_id": sender, "domain": {}, "version": "3.6.21"}
        done = self._http.post("/webhook", json=call).raise_for_status().json()
        changed = {one["name"]: one["value"] for one in done["events"] if one["event"] == "slot"}
        return [_line(one) for one in done["responses"]], changed


def _line(response: dict[str, Any]) -> Line:
    """As Rasa words a response: by its name, in the language's file."""
    custom = response.get("custom")
    if response.get("response") is None:
        return {"custom": custom}
    return {"text": TEXTS["en"][response["response"]].format(**response)}


class Parts:
    """The product but for its language model, on free ports."""

    def __init__(self, var: Path) -> None:
        self.ports = {name: str(free_port()) for name in PORTS}
        self.var = var
        self.mind = ScriptedMind(self.url("ACTIONS_PORT"))
        self.http = httpx.Client(timeout=20, trust_env=False)

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    async def start(self) -> None:
        await self.mind.start()
        self.var.mkdir(parents=True)
        await asyncio.to_thread(self._launch)
        log_file = self.var / "run.log"
        await asyncio.to_thread(until, "all is ready", lambda: "Chargeline is ready" in log_file.read_text(), 120, 0.3)
        await asyncio.to_thread(until, "a car waits at 1042", self._plugged, 60, 0.3)

    def _launch(self) -> None:
        names = ("bridge", "sandbox", "payments", "actions", "bot")
        only = [argument for name in names for argument in ("--only", name)]
        own = {"VAR_DIR": str(self.var), "RASA_URL": self.mind.url, "RASA_TOKEN": "rasa-token"}
        with (self.var / "run.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chargeline.run", "--no-train", *only],
                cwd=ROOT,
                env={**os.environ, **self.ports, **own},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def station(self) -> dict[str, Any]:
        rows = self.http.get(f"{self.url('SANDBOX_PORT')}/v1/chargers").json()["chargers"]
        found: dict[str, Any] = next(row for row in rows if row["id"] == "CL-1042")["connectors"][0]
        return found

    def _plugged(self) -> bool:
        keys = dict(line.split("=", 1) for line in (self.var / "keys.env").read_text().splitlines())
        headers = {"Authorization": f"Bearer {keys['BRIDGE_OPERATOR_KEY']}"}
        seen = self.http.get(f"{self.url('BRIDGE_PORT')}/v1/chargers/CL-1042", headers=headers).json()
        return bool(seen["connectors"][0]["status"] == "Preparing")

    async def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        await asyncio.to_thread(self._process.wait, 30)
        await self.mind.stop()


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    opened = Parts(tmp_path / "var")
    await opened.start()
    yield opened
    await opened.stop()


async def picture(page: Page, name: str) -> None:
    folder = os.environ.get("PAYMENT_PICTURES")
    if folder:
        await page.wait_for_timeout(400)
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_link_opened_paid_charging_and_receipt_all_unasked(parts: Parts) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": 420, "height": 1400}, device_scale_factor=1.5)
        chat = await Chat.at(context, f"http://localhost:{parts.ports['BOT_PORT']}/")
        await chat.box.fill("my bank card got declined at charger 1042, how can I pay")
        await chat.page.keyboard.press("Enter")
        link = chat.log.get_by_role("link").filter(has_text="/pay/")
        await expect(link.last).to_be_visible(timeout=SOON_MS)
        for posted in ("0.26 CAD/kWh", "40.00 CAD"):
            assert posted in await chat.log.inner_text()
        assert parts.station()["transaction"] is None

        async with context.expect_page() as opened:
            await link.last.click()
        pay = await opened.value
        await expect(pay.get_by_role("heading", name="Pay 40.00 CAD")).to_be_visible(timeout=SOON_MS)
        await pay.get_by_label("Card number").fill("4000 0000 0000 9979")
        await pay.get_by_role("button", name="Pay", exact=True).click()
        await expect(pay.get_by_role("alert")).to_be_visible()
        await expect(chat.log.get_by_text("only your bank can say why")).to_be_visible(timeout=SOON_MS)
        await pay.get_by_label("Card number").fill("4242 4242 4242 4242")
        await picture(pay, "payment-page")
        await pay.get_by_role("button", name="Pay", exact=True).click()
        await expect(pay.get_by_text("go back to your messages")).to_be_visible(timeout=SOON_MS)

        await expect(chat.log.get_by_text("Your payment is in")).to_be_visible(timeout=SOON_MS)
        await expect(chat.log.get_by_text("Charging at 1042").last).to_be_visible(timeout=SOON_MS)
        assert parts.station()["transaction"] is not None
        assert "stolen" not in (await chat.log.inner_text()).lower()
        await chat.page.bring_to_front()
        await chat.lines.last.scroll_into_view_if_needed()
        await picture(chat.page, "paid-by-link")

        unplug = f"{parts.url('SANDBOX_PORT')}/v1/chargers/CL-1042/unplug"
        assert parts.http.post(unplug, json={"connector": 1, "car_unlocked": True}).is_success
        await expect(chat.log.get_by_text("Your session at 1042 is over")).to_be_visible(timeout=90_000)
        await browser.close()
    intents = parts.http.get(f"{parts.url('PAYMENTS_PORT')}/sandbox/state").json()["payment_intent"]
    assert all(one["amount_capturable"] == 0 for one in intents)
