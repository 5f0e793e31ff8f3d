"""One file of training examples: where each example stands, and edits of single lines that leave every other byte alone. Pure.

ruamel.yaml says where the blocks are; the edit is made on the text. What comes out is read again and must differ from before in
that one example and in nothing else; if it does not, nothing is written. So an unusual way of writing YAML costs an edit, never data.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

_LINE = re.compile(r"[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029])|[^\r\n\x85\u2028\u2029]+$")
_STRIP = "\n\r "  # what Rasa strips an example of


class BrokenFile(Exception):
    """The file cannot be read as training data. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class NotHere(Exception):
    """The example that should be changed is not in the file (any more)."""


class NotEditable(Exception):
    """The file's way of writing this does not allow the edit by machine; the message says what a person can do."""


@dataclass(frozen=True, slots=True)
class Example:
    """`line` is the text as it stands after the dash; `number` counts physical lines from 1."""

    line: str
    number: int


@dataclass(frozen=True, slots=True)
class Block:
    """The examples of one intent at one place. `index`: which item of `nlu`; `editable`: examples are lines of a literal block.

    `first`, `last`: the physical lines of its content, from 0, `last` not included.
    """

    intent: str
    index: int
    start: int
    examples: tuple[Example, ...]
    editable: bool
    first: int = 0
    last: int = 0


