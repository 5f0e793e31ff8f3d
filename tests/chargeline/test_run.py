"""The supervisor's ground work and its behaviour as a process: keys, ports, one clear line, restart, a clean end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chargeline.ports import free_port
from chargeline.processes import ROOT, Process, all_processes
from chargeline.run import CannotRun, check_ports, make_keys, run_settings
from chargeline.settings import Settings, secret_settings


def test_keys_are_made_once_and_only_where_nobody_gave_one(tmp_path: Path) -> None:
    given = {"RASA_TOKEN": "mine"}
    make_keys(tmp_path, given)
    first = (tmp_path / "keys.env").read_text()
    make_keys(tmp_path, given)
    assert (tmp_path / "keys.env").read_text() == first
    assert "RASA_TOKEN" not in first
    assert {line.split("=")[0] for line in first.split()} == set(secret_settings()) - {"RASA_TOKEN"}
    assert (tmp_path / "keys.env").stat().st_mode & 0o077 == 0


def test_the_sandbox_gets_its_network_unless_the_operator_has_one() -> None:
    assert run_settings(Settings(), {}, 0.0)["GUEST_STARTS"] == "on"
    assert "GUEST_STARTS" not in run_settings(Settings(), {"GUEST_STARTS": "off"}, 0.0)
    assert run_settings(Settings(sandbox=False), {}, 0.0) == {}


def test_two_phones_come_along_unless_there_is_an_account_with_a_carrier() -> None:
    wanted = run_settings(Settings(), {}, 0.0)
    settings = Settings.load({**wanted, "CARRIER_KEY": "k"})
    assert "carrier" in [process.name for process in all_processes(settings)]
    assert (settings.twilio_auth_token, settings.whatsapp_app_secret) == ("k", "k")
    assert settings.twilio_api_url == "http://127.0.0.1:9200"
    assert "TWILIO_FROM_NUMBER" not in run_settings(Settings(), {"WHATSAPP_PHONE_NUMBER_ID": "1"}, 0.0)
    assert "carrier" not in [process.name for process in all_processes(Settings())]


def test_without_the_sandbox_no_simulated_charger_is_started() -> None:
    assert "sandbox" not in [process.name for process in all_processes(Settings(sandbox=False))]


def test_a_port_in_use_is_named_with_the_setting_that_moves_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = Process("bot", "", [], {}, {"BOT_PORT": port}, "")
        with pytest.raises(CannotRun, match=f"port {port} for bot .* set BOT_PORT"):
            check_ports([process], Settings())


def run(tmp_path: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "VAR_DIR": str(tmp_path), **settings}
    return subprocess.Popen(
        [sys.executable, "-m", "chargeline.run", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_setting_that_cannot_be_used_ends_the_run_with_one_line(tmp_path: Path) -> None:
    child = run(tmp_path, "--only", "bridge", BRIDGE_PORT="none")
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 1
    assert len(errors.strip().splitlines()) == 1, errors
    assert "BRIDGE_PORT" in errors


def wait_for(condition, seconds: float = 30.0):  # type: ignore[no-untyped-def]  # returns what the condition returns
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("not in time")


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_ctrl_c_ends_all(tmp_path: Path) -> None:
    ports = {"OCPP_PORT": str(free_port()), "BRIDGE_PORT": str(free_port())}
    child = run(tmp_path, "--only", "bridge", **ports)
    pid_file = tmp_path / "run" / "bridge.pid"
    try:
        first = wait_for(lambda: pid_file.is_file() and pid_file.read_text().strip())
        os.kill(int(first), signal.SIGKILL)
        second = wait_for(lambda: pid_file.read_text().strip() not in {"", first} and pid_file.read_text().strip())
    finally:
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=30)
    assert child.returncode == 0, output
    with pytest.raises(ProcessLookupError):
        os.kill(int(second), 0)
