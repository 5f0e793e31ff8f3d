"""The table of processes: what a setting may look like does not decide whether a process starts."""

from __future__ import annotations

import argparse

from chargeline.processes import all_processes
from chargeline.settings import Settings


def test_a_token_that_begins_with_a_dash_reaches_rasa_as_its_token() -> None:
    settings = Settings.load({"RASA_TOKEN": "-t&k=1"})
    rasa = next(process for process in all_processes(settings) if process.name == "rasa")
    parser = argparse.ArgumentParser()
    parser.add_argument("-t", "--auth-token")
    known, _ = parser.parse_known_args(rasa.command[rasa.command.index("run") + 1 :])
    assert known.auth_token == "-t&k=1"
    assert rasa.ready_url.endswith("/status?token=-t%26k%3D1")
