"""The whole of the training data: what there is, and changes by trainers, each recorded so that it can be undone.

Every change is made on the files as they are at that moment, under a lock, so trainers who work at once do not undo one another.
A file that cannot be read is told with its line and reason and is never written.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.trainer.corpus.marked import read_marks
from bot.trainer.corpus.nlufile import BrokenFile, NluFile, NotEditable, NotHere, read_nlu
from bot.trainer.safefile import locked, write

NEW_FILE = "from_the_desk.yml"
_HEAD = 'version: "3.1"\n# Examples of intents that had none in this language, from the trainers\' desk.\nnlu:\n'
_State = tuple[int, int, int]
_NOT_CHOSEN = ("EXTERNAL_", "nlu_fallback")


@dataclass(frozen=True, slots=True)
class Row:
    """One example, where it stands. `file`: relative to the data's folder; `line`: as written, marks and all."""

    language: str
    intent: str
    line: str
    file: str
    number: int


@dataclass(frozen=True, slots=True)
class Broken:
    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """One changed line, with what undoing it needs. `what`: added, removed or reworded.

    `before`: the example that stood before it (None: it was the first), `gap` the lines
    between the two; `raw`: the physical line that is gone.
    """

    what: str
    file: str
    intent: str
    line: str
    before: str | None = None
    raw: str | None = None
    gap: int = 0
    new: str | None = None
    made: str | None = None  # "block" or "file" where the line needed one

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class UnknownIntent(ValueError):
    """The domain has no such intent."""


