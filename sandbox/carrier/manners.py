"""How badly the carrier behaves: shares of messages that it doubles, holds back, loses or refuses. Changed while it runs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

FAILURES = ("500", "429", "502-after", "lost-after", "lost-before")
TAKEN_ALL_THE_SAME = frozenset({"502-after", "lost-after"})  # the message goes out, and the bot is not told


@dataclass(frozen=True, slots=True)
class Manners:
    """Shares are from 0 to 1, times in seconds of real time."""

    duplicate: float = 0.0  # inbound webhooks that come twice
    reorder: float = 0.0  # inbound webhooks that a later one overtakes
    fail: float = 0.0  # sends that end in one of FAILURES
    undelivered: float = 0.0  # sends that are taken and then do not arrive (30003, 131026)
    answer_s: float = 0.0  # how long the API takes to answer
    status_s: float = 0.2  # how soon statuses come
    retry_after_s: float = 1.0  # what a 429 asks for
    held_s: float = 0.3  # how long a webhook that is overtaken is held back

    def changed(self, values: dict[str, Any]) -> Manners:
        """Raises ValueError naming the field that is wrong."""
        names = {field.name for field in fields(self)}
        for name, value in values.items():
            if name not in names:
                raise ValueError(f"{name}: not one of {', '.join(sorted(names))}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 60:
                raise ValueError(f"{name}: a number from 0 to 60 is expected")
            if not name.endswith("_s") and value > 1:
                raise ValueError(f"{name}: a share from 0 to 1 is expected")
        return replace(self, **{name: float(value) for name, value in values.items()})

    def failure(self, random: Random) -> str | None:
        return random.choice(FAILURES) if random.random() < self.fail else None
