"""Security profiles 0 to 3, TLS ended here or by a proxy, and chargers that knock before they are provisioned."""

from __future__ import annotations

import base64
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from chargeline.clock import SystemClock
from chargeline.settings import Settings
from ocpp_bridge.__main__ import CannotStart, tls_context
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.importing import parse, store_network
from ocpp_bridge.knocks import MOST, Knocks
from ocpp_bridge.model import Charger
from ocpp_bridge.server.channel import Channel, Proxies, channel_of, name_in
from ocpp_bridge.server.handshake import admit
from ocpp_bridge.server.passwords import hashed
from ocpp_bridge.store.sqlite import SqliteStore
from tests.ocpp_bridge.conftest import Running, listener, url_of
from tests.ocpp_bridge.test_connections import basic, status_of

PASSWORD = "0123456789abcdef"
CLEAR, TLS = Channel("10.0.0.9"), Channel("10.0.0.9", True)
RIGHT = "Basic " + base64.b64encode(f"CL-1:{PASSWORD}".encode()).decode()


@pytest.mark.parametrize(
    ("profile", "channel", "credentials", "welcome"),
    [
        (None, CLEAR, RIGHT, True),
        (None, CLEAR, None, False),
        (0, CLEAR, None, True),
        (1, CLEAR, RIGHT, True),
        (1, CLEAR, None, False),
        (1, TLS, RIGHT, True),
        (2, TLS, RIGHT, True),
        (2, CLEAR, RIGHT, False),
        (2, TLS, None, False),
        (3, Channel("x", True, "CL-1"), None, True),
        (3, Channel("x", True, "CL-2"), RIGHT, False),
        (3, TLS, RIGHT, False),
        (3, Channel("x", False, "CL-1"), RIGHT, False),
    ],
)
def test_each_profile_asks_for_what_it_says(
    profile: int | None, channel: Channel, credentials: str | None, welcome: bool
) -> None:
    charger = Charger("CL-1", "1", "s", password_hash=hashed(PASSWORD), security_profile=profile)
    assert (admit("CL-1", charger, credentials, channel) is None) == welcome


def test_a_profile_with_a_password_that_was_never_set_lets_nobody_in() -> None:
    charger = Charger("CL-1", "1", "s", security_profile=1)
    assert admit("CL-1", charger, RIGHT, CLEAR) is not None
    assert admit("CL-1", charger, "Basic " + base64.b64encode(b"CL-1:").decode(), CLEAR) is not None


PROXIES = Proxies.read("10.1.0.0/16, ::1", "X-SSL-Client-CN")


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("10.1.2.3", {"X-Forwarded-Proto": "https"}, Channel("10.1.2.3", True)),
        ("10.1.2.3", {"X-Forwarded-Proto": "http"}, Channel("10.1.2.3")),
        ("10.1.2.3", {}, Channel("10.1.2.3")),
        ("10.2.2.3", {"X-Forwarded-Proto": "https", "X-SSL-Client-CN": "CL-1"}, Channel("10.2.2.3")),
        ("::1", {"X-Forwarded-Proto": "wss", "X-SSL-Client-CN": "CN=CL-1,O=Op"}, Channel("::1", True, "CL-1")),
        ("10.1.2.3", {"X-Forwarded-Proto": "http, https"}, Channel("10.1.2.3", True)),
        ("10.1.2.3", {"X-Forwarded-Proto": "https, http"}, Channel("10.1.2.3")),
        ("10.1.2.3", {"X-Forwarded-For": "6.6.6.6, 9.9.9.9"}, Channel("9.9.9.9")),
        ("10.1.2.3", {"X-SSL-Client-CN": "CL-1"}, Channel("10.1.2.3")),
        ("not an address", {"X-Forwarded-Proto": "https"}, Channel("not an address")),
    ],
)
def test_only_a_trusted_proxys_word_counts(peer: str, headers: dict[str, str], expected: Channel) -> None:
    assert channel_of(peer, None, False, Headers(headers), PROXIES) == expected


def test_names_are_read_out_of_a_subject() -> None:
    assert [name_in(text) for text in ("CL-1", "/O=Op/CN=CL-1", "O=Op, CN=CL-1", "O=Op", "", None, "CN=a,CN=b")] == [
        *["CL-1"] * 3,
        *[None] * 4,
    ]