class Corpus:
    def __init__(self, folder: Path, changed: Callable[[], None] = lambda: None) -> None:
        """`folder`: holds `data/nlu` and `domain`. `changed` is called after each write."""
        self.folder = folder
        self.root = folder / "data" / "nlu"
        self._changed = changed
        self._read: dict[str, tuple[_State, NluFile | BrokenFile]] = {}  # each file once, as long as it stays as it is

    # --- what there is
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*.yml") if path.is_file())

    def rows(self) -> list[Row]:
        return [row for file, nlu in self._readable() for row in _rows(file, nlu)]

    def broken(self) -> list[Broken]:
        found = []
        for file in self.files():
            try:
                self._load(file)
            except BrokenFile as error:
                found.append(Broken(file, error.line, error.reason))
        return found

    def passed_over(self) -> list[Broken]:
        """Lines that Rasa leaves out."""
        return [
            Broken(file, one.number, f"left out, because it does not begin with a dash: {one.line[:80]}")
            for file, nlu in self._readable()
            for one in nlu.passed_over
        ]

    def languages(self) -> list[str]:
        return sorted({language_of(file) for file in self.files()} - {""})

    def intents(self) -> list[str]:
        """Those a message can have, in the domain's order."""
        return [name for name in self._domain("intents") if not name.startswith(_NOT_CHOSEN)]

    def entities(self) -> list[str]:
        """Those that examples are marked with, the most used first."""
        counted = Counter(span.entity for row in self.rows() for span in read_marks(row.line).spans)
        known = set(self._domain("entities"))
        return [name for name, _ in counted.most_common() if name in known]

    def version(self) -> str:
        """Changes with any byte of the data."""
        digest = hashlib.sha256()
        for file in self.files():
            digest.update(file.encode() + b"\0" + (self.root / file).read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    # --- changes
    def add(self, language: str, intent: str, lines: Sequence[str]) -> list[Change]:
        """Those of the lines that are not there already. Raises UnknownIntent, NotEditable, BrokenFile, ChangedMeanwhile."""
        if intent not in self.intents():
            raise UnknownIntent(f"There is no intent called {intent}.")
        if language not in self.languages():
            raise NotEditable(f"There is no training data in “{language}”.")
        with self._writing():
            return [change for line in lines if (change := self._add(language, intent, line)) is not None]

    def remove(self, file: str, intent: str, line: str) -> Change:
        """Raises NotHere, NotEditable, BrokenFile, ChangedMeanwhile."""
        with self._writing():
            return self._remove(file, intent, line)

    def relabel(self, file: str, intent: str, line: str, to: str) -> list[Change]:
        """The example goes to another intent of its language. Raises as `add` and `remove` do, with nothing changed then."""
        if to not in self.intents():
            raise UnknownIntent(f"There is no intent called {to}.")
        with self._writing():
            nlu = self._load(file)
            block, example = nlu.example(intent, line)
            nlu.remove(block, example)  # tried first: what cannot be removed is not added either
            added = self._add(language_of(file), to, line)
            return [*([added] if added is not None else []), self._remove(file, intent, line)]

    def reword(self, file: str, intent: str, line: str, new: str) -> Change:
        """Raises NotHere, NotEditable, BrokenFile, ChangedMeanwhile."""
        with self._writing():
            return self._reword(file, intent, line, new)

    def undo(self, changes: Sequence[Change]) -> None:
        """Takes the changes back, the last one first. Raises NotHere where an example was changed since."""
        with self._writing():
            for change in reversed(changes):
                self._undo(change)

    def _undo(self, change: Change) -> None:
        match change.what:
            case "added" if change.made == "file" and self._only(change):
                (self.root / change.file).unlink()
            case "added" if change.made is not None and self._last_of_block(change):
                self._take_block_back(change)
            case "added":
                self._remove(change.file, change.intent, change.line)
            case "reworded":
                nlu = self._load(change.file)
                block, example = nlu.example(change.intent, change.new or "")
                raw = change.raw or ""
                end = nlu.lines[example.number - 1]
                raw = raw.rstrip("\r\n") + end[len(end.rstrip("\r\n")) :]  # the file's end may have moved
                self._write(change.file, nlu, nlu.replace_raw(block, example, raw))
            case _:
                nlu = self._load(change.file)
                home = nlu.block_for(change.intent)
                if home is None:
                    self._add(language_of(change.file), change.intent, change.line)
                    return
                block = next(
                    (
                        one
                        for one in nlu.blocks
                        if one.intent == change.intent and any(each.line == change.before for each in one.examples)
                    ),
                    home,
                )
                self._write(change.file, nlu, nlu.put_back(block, change.raw or "", change.before, change.gap))

    def _add(self, language: str, intent: str, line: str) -> Change | None:
        if self._has(language, intent, line):
            return None
        file, made = self._home(language, intent)
        if made is not None:
            return self._add_block(file, intent, line, made)
        nlu = self._load(file)
        block = nlu.block_for(intent)
        assert block is not None, "a home has a block"
        self._write(file, nlu, nlu.add(block, line))
        return Change("added", file, intent, line, before=block.examples[-1].line)

    def _has(self, language: str, intent: str, line: str) -> bool:
        return any(
            one.line == line
            for file, nlu in self._readable()
            if language_of(file) == language
            for block in nlu.blocks
            if block.intent == intent
            for one in block.examples
        )

    def _home(self, language: str, intent: str) -> tuple[str, str | None]:
        """The file where the intent has most examples; the desk's own one, and what must be made in it, where it has none."""
        homes = []
        for file in self.files():
            if language_of(file) != language:
                continue
            try:
                block = self._load(file).block_for(intent)
            except BrokenFile:
                continue
            if block is not None:
                homes.append((len(block.examples), file))
        if homes:
            return max(homes, key=lambda home: (home[0], home[1]))[1], None
        own = f"{language}/{NEW_FILE}"
        return own, "block" if (self.root / own).exists() else "file"

    def _add_block(self, file: str, intent: str, line: str, made: str) -> Change:
        path = self.root / file
        if made == "file":
            content = read_nlu(_HEAD.encode()).add_block(intent, line)
            write(path, None, content)
        else:
            nlu = self._load(file)
            self._write(file, nlu, nlu.add_block(intent, line))
        return Change("added", file, intent, line, made=made)

    def _remove(self, file: str, intent: str, line: str) -> Change:
        nlu = self._load(file)
        block, example = nlu.example(intent, line)
        index = block.examples.index(example)
        before = block.examples[index - 1] if index else None
        self._write(file, nlu, nlu.remove(block, example))
        gap = example.number - 1 - (block.first if before is None else before.number)
        name = None if before is None else before.line
        return Change("removed", file, intent, line, before=name, raw=nlu.lines[example.number - 1], gap=gap)

    def _reword(self, file: str, intent: str, line: str, new: str) -> Change:
        nlu = self._load(file)
        block, example = nlu.example(intent, line)
        if self._has(language_of(file), intent, new):
            raise NotEditable(f"{intent} has this example already; remove this one instead.")
        self._write(file, nlu, nlu.replace(block, example, new))
        return Change("reworded", file, intent, line, raw=nlu.lines[example.number - 1], new=new)

    def _only(self, change: Change) -> bool:
        """Whether the file holds nothing but this line."""
        blocks = self._load(change.file).blocks
        return len(blocks) == 1 and [one.line for one in blocks[0].examples] == [change.line]

    def _last_of_block(self, change: Change) -> bool:
        block = next((one for one in self._load(change.file).blocks if one.intent == change.intent), None)
        return block is not None and [one.line for one in block.examples] == [change.line]

    def _take_block_back(self, change: Change) -> None:
        """Removes the lines of a block that the desk made, where they stand as it made them."""
        nlu = self._load(change.file)
        block = next(one for one in nlu.blocks if one.intent == change.intent)
        lines = nlu.lines[: block.start] + nlu.lines[block.start + 3 :]
        if block.examples[0].number != block.start + 3:
            raise NotEditable(f"The block of {change.intent} in {change.file} was changed since; take it out by hand.")
        content = "".join(lines).encode()
        left = read_nlu(content)
        if [one.intent for one in left.blocks] != [one.intent for one in nlu.blocks if one is not block]:
            raise NotEditable(f"The block of {change.intent} in {change.file} was changed since; take it out by hand.")
        self._write(change.file, nlu, content)

    # --- files
    def _writing(self) -> Any:
        return locked(self.root)

    def _load(self, file: str) -> NluFile:
        """Raises BrokenFile, NotHere where there is no such file."""
        path = self.root / file
        if path.suffix != ".yml" or Path(file).is_absolute() or ".." in Path(file).parts or not path.is_file():
            raise NotHere(f"There is no file {file} any more.")
        status = path.stat()
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._read.get(file)
        if known is None or known[0] != state:
            # Writing holds what was read against what is there then, so a state that lies costs an edit, never data.
            try:
                known = (state, read_nlu(path.read_bytes()))
            except BrokenFile as error:
                known = (state, error)
            self._read[file] = known
        if isinstance(known[1], BrokenFile):
            raise BrokenFile(known[1].line, known[1].reason)
        return known[1]

    def _write(self, file: str, before: NluFile, content: bytes) -> None:
        write(self.root / file, before.content, content)
        self._changed()

    def _readable(self) -> Iterator[tuple[str, NluFile]]:
        for file in self.files():
            try:
                yield file, self._load(file)
            except BrokenFile:
                continue

    def _domain(self, part: str) -> list[str]:
        names: dict[str, None] = {}
        for path in sorted((self.folder / "domain").rglob("*.yml")):
            if path.parent.name == "responses":
                continue
            try:
                content = YAML(typ="safe", pure=True).load(path.read_text())
            except (YAMLError, UnicodeDecodeError):
                continue  # told by `rasa data validate`
            for one in (content or {}).get(part) or []:
                names.setdefault(next(iter(one)) if isinstance(one, dict) else str(one))
        return list(names)


def language_of(file: str) -> str:
    """The folder's name; "" for what belongs to no language."""
    return file.split("/", 1)[0] if "/" in file else ""


def _rows(file: str, nlu: NluFile) -> Iterator[Row]:
    for block in nlu.blocks:
        if block.intent.startswith(_NOT_CHOSEN):
            continue
        for example in block.examples:
            yield Row(language_of(file), block.intent, example.line, file, example.number)
