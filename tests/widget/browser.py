"""A driver's browser at the widget: what tests do in it, a line to the front door that can be cut, and what axe says of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from playwright.async_api import BrowserContext, Locator, Page

from tests.widget.tools import node_packages

RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}

# Counts what a screen reader is told: whole messages put into the live log, and changes of the status line.
LISTEN = """chat => {
  const told = (window.told = []);
  const log = chat.shadowRoot.querySelector('[role=log]'), status = chat.shadowRoot.querySelector('[role=status]');
  new MutationObserver(records => {
    for (const record of records) {
      if (log.getAttribute('aria-live') !== 'polite') continue;
      for (const node of record.addedNodes) told.push((node.textContent || '').trim());
    }
  }).observe(log, { childList: true, subtree: true });
  new MutationObserver(() => status.textContent && told.push('status: ' + status.textContent))
    .observe(status, { childList: true, subtree: true, characterData: true });
}"""


class Line:
    """Bytes to and from the front door, until it is cut: then nothing gets through and nobody gets in."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Line]:
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.cut()
            server.close()

    def cut(self) -> None:
        self._open = False
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def restore(self) -> None:
        self._open = True

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        behind_reader, behind = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, behind}

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            except ConnectionError:
                pass  # the other side was cut
            target.transport.abort()

        await asyncio.gather(copy(reader, behind), copy(behind_reader, writer))


@dataclass
class Chat:
    """The widget on a page."""

    page: Page
    errors: list[str] = field(default_factory=list)

    @classmethod
    async def at(cls, context: BrowserContext, url: str) -> Chat:
        page = await context.new_page()
        chat = cls(page)
        page.on("console", lambda message: chat.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: chat.errors.append(str(error)))
        await page.goto(url)
        return chat

    @property
    def element(self) -> Locator:
        return self.page.locator("chargeline-chat")

    @property
    def box(self) -> Locator:
        return self.element.locator("textarea")

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def lines(self) -> Locator:
        return self.log.locator("ol > li")

    @property
    def status(self) -> Locator:
        return self.page.get_by_role("status")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def say(self, text: str) -> None:
        await self.box.fill(text)
        await self.box.press("Enter")

    async def listen(self) -> None:
        await self.element.evaluate(LISTEN)

    async def told(self) -> list[str]:
        found: list[str] = await self.page.evaluate("window.told")
        return found

    async def focused(self) -> str:
        """The accessible name of what has the focus in the widget, or of the element itself."""
        script = """chat => { const one = chat.shadowRoot.activeElement;
          return one ? one.getAttribute('aria-label') || one.textContent.trim() : document.activeElement.tagName; }"""
        name: str = await self.element.evaluate(script)
        return name

    async def violations(self) -> list[str]:
        """What axe finds against WCAG 2.2 AA and best practice."""
        source = (node_packages() / "axe-core" / "axe.min.js").read_text()
        await self.page.evaluate(source)
        found = await self.page.evaluate("rules => axe.run(document, rules)", RULES)
        return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found["violations"]]


@dataclass
class HostPage:
    """A page of an operator's on a site of its own, under a strict policy that allows the front door's script and API only."""

    attributes: str
    script: str = "// nothing"
    front: str = ""
    tokens: list[str] = field(default_factory=list)
    url: str = ""

    async def _page(self, request: web.Request) -> web.Response:
        policy = (
            f"default-src 'self'; script-src 'self' {self.front}; connect-src 'self' {self.front}; style-src 'self'"
        )
        body = f"""<!doctype html><html lang="en"><head><title>Volt</title><meta name="viewport" content="width=device-width">
        <link rel="icon" href="/host.js"><script src="/host.js" defer></script>
        <script src="{self.front}/widget/chargeline-chat.js" {self.attributes} defer></script></head>
        <body><main><h1>Volt</h1><p>Your receipts.</p><button id="before">Before</button></main></body></html>"""
        return web.Response(text=body, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _script(self, request: web.Request) -> web.Response:
        return web.Response(text=self.script, content_type="text/javascript")

    async def _token(self, request: web.Request) -> web.Response:
        return web.Response(text=self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0])

    @asynccontextmanager
    async def up(self) -> AsyncIterator[HostPage]:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/host.js", self._script)
        app.router.add_get("/token", self._token)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def sizes() -> dict[str, Any]:
    return {
        "phone": {"width": 390, "height": 844},
        "desktop": {"width": 1280, "height": 800},
        "narrow": {"width": 320, "height": 640},
    }
