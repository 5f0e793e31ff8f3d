"""A danger that the front door's word list heard: handled without Rasa, once a message, said in the driver's language."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from actions.bridge import Actor, BridgeError, Chargers
from actions.desk.desk import Desk
from actions.dialogue.reading import beside_danger
from actions.dialogue.runs import Runs
from actions.dialogue.speech import Titles
from actions.playbooks.book import HAZARD
from actions.playbooks.contact import Turn
from actions.playbooks.find_charger_of_driver import Heard, Known, find
from actions.playbooks.hazard import ASK
from actions.playbooks.steps import Say
from chargeline.clock import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What the front door posts; its shape is in docs/contracts.md."""

    turn: Turn
    charger_hint: str | None
    connector_hint: int | None
    text: str
    followup: bool = False  # the answer to "which charger?"


class Hazards:
    def __init__(self, chargers: Chargers, runs: Runs, desk: Desk, texts: Titles, clock: Clock) -> None:
        self._chargers = chargers
        self._runs = runs
        self._desk = desk
        self._texts = texts
        self._clock = clock
        self._busy: dict[str, asyncio.Lock] = {}

    async def handle(self, report: Report) -> dict[str, Any]:
        """`{"replies": [...]}`; the same message again gets the same answer, and nothing is done twice."""
        key = f"hazard:{report.turn.message_id}"
        lock = self._busy.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                answer = await self._desk.store.recall(key)
                if answer is None:
                    answer = await self._handle(report)
                    await self._desk.store.remember(key, answer, self._clock.now())
                return answer
        finally:
            if not lock.locked():
                self._busy.pop(key, None)

    async def _handle(self, report: Report) -> dict[str, Any]:
        charger_id, connector = await self._place(report)
        replies: list[Mapping[str, Any]] = []
        if charger_id is None and report.followup:  # asked once; who stands beside a danger is not asked again
            case = await self._desk.contact(report.turn, HAZARD, None, None)
            await self._desk.message(case.id, report.turn.message_id, report.text, self._clock.now())
            return {"replies": [{"text": self._texts.text("say_hazard_known", {}, report.turn.language)}]}
        run = await self._runs.begin(report.turn, HAZARD, charger_id, connector, frozenset())

        def say(step: Say) -> None:
            reply: dict[str, Any] = {"text": self._texts.text(step.name, step.values, report.turn.language)}
            if step.name == ASK:
                reply["custom"] = {"hazard": {"awaiting": "charger"}}
            replies.append(reply)

        await self._runs.forward(run, say, to_end=True)
        if (second := beside_danger(report.text)) is not None:
            say(Say(second))
        if run.end is not None and run.end.handoff is not None:
            line = {"by": "driver", "text": report.text, "at": self._clock.now().isoformat()}
            await self._desk.hand_over(run.case, run.end.handoff, [line])
        log.warning("hazard_handled", case=run.case, charger=charger_id, said=run.said)
        return {"replies": replies}

    async def _place(self, report: Report) -> tuple[str | None, int | None]:
        """Charger and connector, as far as the words, the link or the driver's session and card tell; nobody is asked."""
        heard = Heard(
            text=report.text,
            hint=report.charger_hint,
            connector_hint=report.connector_hint,
            driver=report.turn.actor.driver,
        )
        try:
            known = Known(asked="charger_id") if report.followup else Known()
            found = await find(self._chargers, heard, known, session_first=True)
        except BridgeError as error:
            log.error("bridge_failed", error=str(error))
            return report.charger_hint, report.connector_hint
        if found.charger is None:
            return None, None
        return found.charger.id, found.connector


def report_from(body: Mapping[str, Any]) -> Report:
    """Raises ValueError that says which field is wrong."""

    def text(name: str, most: int, *, required: bool = True) -> str:
        value = body.get(name)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise ValueError(f"{name}: 1 to {most} characters are expected.")
        return value

    def whole(name: str, least: int, most: int) -> int | None:
        value = body.get(name)
        if value is None:
            return None
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{name}: a whole number from {least} to {most} is expected.")
        return value

    turn = Turn(
        actor=Actor(text("driver", 200), whole("tier", 0, 4) or 0, text("conversation", 128)),
        message_id=text("message_id", 128),
        language=text("language", 16, required=False) or "en",
        channel=text("channel", 32, required=False),
    )
    hint = text("charger_hint", 64, required=False) or None
    followup = body.get("followup", False)
    if type(followup) is not bool:
        raise ValueError("followup: true or false is expected.")
    return Report(turn, hint, whole("connector_hint", 1, 999), text("text", 8000), followup)
