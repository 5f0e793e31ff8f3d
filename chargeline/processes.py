"""The processes of Chargeline: how each is started, what it listens on, how one knows that it is ready.

One table for `make run`, for the end-to-end tests and for whoever writes a unit file.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from chargeline.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Process:
    """`ports`: setting's environment name and number. `ready_url` answers 200 when the process can do its work.

    `chatter`: lines that match go to the process's own log file only, not to the merged one.
    """

    name: str
    what: str
    command: list[str]
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    ready_url: str
    chatter: re.Pattern[str] | None = None


# What Rasa's dependencies say of their own deprecations at every start, with the source line below each.
_RASA_CHATTER = re.compile(r"Warning: |^\s{2,}\S|^Implementing implicit namespace packages")


def all_processes(settings: Settings) -> list[Process]:
    """The processes that these settings ask for, in the order in which they are started."""
    builders: list[Callable[[Settings], Process]] = [
        _bridge,
        _sandbox,
        _payments,
        _carrier,
        _actions,
        _rasa,
        _bot,
        _desk,
    ]
    left_out = [_sandbox] * (not settings.sandbox) + [_payments] * (not settings.payments_sandboxed)
    left_out += [_carrier] * (not settings.carrier_sandboxed) + [_desk] * (not settings.desk)
    return [build(settings) for build in builders if build not in left_out]


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _bridge(s: Settings) -> Process:
    return Process(
        "bridge",
        "the central system that chargers connect to",
        _python("ocpp_bridge"),
        {},
        {"OCPP_PORT": s.ocpp_port, "BRIDGE_PORT": s.bridge_port},
        f"{s.url_of('bridge')}/readyz",
    )


def _sandbox(s: Settings) -> Process:
    return Process(
        "sandbox",
        "simulated chargers and cars",
        _python("sandbox"),
        {},
        {"SANDBOX_PORT": s.sandbox_port},
        f"http://127.0.0.1:{s.sandbox_port}/readyz",
    )


def _payments(s: Settings) -> Process:
    return Process(
        "payments",
        "the stand-in for Stripe",
        _python("sandbox.payments"),
        {},
        {"PAYMENTS_PORT": s.payments_port},
        f"http://127.0.0.1:{s.payments_port}/readyz",
    )


def _carrier(s: Settings) -> Process:
    return Process(
        "carrier",
        "a simulated carrier with two phones, SMS and WhatsApp",
        _python("sandbox.carrier", "--journal", str(s.var / "carrier.jsonl")),
        {},
        {"CARRIER_PORT": s.carrier_port},
        f"http://127.0.0.1:{s.carrier_port}/readyz",
    )


def _actions(s: Settings) -> Process:
    return Process(
        "actions",
        "what the bot can do",
        _python("actions"),
        {},
        {"ACTIONS_PORT": s.actions_port},
        f"{s.url_of('actions')}/readyz",
    )


def _rasa(s: Settings) -> Process:
    return Process(
        "rasa",
        "understands, decides what to do next",
        [
            *(str(ROOT / ".venv-rasa/bin/python"), "-m", "rasa", "run"),
            *("--interface", s.private_host, "--port", str(s.rasa_port)),
            # One word with "=": a token may begin with a dash, which argparse takes for an option of its own.
            *("--enable-api", f"--auth-token={s.rasa_token}"),
            *("--credentials", "credentials.yml", "--model", s.models_dir),
            *("--endpoints", "endpoints.mongodb.yml" if s.mongodb_url else "endpoints.yml"),
        ],
        {
            "RASA_TELEMETRY_ENABLED": "false",
            "ACTIONS_URL": f"{s.url_of('actions')}/webhook",
            "MODELS_DIR": s.models_dir,
            "MODEL_SERVER_URL": f"{s.url_of('desk')}/models/live",
            "MODEL_SERVER_KEY": s.model_server_key,
            "TRACKER_DB": str(s.var / "rasa" / "tracker.sqlite3"),
            "MONGODB_URL": s.mongodb_url,
            "MONGODB_DATABASE": s.mongodb_database,
            # Rasa reads LOG_LEVEL too, in its own spelling; below WARNING it prints drivers' messages.
            "LOG_LEVEL": "WARNING",
            # One line a request, written for nobody: the front door logs its turns.
            "SANIC_ACCESS_LOG": "False",
            # A conversation's lock must outlive a turn whose action call is repeated; Rasa's default is 60 s.
            "TICKET_LOCK_LIFETIME": "180",
            # One message is too little to share out among cores: threads that wait for each other cost a third of a parse.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONWARNINGS": "ignore",
            "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
            "PYTHONPATH": str(ROOT),
        },
        {"RASA_PORT": s.rasa_port},
        f"{s.url_of('rasa')}/status?token={quote(s.rasa_token, safe='')}",
        chatter=_RASA_CHATTER,
    )


def _bot(s: Settings) -> Process:
    return Process(
        "bot",
        "the front door: web page, terminal, webhooks",
        _python("bot"),
        {},
        {"BOT_PORT": s.bot_port},
        f"{s.url_of('bot')}/readyz",
    )


def _desk(s: Settings) -> Process:
    return Process(
        "desk",
        "the trainers' desk",
        _python("bot.trainer"),
        {},
        {"DESK_PORT": s.desk_port},
        f"{s.url_of('desk')}/readyz",
    )


def model_worker(s: Settings, folder: Path) -> Process:
    """The desk's warm worker (bot/trainer/models); started by the desk and by tools/train, not by the supervisor.

    `folder` holds data/, domain/ and config.yml.
    """
    return Process(
        "models",
        "trains, compares, embeds",
        [str(ROOT / ".venv-rasa/bin/python"), "-W", "ignore", "-m", "bot.trainer.models.rasa_side"],
        {
            "DESK_FOLDER": str(folder.absolute()),
            "VAR_DIR": str(s.var.absolute()),
            "PYTHONPATH": str(ROOT),
            "RASA_TELEMETRY_ENABLED": "false",
            "LOG_LEVEL": "WARNING",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
            "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
        },
        {},
        "",
    )


def scoring(models_dir: str, arguments: list[str]) -> Process:
    """`make score` with the models of another folder."""
    command = [*_python("sandbox.conversations"), *arguments]
    return Process("score", "plays conversations", command, {"MODELS_DIR": models_dir}, {}, "")


def environment_of(process: Process, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment that the process is started with."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **(extra or {}), **process.environment}


def inherited(**extra: str) -> dict[str, str]:
    """This process's environment with something added: for a tool that does a piece of work and ends."""
    return {**os.environ, **extra}