@dataclass(slots=True)
class NluFile:
    """`bom`: the file begins with a byte order mark, which goes back where it was.

    `passed_over`: lines among examples that do not begin with a dash; Rasa leaves them out with a warning.
    """

    text: str
    bom: bool
    lines: list[str]
    document: dict[str, Any]
    blocks: list[Block] = field(default_factory=list)
    passed_over: list[Example] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        return (b"\xef\xbb\xbf" if self.bom else b"") + self.text.encode()

    def example(self, intent: str, line: str) -> tuple[Block, Example]:
        """The first one that is written so. Raises NotHere, NotEditable."""
        for block in self.blocks:
            if block.intent != intent:
                continue
            for example in block.examples:
                if example.line == line:
                    if not block.editable:
                        raise NotEditable(
                            f"The examples of {intent} are written in a form that only a person can edit here."
                        )
                    return block, example
        raise NotHere(f"“{line}” is not among the examples of {intent} any more.")

    def block_for(self, intent: str) -> Block | None:
        """The block of the intent that can be added to, with the most examples."""
        fitting = [block for block in self.blocks if block.intent == intent and block.editable and block.examples]
        return max(fitting, key=lambda block: len(block.examples), default=None)

    # --- edits: each returns the new content
    def add(self, block: Block, line: str, after: str | None = None) -> bytes:
        """A line behind the example `after` where that is still there, else behind the last one."""
        before = next((one for one in block.examples if one.line == after), block.examples[-1])
        model = self.lines[before.number - 1]
        start = re.match(r"[ \t]*-[ \t]?", model)
        assert start is not None, "an example begins with a dash"
        bullet = start[0] if start[0].endswith((" ", "\t")) else start[0] + " "
        return self._with_line(block, before.number, bullet + line, before.number - 1)

    def put_back(self, block: Block, raw: str, after: str | None, gap: int) -> bytes:
        """A line that was removed, as it stood: `gap` lines behind the example `after`, or behind the block's beginning.

        Where `after` has gone too, at the end; where something else stands there by now, right behind `after`.
        """
        before = next((one for one in block.examples if one.line == after), block.examples[-1])
        start = block.first if after is None else before.number
        taken = {example.number - 1 for example in block.examples}
        at = start + gap
        if at > block.last or taken & set(range(start, at)):
            at = start
        return self._with_line(block, at, raw, block.examples[0].number - 1 if after is None else before.number - 1)

    def remove(self, block: Block, example: Example) -> bytes:
        """Raises NotEditable for the last one of a block."""
        if len(block.examples) == 1:
            raise NotEditable(
                f"This is the last example of {block.intent} at that place; an intent cannot be left without one. "
                "Add another one first."
            )
        lines = list(self.lines)
        gone = lines.pop(example.number - 1)
        if not gone.endswith(("\n", "\r")) and example.number - 1 == len(lines):
            lines[-1] = lines[-1].rstrip("\r\n")  # the file ended without a line end, and still does
        return self._checked("".join(lines), block, example.number, None)

    def replace(self, block: Block, example: Example, line: str) -> bytes:
        lines = list(self.lines)
        raw = lines[example.number - 1]
        found = re.match(r"[ \t]*-[ \t]?", raw)
        assert found is not None, "an example begins with a dash"
        bullet = found[0] if found[0].endswith((" ", "\t")) else found[0] + " "
        lines[example.number - 1] = bullet + line + raw[len(raw.rstrip("\r\n\x85\u2028\u2029")) :]
        return self._checked("".join(lines), block, example.number, bullet.strip() + " " + line)

    def replace_raw(self, block: Block, example: Example, raw: str) -> bytes:
        """A physical line as it stood before it was reworded."""
        lines = list(self.lines)
        lines[example.number - 1] = raw
        return self._checked("".join(lines), block, example.number, raw.strip(" \t\r\n"))

    def add_block(self, intent: str, line: str) -> bytes:
        """A new block at the file's end. Raises NotEditable."""
        end = _end_of_line(self.lines)
        text = self.text if self.text.endswith(("\n", "\r")) or not self.text else self.text + end
        dash = " " * 2
        for number in (block.start for block in self.blocks):
            found = re.match(r"([ \t]*)-", self.lines[number])
            dash = found[1] if found else dash
        text += f"{dash}- intent: {intent}{end}{dash}  examples: |{end}{dash}    - {line}{end}"
        new = read_nlu(self._bytes(text))
        expected = copy.deepcopy(self.document)
        expected["nlu"] = [*(expected.get("nlu") or []), {"intent": intent, "examples": f"- {line}\n"}]
        if new.document != expected:
            raise NotEditable("A new intent cannot be added at the end of this file by machine.")
        return new.content

    def _bytes(self, text: str) -> bytes:
        return (b"\xef\xbb\xbf" if self.bom else b"") + text.encode()

    def _with_line(self, block: Block, at: int, raw: str, beside: int) -> bytes:
        lines = list(self.lines)
        neighbour = lines[beside]
        end = neighbour[len(neighbour.rstrip("\r\n\x85\u2028\u2029")) :]
        if not end:  # the neighbour is the file's last line and has no end: it gets one, the new line stays without
            end = _end_of_line(lines)
            if at > beside:
                lines[beside] += end
                end = ""
        raw = raw.rstrip("\r\n\x85\u2028\u2029")
        lines.insert(at, raw + end)
        return self._checked("".join(lines), block, at + 1, raw.strip(" \t"), inserted=True)

    def _checked(self, text: str, block: Block, number: int, example: str | None, *, inserted: bool = False) -> bytes:
        """The new content, once it has been read again and says what was meant and nothing else. Raises NotEditable."""
        said = [one.strip(_STRIP) for one in self.document["nlu"][block.index]["examples"].splitlines()]
        offset = number - 1 - block.first
        if inserted:
            said.insert(offset, example or "")
        elif example is None:
            del said[offset]
        else:
            said[offset] = example
        try:
            new = read_nlu(self._bytes(text))
        except BrokenFile as error:
            raise NotEditable(f"This text cannot be written into the file: {error}") from error
        now = copy.deepcopy(new.document)
        before = copy.deepcopy(self.document)
        found = [one.strip(_STRIP) for one in now["nlu"][block.index].pop("examples", "").splitlines()]
        before["nlu"][block.index].pop("examples")
        if now != before or _plain(found) != _plain(said):
            raise NotEditable("The file is written in a way that this edit would change more of it; edit it by hand.")
        return new.content


def _plain(lines: list[str]) -> list[str]:
    """Whatever is between dash and text, and empty lines at the end, are no difference."""
    while lines and not lines[-1]:
        lines = lines[:-1]
    return [re.sub(r"^-[ \t]*", "- ", line) for line in lines]


def _end_of_line(lines: list[str]) -> str:
    """How the file ends its lines."""
    return "\r\n" if lines and lines[0].endswith("\r\n") else "\n"


