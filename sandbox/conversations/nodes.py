"""YAML that knows where it stands: every value with its file, line and field, so that a mistake is told where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


class BadScenario(ValueError):
    """A scenario file cannot be used; the message begins with `file:line: field:`."""


class Node:
    """A value of a scenario file. The readers below return plain values or raise BadScenario."""

    def __init__(self, node: yaml.Node, file: str, field: str) -> None:
        self._node = node
        self.file = file
        self.field = field

    @property
    def line(self) -> int:
        return int(self._node.start_mark.line) + 1

    def wrong(self, why: str) -> BadScenario:
        return BadScenario(f"{self.file}:{self.line}: {self.field or 'file'}: {why}")

    def _below(self, node: yaml.Node, name: str) -> Node:
        return Node(node, self.file, f"{self.field}.{name}" if self.field else name)

    def _plain(self) -> Any:
        """The scalar as Python sees it, by YAML's own rules."""
        if not isinstance(self._node, yaml.ScalarNode):
            return None
        return yaml.safe_load(yaml.serialize(self._node))

    # --- kinds of values
    def text(self, *, most: int = 2000) -> str:
        value = self._node.value if isinstance(self._node, yaml.ScalarNode) else None
        if not isinstance(value, str) or self._node.tag == "tag:yaml.org,2002:null" or not value.strip():
            raise self.wrong("a text is expected")
        if len(value) > most:
            raise self.wrong(f"at most {most} characters are expected")
        return value

    def word(self, allowed: Sequence[str]) -> str:
        value = self.text()
        if value not in allowed:
            raise self.wrong(f"{value!r} is not one of: {', '.join(allowed)}")
        return value

    def number(self, least: float = 0.0, most: float = 1_000_000.0) -> float:
        value = self._plain()
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.wrong(f"a number from {least:g} to {most:g} is expected")
        return float(value)

    def whole(self, least: int = 0, most: int = 1_000_000) -> int:
        value = self._plain()
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(f"a whole number from {least} to {most} is expected")
        return value

    def yes_or_no(self) -> bool:
        value = self._plain()
        if not isinstance(value, bool):
            raise self.wrong("true or false is expected")
        return value

    def anything(self) -> Any:
        """The value below this node as plain Python, for data that others check."""
        return yaml.safe_load(yaml.serialize(self._node))

    # --- collections
    @property
    def is_mapping(self) -> bool:
        return isinstance(self._node, yaml.MappingNode)

    def items(self) -> list[tuple[Node, Node]]:
        """The pairs of a mapping. Raises where a key stands twice."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.wrong("a mapping (name: value) is expected")
        pairs: list[tuple[Node, Node]] = []
        seen: set[str] = set()
        for key, value in self._node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._below(key, "?").wrong("a plain name is expected")
            if key.value in seen:
                raise self._below(key, key.value).wrong("stands here twice")
            seen.add(key.value)
            pairs.append((self._below(key, key.value), self._below(value, key.value)))
        return pairs

    def fields(self, known: Sequence[str], required: Sequence[str] = ()) -> Mapping[str, Node]:
        """The mapping's values by name. Raises for an unknown name and for a missing one."""
        found: dict[str, Node] = {}
        for key, value in self.items():
            name = key.text()
            if name not in known:
                raise key.wrong(f"unknown field; known here: {', '.join(known)}")
            found[name] = value
        if missing := [name for name in required if name not in found]:
            raise self.wrong(f"{', '.join(missing)} is missing")
        return found

    def each(self) -> Iterator[Node]:
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.wrong("a list is expected")
        for index, value in enumerate(self._node.value, 1):
            yield Node(value, self.file, f"{self.field}[{index}]")

    def one_or_many(self, read: Callable[[Node], T]) -> tuple[T, ...]:
        """A single value or a list of such values."""
        if isinstance(self._node, yaml.SequenceNode):
            return tuple(read(each) for each in self.each())
        return (read(self),)


def read_file(path: Path, shown_as: str) -> Node:
    """The file's document. Raises BadScenario."""
    try:
        root = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise BadScenario(f"{shown_as}:1: file: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadScenario(f"{shown_as}:1: file: not UTF-8: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadScenario(f"{shown_as}:{line}: file: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise BadScenario(f"{shown_as}:1: file: not YAML: {error}") from None
    if root is None:
        raise BadScenario(f"{shown_as}:1: file: empty")
    return Node(root, shown_as, "")
