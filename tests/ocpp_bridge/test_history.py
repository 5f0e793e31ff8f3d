"""What the gate looks back on: the same as a search of the store would find, and no more than any rule asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ocpp_bridge.commands.history import LONGEST_S, History
from ocpp_bridge.model import Actor, Command

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def command(number: int, action: str = "start", charger: str = "CL-1", driver: str | None = "drv-ada") -> Command:
    return Command(
        id=f"cmd_{number:03d}",
        action=action,
        charger=charger,
        connector=1,
        token=None,
        session=None,
        reason="",
        actor=Actor(driver, 1),
        idempotency_key=f"k{number}",
        body_hash="h",
        created_at=NOW + timedelta(seconds=number),
    )


def ids(found: list[Command]) -> list[str]:
    return [row.id for row in found]


def test_commands_to_the_charger_and_of_the_driver_are_found_once_the_oldest_first() -> None:
    history = History()
    rows = [command(1), command(2, charger="CL-2"), command(3, driver="drv-ben"), command(4, "stop", "CL-2", "drv-ben")]
    history.load(rows, NOW)
    assert ids(history.of("CL-1", "drv-ada", NOW)) == ["cmd_001", "cmd_002", "cmd_003"]
    assert ids(history.of("CL-1", None, NOW + timedelta(seconds=2))) == ["cmd_003"]
    assert history.of("CL-9", "drv-nobody", NOW) == []


def test_a_step_replaces_the_one_before() -> None:
    history = History()
    history.put(command(1), NOW)
    history.put(replace(command(1), state="sent"), NOW)
    assert [row.state for row in history.of("CL-1", "drv-ada", NOW)] == ["sent"]


def test_a_command_whose_key_was_used_before_leaves_nothing() -> None:
    history = History()
    history.put(command(1), NOW)
    history.drop(command(1))
    assert history.of("CL-1", "drv-ada", NOW) == []
    assert not history._by_charger
    assert not history._by_driver


@pytest.mark.parametrize(("action", "kept_s"), [("start", 3600), ("reset", LONGEST_S)])
def test_what_no_rule_looks_back_on_is_forgotten(action: str, kept_s: float) -> None:
    history = History()
    history.put(command(1, action), NOW)
    history.put(command(2, charger="CL-2", driver=None), NOW + timedelta(seconds=kept_s))
    assert ids(history.of("CL-1", None, NOW)) == ["cmd_001"]
    history.put(command(3, charger="CL-2", driver=None), NOW + timedelta(seconds=kept_s + 60))
    assert history.of("CL-1", None, NOW) == []
