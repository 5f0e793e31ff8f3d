"""Domain, rules and texts fit each other: every intent leads somewhere, and nothing in them is unused. Rasa's own check says the same."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.dialogue.talk import FORM, ROOT, rules

DOMAIN = [yaml.safe_load(file.read_text("utf-8")) for file in sorted((ROOT / "domain").glob("*.yml"))]
CODE = "\n".join(
    file.read_text("utf-8") for folder in ("actions", "bot") for file in sorted((ROOT / folder).rglob("*.py"))
)


def named(part: str) -> list[str]:
    names: list[str] = []
    for content in DOMAIN:
        rows: Any = content.get(part) or []
        names += [next(iter(row)) if isinstance(row, dict) else row for row in rows]
    return names


@pytest.mark.parametrize("intent", named("intents"))
def test_every_intent_has_a_rule(intent: str) -> None:
    assert (intent, False) in rules()


def test_no_rule_is_for_an_intent_that_there_is_not() -> None:
    assert {intent for intent, _ in rules()} <= set(named("intents"))


@pytest.mark.parametrize("action", named("actions"))
def test_every_action_is_in_the_code_and_is_reached(action: str) -> None:
    assert f'"{action}"' in CODE
    reached = {one for steps in rules().values() for one in steps}
    by_rasa = {"action_session_start", f"validate_{FORM}", "action_ask_charger_id", "action_ask_connector"}
    assert action in reached | by_rasa


@pytest.mark.parametrize("slot", named("slots"))
def test_every_slot_is_used(slot: str) -> None:
    """By its name as a string, or as a keyword of `slots(...)`: many a slot's name is an everyday word too."""
    assert re.search(rf"[\"']{slot}[\"']|\b{slot}=", CODE)


@pytest.mark.parametrize("entity", named("entities"))
def test_every_entity_is_read(entity: str) -> None:
    assert re.search(rf"[\"']{entity}[\"']", CODE)


def test_no_intent_has_training_data_without_being_in_the_domain_or_the_other_way_round() -> None:
    taught = set()
    for file in (ROOT / "data/nlu").rglob("*.yml"):
        taught |= {block["intent"] for block in yaml.safe_load(file.read_text("utf-8"))["nlu"] if "intent" in block}
    assert taught == set(named("intents")) - {"nlu_fallback"}


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_rasa_validates_without_a_warning() -> None:
    done = subprocess.run(
        [
            *(str(ROOT / ".venv-rasa/bin/python"), "-W", "ignore", "-m", "rasa", "data", "validate"),
            *("--domain", "domain", "--data", "data", "--config", "config.yml"),
        ],
        cwd=ROOT,
        env={**os.environ, "RASA_TELEMETRY_ENABLED": "false", "SQLALCHEMY_SILENCE_UBER_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    ours = [line for line in said.splitlines() if re.search("Warning|WARNING", line) and "site-packages" not in line]
    assert ours == []
    libraries_about_data = re.findall(r"rasa/shared/.*UserWarning.*", said)
    assert [line for line in libraries_about_data if "pkg_resources" not in line] == []
