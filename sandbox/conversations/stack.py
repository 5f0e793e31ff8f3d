"""A whole product of its own for scoring: `chargeline.run` on free ports, with the scenarios' network and a fast clock."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import structlog

from chargeline.ports import free_ports
from chargeline.processes import ROOT, all_processes
from chargeline.settings import SANDBOX_STRIPE_KEY, Settings, secret_settings

log = structlog.get_logger(__name__)

READY_REAL_S = 150.0
STOP_REAL_S = 30.0
ACCOUNT, OUR_NUMBER = "ACscore", "+16135550199"
PORTS = ("BOT_PORT", "OCPP_PORT", "BRIDGE_PORT", "RASA_PORT", "ACTIONS_PORT", "SANDBOX_PORT", "PAYMENTS_PORT")


class StackError(Exception):
    """The product could not be started; the message says why, with the end of its log."""


def environment(var: Path, network: Path, speed: float, epoch: float) -> dict[str, str]:
    """Every setting that a person's `.env` could turn against the run, set to the run's own. Secrets are made here."""
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    url = {name: f"http://127.0.0.1:{ports[name]}" for name in PORTS}
    return {
        **ports,
        **{name: secrets.token_urlsafe(24) for name in secret_settings()},
        "VAR_DIR": str(var),
        "HOST": "127.0.0.1",
        "PRIVATE_HOST": "127.0.0.1",
        "PUBLIC_URL": f"http://localhost:{ports['BOT_PORT']}",
        "BOT_URL": url["BOT_PORT"],
        "BRIDGE_URL": url["BRIDGE_PORT"],
        "RASA_URL": url["RASA_PORT"],
        "ACTIONS_URL": url["ACTIONS_PORT"],
        "MONGODB_DATABASE": "chargeline_score",
        "SANDBOX": "on",
        "DESK": "off",
        "SANDBOX_NETWORK": str(network),
        "CHARGERS_FILE": str(network / "network.json"),
        "DRIVERS_FILE": str(network / "drivers.json"),
        "GUEST_STARTS": "on",
        "STRIPE_API_KEY": SANDBOX_STRIPE_KEY,
        "HOLD_CENTS": "4000",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": secrets.token_urlsafe(24),
        "TWILIO_FROM_NUMBER": OUR_NUMBER,
        "CLOCK_SPEED": f"{speed:g}",
        "CLOCK_EPOCH": f"{epoch:.3f}",
    }


class OwnStack:
    def __init__(self, var: Path, environ: Mapping[str, str], only: Sequence[str] = ()) -> None:
        """`environ`: as `environment` makes it, with where the chargers dial and where SMS go added.

        `only`: names of the processes to start; empty: all of them.
        """
        self.settings = Settings.load(environ)
        self._var = var
        self._environ = environ
        self._only = only
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Raises StackError."""
        self._var.mkdir(parents=True, exist_ok=True)
        with (self._var / "run.log").open("wb") as out:
            picked = [argument for name in self._only for argument in ("--only", name)]
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "chargeline.run", "--no-train", *picked),
                cwd=ROOT,
                env={**os.environ, **self._environ},
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
            )
        began = time.monotonic()
        processes = [each for each in all_processes(self.settings) if not self._only or each.name in self._only]
        waiting = {process.name: process.ready_url for process in processes}
        async with httpx.AsyncClient(timeout=3, trust_env=False) as http:
            while waiting and time.monotonic() - began < READY_REAL_S:
                if self._process.returncode is not None:
                    raise StackError(f"the product ended while starting:\n{self._tail()}")
                for name, url in list(waiting.items()):
                    with suppress(httpx.HTTPError):
                        if (await http.get(url)).status_code == 200:
                            del waiting[name]
                await asyncio.sleep(0.5)
        if waiting:
            raise StackError(f"not ready within {READY_REAL_S:.0f} s: {', '.join(waiting)}\n{self._tail()}")
        log.info("stack_ready", seconds=round(time.monotonic() - began))

    async def stop(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_REAL_S)
        except TimeoutError:
            log.error("stack_killed", after_s=STOP_REAL_S)
            self._process.kill()
            await self._process.wait()

    def _tail(self) -> str:
        return (self._var / "run.log").read_text(errors="replace")[-2000:]


def fresh(folder: Path) -> Path:
    """An empty folder in place of what was there."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
