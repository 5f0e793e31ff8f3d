"""One file of responses: where each text stands, and edits that leave every other byte alone. Pure.

As with the training data, ruamel.yaml says where things are, the edit is made on the text, and the result is read again: it must
differ from before in that one text and in nothing else.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.trainer.corpus.nlufile import BrokenFile, NotEditable, NotHere

SECTIONS = ("responses", "texts")


@dataclass(frozen=True, slots=True)
class Wording:
    """One way of saying a response. `channel` "": everywhere that has no way of its own. `index` counts the ways from 0."""

    section: str
    name: str
    index: int
    text: str
    channel: str
    line: int
    start: int
    end: int
    style: str | None


@dataclass(slots=True)
class WordFile:
    """`places`: where each response's ways begin and end in the text, by section and name; `order`: names in their order."""

    text: str
    bom: bool
    document: dict[str, Any]
    wordings: list[Wording]
    places: dict[tuple[str, str], tuple[int, int]]

    @property
    def content(self) -> bytes:
        return self._bytes(self.text)

    def wording(self, name: str, channel: str) -> Wording:
        """The first way of saying it on this channel. Raises NotHere."""
        for one in self.wordings:
            if (one.name, one.channel) == (name, channel):
                return one
        raise NotHere(f"{name} has no text of its own for {channel or 'all channels'} any more.")

    def reword(self, wording: Wording, text: str) -> tuple[bytes, str]:
        """The new content, and what stood in the text's place before."""
        token = _token(text, wording.style)
        return self._with_token(wording, token, text), self.text[wording.start : wording.end]

    def put_back(self, wording: Wording, token: str, text: str) -> bytes:
        return self._with_token(wording, token, text)

    def add(self, name: str, channel: str, text: str, after: str | None) -> tuple[bytes, str]:
        """One more way of saying it for a channel, or a text that is missing in this language, behind the response `after`.

        The new content, and the piece that is new in it.
        """
        end = "\r\n" if "\r\n" in self.text else "\n"
        new: dict[str, Any] = {**({"channel": channel} if channel else {}), "text": text}
        there = next((one for one in self.places if one[1] == name), None)
        if there is not None:
            section, _ = there
            _, at = self.places[there]
            dash = self._dash(self.wording_of(section, name))
            first = f"{dash}- channel: {channel}{end}{dash}  text: " if channel else f"{dash}- text: "
            return self._inserted(at, f"{first}{_token(text, None)}{end}", lambda old: old[section][name].append(new))
        section = "texts" if "texts" in self.document else "responses"
        names = [key for key in self.places if key[0] == section]
        if not names:
            raise NotEditable("The file has no texts yet; write the first one by hand.")
        behind = next((one for one in names if one[1] == after), names[-1])
        _, at = self.places[behind]
        dash = self._dash(self.wording_of(*behind))
        indent = self._indent(*behind)
        first = f"{dash}- channel: {channel}{end}{dash}  text: " if channel else f"{dash}- text: "
        return self._inserted(
            at, f"{indent}{name}:{end}{first}{_token(text, None)}{end}", lambda old: old[section].update({name: [new]})
        )

    def take_out(self, name: str, channel: str, text: str, raw: str) -> bytes:
        """Lines that `add` wrote, where they still stand as it wrote them. Raises NotHere."""
        at = self.text.find(raw)
        wording = self.wording(name, channel)
        if at < 0 or wording.text != text or self.text.count(raw) != 1:
            raise NotHere(f"The text of {name} was changed since.")

        def change(old: dict[str, Any]) -> None:
            rows = old[wording.section][name]
            del rows[wording.index]
            if not rows:
                del old[wording.section][name]

        return self._checked(self.text[:at] + self.text[at + len(raw) :], change)

    def wording_of(self, section: str, name: str) -> Wording:
        return next(one for one in self.wordings if (one.section, one.name) == (section, name))

    def _with_token(self, wording: Wording, token: str, text: str) -> bytes:
        def change(old: dict[str, Any]) -> None:
            old[wording.section][wording.name][wording.index]["text"] = text

        return self._checked(self.text[: wording.start] + token + self.text[wording.end :], change)

    def _inserted(self, at: int, lines: str, change: Callable[[dict[str, Any]], Any]) -> tuple[bytes, str]:
        before = self.text[:at]
        end = "\r\n" if "\r\n" in self.text else "\n"
        if before and not before.endswith(("\n", "\r")):
            lines = end + lines.removesuffix(end)
        return self._checked(before + lines + self.text[at:], change), lines

    def _checked(self, text: str, change: Callable[[dict[str, Any]], Any]) -> bytes:
        expected = copy.deepcopy(self.document)
        change(expected)
        try:
            new = read_words(self._bytes(text))
        except BrokenFile as error:
            raise NotEditable(f"This text cannot be written into the file: {error}") from error
        if new.document != expected:
            raise NotEditable("The file is written in a way that this edit would change more of it; edit it by hand.")
        return new.content

    def _dash(self, wording: Wording) -> str:
        """What stands before the dash of a response's ways."""
        line_start = self.text.rfind("\n", 0, wording.start) + 1
        found = re.match(r"([ \t]*)-", self.text[line_start:])
        return found[1] if found else "    "

    def _indent(self, section: str, name: str) -> str:
        begin, _ = self.places[section, name]
        return " " * (begin - (self.text.rfind("\n", 0, begin) + 1))

    def _bytes(self, text: str) -> bytes:
        return (b"\xef\xbb\xbf" if self.bom else b"") + text.encode()


