"""Entities in an example as Rasa's training data marks them: `tap fails at [1042](charger_id)`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_MARK = re.compile(
    r"\[(?P<text>[^\]]+?)\](?:\((?P<entity>[^:)]+?)(?::(?P<value>[^)]+))?\)|\{(?P<dict>[^}]+?)\}|\[(?P<list>.*?)\])"
)
_IN_DICT = re.compile(r"\"entity\"\s*:\s*\"([^\"]*)\"")
# Line ends, control and invisible characters: an example is one line, and some of these are no characters of YAML.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff\ufffe\uffff\ud800-\udfff]+")
MAX_EXAMPLE = 500


class NotAnExample(ValueError):
    """What was given cannot be a training example; the message says why."""


@dataclass(frozen=True, slots=True)
class Span:
    """`start` and `end` count characters in the plain text."""

    start: int
    end: int
    entity: str


@dataclass(frozen=True, slots=True)
class Marked:
    """`synonym`: some mark says more than the entity's name, so writing it anew would lose something."""

    text: str
    spans: tuple[Span, ...] = ()
    rich: bool = False


def read_marks(line: str) -> Marked:
    """The plain text of an example and where its entities are, as Rasa reads it."""
    text, spans, rich, at = "", [], False, 0
    for mark in _MARK.finditer(line):
        text += line[at : mark.start()]
        named = _IN_DICT.search(mark["dict"] or mark["list"] or "")
        entity = mark["entity"] or (named[1] if named else "")
        rich = rich or mark["entity"] is None or mark["value"] is not None
        spans.append(Span(len(text), len(text) + len(mark["text"]), entity.strip()))
        text += mark["text"]
        at = mark.end()
    return Marked(text + line[at:], tuple(spans), rich)


def clean_text(text: str) -> str:
    """The text as an example can hold it: one line, nothing that would be taken for a mark or an intent. Raises NotAnExample."""
    text = _UNWRITABLE.sub(" ", text)
    text = re.sub(r"\s+", " ", text).strip().lstrip("/").strip()
    text = re.sub(r"\](?=[(\[{])", "] ", text)
    if not text:
        raise NotAnExample("An example needs words.")
    if len(text) > MAX_EXAMPLE:
        raise NotAnExample(f"An example may have at most {MAX_EXAMPLE} characters; keep what matters.")
    return text


def write_marks(text: str, spans: Iterable[Span]) -> str:
    """The example's line; `text` has been cleaned. Raises NotAnExample where spans do not fit it."""
    line, at = "", 0
    for span in sorted(spans, key=lambda one: one.start):
        inside = text[span.start : span.end]
        if not 0 <= span.start < span.end <= len(text) or span.start < at:
            raise NotAnExample("The marked parts overlap, or lie outside of the text.")
        if inside != inside.strip() or "]" in inside or "[" in inside:
            raise NotAnExample(f"“{inside}” cannot be marked: no blanks at its ends and no brackets in it.")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", span.entity):
            raise NotAnExample(f"“{span.entity}” is no name of an entity.")
        line += f"{text[at : span.start]}[{inside}]({span.entity})"
        at = span.end
    line += text[at:]
    if read_marks(line).text != text:
        raise NotAnExample("The brackets in this text would be taken for marks; write it without them.")
    return line
