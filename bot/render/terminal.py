"""A transcript line as text for a terminal: wrapped, choices numbered, control characters shown as nothing."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def lines(author: str, text: str, titles: Sequence[str], first_number: int = 1, width: int = 88) -> list[str]:
    """The lines to print. What the bot says begins with `bot`, what a person of the operator's says with `desk`."""
    label = {"bot": "bot  ", "person": "desk "}.get(author, "you  ")
    indent = " " * len(label)
    shown: list[str] = []
    for paragraph in _CONTROL.sub("", text).split("\n"):
        shown += textwrap.wrap(
            paragraph, width, initial_indent=indent if shown else label, subsequent_indent=indent
        ) or [indent.rstrip()]
    numbered = [f"{indent}  {number}  {_CONTROL.sub('', title)}" for number, title in enumerate(titles, first_number)]
    return shown + numbered
