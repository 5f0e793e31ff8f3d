"""`make run`: starts every process, shows one merged log, waits until all are ready, restarts one that dies, ends all on Ctrl-C.

Made for one machine: a laptop, a demo, a small operator. It decides nothing that a unit file could not: each process can be
started on its own with the commands of `chargeline.processes`.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from chargeline.processes import ROOT, Process, all_processes, environment_of
from chargeline.settings import (
    SANDBOX_CARRIER_SID,
    SANDBOX_STRIPE_KEY,
    Settings,
    SettingsError,
    given_by_people,
    secret_settings,
)

READY_WITHIN_S = 180.0
GIVE_UP_AFTER = 5  # crashes of one process ...
GIVE_UP_WINDOW_S = 60.0  # ... within this many seconds
STOP_WITHIN_S = 10.0
_COLOURS = {
    "bridge": 36,
    "sandbox": 33,
    "payments": 33,
    "carrier": 33,
    "actions": 35,
    "rasa": 34,
    "bot": 32,
    "desk": 33,
    "run": 1,
}


# The account of the sandbox's two phones, where no account with a carrier is set; its secrets are made with the other keys.
_CARRIER = {
    "TWILIO_ACCOUNT_SID": SANDBOX_CARRIER_SID,
    "TWILIO_FROM_NUMBER": "+16135550100",
    "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
    "WHATSAPP_VERIFY_TOKEN": "sandbox",
    "WHATSAPP_TEMPLATES": "en=charging_news/en_US,es=charging_news/es_MX,fr=charging_news/fr_CA",
}


class CannotRun(Exception):
    """Something that a person must mend first; the message is the one line they need."""


def _say(text: str, *, name: str = "run") -> None:
    label = f"{name:>8}"
    if sys.stdout.isatty():
        label = f"\033[{_COLOURS.get(name, 37)}m{label}\033[0m"
    for line in text.splitlines() or [""]:
        print(f"{label} | {line}", flush=True)


# --- what is settled before anything starts --------------------------------------------------------------------------
def make_keys(var: Path, given: Mapping[str, str]) -> None:
    """Writes a random key for each secret setting that nobody set, once, readable by this user only."""
    path = var / "keys.env"
    known = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line) if path.is_file() else {}
    missing = [name for name in secret_settings() if name not in known and name not in given]
    if not missing:
        return
    known.update({name: secrets.token_urlsafe(24) for name in missing})
    text = "".join(f"{name}={value}\n" for name, value in known.items())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def run_settings(settings: Settings, given: Mapping[str, str], now: float) -> dict[str, str]:
    """What this run needs and nobody set: the sandbox's network, drivers and guest policy; one epoch for a fast clock."""
    wanted: dict[str, str] = {}
    if settings.sandbox:
        wanted = {
            "CHARGERS_FILE": str(ROOT / "sandbox/network/network.json"),
            "DRIVERS_FILE": str(ROOT / "sandbox/network/drivers.json"),
            "GUEST_STARTS": "on",
            "OPERATOR_PHONE": "+1 613 555 0199",
            "STRIPE_API_KEY": SANDBOX_STRIPE_KEY,
        }
        if not given.keys() & _CARRIER:
            wanted |= _CARRIER
    if settings.clock_speed != 1.0:
        wanted["CLOCK_EPOCH"] = f"{now:.3f}"
    return {name: value for name, value in wanted.items() if name not in given}


def check_ports(processes: Sequence[Process], settings: Settings) -> None:
    """Raises CannotRun for the first port that something else listens on."""
    for process in processes:
        for variable, port in process.ports.items():
            for host in {settings.host, settings.private_host, "127.0.0.1"}:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind((host, port))
                    except OSError as error:
                        raise CannotRun(
                            f"port {port} for {process.name} cannot be used ({error.strerror or error}); "
                            f"free it or set {variable} to another one"
                        ) from None


