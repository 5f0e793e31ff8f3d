"""Reads query arguments and command bodies; raises a Problem that names the field."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import orjson
from sanic import Request

from chargeline.web import Problem
from ocpp_bridge.model import Actor
from ocpp_bridge.safety import HIGHEST_TIER

LONGEST_WAIT_S = 25.0


def argument(request: Request, name: str) -> str | None:
    value = request.args.get(name)
    return value if value else None


def number_argument(request: Request, name: str, default: float, low: float, high: float) -> float:
    return number(argument(request, name), name, default, low, high)


def number(value: Any, name: str, default: float, low: float, high: float) -> float:
    if value is None:
        return default
    try:
        found = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        found = math.nan
    if not low <= found <= high:
        raise Problem(400, "bad-argument", f"{name} must be a number from {low:g} to {high:g}.")
    return found


def place_argument(request: Request) -> tuple[float, float] | None:
    raw = argument(request, "near")
    if raw is None:
        return None
    try:
        latitude, longitude = (float(part) for part in raw.split(","))
    except ValueError:
        raise Problem(400, "bad-argument", "near must be 'latitude,longitude' in degrees.") from None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Problem(400, "bad-argument", "near is not a place on earth.")
    return latitude, longitude


def switch_argument(request: Request, name: str) -> bool | None:
    raw = argument(request, name)
    if raw is None:
        return None
    if raw.lower() not in {"true", "false", "1", "0"}:
        raise Problem(400, "bad-argument", f"{name} must be true or false.")
    return raw.lower() in {"true", "1"}


def text_field(body: dict[str, Any], name: str, *, longest: int, slug: str, required: bool = True) -> str | None:
    value = body.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise Problem(422, slug, f"{name} must be text of 1 to {longest} characters.")
    return value


def whole_field(body: dict[str, Any], name: str, slug: str) -> int:
    value = body.get(name)
    if type(value) is not int or not 1 <= value <= 999_999:
        raise Problem(422, slug, f"{name} must be a whole number from 1 to 999999.")
    return value


def actor_field(body: dict[str, Any], *, operator: bool) -> Actor:
    raw = body.get("actor")
    if not isinstance(raw, dict):
        raise Problem(422, "bad-command", "actor must be an object with driver, tier and conversation.")
    tier = raw.get("tier")
    driver, conversation = (
        text_field(raw, name, longest=128, slug="bad-command", required=False) for name in ("driver", "conversation")
    )
    # A tier that is no whole number is for the gate to refuse by its rule, not for this to guess at. An operator's key
    # used on behalf of a driver (a lower tier) has the driver's rights, not the operator's.
    return Actor(driver, tier if type(tier) is int else -1, conversation, operator and tier == HIGHEST_TIER)


def body_hash(charger: str, body: dict[str, Any], operator: bool) -> str:
    """Tells whether two requests with one key ask for the same; how long the caller waits does not count."""
    asked = {name: value for name, value in body.items() if name != "wait_s"}
    canonical = orjson.dumps([charger, asked, operator], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()
