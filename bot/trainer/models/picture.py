"""The confusion matrix as an SVG: rows are what was meant, columns what was understood, darker is more. Right ones are green."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_CELL, _MARGIN, _FONT = 22, 200, 12


def confusion(labels: Sequence[str], table: Sequence[Sequence[int]], title: str) -> str:
    size = _MARGIN + _CELL * len(labels) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" font-family="system-ui,sans-serif" '
        f'font-size="{_FONT}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<rect width="{size}" height="{size}" fill="#fff"/>'
    ]
    for place, label in enumerate(labels):
        middle = _MARGIN + _CELL * place + _CELL / 2
        parts.append(f'<text x="{_MARGIN - 6}" y="{middle + 4:g}" text-anchor="end">{escape(label)}</text>')
        parts.append(f'<text transform="translate({middle + 4:g} {_MARGIN - 6}) rotate(-90)">{escape(label)}</text>')
    for down, row in enumerate(table):
        whole = sum(row)
        for across, count in enumerate(row):
            x, y = _MARGIN + _CELL * across, _MARGIN + _CELL * down
            share = count / whole if whole else 0.0
            colour = "#0b6b4f" if down == across else "#a3261a"
            shade = f'fill="{colour}" fill-opacity="{0.15 + 0.75 * share:.2f}"' if count else 'fill="#f3f6f5"'
            parts.append(f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" {shade}/>')
            if count:
                ink = "#fff" if share > 0.5 else "#14211c"
                said = f"{labels[down]} understood as {labels[across]}: {count}"
                parts.append(
                    f'<text x="{x + _CELL / 2 - 0.5:g}" y="{y + _CELL / 2 + 4:g}" text-anchor="middle" fill="{ink}" '
                    f'font-size="{_FONT - 2}"><title>{escape(said)}</title>{count}</text>'
                )
    return "".join(parts) + "</svg>"
