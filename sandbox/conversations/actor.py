"""Plays one driver of a scenario over its line: a script step by step, or a goal with `brain.react`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import structlog

from sandbox.conversations import brain
from sandbox.conversations.history import Book, Said
from sandbox.conversations.lines import Heard, Line
from sandbox.conversations.network import UNKNOWN_CARD, Identity
from sandbox.conversations.predicates import holds
from sandbox.conversations.questions import open_promise
from sandbox.conversations.recorder import Recorder
from sandbox.conversations.scenario import Car, Driver, Place, Scenario, Step
from sandbox.conversations.wallet import NoLink, link_in
from sandbox.conversations.words import Words, plain

log = structlog.get_logger(__name__)

LOOK_REAL_S = 0.1
ANSWER_REAL_S = 30.0  # a turn that takes longer is not waited for
MORE_S = 150.0  # clock seconds that a driver waits for what the bot promised


class Actor:
    def __init__(self, driver: Driver, scenario: Scenario, identity: Identity, book: Book, recorder: Recorder) -> None:
        self.driver = driver
        self.line: Line | None = None
        self._scenario = scenario
        self._identity = identity
        self._book = book
        self._recorder = recorder
        self._words = Words.of(driver.language)
        self._phrases = brain.Phrases.of(driver.language)
        self._rng = Random(f"{scenario.seed}:{scenario.id}:{driver.name}")
        self._heard: list[Heard] = []
        self._place = driver.stands_at
        self._spoke = False
        self._worked = True

    # --- ears
    def hear(self, heard: Heard) -> None:
        self._heard.append(heard)
        self._recorder.said(
            Said(self._recorder.at(), self.driver.name, "bot", heard.text, heard.choices, heard.turn, heard.own)
        )

    @property
    def quiet(self) -> bool:
        """The bot is not at work on anything here, and has not promised more."""
        return self.line is None or self.line.quiet()

    def promised(self) -> bool:
        return open_promise(self._recorder.history.words(self.driver.name), self.driver.language)

    # --- the play
    async def play(self) -> None:
        """Raises NotTaken, httpx.HTTPError."""
        await self._rest(self.driver.begins_at_s)
        if self.driver.goal is not None:
            await self._pursue()
        else:
            for step in self.driver.steps:
                if not await self._step(step):
                    self._recorder.history.missed.append(f"line {step.line}: {step.hear or step.kind}")
                    return

    async def _pursue(self) -> None:
        goal, mind = self.driver.goal, brain.Mind()
        assert goal is not None
        moves = brain.opening(goal, mind, self._phrases)
        while True:
            begin = len(self._heard)
            for move in moves:
                if isinstance(move, brain.Leave):
                    return
                if isinstance(move, brain.AwaitMore):
                    begin = len(self._heard)
                    if not await self._more(begin, MORE_S):
                        return
                    continue
                await self._move(move, mind)
            await self._answered()
            heard = [brain.Line(each.text, each.choices) for each in self._heard[begin:] if not each.own]
            moves = brain.react(goal, mind, heard, self._words, tuple(self._scenario.chargers), self._phrases)

    async def _move(self, move: brain.Move, mind: brain.Mind) -> None:
        persona = self.driver.goal.persona if self.driver.goal else None
        if isinstance(move, brain.Say):
            mind.spoken += 1
            text = brain.misspelt(move.text, persona.typos, self._rng) if persona else move.text
            await self._say(text, move.answers)
        elif isinstance(move, brain.Choose):
            mind.spoken += 1
            await self._choose(move.title, move.answers)
        elif isinstance(move, brain.TellHowItWent):
            mind.spoken += 1
            await self._say(self._phrases.out if self._worked else self._phrases.stuck, None)
        elif isinstance(move, brain.Rest):
            await self._rest(move.seconds)
        elif isinstance(move, brain.Drive):
            await self._hands("unplug", self._place)
            self._place = move.to
            await self._rest(20)
            await self._hands("plug", self._place)
        elif isinstance(move, brain.Hands):
            self._worked = await self._hands(move.what, self._place)
            if self._worked:
                mind.out = move.what == "unplug"

    async def _step(self, step: Step) -> bool:
        """False where what the script waits for did not come."""
        if step.kind == "say":
            if step.hazard_at is not None:
                place = step.hazard_at
                self._recorder.hazard(self.driver.name, f"CL-{place.charger}", place.connector)
            await self._say(step.text, step.answers)
            if not step.at_once:
                await self._answered()
        elif step.kind == "choose":
            title = self._offered(step.text)
            if title is None:
                return False
            await self._choose(title, None)
            await self._answered()
        elif step.kind == "hear":
            return await self._until_heard(step)
        elif step.kind == "silent":
            await self._rest(step.seconds)
        elif step.kind == "until":
            return await self._until(step)
        elif step.kind == "pay":
            return await self._pay(step)
        else:
            await self.happen(step)
        return True

    async def _pay(self, step: Step) -> bool:
        """On the page behind the newest link; False where there is none to pay on."""
        link = next((found for each in reversed(self._heard) if (found := link_in(each.text))), None)
        if link is None:
            return False
        place = self.driver.stands_at
        try:
            if step.card is None:
                await self._recorder.wallet.leave(link)
            else:
                await self._recorder.wallet.pay(link, step.card, confirms=step.confirms)
        except NoLink as error:
            log.info("not_paid", driver=self.driver.name, why=str(error))
            return False
        finally:
            if place is not None:
                self._recorder.did(self.driver.name, "pay", f"CL-{place.charger}", place.connector)
        return True

    async def happen(self, step: Step) -> None:
        """Something done to the network: by this driver's hands, or by itself."""
        place = step.place or self._place
        assert place is not None
        if step.kind in {"fault", "clear"}:
            await self._recorder.fault(
                f"CL-{place.charger}", step.fault, dict(step.params) if step.kind == "fault" else None
            )
            return
        await self._hands(step.kind, place, step.car, step.token)

    async def _hands(self, what: str, place: Place | None, car: Car | None = None, token: str = "own") -> bool:  # noqa: S107 - whose card
        if place is None:
            return False
        body: dict[str, object] = {}
        if what == "plug":
            own = self._scenario.chargers[place.charger].cars.get(place.connector)
            car = car or own or Car()
            body["car"] = {"kind": car.kind, "soc": car.soc, "limit_soc": car.limit_soc, "willing": car.willing}
        if what == "swipe":
            body["token"] = self._card(token)
        return await self._recorder.act(self.driver.name, what, f"CL-{place.charger}", place.connector, body)

    def _card(self, token: str) -> str:
        if token == "own":  # noqa: S105 - whose card
            return self._identity.token or UNKNOWN_CARD
        found = self._book.of(token)
        return found.id if found else UNKNOWN_CARD

    # --- mouth
    async def _say(self, text: str, answers: str | None) -> None:
        assert self.line is not None
        place = self.driver.stands_at
        hint = f"CL-{place.charger}" if self.driver.hint and place and not self._spoke else None
        self._spoke = True
        at = self._recorder.at()
        turn = await self.line.say(text, hint)
        self._note(at, text, turn, answers)

    async def _choose(self, title: str, answers: str | None) -> None:
        assert self.line is not None
        at = self._recorder.at()
        turn = await self.line.choose(title)
        self._note(at, title, turn, answers)

    def _note(self, at: float, text: str, turn: str | None, answers: str | None) -> None:
        """The message stands at the moment it was sent, before replies that came while it was being taken."""
        said = Said(at, self.driver.name, "driver", text, turn=turn, answers=answers)
        after = self._recorder.history.said
        index = next((i for i, each in enumerate(after) if each.at > at), len(after))
        after.insert(index, said)

    # --- patience
    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._recorder.history.speed)

    async def _answered(self) -> None:
        """Until the bot has answered, or for long enough."""
        for _ in range(int(ANSWER_REAL_S / LOOK_REAL_S)):
            await asyncio.sleep(LOOK_REAL_S)
            if self.quiet:
                return

    async def _more(self, since: int, seconds: float) -> bool:
        """Whether the bot writes by itself within so many clock seconds."""
        end = self._recorder.at() + seconds
        while self._recorder.at() < end:
            if len(self._heard) > since:
                await self._answered()
                return True
            await asyncio.sleep(LOOK_REAL_S)
        return False

    async def _until_heard(self, step: Step) -> bool:
        group, _, name = step.hear.partition(":")
        end = self._recorder.at() + step.seconds
        while True:
            if any(self._words.says(group, name, each.text) for each in self._since_last_word()):
                return True
            if self._recorder.at() >= end:
                return False
            await asyncio.sleep(LOOK_REAL_S)

    async def _until(self, step: Step) -> bool:
        assert step.condition is not None
        end = self._recorder.at() + step.seconds
        while not holds(step.condition, self._recorder.history, self._book, self._recorder.at()):
            if self._recorder.at() >= end:
                return False
            await asyncio.sleep(LOOK_REAL_S)
        return True

    def _since_last_word(self) -> Sequence[Said]:
        said = self._recorder.history.words(self.driver.name)
        last = max((i for i, each in enumerate(said) if each.by == "driver"), default=-1)
        return said[last + 1 :]

    def _offered(self, wanted: str) -> str | None:
        """The choice of the last offer that is meant: by its number or by words of its title."""
        choices = next((each.choices for each in reversed(self._heard) if each.choices), ())
        if wanted.isdecimal() and 0 < int(wanted) <= len(choices):
            return choices[int(wanted) - 1]
        return next((title for title in choices if plain(wanted) in plain(title)), None)
