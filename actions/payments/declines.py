"""The decline table (`declines.yml`): from the bank's code to what a driver is told and whether the card is asked again. Pure.

The network's advice, where it gave one, wins over the table; it never makes a code that is to be hidden tell more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


class Again(StrEnum):
    NEVER = "never"
    ONCE = "once"
    DRIVER = "driver"


class Way(StrEnum):
    LINK = "link"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Ruling:
    """`say`: the name of a response."""

    say: str
    again: Again
    way: Way


SAYINGS = frozenset(
    {
        "say_decline_funds",
        "say_decline_card",
        "say_decline_check",
        "say_decline_bank",
        "say_decline_busy",
        "say_decline_ours",
    }
)


class BadTable(ValueError):
    """declines.yml names a group, a way or a value that there is not; the message says which."""


def ruling(code: str | None, advice: str | None = None) -> Ruling:
    """What to do about a decline. A code that the table does not know is a plain refusal."""
    table = _table()
    found = table.get(code or "", table[""])
    if advice == "do_not_try_again":
        return replace(found, again=Again.NEVER)
    if found.say == table[""].say:
        return found  # what is hidden, or said by the bank alone, stays as it is
    if advice == "try_again_later" and found.again is Again.NEVER and found.way is Way.LINK:
        return replace(found, again=Again.DRIVER)
    if advice == "confirm_card_data":
        return replace(found, say="say_decline_card", way=Way.CARD, again=Again.NEVER)
    return found


def codes() -> dict[str, Ruling]:
    """Every row, and "" for what is not in the table."""
    return dict(_table())


@cache
def _table() -> dict[str, Ruling]:
    return read(yaml.safe_load(files("actions.payments").joinpath("declines.yml").read_text(encoding="utf-8")))


def _saying(name: str) -> str:
    saying = f"say_decline_{name}"
    if saying not in SAYINGS:
        raise ValueError(f"there is no {saying}")
    return saying


def read(document: dict[str, Any]) -> dict[str, Ruling]:
    """Raises BadTable."""
    try:
        groups = {
            name: Ruling(_saying(row["say"]), Again(row["again"]), Way(row["way"]))
            for name, row in document["groups"].items()
        }
        rows = {code: groups[group] for code, group in document["codes"].items()}
        return {"": groups[document["unknown"]], **rows}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadTable(f"declines.yml: {error}") from error