def _token(text: str, style: str | None) -> str:
    """The text as YAML: in the quotes it had where that can be, else in double ones."""
    if style == "'" and not re.search(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]", text):
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=False)


def read_words(content: bytes) -> WordFile:
    """Raises BrokenFile."""
    bom = content.startswith(b"\xef\xbb\xbf")
    try:
        text = content[3 if bom else 0 :].decode()
    except UnicodeDecodeError as error:
        raise BrokenFile(content[: error.start].count(b"\n") + 1, "a byte here is no UTF-8 text") from None
    try:
        root = YAML(typ="rt", pure=True).compose(text)
        document = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise BrokenFile(
            mark.line + 1 if mark is not None else 1, " ".join(said.split()) or "this is no YAML"
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise BrokenFile(1, " ".join(str(error).split())) from None
    if not isinstance(root, MappingNode) or not isinstance(document, dict):
        raise BrokenFile(1, "a mapping with `responses` or `texts` is expected")
    file = WordFile(text, bom, document, [], {})
    for key, value in root.value:
        if getattr(key, "value", None) in SECTIONS and isinstance(value, MappingNode):
            for name, rows in value.value:
                _read_response(file, key.value, name, rows)
    return file


def _read_response(file: WordFile, section: str, name: Node, rows: Node) -> None:
    if not isinstance(rows, SequenceNode) or not rows.value:
        raise BrokenFile(name.start_mark.line + 1, f"{name.value} must be a list of texts")
    last = name.start_mark.index
    for index, row in enumerate(rows.value):
        if not isinstance(row, MappingNode):
            raise BrokenFile(row.start_mark.line + 1, f"a way of saying {name.value} must be as in `- text: ...`")
        fields = {getattr(key, "value", None): value for key, value in row.value}
        for value in fields.values():
            last = max(last, value.end_mark.index)
        said, channel = fields.get("text"), fields.get("channel")
        if isinstance(said, ScalarNode):
            end = said.end_mark.index
            if said.style in {"|", ">"}:  # its mark is where the next thing begins: the text ends with its last line
                end = said.start_mark.index + len(file.text[said.start_mark.index : end].rstrip())
            file.wordings.append(
                Wording(
                    section,
                    str(name.value),
                    index,
                    # Not the node's own value: it holds marks of where a folded text was folded.
                    str(file.document[section][name.value][index]["text"]),
                    str(channel.value) if isinstance(channel, ScalarNode) else "",
                    said.start_mark.line + 1,
                    said.start_mark.index,
                    end,
                    said.style,
                )
            )
    stop = last if file.text[last - 1 : last] == "\n" else file.text.find("\n", last) + 1 or len(file.text)
    file.places[section, str(name.value)] = (name.start_mark.index, stop)
