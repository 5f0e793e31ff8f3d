"""A conversation without Rasa: the real actions over a scripted bridge and a real store, led by the rules in data/rules as Rasa's
RulePolicy leads them. What a message means is given by the test; that Rasa agrees is shown by tests/actions/test_conversations.py.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.charging import BridgeClient
from actions.dialogue.actions import DialogueAction, all_actions
from actions.service import parts_of
from actions.store.sqlite import SqliteStore
from chargeline.clock import ManualClock, SystemClock
from chargeline.settings import Settings
from tests.actions.fake_bridge import FakeBridge, watch_id

ROOT = Path(__file__).parents[2]
FORM, LISTEN = "charger_form", "listen"
TEXTS = {file.stem: file.read_text("utf-8") for file in (ROOT / "domain/responses").glob("*.yml")}
SLOTS = [
    name
    for file in (ROOT / "domain").glob("*.yml")
    for name in (yaml.safe_load(file.read_text("utf-8")).get("slots") or {})
]


def rules() -> dict[tuple[str, bool], list[str]]:
    """The actions of a message's rule by (intent, whether the form is open); of two that differ in the form's end, the longer."""
    found: dict[tuple[str, bool], list[str]] = {}
    for file in (ROOT / "data/rules").glob("*.yml"):
        for rule in yaml.safe_load(file.read_text("utf-8"))["rules"]:
            open_form = rule["condition"][0]["active_loop"] == FORM
            first, *rest = rule["steps"]
            intents = [one["intent"] for one in first.get("or", [first]) if "intent" in one]
            actions = [step["action"] for step in rest if "action" in step]
            for intent in intents:
                if len(actions) > len(found.get((intent, open_form), [])):
                    found[intent, open_form] = actions
    return found


class Talk:
    """One driver's conversation. `say` returns the names of what was said; `texts` and `choices` are those of the last turn."""

    def __init__(self, actions: dict[str, DialogueAction], bridge: FakeBridge, clock: ManualClock) -> None:
        self.actions = actions
        self.bridge = bridge
        self.clock = clock
        self.rules = rules()
        self.slots: dict[str, Any] = dict.fromkeys([*SLOTS, "requested_slot"])
        self.events: list[dict[str, Any]] = []
        self.active = False
        self.metadata: dict[str, Any] = {"channel": "sms", "language": "en", "driver": "drv-ada", "tier": 1}
        self.turns = 0
        self.names: list[str] = []
        self.replies: list[dict[str, Any]] = []

    @property
    def choices(self) -> list[str]:
        return [button["payload"] for reply in self.replies for button in reply.get("buttons") or []]

    @property
    def commands(self) -> list[tuple[str, str]]:
        """What was sent to chargers, in order."""
        return [(one["action"], one["charger"]) for one in self.bridge.commands.values()]

    async def say(
        self, intent: str, text: str = "", ranking: dict[str, float] | None = None, **metadata: Any
    ) -> list[str]:
        self.turns += 1
        await self.clock.advance(1)
        ranked = [{"name": name, "confidence": value} for name, value in (ranking or {}).items()]
        message = {
            "text": text or f"/{intent}",
            "intent": {"name": intent},
            "entities": [],
            "intent_ranking": ranked,
            "metadata": {**self.metadata, "message_id": f"in_{self.turns}", **metadata},
        }
        return await self._turn(message)

    async def tap(self, payload: str) -> list[str]:
        self.turns += 1
        await self.clock.advance(1)
        intent, brace, values = payload.removeprefix("/").partition("{")
        entities = [{"entity": name, "value": value} for name, value in json.loads(brace + values or "{}").items()]
        metadata = {**self.metadata, "message_id": f"in_{self.turns}"}
        return await self._turn(
            {"text": payload, "intent": {"name": intent}, "entities": entities, "metadata": metadata}
        )

    async def pause(self, hours: float) -> None:
        """So long nothing is said; Rasa begins a new session."""
        await self.clock.advance(hours * 3600)
        self.message: dict[str, Any] = {"metadata": self.metadata}
        before, self.active = dict(self.slots), False
        tracker = self._tracker(before)
        events = await self.actions["action_session_start"].run(CollectingDispatcher(), tracker, {})
        self.slots = dict.fromkeys(self.slots)
        self._apply(events)

    async def woken(self, watch: dict[str, Any], met: bool = True) -> list[str]:
        values = {"watch_id": watch_id(watch), "met": met, "purpose": watch["data"]["purpose"]}
        return await self.tap(f"/EXTERNAL_watch_ended{json.dumps(values)}")

    async def _turn(self, message: dict[str, Any]) -> list[str]:
        self.message, self.replies, self.names = message, [], []
        self.events.append(
            {"event": "user", "timestamp": self.clock.now().timestamp(), "metadata": message["metadata"]}
        )
        steps = self.rules.get((message["intent"]["name"], self.active))
        assert steps is not None or self.active, f"no rule for {message['intent']['name']}"
        fresh = True
        for step in steps or [FORM, "action_look", "action_go_on"]:
            if step == FORM:
                await self._form(fresh)
                if self.active:
                    break
            elif step == "action_deactivate_loop":
                self.active, self.slots["requested_slot"] = False, None
            else:
                await self._act(step)
            fresh = False
        return self.names

    async def _form(self, fresh: bool) -> None:
        self.active = True
        if fresh:
            events = await self._act("validate_charger_form")
            closed = [event for event in events if event.get("name") == "requested_slot" and event["value"] is None]
            if closed:
                self.active = False
                return
        missing = [name for name in ("charger_id", "connector") if self.slots[name] is None]
        if not missing:
            self.active = False
            return
        self.slots["requested_slot"] = missing[0]
        await self._act(f"action_ask_{missing[0]}")

    async def _act(self, name: str) -> list[dict[str, Any]]:
        dispatcher = CollectingDispatcher()
        events = await self.actions[name].run(dispatcher, self._tracker(self.slots), {})
        self.replies += dispatcher.messages
        self.names += [str(reply["response"]) for reply in dispatcher.messages if reply.get("response")]
        self._apply(events)
        return list(events)

    def _apply(self, events: Any) -> None:
        for event in events:
            if event["event"] == "slot":
                assert event["name"] in self.slots, f"the domain has no slot {event['name']}"
                self.slots[event["name"]] = event["value"]

    def _tracker(self, values: dict[str, Any]) -> Tracker:
        loop = {"name": FORM} if self.active else {}
        return Tracker("sms_a", dict(values), self.message, list(self.events), False, None, loop, LISTEN)


@asynccontextmanager
async def talking(bridge: FakeBridge, folder: Path, **settings: str) -> AsyncIterator[Talk]:
    clock = ManualClock(datetime(2026, 1, 1, 12, 12, tzinfo=UTC))
    async with bridge.serve() as url:
        client = BridgeClient(url, "key", SystemClock(), keep_trying_s=2)
        store = SqliteStore(folder / "actions.sqlite3")
        await store.open()
        parts = parts_of(Settings(**settings), client, store, clock, TEXTS)  # type: ignore[arg-type]  # names of text settings
        try:
            yield Talk({action.name(): action for action in all_actions(parts.service)}, bridge, clock)
        finally:
            await store.close()
            await client.close()