def prepare(*, keep: bool = False) -> Settings:
    """Keys, this run's settings and folders on disk; the settings that result. Raises CannotRun.

    `keep`: what an earlier start wrote stays, so that one process started on its own agrees with those that run.
    """
    try:
        given = given_by_people()
        settings = Settings.load(given)
    except SettingsError as error:
        raise CannotRun(f"a setting cannot be used: {error}") from None
    try:
        for folder in ("logs", "run"):
            (settings.var / folder).mkdir(parents=True, exist_ok=True)
        make_keys(settings.var, given)
        path = settings.var / "run.env"
        if not (keep and path.is_file()):
            lines = [f"{name}={value}\n" for name, value in run_settings(settings, given, time.time()).items()]
            path.write_text("# What make run decided; written at each start.\n" + "".join(lines))
    except OSError as error:
        raise CannotRun(f"cannot write under {settings.var_dir}: {error.strerror}") from None
    return Settings.load()


def train_if_needed() -> None:
    """Runs tools/train, which does nothing when there is a live model that fits. Raises CannotRun."""
    if subprocess.run([str(ROOT / "tools/train"), "--serve"], cwd=ROOT, check=False).returncode != 0:
        raise CannotRun("the language model could not be trained; see above")


# --- the processes ---------------------------------------------------------------------------------------------------
def _die_with_parent() -> None:
    """In the child, before exec: own process group (Ctrl-C reaches only us), and SIGTERM when the supervisor is gone."""
    os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@dataclass(slots=True)
class Child:
    process: Process
    log: Path
    pid_file: Path
    running: asyncio.subprocess.Process | None = None
    ready: bool = False
    crashes: list[float] = field(default_factory=list)
    last_line: str = ""

    async def start(self) -> None:
        self.running = await asyncio.create_subprocess_exec(
            *self.process.command,
            cwd=ROOT,
            env=environment_of(self.process),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=_die_with_parent,
            limit=1 << 20,
        )
        self.pid_file.write_text(f"{self.running.pid}\n")

    async def copy_output(self) -> None:
        """Every line to the merged log and to the process's own file."""
        assert self.running is not None
        stream = self.running.stdout
        assert stream is not None
        with self.log.open("a", encoding="utf-8") as file:
            while True:
                try:
                    line = await stream.readline()
                except ValueError:  # a line longer than the limit: its head was dropped by the reader
                    continue
                if not line:
                    return
                text = line.decode(errors="replace").rstrip()
                if text:
                    self.last_line = text
                    file.write(text + "\n")
                    file.flush()
                    if self.process.chatter is None or not self.process.chatter.search(text):
                        _say(text, name=self.process.name)

    def signal(self, number: int) -> None:
        if self.running is not None and self.running.returncode is None:
            try:
                os.killpg(self.running.pid, number)
            except ProcessLookupError:
                return


