"""What follows from a carrier's error code; the table is carrier_errors.yml."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

CarrierName = Literal["twilio", "meta"]
TABLE = Path(__file__).with_name("carrier_errors.yml")


class Then(StrEnum):
    OPT_OUT = "opt_out"
    FAIL = "fail"
    ONCE = "once"
    LATER = "later"
    SLOW_DOWN = "slow_down"
    WINDOW = "window"
    ALERT = "alert"
    FILTERED = "filtered"


PASSING = frozenset({Then.LATER, Then.SLOW_DOWN, Then.ALERT})  # worth another try of the same message


@dataclass(frozen=True, slots=True)
class Rule:
    then: Then
    means: str


UNKNOWN = Rule(Then.FAIL, "not in the table")


@cache
def _table() -> dict[str, dict[int, Rule]]:
    content: dict[str, dict[int, dict[str, Any]]] = yaml.safe_load(TABLE.read_text("utf-8"))
    return {
        carrier: {code: Rule(Then(row["then"]), str(row["means"])) for code, row in rows.items()}
        for carrier, rows in content.items()
    }


def rule_of(carrier: CarrierName, code: str | None) -> Rule:
    """A code that nobody has written down means that the message failed."""
    return _table()[carrier].get(int(code), UNKNOWN) if code and code.isascii() and code.isdecimal() else UNKNOWN


def known_codes(carrier: CarrierName) -> dict[int, Rule]:
    return dict(_table()[carrier])
