"""What a playbook gives back: sentences by name with their values, and what a bare agreement of the driver would mean next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Offer(StrEnum):
    RETRY = "retry"  # look and try once more
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose: `name` and `values` as in Say, `payload` is what choosing it sends to the dialogue."""

    name: str
    payload: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Say:
    """A response of domain/responses by name, and the values for its braces."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()


def duration_words(seconds: float) -> str:
    """A duration as drivers say it: "less than a minute", "12 min", "3 h", "2 days"."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def energy_words(energy_wh: float) -> str:
    """ "850 Wh" or "12.3 kWh"."""
    return f"{energy_wh:.0f} Wh" if energy_wh < 1000 else f"{energy_wh / 1000:.1f} kWh"
