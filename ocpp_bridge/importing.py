"""Sites, chargers and id tokens from JSON (`POST /v1/import`, CHARGERS_FILE): checked as a whole, then stored, by id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import structlog

from ocpp_bridge.model import Charger, Connector, Site, Token
from ocpp_bridge.picture import Picture
from ocpp_bridge.server.handshake import IDENTITY
from ocpp_bridge.server.passwords import hashed
from ocpp_bridge.store.base import BridgeStore

log = structlog.get_logger(__name__)
SHORTEST_PASSWORD = 16  # OCPP security whitepaper, A00: an AuthorizationKey has 16 to 40 characters


class ImportProblem(ValueError):
    """What cannot be imported, and where in the document it is. Nothing of the document was stored."""


@dataclass(frozen=True, slots=True)
class Network:
    sites: list[Site]
    chargers: list[Charger]
    tokens: list[Token]


class _Row:
    """One object of the document, read with messages that say where it is."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise ImportProblem(f"{where}: an object is expected")
        self.value: dict[str, Any] = value
        self.where = where

    def problem(self, name: str, expected: str) -> ImportProblem:
        return ImportProblem(f"{self.where}.{name}: {expected} is expected")

    def text(self, name: str, default: str | None = None, longest: int = 255) -> str:
        value = self.value.get(name, default)
        if not isinstance(value, str) or (default is None and not value) or len(value) > longest:
            raise self.problem(name, f"text of at most {longest} characters")
        return value

    def optional(self, name: str) -> str | None:
        return None if self.value.get(name) is None else self.text(name)

    def number(self, name: str, low: float, high: float) -> float | None:
        value = self.value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.problem(name, f"a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.value.get(name, default)
        if type(value) is not int or not 1 <= value <= 999:
            raise self.problem(name, "a whole number from 1 to 999")
        return value

    def time(self, name: str) -> datetime | None:
        value = self.optional(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise self.problem(name, "an ISO 8601 time") from None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def switch(self, name: str) -> bool:
        value = self.value.get(name, False)
        if not isinstance(value, bool):
            raise self.problem(name, "true or false")
        return value

    def rows(self, name: str) -> list[_Row]:
        value = self.value.get(name, [])
        if not isinstance(value, list):
            raise self.problem(name, "a list")
        return [_Row(item, f"{self.where}.{name}[{number}]") for number, item in enumerate(value)]


def parse(document: Any) -> Network:
    """Raises ImportProblem at the first thing that is wrong."""
    root = _Row(document, "document")
    if not {"sites", "chargers", "tokens"} & root.value.keys():
        raise ImportProblem("document: one of sites, chargers and tokens is expected")
    return Network(
        [_site(row) for row in root.rows("sites")],
        [_charger(row) for row in root.rows("chargers")],
        [_token(row) for row in root.rows("tokens")],
    )


def _site(row: _Row) -> Site:
    known = {"id", "name", "latitude", "longitude"}
    details = {key: value for key, value in row.value.items() if key not in known}
    return Site(
        row.text("id"), row.text("name"), row.number("latitude", -90, 90), row.number("longitude", -180, 180), details
    )


def _charger(row: _Row) -> Charger:
    identity = row.text("id", longest=48)
    if not IDENTITY.fullmatch(identity):
        raise row.problem("id", "an OCPP identity of up to 48 characters without ':', '/' or '?'")
    password = row.optional("password")
    if password is not None and len(password) < SHORTEST_PASSWORD:
        log.warning("charger_password_is_short", charger=identity, characters=len(password))
    return Charger(
        id=identity,
        label=row.text("label", identity),
        site=row.text("site", ""),
        connectors=_connectors(row),
        password_hash=hashed(password) if password else None,
        vendor=row.optional("vendor"),
        model=row.optional("model"),
    )


def _connectors(row: _Row) -> tuple[Connector, ...]:
    connectors = []
    for item in row.rows("connectors"):
        number = item.whole("connector")
        connectors.append(
            Connector(
                number,
                item.whole("evse", number),
                item.text("plug", ""),
                item.number("max_kw", 0, 10_000),
                item.switch("tethered"),
            )
        )
    if len({connector.connector for connector in connectors}) != len(connectors):
        raise row.problem("connectors", "a number only once")
    return tuple(connectors)


def _token(row: _Row) -> Token:
    return Token(
        row.text("id", longest=36),
        row.text("driver"),
        row.text("status", "Accepted", longest=20),
        row.time("expires_at"),
        row.optional("group"),
    )


async def store_network(network: Network, store: BridgeStore, picture: Picture) -> None:
    await store.put_sites(network.sites)
    await store.put_chargers(network.chargers)
    await store.put_tokens(network.tokens)
    for site in network.sites:
        picture.place(site)
    for charger in await store.chargers():  # from the store: it knows the passwords that were not given again
        picture.provision(charger)
    log.info("network_imported", sites=len(network.sites), chargers=len(network.chargers), tokens=len(network.tokens))


def read_file(path: Path) -> Network:
    """Raises ImportProblem, naming the file, also where it cannot be read."""
    try:
        return parse(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise ImportProblem(f"{path}: {error.strerror}") from None
    except (orjson.JSONDecodeError, ImportProblem) as error:
        raise ImportProblem(f"{path}: {error}") from None
