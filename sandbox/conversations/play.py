"""Plays one scenario on a running stack: sets the chargers up, lets the drivers talk and things happen, waits for the end, judges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import structlog

from sandbox.conversations.actor import Actor
from sandbox.conversations.history import Book, History
from sandbox.conversations.judge import Verdict, judge, settled
from sandbox.conversations.lines import Carrier, Heard, Line, NotTaken, SmsLine, TerminalLine
from sandbox.conversations.network import Cast, Identity
from sandbox.conversations.questions import PROMISE_S
from sandbox.conversations.recorder import Recorder, Sandbox
from sandbox.conversations.scenario import Driver, Event, Scenario
from sandbox.conversations.tap import Tap
from sandbox.conversations.wallet import Wallet

log = structlog.get_logger(__name__)

SET_UP_REAL_S = 30.0
SETTLE_REAL_S = 0.6  # the bridge hears of the last change; later words of a turn arrive
DRIVERS_REAL_S = 75.0
BROKEN_OFF_S = 20.0  # clock seconds


class CannotPlay(Exception):
    """The stack did not do what a scenario needs before it can begin; the message says what."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where scenarios are played. `run` makes terminal names of this run its own."""

    bot: str
    public_url: str
    terminal_key: str
    carrier: Carrier
    sandbox: Sandbox
    wallet: Wallet
    tap: Tap
    http: httpx.AsyncClient
    people: Cast
    speed: float
    run: str


@dataclass(frozen=True, slots=True)
class Played:
    scenario: Scenario
    history: History
    verdict: Verdict


async def play(scenario: Scenario, stage: Stage) -> Played:
    """Raises CannotPlay, httpx.HTTPError."""
    book = stage.people.books[scenario.id]
    chargers = [each.id for each in scenario.chargers.values()]
    recorder = Recorder(chargers, stage.sandbox, stage.speed, stage.wallet, is_paid=scenario.is_paid)
    for charger in chargers:
        stage.tap.listen(charger, recorder)
    actors = [
        Actor(driver, scenario, stage.people.identities[scenario.id, driver.name], book, recorder)
        for driver in scenario.drivers.values()
    ]
    watcher = asyncio.create_task(recorder.watch())
    try:
        await _set_up(scenario, stage, recorder)
        for actor in actors:
            actor.line = _line(
                actor.driver, stage.people.identities[scenario.id, actor.driver.name], scenario, stage, actor.hear
            )
        recorder.begin()
        await _let_play(scenario, actors, recorder)
        await _until_over(scenario, actors, recorder, book)
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
        for charger in chargers:
            stage.tap.forget(charger)
        for actor in actors:
            if actor.line is not None:
                await actor.line.close()
    recorder.history.ended_at = recorder.at()
    verdict = judge(scenario, recorder.history, book)
    log.info(
        "played", scenario=scenario.id, end=verdict.end, seconds=round(recorder.at()), reasons=list(verdict.reasons)
    )
    return Played(scenario, recorder.history, verdict)


def _line(driver: Driver, who: Identity, scenario: Scenario, stage: Stage, hear: Callable[[Heard], None]) -> Line:
    if driver.channel == "sms":
        return SmsLine(stage.bot, stage.public_url, who.phone, stage.carrier, stage.http, hear)
    number = who.phone[-10:]  # scenario names are longer than a terminal's name may be
    return TerminalLine(stage.bot, stage.terminal_key, f"s{stage.run}-{number}-{driver.name}"[:40], stage.http, hear)


async def _set_up(scenario: Scenario, stage: Stage, recorder: Recorder) -> None:
    """Cars, sessions, then faults: a charger falls ill, it is not born so."""
    for charger in scenario.chargers.values():
        await _ready(charger.id, stage.sandbox)
        for connector, car in charger.cars.items():
            body: dict[str, Any] = {
                "connector": connector,
                "car": {"kind": car.kind, "soc": car.soc, "limit_soc": car.limit_soc, "willing": car.willing},
            }
            await stage.sandbox.do(charger.id, "plug", body)
        for connector, driver in charger.charging.items():
            token = stage.people.identities[scenario.id, driver].token
            if token is None or not await stage.sandbox.do(
                charger.id, "swipe", {"connector": connector, "token": token}
            ):
                raise CannotPlay(f"{scenario.id}: {driver}'s session on {charger.id} did not begin")
        if charger.charging:
            await _charging(charger.id, stage.sandbox)
    for charger in scenario.chargers.values():
        for fault, params in charger.faults.items():
            await stage.sandbox.fault(charger.id, fault, params)
    await _pay_before(scenario, stage)
    await asyncio.sleep(SETTLE_REAL_S)
    for charger in scenario.chargers.values():
        await recorder.look(charger.id)
    await recorder.look_at_ledger()


