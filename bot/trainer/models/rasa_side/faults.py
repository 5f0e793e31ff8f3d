"""A file that is no YAML stops a training. Rasa only warns of one and goes on without its messages, so a slip of the finger would
cost an intent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError


class DataFault(ValueError):
    """The data cannot make a model that works; the message says what to mend, and where."""

    def __init__(self, message: str, file: Optional[str] = None, line: Optional[int] = None) -> None:
        super().__init__(message + (f' in "{file}", line {line}' if file and line else ""))


def refuse_broken_files(*folders: str) -> None:
    """Raises DataFault for the first file that cannot be read."""
    for file in sorted(path for folder in folders for path in Path(folder).rglob("*.yml")):
        try:
            YAML(typ="safe", pure=False).load(file.read_text("utf-8"))
        except UnicodeDecodeError as error:
            line = file.read_bytes()[: error.start].count(b"\n") + 1
            raise DataFault("this is not UTF-8", str(file), line) from None
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            said = " ".join(str(part) for part in (error.context, error.problem) if part)
            raise DataFault(said, str(file), mark.line + 1 if mark else 1) from None
        except YAMLError as error:
            raise DataFault(" ".join(str(error).split()), str(file), 1) from None
