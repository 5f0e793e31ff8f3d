"""The table of settings: one place, kept equal to .env.example, and clear about a value that cannot be used."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from chargeline.settings import Settings, SettingsError, env_example

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("chargeline", "bot", "actions", "ocpp_bridge", "sandbox")


def test_env_example_is_what_the_table_says() -> None:
    assert (ROOT / ".env.example").read_text() == env_example(), "run: python -m chargeline.settings > .env.example"


def test_every_setting_is_named_once() -> None:
    names = [row.metadata["env"] for row in fields(Settings)]
    assert len(names) == len(set(names))


def test_defaults_load_from_an_empty_environment() -> None:
    assert Settings.load({}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("BOT_PORT", "eighty"), ("BOT_PORT", "0"), ("BOT_PORT", "70000"), ("CLOCK_SPEED", "-1"), ("SANDBOX", "perhaps")],
)
def test_an_unusable_value_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.load({variable: value})


def test_an_empty_value_means_the_default() -> None:
    assert Settings.load({"BOT_PORT": "  "}).bot_port == Settings().bot_port


def test_urls_of_processes_follow_host_and_port_unless_given() -> None:
    settings = Settings.load({"BRIDGE_PORT": "7001", "RASA_URL": "http://rasa.internal/", "HOST": "0.0.0.0"})
    assert settings.url_of("bridge") == "http://127.0.0.1:7001"
    assert settings.url_of("rasa") == "http://rasa.internal"
    assert settings.url_of("bot") == "http://127.0.0.1:8080"


def test_nothing_but_the_settings_and_the_process_table_reads_the_environment() -> None:
    # The score starts a product of its own, as the supervisor does, and hands it the environment.
    starters = {"chargeline/processes.py", "chargeline/run.py", "sandbox/conversations/stack.py"}
    allowed = {"chargeline/settings.py", *starters}
    readers = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(("bot/nlu/", "bot/trainer/models/rasa_side/")) or "node_modules" in name:
                continue  # Rasa's environment gets its values through endpoints.yml
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                    readers.add(name)
    assert readers <= allowed
