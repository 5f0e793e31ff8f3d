"""What is wrong with the training data, or may be: findings with the examples that they are about, worst kind first. Pure but for reading tests.

A finding says what it does to the model in a sentence a trainer can act on; whether it is a mistake is for people to judge.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot.nlu.normalise import plain, words_of
from bot.trainer.corpus.corpus import Broken, Row
from bot.trainer.corpus.marked import read_marks
from bot.trainer.corpus.nlufile import BrokenFile, read_nlu

SHOWN = 100  # items of a kind that are shown; all are counted
THIN = 12  # examples of an intent in a language below which it is thin whatever the others have
THIN_SHARE = 0.15  # ... and below this share of the median
ONLY_HERE = 4  # examples from which a word that one intent has to itself is told
_REMEMBERED = 60_000  # texts whose words are remembered: all examples and what drivers wrote of late
ALIKE = 0.9  # two texts that are nearer than this with two labels are worth a look; the data had 29 such pairs


@dataclass(frozen=True, slots=True)
class Item:
    """`rows`: the examples it is about; `note`: what is particular to it."""

    rows: tuple[Row, ...] = ()
    note: str = ""
    strength: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """`grave`: the model learns something wrong from it, or nothing at all."""

    kind: str
    title: str
    why: str
    grave: bool
    items: tuple[Item, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "title": self.title,
            "why": self.why,
            "grave": self.grave,
            "count": len(self.items),
            "items": [{"note": one.note, "rows": [row_json(row) for row in one.rows]} for one in self.items[:SHOWN]],
        }


def row_json(row: Row) -> dict[str, Any]:
    marked = read_marks(row.line)
    return {
        "language": row.language,
        "intent": row.intent,
        "line": row.line,
        "text": marked.text,
        "spans": [{"start": one.start, "end": one.end, "entity": one.entity} for one in marked.spans],
        "file": row.file,
        "number": row.number,
    }


@lru_cache(_REMEMBERED)
def as_heard(text: str) -> str:
    """The text as the model takes it: two texts that are one here are one to the model."""
    return plain(text)


@lru_cache(_REMEMBERED)
def words_in(text: str) -> tuple[str, ...]:
    return tuple(word.text for word in words_of(text) if any(letter.isalpha() for letter in word.text))


def vocabulary(rows: Iterable[Row]) -> dict[str, set[str]]:
    """The words of the examples, by language."""
    known: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        known[row.language].update(words_in(read_marks(row.line).text))
    return dict(known)


def findings(
    rows: Sequence[Row],
    broken: Sequence[Broken],
    passed_over: Sequence[Broken],
    entities: Sequence[str],
    held_out: Sequence[Row],
) -> list[Finding]:
    """Everything that can be told without the language model; `held_out`: what the model is tested with. Kinds without items are left out."""
    heard: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        heard[as_heard(read_marks(row.line).text)].append(row)
    found = [
        Finding(
            "broken",
            "Files that cannot be read",
            "Nothing in such a file is learned, and the desk writes nothing into it until it is mended.",
            True,
            tuple(Item(note=f"{one.file}, line {one.line}: {one.reason}") for one in broken),
        ),
        Finding(
            "contradictions",
            "One text, two meanings",
            "The model cannot learn both. Decide which one is right and move or remove the other.",
            True,
            tuple(Item(tuple(same)) for same in heard.values() if len({row.intent for row in same}) > 1),
        ),
        Finding(
            "leaks",
            "Test messages that are also learned",
            "A test is worth nothing where the answer was learned by heart. Take the example out here.",
            True,
            _leaks(rows, held_out),
        ),
        Finding(
            "spans",
            "Marks that do not fit",
            "A mark must cover whole words and name one thing.",
            True,
            _spans(rows, entities),
        ),
        Finding(
            "passed_over",
            "Lines that are left out",
            "Rasa takes only lines that begin with a dash.",
            True,
            tuple(Item(note=f"{one.file}, line {one.line}: {one.reason}") for one in passed_over),
        ),
        Finding(
            "thin",
            "Thin intents",
            "With few examples of a meaning in a language, the model guesses. Label more of them.",
            False,
            _thin(rows),
        ),
        Finding(
            "repeated",
            "The same example more than once",
            "To the model these are one text. That does little harm; it makes the counts look better than they are.",
            False,
            _repeated(rows),
        ),
        Finding(
            "only_here",
            "Words of one intent only",
            "The model may take the word alone for the meaning. Fine for “refund”; not for a street, a car or a name.",
            False,
            _only_here(rows),
        ),
    ]
    return [one for one in found if one.items]


def near_pairs(rows: Sequence[Row], pairs: Iterable[tuple[int, int, float]]) -> Finding | None:
    """Texts that mean nearly the same and have two labels. `pairs`: places in `rows`, and how alike."""
    items = [
        Item((rows[one], rows[other]), f"{alike:.0%} alike", alike)
        for one, other, alike in pairs
        if rows[one].intent != rows[other].intent
        and as_heard(read_marks(rows[one].line).text) != as_heard(read_marks(rows[other].line).text)
    ]
    if not items:
        return None
    items.sort(key=lambda item: -item.strength)
    return Finding(
        "near",
        "Nearly the same, two meanings",
        "By their sense these are close to one text. Often one of the two labels is a slip.",
        False,
        tuple(items),
    )


def _letters(text: str) -> str:
    """The words without case and marks: what people would call the same text."""
    return " ".join(re.findall(r"\w+", text.lower())) or text


def _leaks(rows: Sequence[Row], held_out: Sequence[Row]) -> tuple[Item, ...]:
    items = []
    learned: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        learned[_letters(read_marks(row.line).text)].append(row)
    for test in held_out:
        text = read_marks(test.line).text
        same = learned.get(_letters(text), ())
        # One or two words are what everybody writes ("hi", "yes"); having both is no leak.
        if same and len(words_in(text)) > 2:
            items.append(Item(tuple(same), f"tested in {test.file}, line {test.number}"))
    return tuple(items)


def _repeated(rows: Sequence[Row]) -> tuple[Item, ...]:
    same: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        same[row.language, row.intent, _letters(read_marks(row.line).text)].append(row)
    return tuple(Item(tuple(each)) for each in same.values() if len(each) > 1)


def _thin(rows: Sequence[Row]) -> tuple[Item, ...]:
    counts = Counter((row.language, row.intent) for row in rows)
    intents = sorted({row.intent for row in rows})
    items = []
    for language in sorted({row.language for row in rows} - {""}):
        median = statistics.median([counts[language, intent] for intent in intents])
        for intent in intents:
            count = counts[language, intent]
            if count < max(THIN, THIN_SHARE * median):
                items.append(Item((), f"{intent}, {language}: {count} (the middle is {median:.0f})", -count))
    return tuple(sorted(items, key=lambda item: -item.strength))


def _only_here(rows: Sequence[Row]) -> tuple[Item, ...]:
    where: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        for word in set(words_in(read_marks(row.line).text)):
            where[row.language, word].append(row)
    items = [
        Item(tuple(said[:5]), f"“{word}” ({language}): {len(said)} examples, all {said[0].intent}", len(said))
        for (language, word), said in where.items()
        if len(said) >= ONLY_HERE and len({row.intent for row in said}) == 1
    ]
    return tuple(sorted(items, key=lambda item: -item.strength))


def _spans(rows: Sequence[Row], entities: Sequence[str]) -> tuple[Item, ...]:
    items = []
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        marked = read_marks(row.line)
        for span in marked.spans:
            names[marked.text[span.start : span.end].lower()][span.entity] += 1
    for row in rows:
        marked = read_marks(row.line)
        for span in marked.spans:
            inside = marked.text[span.start : span.end]
            before, after = marked.text[: span.start][-1:], marked.text[span.end :][:1]
            if entities and span.entity not in entities:
                items.append(Item((row,), f"“{span.entity}” is no entity that the bot knows"))
            elif inside != inside.strip():
                items.append(Item((row,), f"“{inside}” begins or ends with a blank"))
            elif (before.isalnum() and inside[0].isalnum()) or (after.isalnum() and inside[-1].isalnum()):
                items.append(Item((row,), f"“{inside}” cuts a word in two"))
            elif (
                len(inside) > 2
                and len(names[inside.lower()]) > 1
                and span.entity != names[inside.lower()].most_common(1)[0][0]
            ):
                usual = names[inside.lower()].most_common(1)[0][0]
                items.append(Item((row,), f"“{inside}” is marked {span.entity} here and {usual} elsewhere"))
    return tuple(items)


def held_out_rows(folder: Path) -> list[Row]:
    """The messages that the model is tested with: tests/nlu/dev/<language>.yml. A file that is no training data is left out."""
    rows = []
    for path in sorted((folder / "tests" / "nlu" / "dev").glob("*.yml")):
        try:
            file = read_nlu(path.read_bytes())
        except BrokenFile:
            continue
        for block in file.blocks:
            rows += [
                Row(path.stem, block.intent, one.line, str(path.relative_to(folder)), one.number)
                for one in block.examples
            ]
    return rows
