"""The table of processes: what a setting may look like does not decide whether a process starts."""

from __future__ import annotations

import argparse

import yaml

from bot.asking import Limits
from chargeline.processes import ROOT, Process, all_processes
from chargeline.settings import Settings


def rasa_with(**environment: str) -> tuple[Process, argparse.Namespace]:
    """Rasa's process, and its arguments as Rasa reads them."""
    rasa = next(process for process in all_processes(Settings.load(environment)) if process.name == "rasa")
    parser = argparse.ArgumentParser()
    parser.add_argument("-t", "--auth-token")
    parser.add_argument("-i", "--interface")
    parser.add_argument("--cors", default=None)
    known, _ = parser.parse_known_args(rasa.command[rasa.command.index("run") + 1 :])
    return rasa, known


def test_a_token_that_begins_with_a_dash_reaches_rasa_as_its_token() -> None:
    rasa, known = rasa_with(RASA_TOKEN="-t&k=1")
    assert known.auth_token == "-t&k=1"
    assert rasa.ready_url.endswith("/status?token=-t%26k%3D1")


def test_rasa_listens_at_home_only_for_whoever_has_its_token() -> None:
    _, known = rasa_with(RASA_TOKEN="t")
    assert (known.interface, known.auth_token, known.cors) == ("127.0.0.1", "t", None)


def test_the_only_channel_of_rasa_is_the_front_doors() -> None:
    credentials = yaml.safe_load((ROOT / "credentials.yml").read_text("utf-8"))
    assert list(credentials) == ["bot.nlu.channel.TurnInput"]


def test_rasa_never_logs_what_it_says_below_warnings_however_much_the_others_do() -> None:
    rasa, _ = rasa_with(LOG_LEVEL="debug")
    assert rasa.environment["LOG_LEVEL"] == "WARNING"
    assert rasa.environment["SANIC_ACCESS_LOG"] == "False"


def test_a_conversations_lock_at_rasa_outlives_the_turn_that_holds_it() -> None:
    """Else the next message of the driver would run beside it."""
    rasa, _ = rasa_with()
    assert int(rasa.environment["TICKET_LOCK_LIFETIME"]) > Limits().turn_s
