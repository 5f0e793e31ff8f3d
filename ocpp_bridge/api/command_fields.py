"""What each action takes besides actor and key, as a table; reads it from a body, or raises a Problem that names the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chargeline.web import Problem
from ocpp_bridge.api.reading import text_field, whole_field

SLUG = "bad-command"
MESSAGES = frozenset(
    {
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "StatusNotification",
        "TransactionEvent",
    }
)
LOCATION = re.compile(r"(?:https?|s?ftps?)://[^\s/]+\S*")
MOST_KEYS = 50
MOST_TOKENS = 1000


@dataclass(slots=True)
class Asked:
    """What a command is about, read from its body."""

    connector: int | None = None
    token: str | None = None
    session: str | None = None
    params: dict[str, Any] = field(default_factory=dict)


Reader = Callable[[dict[str, Any], Asked], None]


def read(action: str, body: dict[str, Any]) -> Asked:
    asked = Asked()
    for reader in FIELDS[action]:
        reader(body, asked)
    return asked


def _connector(body: dict[str, Any], asked: Asked) -> None:
    asked.connector = whole_field(body, "connector", SLUG)


def _connector_or_all(body: dict[str, Any], asked: Asked) -> None:
    if body.get("connector") is not None:
        _connector(body, asked)


def _token(body: dict[str, Any], asked: Asked) -> None:
    asked.token = text_field(body, "token", longest=36, slug=SLUG)


def _session(body: dict[str, Any], asked: Asked) -> None:
    asked.session = text_field(body, "session", longest=64, slug=SLUG)


def _session_or_danger(body: dict[str, Any], asked: Asked) -> None:
    """Where danger is reported, the connector does: whoever reports it does not know the session."""
    if body.get("reason") == "hazard" and body.get("session") is None:
        _connector(body, asked)
    else:
        _session(body, asked)


def _session_if_given(body: dict[str, Any], asked: Asked) -> None:
    asked.session = text_field(body, "session", longest=64, slug=SLUG, required=False)


def _kind(body: dict[str, Any], asked: Asked) -> None:
    asked.params["kind"] = _one_of(body, "kind", ("soft", "hard"), "soft")


def _evse(body: dict[str, Any], asked: Asked) -> None:
    if body.get("evse") is not None:
        asked.params["evse"] = whole_field(body, "evse", SLUG)


def _message(body: dict[str, Any], asked: Asked) -> None:
    asked.params["message"] = _one_of(body, "message", tuple(sorted(MESSAGES)), None)


def _list(body: dict[str, Any], asked: Asked) -> None:
    asked.params["update"] = _one_of(body, "update", ("differential", "full"), "differential")
    version = body.get("version")
    if type(version) is not int or not 1 <= version < 2**31:
        raise Problem(422, SLUG, "version must be a whole number above 0, and above the charger's list version.")
    asked.params["version"] = version
    asked.params["tokens"] = _texts(body, "tokens", 36, MOST_TOKENS)


def _minutes(body: dict[str, Any], asked: Asked) -> None:
    minutes = body.get("minutes", 15)
    if type(minutes) is not int or not 1 <= minutes <= 120:
        raise Problem(422, SLUG, "minutes must be a whole number from 1 to 120.")
    asked.params["minutes"] = minutes


def _reservation(body: dict[str, Any], asked: Asked) -> None:
    asked.params["reservation"] = text_field(body, "reservation", longest=64, slug=SLUG)


def _keys(body: dict[str, Any], asked: Asked) -> None:
    if body.get("keys") is not None:
        asked.params["keys"] = _texts(body, "keys", 100, MOST_KEYS)


def _variables(body: dict[str, Any], asked: Asked) -> None:
    """None: all of them."""
    if body.get("keys") is None:
        return
    names = _texts(body, "keys", 100, MOST_KEYS)
    if not names or any(name.count(".") != 1 or name.startswith(".") or name.endswith(".") for name in names):
        raise Problem(422, SLUG, "keys must be a list of Component.Variable names, at least one.")
    asked.params["keys"] = names


def _location(body: dict[str, Any], asked: Asked) -> None:
    location = text_field(body, "location", longest=500, slug=SLUG)
    if location is None or not LOCATION.fullmatch(location):
        raise Problem(422, SLUG, "location must be an http, https, ftp, ftps or sftp address.")
    asked.params["location"] = location


def _log(body: dict[str, Any], asked: Asked) -> None:
    asked.params["log"] = _one_of(body, "log", ("diagnostics", "security"), "diagnostics")


def _one_of(body: dict[str, Any], name: str, choices: tuple[str, ...], default: str | None) -> str:
    value = body.get(name) if body.get(name) is not None else default
    if not isinstance(value, str) or value not in choices:
        raise Problem(422, SLUG, f"{name} must be one of {', '.join(choices)}.")
    return value


def _texts(body: dict[str, Any], name: str, longest: int, most: int) -> list[str]:
    value = body.get(name)
    good = isinstance(value, list) and len(value) <= most
    if not good or not all(isinstance(item, str) and 0 < len(item) <= longest for item in value or ()):
        raise Problem(422, SLUG, f"{name} must be a list of at most {most} texts of 1 to {longest} characters.")
    return list(value or ())


FIELDS: Mapping[str, tuple[Reader, ...]] = {
    "start": (_connector, _token),
    "stop": (_session_or_danger,),
    "unlock": (_connector, _session_if_given),
    "reset": (_kind, _evse),
    "operative": (_connector_or_all,),
    "inoperative": (_connector_or_all,),
    "trigger": (_message, _connector_or_all),
    "get_local_list_version": (),
    "send_local_list": (_list,),
    "clear_cache": (),
    "reserve": (_connector, _token, _minutes),
    "cancel_reservation": (_reservation,),
    "get_configuration": (_keys,),
    "get_variables": (_variables,),
    "get_diagnostics": (_location,),
    "get_log": (_location, _log),
}