def read_nlu(content: bytes) -> NluFile:
    """Raises BrokenFile."""
    bom = content.startswith(b"\xef\xbb\xbf")
    try:
        text = content[3 if bom else 0 :].decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BrokenFile(line, "a byte here is no UTF-8 text; the file was saved in another encoding") from None
    try:
        root = YAML(typ="rt", pure=True).compose(text)
        document = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise BrokenFile(line, " ".join(said.split()) or "this is no YAML") from None
    except (YAMLError, ValueError, RecursionError) as error:
        line = text[: getattr(error, "position", 0) or 0].count("\n") + 1
        raise BrokenFile(line, " ".join(str(getattr(error, "reason", error)).split()) or "this is no YAML") from None
    if root is None:
        return NluFile(text, bom, _LINE.findall(text), {})
    if not isinstance(root, MappingNode) or not isinstance(document, dict):
        raise BrokenFile(root.start_mark.line + 1, "a mapping with `version` and `nlu` is expected")
    file = NluFile(text, bom, _LINE.findall(text), document)
    nlu = next((value for key, value in root.value if getattr(key, "value", None) == "nlu"), None)
    if nlu is None or (isinstance(nlu, ScalarNode) and nlu.value in {"", "null", "~"}):
        return file
    if not isinstance(nlu, SequenceNode):
        raise BrokenFile(nlu.start_mark.line + 1, "`nlu` must be a list")
    for index, item in enumerate(nlu.value):
        if not isinstance(item, MappingNode):
            raise BrokenFile(item.start_mark.line + 1, "an entry of `nlu` must say what it is, as in `- intent: greet`")
        keys = {getattr(key, "value", None): value for key, value in item.value}
        if "intent" in keys:
            file.blocks.append(_block(file, keys, index, item))
        elif not keys.keys() & {"regex", "lookup", "synonym"}:
            raise BrokenFile(
                item.start_mark.line + 1, "an entry of `nlu` needs `intent`, `regex`, `lookup` or `synonym`"
            )
    return file


def _block(file: NluFile, keys: dict[Any, Any], index: int, item: MappingNode) -> Block:
    name, node = keys["intent"], keys.get("examples")
    if not isinstance(name, ScalarNode) or not name.value.strip():
        raise BrokenFile(name.start_mark.line + 1, "an intent's name is expected")
    if node is None:
        raise BrokenFile(item.start_mark.line + 1, f"the intent {name.value} has no examples")
    start = item.start_mark.line
    if isinstance(node, SequenceNode):
        return Block(name.value, index, start, tuple(_listed(node, name.value)), editable=False)
    if not isinstance(node, ScalarNode):
        raise BrokenFile(node.start_mark.line + 1, f"the examples of {name.value} must be text or a list")
    said = []
    for line in node.value.splitlines():
        if line.startswith("-"):
            said.append(line[1:].strip(_STRIP))
        elif line.strip(_STRIP):
            file.passed_over.append(Example(line.strip(_STRIP), _line_of(file, node, line)))
    first = node.start_mark.line + 1
    written, last = _written(file.lines, first) if node.style == "|" else ([], first)
    if [one.line for one in written] == said:
        return Block(name.value, index, start, tuple(written), True, first, last)
    examples = tuple(Example(line, node.start_mark.line + 1) for line in said)
    return Block(name.value, index, start, examples, editable=False)


def _written(lines: list[str], first: int) -> tuple[list[Example], int]:
    """The examples of a literal block whose content begins at physical line `first` (from 0), and where it ends."""
    indent, found, at = None, [], first
    while at < len(lines):
        bare = lines[at].rstrip("\r\n\x85\u2028\u2029")
        if bare.strip(" "):
            depth = len(bare) - len(bare.lstrip(" "))
            if indent is None:
                indent = depth
            if depth < indent or depth == 0:
                break
            inside = bare[indent:]
            if inside.startswith("-"):
                found.append(Example(inside[1:].strip(_STRIP), at + 1))
        at += 1
    return found, at


def _listed(node: SequenceNode, intent: str) -> list[Example]:
    examples = []
    for item in node.value:
        text = item
        if isinstance(item, MappingNode):
            text = next((value for key, value in item.value if getattr(key, "value", None) == "text"), None)
        if not isinstance(text, ScalarNode):
            raise BrokenFile(item.start_mark.line + 1, f"an example of {intent} has no text")
        line = text.value.strip(_STRIP)
        examples.append(Example(line.removeprefix("-").strip(_STRIP), item.start_mark.line + 1))
    return examples


def _line_of(file: NluFile, node: ScalarNode, line: str) -> int:
    for number in range(node.start_mark.line, min(len(file.lines), node.end_mark.line + 1)):
        if file.lines[number].strip() == line.strip():
            return number + 1
    return int(node.start_mark.line) + 1