@dataclass
class Certificates:
    folder: Path

    def make(self, name: str, subject: str, signed_by: str | None = None) -> None:
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", subject]
        command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        if signed_by is not None:
            command += ["-CA", str(self.folder / f"{signed_by}.pem"), "-CAkey", str(self.folder / f"{signed_by}.key")]
            command += ["-addext", "basicConstraints=critical,CA:FALSE"]
        subprocess.run(command, check=True, capture_output=True, timeout=20)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def client(self, name: str | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        if name is not None:
            context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing")
    found = Certificates(tmp_path_factory.mktemp("certificates"))
    found.make("ca", "/CN=Test CA")
    for name, subject in (("server", "/CN=localhost"), ("one", "/CN=CL-TLS3"), ("two", "/CN=CL-OTHER")):
        found.make(name, subject, "ca")
    found.make("self", "/CN=CL-TLS3")
    return found


@pytest.fixture
async def wss(settings: Settings, certificates: Certificates, tmp_path: Path) -> AsyncIterator[str]:
    """A bridge with a TLS listener; the URL of that."""
    configured = replace(
        settings,
        ocpp_tls_cert=certificates.path("server.pem"),
        ocpp_tls_key=certificates.path("server.key"),
        ocpp_tls_client_ca=certificates.path("ca.pem"),
    )
    store, tls = SqliteStore(tmp_path / "bridge.sqlite3"), listener()
    bridge = Bridge(configured, store, SystemClock())
    await bridge.start(listener(), listener(), (tls, tls_context(configured)))
    chargers = [
        {"id": "CL-TLS2", "security_profile": 2, "password": PASSWORD},
        {"id": "CL-TLS3", "security_profile": 3},
    ]
    await store_network(parse({"chargers": chargers}), store, bridge.picture)
    yield url_of(tls, "wss")
    await bridge.stop()


async def tls_status(url: str, context: ssl.SSLContext, headers: dict[str, str] | None = None) -> int:
    try:
        async with connect(url, ssl=context, subprotocols=["ocpp1.6"], additional_headers=headers or {}) as socket:  # type: ignore[list-item]  # plain names do
            await socket.send('[2,"1","Heartbeat",{}]')
            assert "currentTime" in str(await socket.recv())
            return 101
    except InvalidStatus as error:
        return error.response.status_code


async def test_profile_2_is_a_password_over_tls(wss: str, certificates: Certificates) -> None:
    assert await tls_status(f"{wss}/ocpp/CL-TLS2", certificates.client(), basic("CL-TLS2", PASSWORD)) == 101
    assert await tls_status(f"{wss}/ocpp/CL-TLS2", certificates.client()) == 401


async def test_profile_3_is_a_certificate_in_the_chargers_name(wss: str, certificates: Certificates) -> None:
    url = f"{wss}/ocpp/CL-TLS3"
    assert await tls_status(url, certificates.client("one")) == 101
    assert await tls_status(url, certificates.client("two")) == 401
    assert await tls_status(url, certificates.client()) == 401
    with pytest.raises((OSError, InvalidMessage, ConnectionClosed)):  # nobody we trust signed it
        await tls_status(url, certificates.client("self"))


def test_a_certificate_that_cannot_be_used_is_one_line(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="OCPP_TLS_CERT"):
        tls_context(replace(settings, ocpp_tls_cert=str(tmp_path / "none.pem")))


# ---- knocking, accepting, passwords


async def pending(running: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await running.operator.get("/v1/pending-chargers")).json()["pending"]
    return found


async def test_an_unknown_charger_is_shown_to_operators_and_accepted_by_one(running: Running) -> None:
    url = f"{running.ws_url}/ocpp/CL-NEW"
    assert [await status_of(url) for _ in range(3)] == [404] * 3
    [knock] = await pending(running)
    assert (knock["id"], knock["count"], knock["address"], knock["protocols"]) == ("CL-NEW", 3, "127.0.0.1", "ocpp1.6")
    assert (await running.api.get("/v1/pending-chargers")).status_code == 403
    body = {"label": "99", "site": "site-1", "security_profile": 1}
    accepted = await running.operator.post("/v1/pending-chargers/CL-NEW/accept", json=body)
    assert accepted.status_code == 201
    password = accepted.json()["password"]
    assert accepted.json()["charger"]["label"] == "99"
    assert await pending(running) == []
    assert await status_of(url) == 401
    assert await status_of(url, basic("CL-NEW", password)) == 101
    assert (await running.operator.post("/v1/pending-chargers/CL-NEW/accept")).status_code == 404


async def test_a_rotated_password_takes_the_place_of_the_old_one(running: Running) -> None:
    url = f"{running.ws_url}/ocpp/CL-LOCK"
    rotated = await running.operator.post("/v1/chargers/CL-LOCK/credentials")
    assert (rotated.status_code, len(rotated.json()["password"])) == (201, 40)
    assert await status_of(url, basic("CL-LOCK", PASSWORD)) == 401
    assert await status_of(url, basic("CL-LOCK", rotated.json()["password"])) == 101
    assert (await running.api.post("/v1/chargers/CL-LOCK/credentials")).status_code == 403


async def test_a_knock_can_be_forgotten_and_outlives_a_restart(launch: Any) -> None:
    first: Running = await launch()
    for name in ("CL-A", "CL-B"):
        await status_of(f"{first.ws_url}/ocpp/{name}")
    assert (await first.operator.delete("/v1/pending-chargers/CL-A")).status_code == 204
    assert (await first.operator.delete("/v1/pending-chargers/CL-A")).status_code == 404
    await first.bridge.stop()
    second: Running = await launch()
    assert [knock["id"] for knock in await pending(second)] == ["CL-B"]


async def test_an_import_that_says_nothing_of_security_does_not_lower_it(running: Running) -> None:
    for row in ({"id": "CL-1042", "security_profile": 2}, {"id": "CL-1042", "label": "1042"}):
        assert (await running.operator.post("/v1/import", json={"chargers": [row]})).status_code == 200
    assert await status_of(f"{running.ws_url}/ocpp/CL-1042") == 401


async def test_knocks_are_bounded(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "bridge.sqlite3")
    await store.open()
    knocks = Knocks(store, SystemClock())
    await knocks.start()
    for number in range(MOST + 50):
        knocks.note(f"CL-{number}", "10.0.0.1", "")
    assert len(knocks.all()) == MOST
    assert knocks.get("CL-0") is None
    await knocks.stop()
    assert len(await store.knocks()) == MOST
    await store.close()


async def test_metrics_tell_who_was_turned_away(running: Running) -> None:
    await status_of(f"{running.ws_url}/ocpp/CL-404")
    async with httpx.AsyncClient(base_url=str(running.api.base_url)) as http:
        assert 'bridge_connections_total{result="not_found"} 1.0' in (await http.get("/metrics")).text
