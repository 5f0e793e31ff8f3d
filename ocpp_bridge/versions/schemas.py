"""Schema checks with the JSON schemas of the `ocpp` package, compiled once by jsonschema-rs, formats off.

Formats are off because chargers send times without a zone. Strict on what the bridge sends; for what it receives the
problems are listed, and the version's table says which of them cannot be lived with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import orjson


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which a payload departs from its schema. `field` is the top-level field, "" for the payload itself."""

    keyword: str
    field: str
    path: str

    def __str__(self) -> str:
        return f"{self.keyword} at {self.path or 'payload'}"


class Schema:
    def __init__(self, schema: dict[str, Any]) -> None:
        self._validator = jsonschema_rs.Draft4Validator(schema, validate_formats=False)

    def valid(self, payload: dict[str, Any]) -> bool:
        return self._validator.is_valid(payload)

    def problems(self, payload: dict[str, Any], limit: int = 20) -> list[Problem]:
        """Up to `limit` problems; paths carry no values and no array positions, so that equal ones count as one."""
        found: dict[Problem, None] = {}
        for error in self._validator.iter_errors(payload):
            found[_problem(error)] = None
            if len(found) >= limit:
                break
        return list(found)


def _problem(error: jsonschema_rs.ValidationError) -> Problem:
    steps = [str(step) for step in error.instance_path if not isinstance(step, int)]
    kind = error.kind
    keyword = kind.name
    if keyword == "required":
        steps.append(str(getattr(kind, "property", "")).strip('"'))
    elif keyword == "additionalProperties":
        unexpected = getattr(kind, "unexpected", None) or [""]
        steps.append(str(unexpected[0])[:50])
    return Problem(keyword, steps[0] if steps else "", ".".join(steps)[:100])


@cache
def schema(version: str, name: str) -> Schema:
    """`version` is the package's name for it (`v16`), `name` the file's (`BootNotificationResponse`)."""
    text = files("ocpp").joinpath(version, "schemas", f"{name}.json").read_text(encoding="utf-8-sig")
    return Schema(orjson.loads(text))
