"""Verdicts to numbers: per problem and over all. What `score.json` holds and the table and the report show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.conversations.judge import Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """`rightly`: redirected, handed over, told the truth or refused, where that was right. Seconds are real ones."""

    problem: str
    scenarios: int
    resolved: int
    rightly: int
    wrong: int
    unsafe: int
    false_claims: int
    asked_twice: int
    bot_median_s: float | None
    bot_p95_s: float | None
    first_words_median_s: float | None
    first_words_p95_s: float | None
    turns_median: float | None
    turns_p95: float | None
    cure_median_s: float | None
    cure_p95_s: float | None
    unanswered: int
    broken_promises: int

    @property
    def right_share(self) -> float:
        return (self.resolved + self.rightly) / self.scenarios if self.scenarios else 0.0


def quantile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def row(problem: str, verdicts: Sequence[Verdict]) -> Row:
    turns = [turn for verdict in verdicts for turn in verdict.turns]
    bot = [turn.bot_s for turn in turns if turn.bot_s is not None]
    first = [turn.first_words_s for turn in turns if turn.first_words_s is not None]
    counts = [float(len(verdict.turns)) for verdict in verdicts]
    cures = [cure.bot_s for verdict in verdicts for cure in verdict.cures]
    return Row(
        problem=problem,
        scenarios=len(verdicts),
        resolved=sum(verdict.end == "resolved" for verdict in verdicts),
        rightly=sum(verdict.end not in {"resolved", "wrong"} for verdict in verdicts),
        wrong=sum(verdict.end == "wrong" for verdict in verdicts),
        unsafe=sum(len(verdict.unsafe) for verdict in verdicts),
        false_claims=sum(len(verdict.false_claims) for verdict in verdicts),
        asked_twice=sum(len(verdict.asked_twice) for verdict in verdicts),
        bot_median_s=quantile(bot, 0.5),
        bot_p95_s=quantile(bot, 0.95),
        first_words_median_s=quantile(first, 0.5),
        first_words_p95_s=quantile(first, 0.95),
        turns_median=quantile(counts, 0.5),
        turns_p95=quantile(counts, 0.95),
        cure_median_s=quantile(cures, 0.5),
        cure_p95_s=quantile(cures, 0.95),
        unanswered=sum(turn.bot_s is None for turn in turns),
        broken_promises=sum(verdict.broken_promises for verdict in verdicts),
    )


def rows(verdicts: Sequence[Verdict]) -> list[Row]:
    """One row a problem, then one over all."""
    problems = sorted({verdict.problem for verdict in verdicts})
    return [
        *(row(problem, [verdict for verdict in verdicts if verdict.problem == problem]) for problem in problems),
        row("all", verdicts),
    ]


@dataclass(frozen=True, slots=True)
class Speed:
    """The bot's share of the way from a driver's last needed message to an effect, in real seconds: to the command, and with the words that tell
    of the effect. The charger's own time between is in neither.
    """

    kind: str
    count: int
    command_median_s: float | None
    command_p95_s: float | None
    told_median_s: float | None
    told_p95_s: float | None


def speeds(verdicts: Sequence[Verdict]) -> list[Speed]:
    """One row each for starts, stops and unlocks, and for the starts that help a driver whose card failed."""
    found = []
    for kind in ("start", "stop", "unlock", "rfid"):
        cures = [
            cure
            for verdict in verdicts
            for cure in verdict.cures
            if (cure.kind == "start" and verdict.problem == "rfid_failed") == (kind == "rfid")
            and (kind == "rfid" or cure.kind == kind)
        ]
        to_command, told = [each.to_command_s for each in cures], [each.bot_s for each in cures]
        found.append(
            Speed(
                kind,
                len(cures),
                quantile(to_command, 0.5),
                quantile(to_command, 0.95),
                quantile(told, 0.5),
                quantile(told, 0.95),
            )
        )
    return found


def as_json(verdicts: Sequence[Verdict], about: dict[str, Any]) -> dict[str, Any]:
    return {
        **about,
        "measures": [{**asdict(each), "right_share": round(each.right_share, 4)} for each in rows(verdicts)],
        "speeds": [asdict(each) for each in speeds(verdicts)],
        "scenarios": [asdict(verdict) for verdict in sorted(verdicts, key=lambda each: each.scenario)],
    }


def table(verdicts: Sequence[Verdict]) -> str:
    """The measures for a terminal."""
    heads = ("problem", "n", "resolved", "rightly", "wrong", "unsafe", "false", "twice", "bot s", "p95", "first", "p95", "turns", "p95", "cure s", "p95")  # fmt: skip
    lines = [heads] + [
        (
            each.problem, str(each.scenarios), str(each.resolved), str(each.rightly), str(each.wrong), str(each.unsafe),
            str(each.false_claims), str(each.asked_twice), number(each.bot_median_s), number(each.bot_p95_s),
            number(each.first_words_median_s), number(each.first_words_p95_s), number(each.turns_median, 0),
            number(each.turns_p95, 0), number(each.cure_median_s), number(each.cure_p95_s),
        )
        for each in rows(verdicts)
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    shown = []
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)
        ]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown)


def speed_lines(verdicts: Sequence[Verdict]) -> str:
    """The speeds for a terminal."""
    return "\n".join(
        f"{each.kind:8} {each.count:3}  to the command {number(each.command_median_s)} s (p95 {number(each.command_p95_s)}), "
        f"with the words {number(each.told_median_s)} s (p95 {number(each.told_p95_s)})"
        for each in speeds(verdicts)
    )


def number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
