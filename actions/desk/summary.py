"""What a person is told of a case: one paragraph to read, and everything that is known to look up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from actions.cases import Case, as_json

_PROBLEMS = {
    "session_not_starting": "charging does not begin",
    "payment_failed": "a payment fails",
    "charger_offline": "the charger is dead, faulted or out of service",
    "connector_stuck": "the connector is stuck",
    "unlock_request": "the connector is to be unlocked",
    "rfid_failed": "a card is refused",
    "safety_hazard": "DANGER was reported",
    "report_damage": "damage was reported",
    "restart_request": "the charger is to be restarted",
    "stop_charging": "the session is to be ended",
    "charging_slow": "charging is slow",
    "session_stopped_early": "the session ended early",
    "talk_to_human": "a person is wanted",
}


def paragraph(case: Case, situation: Mapping[str, Any] | None) -> str:
    """In English, for the operator's people, whatever language the driver speaks."""
    where = f" at charger {case.charger}" if case.charger else ""
    if case.charger and case.connector:
        where += f", connector {case.connector}"
    parts = [f"{_PROBLEMS.get(case.problem, case.problem).capitalize()}{where}."]
    parts.append(f"Handed over because: {case.handoff or 'asked for'}.")
    parts.append(
        f"Driver {case.driver} (identity tier {case.tier}) writes in {case.language} by {case.channel or '?'}."
    )
    if situation is not None:
        line = "connected" if situation["connected"] else "offline"
        parts.append(f"The charger is {line}, status {situation['status']}, error {situation['error'] or 'none'}.")
    acts = [f"{act.action}: {act.outcome or 'not finished'}" for act in case.tried if act.action != "advice"]
    parts.append(f"Tried: {'; '.join(acts)}." if acts else "Nothing was tried.")
    return " ".join(parts)


def handed_over_body(case: Case, situation: Mapping[str, Any] | None, at: datetime) -> dict[str, Any]:
    return {
        "type": "case.handed_over",
        "at": at.isoformat(),
        "summary": paragraph(case, situation),
        "situation": dict(situation) if situation else None,
        "payment": None,  # no payment system is connected
        "case": as_json(case),
    }


def message_body(case: Case, line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "case.message",
        "at": line["at"],
        "case": {"id": case.id, "conversation": case.conversation, "problem": case.problem, "charger": case.charger},
        "message": dict(line),
    }
