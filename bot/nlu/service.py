"""Rasa made fit for service: measured mends of its inner parts, applied once when our components load, for one release only.

* Event types are looked up in a table; Rasa walks the whole class tree for each event of each turn.
* A call to the action server that cannot connect, or loses its connection, is repeated for up to a minute. The acts behind it are safe
  to repeat (idempotency keys). After that the driver is told the truth instead of nothing.
* A tracker store that fails makes the turn fail. Rasa would go on with a blank conversation, and forget what was done.
* A start does not need the model server, and a new model is read beside the running turns (live_model.py).
* A turn costs less (speed.py), and the log says nothing that a driver wrote (quiet.py).
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import random
import time
from typing import Any, Awaitable, Callable, Dict, Iterator, List, NoReturn, Optional, Type

import aiohttp
import structlog
from rasa.core.actions.action import ActionExecutionRejection, RemoteAction, create_bot_utterance
from rasa.core.tracker_store import FailSafeTrackerStore
from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME
from rasa.shared.core.events import ActionExecuted, Event, SessionStarted
from rasa.shared.exceptions import RasaException
from rasa.utils.endpoints import EndpointConfig

from bot.nlu import live_model, quiet, speed
from bot.nlu.versions import require_supported_rasa

log = structlog.get_logger(__name__)

KEEP_TRYING_S = 60.0
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
TECHNICAL_PROBLEM = "say_technical_problem"


class ActionServerUnreachable(RasaException):
    """The action server could not be reached, or broke the connection, for as long as a turn may wait."""


def back_off(jitter: Callable[[], float] = random.random) -> Iterator[float]:
    """Seconds to wait before each further attempt: doubling up to LONGEST_WAIT_S, the last half of each at random."""
    wait = FIRST_WAIT_S
    while True:
        yield wait / 2 + wait / 2 * jitter()
        wait = min(LONGEST_WAIT_S, wait * 2)


async def keep_trying(
    call: Callable[[], Awaitable[Any]],
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> Any:
    """What `call` returns, repeated while the connection fails; raises ActionServerUnreachable after KEEP_TRYING_S."""
    until = now() + KEEP_TRYING_S
    for attempt, wait in enumerate(back_off(jitter), 1):
        try:
            return await call()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
            if now() + wait > until:
                raise ActionServerUnreachable(f"no answer from the action server: {error}") from error
            log.warning("action_server_unreachable", attempt=attempt, error=type(error).__name__, wait_s=round(wait, 2))
            await sleep(wait)
    raise AssertionError("back_off never ends")


_gave_up: contextvars.ContextVar[bool] = contextvars.ContextVar("action_server_gave_up", default=False)


class PatientEndpoint:
    """An action endpoint whose `request` keeps trying while the other side is away. Everything else is the endpoint's own."""

    def __init__(self, endpoint: EndpointConfig) -> None:
        self._endpoint = endpoint

    def __getattr__(self, name: str) -> Any:
        return getattr(self._endpoint, name)

    async def request(self, **arguments: Any) -> Any:
        # One wait a turn: each turn is a task of its own, so the variable is the turn's.
        if _gave_up.get():
            raise ActionServerUnreachable("it was away a moment ago in this turn")
        try:
            # The dictionary is copied for each attempt: Rasa takes keys out of what it is given.
            return await keep_trying(lambda: self._endpoint.request(**dict(arguments)))
        except ActionServerUnreachable:
            _gave_up.set(True)
            raise


def _memoised_resolve() -> Callable[..., Optional[Type[Event]]]:
    resolve = Event.resolve_by_type
    known: Dict[str, Type[Event]] = {}

    def resolve_by_type(type_name: str, default: Optional[Type[Event]] = None) -> Optional[Type[Event]]:
        found = known.get(type_name)
        if found is None:
            found = resolve(type_name, None) if default is None else resolve(type_name, default)
            if found is not None and found is not default:
                known[type_name] = found
        return found

    return resolve_by_type


def _patient_run() -> Callable[..., Awaitable[List[Event]]]:
    run = RemoteAction.run

    @functools.wraps(run)
    async def patient_run(self: RemoteAction, output_channel: Any, nlg: Any, tracker: Any, domain: Any) -> List[Event]:
        endpoint = self.action_endpoint
        if endpoint is not None and not isinstance(endpoint, PatientEndpoint):
            if speed.has_nothing_to_do(endpoint, self.name(), tracker):
                return []
            self.action_endpoint = PatientEndpoint(speed.open_endpoint(endpoint))
        try:
            return await run(self, output_channel, nlg, tracker, domain)
        except ActionExecutionRejection:
            raise  # how an action lets rules answer in its place; no failure
        except Exception as error:  # Whatever it is: Rasa would swallow it, and the driver must hear of it.
            log.error("action_failed", action=self.name(), conversation=tracker.sender_id, error=repr(error))
            if self.name() == ACTION_SESSION_START_NAME:
                return [SessionStarted(), ActionExecuted(ACTION_LISTEN_NAME)]  # the turn's next action will tell
            return await _tell_truth(output_channel, nlg, tracker)

    return patient_run


async def _tell_truth(output_channel: Any, nlg: Any, tracker: Any) -> List[Event]:
    """One BotUttered saying that our side failed; nothing where this turn has said so already."""
    for event in reversed(tracker.events):
        if event.type_name == "user":
            break
        if event.type_name == "bot" and (event.metadata or {}).get("utter_action") == TECHNICAL_PROBLEM:
            return []
    draft = await nlg.generate(TECHNICAL_PROBLEM, tracker, output_channel.name())
    if not draft:
        raise RasaException(f"the domain has no response {TECHNICAL_PROBLEM}")
    draft["utter_action"] = TECHNICAL_PROBLEM
    return [create_bot_utterance(draft)]


def _refuse_turn(self: FailSafeTrackerStore, error: Exception) -> NoReturn:
    log.error("tracker_store_failed", error=type(error).__name__, detail=str(error))
    raise error


_installed = False


def install() -> None:
    """Applies the mends, once a process. Raises UnsupportedRasa on another release."""
    global _installed
    require_supported_rasa()
    if _installed:
        return
    Event.resolve_by_type = staticmethod(_memoised_resolve())
    RemoteAction.run = _patient_run()
    FailSafeTrackerStore.on_tracker_store_error = _refuse_turn
    FailSafeTrackerStore.on_tracker_store_retrieve_error = _refuse_turn
    live_model.install()
    speed.install()
    quiet.install()
    _installed = True