async def _pay_before(scenario: Scenario, stage: Stage) -> None:
    """Saved cards, and what apps and terminals had paid before the first word."""

    def customer(name: str) -> str:
        found = stage.people.identities[scenario.id, name].id
        if found is None:
            raise CannotPlay(f"{scenario.id}: {name} is no known driver, so there is no account to pay with")
        return found

    for driver in scenario.drivers.values():
        if driver.saved_card is not None:
            await stage.wallet.save_card(customer(driver.name), driver.saved_card)
    for paid in scenario.paid_before:
        for _ in range(paid.times):
            await stage.wallet.pay_before(
                customer(paid.driver), f"CL-{paid.charger}", paid.card, paid.cents, taken=paid.taken
            )


async def _ready(charger: str, sandbox: Sandbox) -> None:
    for _ in range(int(SET_UP_REAL_S / 0.2)):
        state = await sandbox.state(charger)
        if state.connected and state.booted:
            return
        await asyncio.sleep(0.2)
    raise CannotPlay(f"{charger} did not connect within {SET_UP_REAL_S:.0f} s")


async def _charging(charger: str, sandbox: Sandbox) -> None:
    """The sessions of the beginning have numbers and give energy."""
    for _ in range(int(SET_UP_REAL_S / 0.2)):
        running = (await sandbox.state(charger)).running()
        if running and all(
            each.energy_wh > 0 and each.transaction and each.transaction.isdecimal() for each in running
        ):
            return
        await asyncio.sleep(0.2)
    raise CannotPlay(f"the sessions on {charger} did not begin within {SET_UP_REAL_S:.0f} s")


async def _let_play(scenario: Scenario, actors: list[Actor], recorder: Recorder) -> None:
    """All drivers and events, side by side, until each has nothing more to do."""
    try:
        # A conversation with long pauses is given the time that it may take, and as much again for the bot.
        allowed_s = max(DRIVERS_REAL_S, scenario.expect.within_s / recorder.history.speed + DRIVERS_REAL_S / 2)
        async with asyncio.timeout(allowed_s), asyncio.TaskGroup() as group:
            for actor in actors:
                group.create_task(_talk(actor, recorder))
            for event in scenario.events:
                group.create_task(_event(event, actors[0], recorder))
    except TimeoutError:
        recorder.history.missed.append(f"the end of the conversation within {allowed_s:.0f} real seconds")


async def _talk(actor: Actor, recorder: Recorder) -> None:
    try:
        await actor.play()
    except (NotTaken, httpx.HTTPError) as error:
        recorder.history.missed.append(f"a message of {actor.driver.name}'s taken ({type(error).__name__}: {error})")


async def _event(event: Event, actor: Actor, recorder: Recorder) -> None:
    await asyncio.sleep(event.at_s / recorder.history.speed)
    await actor.happen(event.step)


async def _until_over(scenario: Scenario, actors: list[Actor], recorder: Recorder, book: Book) -> None:
    """Until telemetry shows what it must and the bot has said all it promised, but not beyond the scenario's time."""
    began = recorder.at()
    promise_until = began + PROMISE_S
    # A conversation that broke off cannot end well any more; only what is unsafe could still come.
    within_s = began + BROKEN_OFF_S if recorder.history.missed else scenario.expect.within_s
    while True:
        await asyncio.sleep(0.2)
        now = recorder.at()
        waits = not all(actor.quiet for actor in actors)
        waits = waits or (now < promise_until and any(actor.promised() for actor in actors))
        if not waits and settled(scenario, recorder.history, book, now):
            await asyncio.sleep(SETTLE_REAL_S)
            if settled(scenario, recorder.history, book, recorder.at()) and all(actor.quiet for actor in actors):
                return
        elif now > within_s and (now > promise_until or not waits):
            return
