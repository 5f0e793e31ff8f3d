"""Checks payloads against the OCPP JSON schemas that the `ocpp` package ships. Which error code a failure gets is the caller's."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

import jsonschema_rs
import orjson

from sandbox.frames import Payload

Version = Literal["1.6", "2.0.1", "2.1"]
_FOLDERS: dict[str, str] = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}


class UnknownAction(LookupError):
    """The specification of this version has no such action."""


class SchemaViolation(ValueError):
    """`keyword` is the JSON schema keyword that failed (`type`, `required`, `additionalProperties`, ...)."""

    def __init__(self, keyword: str, message: str) -> None:
        super().__init__(message)
        self.keyword = keyword


@cache
def _validator(version: Version, name: str) -> jsonschema_rs.Draft4Validator:
    if not name.isalnum():  # the name comes off the wire and becomes a file name
        raise UnknownAction(name)
    file = resources.files("ocpp") / _FOLDERS[version] / "schemas" / f"{name}.json"
    if not file.is_file():
        raise UnknownAction(name)
    # Formats are not checked: OCPP implementations disagree about date-time, and the schemas' own dialect leaves it open.
    return jsonschema_rs.Draft4Validator(
        orjson.loads(file.read_bytes().lstrip(b"\xef\xbb\xbf")), validate_formats=False
    )


def check(version: Version, action: str, direction: Literal["request", "response"], payload: Payload) -> None:
    """Raises UnknownAction or SchemaViolation (the first one found)."""
    ending = "Response" if direction == "response" else "" if version == "1.6" else "Request"
    for error in _validator(version, action + ending).iter_errors(payload):
        path = "/".join(str(part) for part in error.instance_path)
        raise SchemaViolation(error.kind.name, f"{path or 'payload'}: {error.message}")
