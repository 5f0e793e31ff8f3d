"""The report's pictures as SVG by hand: numbers in, markup out. Colours come from the page's style, so both themes work."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LABEL, BAR, GAP = 760, 190, 22, 10


def outcome_bars(rows: Sequence[tuple[str, int, int, int]]) -> str:
    """One bar a problem: (name, resolved, rightly, wrong), each part as wide as its share."""
    room = WIDTH - LABEL - 10
    parts: list[str] = []
    for index, (name, *counts) in enumerate(rows):
        y = GAP + index * (BAR + GAP)
        parts.append(f'<text x="{LABEL - 8}" y="{y + BAR - 6}" text-anchor="end">{escape(name)}</text>')
        x, total = float(LABEL), sum(counts)
        for kind, count in zip(("resolved", "rightly", "wrong"), counts, strict=True):
            if not count:
                continue
            width = room * count / total
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}">'
                f"<title>{escape(name)}: {count} {kind}</title></rect>"
                f'<text class="on" x="{x + width / 2:.1f}" y="{y + BAR - 6}" text-anchor="middle">{count}</text>'
            )
            x += width
    return _svg("Outcomes by problem", GAP + len(rows) * (BAR + GAP), parts)


def seconds_strip(rows: Sequence[tuple[str, Sequence[float]]], limit_s: float) -> str:
    """One line a problem with a dot for every turn's seconds, and a mark at the goal."""
    room = WIDTH - LABEL - 30
    most = max([limit_s * 1.2, *(value for _, values in rows for value in values)])
    height = GAP + len(rows) * (BAR + GAP) + 24
    parts = [
        f'<line class="goal" x1="{LABEL + room * limit_s / most:.1f}" x2="{LABEL + room * limit_s / most:.1f}" y1="4" y2="{height - 22}"/>'
    ]
    for index, (name, values) in enumerate(rows):
        y = GAP + index * (BAR + GAP) + BAR / 2
        parts.append(f'<text x="{LABEL - 8}" y="{y + 5}" text-anchor="end">{escape(name)}</text>')
        parts += [
            f'<circle cx="{LABEL + room * value / most:.1f}" cy="{y}" r="4"><title>{value:.2f} s</title></circle>'
            for value in values
        ]
    step = next(each for each in (0.5, 1, 2, 5, 10, 30, 60, 600) if most / each <= 10)
    ticks = [step * n for n in range(int(most / step) + 1)]
    parts += [
        f'<text x="{LABEL + room * tick / most:.1f}" y="{height - 6}" text-anchor="middle">{tick:g} s</text>'
        for tick in ticks
    ]
    return _svg("Seconds of bot time a turn", height, parts)


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{inside}</svg>"
    )
