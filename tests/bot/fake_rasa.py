"""A Rasa that is scripted, with the behaviour that was measured on Rasa 3.6: one lock a conversation, state saved once at the
turn's end, a failed turn that leaves its stream open for ever."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Line = dict[str, Any]


@dataclass
class Turn:
    """What happens to a message. `fault`: "" | "die" (connection breaks, nothing saved) | "lose" (connection breaks, the turn
    goes on) | "raise" (stream stays open, nothing saved) | "500" | "409" | "empty" (no lines). `hold`: waits here after the lines."""

    lines: list[Line] = field(default_factory=list)
    fault: str = ""
    after_lines: int = 0
    hold: asyncio.Event | None = None


class FakeRasa:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.events: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.checks = 0
        self.most_at_once: defaultdict[str, int] = defaultdict(int)
        self.plans: list[Turn] = []
        self.answer: Callable[[str], list[Line]] = lambda message: [{"text": f"You said: {message}"}]
        self.url = ""
        self._at_once: defaultdict[str, int] = defaultdict(int)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/webhooks/rest/webhook", self._webhook)
        app.router.add_post("/conversations/{id}/tracker/events", self._tracker)
        app.router.add_get("/status", self._status)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Like a crash: what was not saved is gone, the port is closed."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None
        self._locks.clear()

    @property
    def messages(self) -> list[str]:
        return [message for _, message, _ in self.asked]

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response({"model_file": "x"})

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        assert request.query["token"] == "rasa-token"
        assert request.query["stream"] == "true"
        body = await request.json()
        sender, message, metadata = body["sender"], body["message"], body["metadata"]
        self.asked.append((sender, message, metadata))
        plan = self.plans.pop(0) if self.plans else Turn()
        if plan.fault in {"500", "409"}:
            return web.Response(status=int(plan.fault))
        lines = plan.lines or ([] if plan.fault == "empty" else self.answer(message))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self._at_once[sender] += 1
        self.most_at_once[sender] = max(self.most_at_once[sender], self._at_once[sender])
        try:
            async with self._locks[sender]:
                for number, line in enumerate(lines):
                    if plan.fault in {"die", "raise", "lose"} and number == plan.after_lines:
                        break
                    await response.write(json.dumps({"recipient_id": sender, **line}).encode() + b"\n")
                if plan.hold is not None:
                    await plan.hold.wait()
                if plan.fault not in {"die", "raise"}:
                    self._save(sender, message, metadata, lines)
        finally:
            self._at_once[sender] -= 1
        if plan.fault in {"die", "lose"}:
            assert request.transport is not None
            request.transport.abort()
        if plan.fault == "raise":
            await asyncio.Event().wait()
        return response

    def _save(self, sender: str, message: str, metadata: dict[str, Any], lines: list[Line]) -> None:
        self.events[sender].append({"event": "user", "text": message, "metadata": metadata})
        for line in lines:
            data = {key: line.get(key) for key in ("buttons", "custom", "image", "attachment", "elements")}
            self.events[sender].append({"event": "bot", "text": line.get("text"), "data": data})

    async def _tracker(self, request: web.Request) -> web.Response:
        assert request.query["include_events"] == "ALL"
        sender = request.match_info["id"]
        event = await request.json()
        assert event["event"] == "slot"
        assert event["name"] == "turn_checked"
        assert isinstance(event["timestamp"], float)
        self.checks += 1
        async with self._locks[sender]:
            self.events[sender].append(event)
            return web.json_response({"sender_id": sender, "events": self.events[sender]})