class Supervisor:
    def __init__(self, settings: Settings, processes: Sequence[Process]) -> None:
        self._settings = settings
        self._children = [
            Child(p, settings.var / "logs" / f"{p.name}.log", settings.var / "run" / f"{p.name}.pid") for p in processes
        ]
        self._stopping = asyncio.Event()
        self._failure: str | None = None

    async def run(self) -> int:
        """Until Ctrl-C, SIGTERM or a process that does not stay up. Returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stopping.set)
        keepers = [asyncio.create_task(self._keep(child)) for child in self._children]
        announcer = asyncio.create_task(self._announce())
        await self._stopping.wait()
        announcer.cancel()
        await self._stop_all(keepers)
        if self._failure is not None:
            print(f"run: {self._failure}", file=sys.stderr, flush=True)
            return 1
        _say("all processes have ended")
        return 0

    async def _keep(self, child: Child) -> None:
        """Starts the child, again after each crash, with a growing pause; gives up on one that does not stay up."""
        while not self._stopping.is_set():
            await child.start()
            await child.copy_output()
            assert child.running is not None
            code = await child.running.wait()
            if self._stopping.is_set():
                return
            was_ready, child.ready = child.ready, False
            now = time.monotonic()
            child.crashes = [moment for moment in child.crashes if now - moment < GIVE_UP_WINDOW_S] + [now]
            # A process that ends with a plain exit code before it was ever ready has said why; trying again will not help.
            if (not was_ready and code > 0 and len(child.crashes) == 1) or len(child.crashes) >= GIVE_UP_AFTER:
                self._fail(f"{child.process.name} ended with {_code(code)}: {child.last_line} (log: {child.log})")
                return
            pause = min(5.0, 0.25 * 2 ** (len(child.crashes) - 1))
            _say(f"{child.process.name} ended with {_code(code)}; starting it again in {pause:g} s")
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                continue
            return

    def _fail(self, reason: str) -> None:
        if self._failure is None:
            self._failure = reason
        self._stopping.set()

    async def _announce(self) -> None:
        """Says when all is ready and what to try; keeps `ready` of each child true to what its health route says."""
        began = time.monotonic()
        announced = False
        async with httpx.AsyncClient(timeout=3.0, trust_env=False) as http:
            while True:
                for child in self._children:
                    ready = await _is_ready(http, child.process.ready_url)
                    if ready and not child.ready and not announced:
                        _say(f"{child.process.name} is ready ({child.process.what})")
                    child.ready = child.ready or ready
                if not announced and all(child.ready for child in self._children):
                    announced = True
                    _say(_welcome(self._settings, time.monotonic() - began))
                if not announced and time.monotonic() - began > READY_WITHIN_S:
                    late = ", ".join(child.process.name for child in self._children if not child.ready)
                    self._fail(f"not ready after {READY_WITHIN_S:.0f} s: {late} (logs: {self._settings.var_dir}/logs)")
                    return
                await asyncio.sleep(2.0 if announced else 0.5)

    async def _stop_all(self, keepers: list[asyncio.Task[None]]) -> None:
        _say("stopping")
        for child in reversed(self._children):
            child.signal(signal.SIGTERM)
        _, alive = await asyncio.wait(keepers, timeout=STOP_WITHIN_S)
        if alive:
            for child in self._children:
                child.signal(signal.SIGKILL)
            await asyncio.wait(alive, timeout=2.0)
        for child in self._children:
            child.pid_file.unlink(missing_ok=True)


def _code(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def _is_ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except httpx.HTTPError:
        return False


def _welcome(s: Settings, seconds: float) -> str:
    local = f"http://localhost:{s.bot_port}"
    lines = ["", f"Chargeline is ready (after {seconds:.0f} s).", "", f"  Chat in the browser   {local}/"]
    lines.append(f"  Embed the chat        {local}/widget   (in your colours; docs/widget.md)")
    lines.append("  Chat in a terminal    make chat")
    if s.sandbox:
        lines += [
            f"  Break chargers        http://localhost:{s.sandbox_port}/   (simulated chargers, simulated cars)",
            *(
                [f"  Two phones            http://localhost:{s.carrier_port}/   (SMS and WhatsApp)"]
                if s.carrier_sandboxed
                else []
            ),
            *(
                [f"  Payments              {s.stripe_url}/sandbox/state   (no real money)"]
                if s.payments_sandboxed
                else []
            ),
            "",
            "  Try: plugged in, nothing happens",
            "       1042            a car waits there: it starts, and you are told once energy flows",
            "       1043            refuses to start        1044   is offline",
        ]
    if s.desk:
        key = s.desk_keys if ":" not in s.desk_keys else "one of DESK_KEYS"
        lines += ["", f"  Trainers' desk        http://localhost:{s.desk_port}/   (sign in with {key})"]
    sms = (
        f"{s.public_base_url}/webhooks/twilio/sms"
        if s.twilio_account_sid and not s.carrier_sandboxed
        else "off (set TWILIO_ACCOUNT_SID and the rest)"
    )
    lines += ["", f"  SMS webhook           {sms}", "  Ctrl-C ends everything.", ""]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m chargeline.run", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="start only this process (may be repeated)")
    parser.add_argument("--no-train", action="store_true", help="do not look whether the model fits the data")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    try:
        settings = prepare(keep=bool(options.only))
        processes = all_processes(settings)
        if options.only:
            unknown = set(options.only) - {process.name for process in processes}
            if unknown:
                raise CannotRun(f"no such process: {', '.join(sorted(unknown))}")
            processes = [process for process in processes if process.name in options.only]
        check_ports(processes, settings)
        if not options.no_train and any(process.name == "rasa" for process in processes):
            train_if_needed()
        _say(f"starting {', '.join(process.name for process in processes)} (Rasa takes about half a minute)")
        return asyncio.run(Supervisor(settings, processes).run())
    except CannotRun as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
