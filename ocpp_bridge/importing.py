"""Sites, chargers, id tokens and tariffs from JSON, OCPI locations or CSV: checked as a whole, then stored, by id.

`POST /v1/import`, CHARGERS_FILE at start, and `python -m ocpp_bridge.importing FILE`, which hands the file to the bridge that
runs, by its API, and where none does writes into the store that the settings name.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import structlog

from chargeline.settings import Settings, SettingsError
from chargeline.sqlite import SchemaTooNew
from ocpp_bridge.formats import ocpi, table, tariffs
from ocpp_bridge.model import Charger, Connector, Site, Tariff, Token
from ocpp_bridge.picture import Picture
from ocpp_bridge.server.handshake import IDENTITY
from ocpp_bridge.server.passwords import hashed
from ocpp_bridge.store.base import BridgeStore

log = structlog.get_logger(__name__)
IMPORT_TIMEOUT_S = 60.0
SHORTEST_PASSWORD = 16  # OCPP security whitepaper, A00: an AuthorizationKey has 16 to 40 characters


class ImportProblem(ValueError):
    """What cannot be imported, and where in the document it is. Nothing of the document was stored."""


@dataclass(frozen=True, slots=True)
class Network:
    sites: list[Site]
    chargers: list[Charger]
    tokens: list[Token]
    tariffs: list[Tariff]

    @property
    def counts(self) -> dict[str, int]:
        counts = {"sites": len(self.sites), "chargers": len(self.chargers), "tokens": len(self.tokens)}
        return counts | ({"tariffs": len(self.tariffs)} if self.tariffs else {})


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
    if not {"sites", "chargers", "tokens", "tariffs"} & root.value.keys():
        raise ImportProblem("document: one of sites, chargers, tokens and tariffs is expected")
    return Network(
        [_site(row) for row in root.rows("sites")],
        [_charger(row) for row in root.rows("chargers")],
        [_token(row) for row in root.rows("tokens")],
        [_tariff(row) for row in root.rows("tariffs")],
    )


def read(data: bytes, kind: str) -> Network:
    """A network out of the bytes of a file or a request; `kind` is `json` or `csv`. Raises ImportProblem."""
    try:
        if kind == "csv":
            return parse(table.to_document(data.decode("utf-8-sig")))
        document = orjson.loads(data)
        return parse(ocpi.to_document(document) if ocpi.is_ocpi(document) else document)
    except (table.BadTable, ocpi.NotOcpi, tariffs.BadTariff) as error:
        raise ImportProblem(str(error)) from None
    except UnicodeDecodeError as error:
        raise ImportProblem(f"byte {error.start}: UTF-8 is expected") from None
    except orjson.JSONDecodeError as error:
        raise ImportProblem(f"not JSON: {error}") from None


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
        tariff=row.optional("tariff"),
        security_profile=_profile(row),
    )


def _profile(row: _Row) -> int | None:
    value = row.value.get("security_profile")
    if value is not None and (type(value) is not int or not 0 <= value <= 3):
        raise row.problem("security_profile", "an OCPP security profile from 0 to 3")
    return value


_PRICES = ("price_per_kwh", "price_per_minute", "session_fee", "idle_fee_per_minute", "idle_grace_minutes")


def _tariff(given: _Row) -> Tariff:
    row = _Row(tariffs.normal(given.value), given.where)
    currency = row.text("currency", longest=3)
    if len(currency) != 3 or not currency.isascii() or not currency.isupper():
        raise row.problem("currency", "an ISO 4217 code such as CAD")
    prices = {name: row.number(name, 0, 1_000_000) for name in _PRICES}
    known = {"id", "currency", "name", *_PRICES}
    details = {key: value for key, value in row.value.items() if key not in known}
    return Tariff(id=row.text("id"), currency=currency, name=row.text("name", ""), details=details, **prices)


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
                item.optional("tariff"),
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


def _keeping_profiles(chargers: list[Charger], picture: Picture) -> list[Charger]:
    """A document that says nothing of a charger's security profile does not lower it."""
    kept = []
    for charger in chargers:
        known = picture.charger(charger.id)
        silent = charger.security_profile is None and known is not None
        kept.append(replace(charger, security_profile=known.security_profile) if silent and known else charger)
    return kept


async def store_network(network: Network, store: BridgeStore, picture: Picture) -> None:
    await store.put_sites(network.sites)
    await store.put_chargers(_keeping_profiles(network.chargers, picture))
    await store.put_tokens(network.tokens)
    await store.put_tariffs(network.tariffs)
    for site in network.sites:
        picture.place(site)
    for tariff in network.tariffs:
        picture.price(tariff)
    for charger in await store.chargers():  # from the store: it knows the passwords that were not given again
        picture.provision(charger)
    log.info("network_imported", **network.counts)


def read_file(path: Path) -> Network:
    """By its name's ending `.csv`, else JSON. Raises ImportProblem, naming the file, also where it cannot be read."""
    try:
        return read(path.read_bytes(), "csv" if path.suffix.lower() == ".csv" else "json")
    except OSError as error:
        raise ImportProblem(f"{path}: {error.strerror}") from None
    except ImportProblem as error:
        raise ImportProblem(f"{path}: {error}") from None


async def _import_into_store(path: Path, settings: Settings) -> Network:
    from ocpp_bridge.store import open_store  # only where this module is the program

    network = read_file(path)
    store = open_store(settings)
    await store.open()
    try:
        await store_network(network, store, Picture())
    finally:
        await store.close()
    return network


def _import_into_running(path: Path, settings: Settings) -> dict[str, int] | None:
    """What the running bridge took; None where none runs. Raises ImportProblem where it will not have the file."""
    read_file(path)  # a mistake is named with the file, and before anything is sent
    kind = "text/csv" if path.suffix.lower() == ".csv" else "application/json"
    headers = {"Authorization": f"Bearer {settings.bridge_operator_key}", "Content-Type": kind}
    url = f"{settings.url_of('bridge')}/v1/import"
    try:
        response = httpx.post(url, content=path.read_bytes(), headers=headers, timeout=IMPORT_TIMEOUT_S)
    except httpx.ConnectError:
        return None
    except httpx.HTTPError as error:
        raise ImportProblem(f"the bridge at {url} did not answer: {type(error).__name__}") from None
    if response.status_code in (401, 403):
        raise ImportProblem(f"a bridge runs at {url}: set BRIDGE_OPERATOR_KEY to its key, so that it takes the file")
    if not response.is_success:
        raise ImportProblem(f"the bridge at {url} refused it: {response.text[:300]}")
    imported: dict[str, int] = response.json()["imported"]
    return imported


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m ocpp_bridge.importing FILE", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    try:
        settings = Settings.load()
        counts = _import_into_running(path, settings)
        where = "into the running bridge"
        if counts is None:
            counts = asyncio.run(_import_into_store(path, settings)).counts
            where = "into the store: no bridge runs"
    except (ImportProblem, SettingsError, SchemaTooNew) as error:
        print(f"import: {error}", file=sys.stderr)
        return 1
    print(f"imported {where}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
