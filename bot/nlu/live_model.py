"""Which model a Rasa process serves: the live one of the models folder at start, then whatever the model server says is live.

Rasa's own way asks the model server first and has no model where that is away; here a start never waits for the trainers' desk.
Rasa also reads a new model in its event loop, where every driver waits for it; here a thread reads it, and the swap is one
assignment. A turn that is under way ends on the model it began with. A model that cannot be loaded leaves the old one in place
and is not asked for again; the server is told by a mark before the ETag.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import structlog
from rasa.core import agent as rasa_agent
from rasa.core.agent import Agent
from rasa.core.processor import MessageProcessor
from rasa.nlu.utils import is_url
from rasa.utils.common import TempDirectoryPath, get_temp_dir_name
from rasa.utils.endpoints import EndpointConfig

from bot.trainer.models.shelf import Shelf, etag_of

log = structlog.get_logger(__name__)

CANNOT_LOAD = "!"  # stands before the ETag of a model that this process could not load
PULL_WITHIN_S = 60.0
DEFAULT_WAIT_S = 5


async def load_from_server(agent: Agent, model_server: EndpointConfig) -> Agent:
    """In place of Rasa's function of this name."""
    _load_local(agent, Path(os.environ.get("MODELS_DIR") or "models"))
    if not is_url(model_server.url or ""):
        return agent  # started by hand, without the supervisor's environment: nobody to ask
    if agent.processor is None:
        await update(model_server, agent)
    wait = int(model_server.kwargs.get("wait_time_between_pulls", DEFAULT_WAIT_S))
    await rasa_agent._schedule_model_pulling(model_server, wait, agent)
    return agent


async def update(model_server: EndpointConfig, agent: Agent) -> None:
    """Asks the model server once, and takes the model that it has, if that is another one. Failures leave all as it was."""
    with TempDirectoryPath(get_temp_dir_name()) as folder:
        try:
            fingerprint = await asyncio.wait_for(
                rasa_agent._pull_model_and_fingerprint(model_server, agent.fingerprint, folder), PULL_WITHIN_S
            )
        except Exception as error:  # Whatever went wrong on the way: drivers keep the model that they have.
            log.warning("model_not_pulled", error=repr(error))
            return
        if fingerprint:
            await _swap(agent, folder, fingerprint)


async def _swap(agent: Agent, folder: str, fingerprint: str) -> None:
    began = time.perf_counter()

    def load() -> MessageProcessor:
        return MessageProcessor(
            model_path=folder,
            tracker_store=agent.tracker_store,
            lock_store=agent.lock_store,
            action_endpoint=agent.action_endpoint,
            generator=agent.nlg,
            http_interpreter=agent.http_interpreter,
        )

    try:
        processor = await asyncio.get_running_loop().run_in_executor(None, load)
    except Exception as error:  # Whatever the file holds: drivers keep the model that they have.
        log.error("model_not_loaded", model=fingerprint, error=repr(error))
        agent._set_fingerprint(CANNOT_LOAD + fingerprint)
        return
    agent.processor = processor
    agent.domain = processor.domain
    agent.tracker_store.domain = processor.domain
    agent._set_fingerprint(fingerprint)
    log.warning("model_swapped", model=fingerprint, seconds=round(time.perf_counter() - began, 2))


def _load_local(agent: Agent, folder: Path) -> None:
    model = Shelf(folder).live()
    if model is None:
        return
    try:
        agent.load_model(model.file, etag_of(model.file))
    except Exception as error:  # Whatever the file holds: the model server may have a better one.
        log.error("model_not_loaded", model=str(model.file), error=repr(error))


def install() -> None:
    rasa_agent.load_from_server = load_from_server
    rasa_agent._update_model_from_server = update
