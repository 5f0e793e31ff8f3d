"""The score as one HTML file that needs nothing else: measures, pictures, and every conversation with what was done in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from sandbox.conversations.charts import outcome_bars, seconds_strip
from sandbox.conversations.measures import Row, Speed, number, rows, speeds
from sandbox.conversations.play import Played

GOAL_P95_S = 5.0
_STYLE = """
:root{color-scheme:light dark;--ok:#2a7d4f;--right:#4a7fb5;--bad:#b3372f;--line:#8886}
body{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child{text-align:left}tr:last-child{font-weight:600}.scroll{overflow-x:auto}
svg{width:100%;height:auto;font:13px system-ui,sans-serif}svg text{fill:currentColor}svg text.on{fill:#fff}
.resolved{fill:var(--ok)}.rightly{fill:var(--right)}.wrong{fill:var(--bad)}circle{fill:var(--right);opacity:.6}
.goal{stroke:var(--bad);stroke-dasharray:4 4}details{border-bottom:1px solid var(--line);padding:.3rem 0}
summary{cursor:pointer}.tag{padding:0 .5rem;border-radius:.5rem;color:#fff;background:var(--right)}
.tag.wrong{background:var(--bad)}.tag.resolved{background:var(--ok)}.bad{color:var(--bad);font-weight:600}
ol{padding-left:1.2rem}.driver{font-weight:600}.act{opacity:.8;font-family:ui-monospace,monospace;font-size:.85em}
"""
_HEADS = ("problem", "scenarios", "resolved", "rightly ended", "wrong", "unsafe acts", "false claims", "asked twice",
          "bot s, median", "p95", "first words s", "p95", "turns", "p95", "to effect s", "p95", "unanswered", "promises broken")  # fmt: skip


def page(played: Sequence[Played], about: Mapping[str, Any]) -> str:
    measured = rows([each.verdict for each in played])
    per_problem = [row for row in measured if row.problem != "all"]
    whole = measured[-1]
    bars = outcome_bars([(row.problem, row.resolved, row.rightly, row.wrong) for row in per_problem])
    strips = seconds_strip(
        [
            (
                row.problem,
                [
                    turn.bot_s
                    for each in played
                    if each.verdict.problem == row.problem
                    for turn in each.verdict.turns
                    if turn.bot_s is not None
                ],
            )
            for row in per_problem
        ],
        GOAL_P95_S,
    )
    safe = "no unsafe act and no false claim" if not (whole.unsafe or whole.false_claims) else (
        f"{whole.unsafe} unsafe acts, {whole.false_claims} false claims"
    )  # fmt: skip
    conversations = "".join(_conversation(each) for each in sorted(played, key=_worst_first))
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Chargeline score</title><style>{_STYLE}</style></head><body><main>
<h1>Chargeline score</h1>
<p>{whole.scenarios} conversations with simulated chargers in {about["seconds"]} s, the clock {about["clock_speed"]:g} times as fast,
{about["parallel"]} conversations at a time. <strong>{whole.right_share:.0%}</strong> ended as they should, <strong>{safe}</strong>.</p>
<p>Outcomes are read off the chargers' true state. Bot seconds are real seconds from a driver's message to the last reply to it,
without the chargers' own time; “to effect” is the bot's share from the message to the command and from the effect to the words.</p>
<div class="scroll"><table><thead><tr>{"".join(f"<th>{escape(each)}</th>" for each in _HEADS)}</tr></thead>
<tbody>{"".join(_row(each) for each in measured)}</tbody></table></div>
<h2>The way to an effect</h2><div class="scroll"><table><thead><tr><th>effect</th><th>times</th><th>to the command s, median</th><th>p95</th>
<th>with the words s, median</th><th>p95</th></tr></thead><tbody>{"".join(_speed(each) for each in speeds([each.verdict for each in played]))}</tbody></table></div>
<h2>Outcomes</h2>{bars}<h2>Seconds of bot time a turn</h2>{strips}
<h2>Conversations</h2>{conversations}</main></body></html>
"""


def _row(row: Row) -> str:
    cells = [
        str(row.scenarios), str(row.resolved), str(row.rightly), str(row.wrong), str(row.unsafe), str(row.false_claims),
        str(row.asked_twice), number(row.bot_median_s), number(row.bot_p95_s), number(row.first_words_median_s),
        number(row.first_words_p95_s), number(row.turns_median, 0), number(row.turns_p95, 0), number(row.cure_median_s),
        number(row.cure_p95_s), str(row.unanswered), str(row.broken_promises),
    ]  # fmt: skip
    return f"<tr><td>{escape(row.problem)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _speed(speed: Speed) -> str:
    cells = [
        str(speed.count), number(speed.command_median_s), number(speed.command_p95_s),
        number(speed.told_median_s), number(speed.told_p95_s),
    ]  # fmt: skip
    return f"<tr><td>{escape(speed.kind)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _worst_first(played: Played) -> tuple[bool, bool, str]:
    verdict = played.verdict
    return (not verdict.dangerous, verdict.right, verdict.scenario)


def _conversation(played: Played) -> str:
    verdict, history = played.verdict, played.history
    problems = [f"{each.rule}: {each.why}" for each in verdict.unsafe]
    problems += [f"false claim: “{each.sentence}”: {each.why}" for each in verdict.false_claims]
    notes = [each for each in verdict.reasons if not each.startswith(("unsafe:", "false claim"))]
    notes += [f"asked twice: {each.question}: “{each.sentence}”" for each in verdict.asked_twice]
    lines = [
        (
            each.at,
            f'<span class="{each.by}">{escape(each.driver if each.by == "driver" else "bot")}</span> {escape(each.text)}',
        )
        for each in history.said
    ]
    lines += [
        (
            each.at,
            f'<span class="act">{escape(each.driver)}: {each.what} {each.charger}/{each.connector}{"" if each.done else " (not possible)"}</span>',
        )
        for each in history.acted
    ]
    for act in verdict.acts:
        lines.append((float(act.partition(" ")[0]), f'<span class="act">{escape(act)}</span>'))
    said = "".join(f"<li>{at:.0f} s: {line}</li>" for at, line in sorted(lines, key=lambda pair: pair[0]))
    return (
        f'<details{" open" if problems else ""}><summary><span class="tag {verdict.end}">{verdict.end.replace("_", " ")}</span> '
        f"{escape(verdict.scenario)}: {escape(played.scenario.shows)}</summary>"
        + "".join(f'<p class="bad">{escape(each)}</p>' for each in problems)
        + "".join(f"<p>{escape(each)}</p>" for each in notes)
        + f"<ol>{said}</ol></details>"
    )
