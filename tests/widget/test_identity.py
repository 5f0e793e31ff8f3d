"""What an operator's token must be, what an embed file must say, and how often one may call: pure, so the time is an argument."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.web_live import card_of, cost_of
from bot.drivers import load_drivers
from bot.identity.claims import LEEWAY_S, MOST_S, TokenRefused, verify
from bot.identity.embeds import Embed, EmbedsFileError, Signer, load_embeds, origin_of
from bot.identity.ended import EndedSessions, MongoEnded, SqliteEnded
from bot.identity.rates import Rate
from bot.store.model import Channel, Conversation
from chargeline.clock import SystemClock
from chargeline.mongo import Database
from tests.widget.conftest import ED, EMBED, MEMBERS, RSA, SECRET, embeds, pem, token

NOW = 1_800_000_000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("embeds") / "embeds.json"
    path.write_text(json.dumps(embeds()))
    return path


def embed(file: Path, key: str = EMBED) -> Any:
    found = load_embeds(str(file)).get(key)
    assert found is not None
    return found


def at_now(sub: str = "drv-ada", **more: Any) -> str:
    return token(sub, **{"iat": NOW, "exp": NOW + 600, **more})


@pytest.mark.parametrize(
    ("kid", "alg", "key"), [("ed-1", "EdDSA", ED), ("rsa-1", "RS256", RSA), ("hs-1", "HS256", SECRET)]
)
def test_a_token_of_each_algorithm_names_its_driver(file: Path, kid: str, alg: str, key: Any) -> None:
    claims = verify(at_now(kid=kid, alg=alg, key=key), embed(file), NOW)
    assert claims.driver == "drv-ada"
    assert claims.expires_at == NOW + 600 + LEEWAY_S


def unsigned(header: dict[str, Any]) -> str:
    parts = [header, {"sub": "drv-ada", "aud": EMBED, "iat": NOW, "exp": NOW + 600}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(lambda: unsigned({"alg": "none", "kid": "ed-1"}), id="no signature"),
        pytest.param(lambda: unsigned({"alg": "EdDSA", "kid": "ed-1"}), id="an empty signature"),
        pytest.param(
            lambda: at_now(kid="hs-1", alg="HS256", key="another-secret-of-somebody-else-123"), id="a wrong secret"
        ),
        pytest.param(lambda: at_now(kid="ed-1", alg="RS256", key=RSA), id="an algorithm that is not the key's"),
        pytest.param(lambda: at_now(kid="nobody"), id="an unknown kid"),
        pytest.param(lambda: at_now(aud=MEMBERS), id="for another embed"),
        pytest.param(lambda: at_now(aud=None), id="for nobody"),
        pytest.param(lambda: at_now(exp=None), id="without an end"),
        pytest.param(lambda: at_now(iat=None), id="without a beginning"),
        pytest.param(lambda: at_now(exp=NOW + MOST_S + 1), id="too long a life"),
        pytest.param(lambda: at_now(exp="soon"), id="an end in words"),
        pytest.param(lambda: at_now(iat=NOW + 3600, exp=NOW + 4000), id="from the future"),
        pytest.param(lambda: at_now(nbf=NOW + 3600), id="not valid yet"),
        pytest.param(lambda: at_now("guest:web_01"), id="a guest's sessions"),
        pytest.param(lambda: at_now("Guest:web_01"), id="nearly a guest's"),
        pytest.param(lambda: at_now("drv ada"), id="a space"),
        pytest.param(lambda: at_now(""), id="nobody's"),
        pytest.param(lambda: at_now("x" * 200), id="too long a name"),
        pytest.param(lambda: at_now("a\nb"), id="a control character"),
        pytest.param(lambda: at_now(note="x" * 5000), id="too long"),
    ],
)
def test_a_forged_or_careless_token_is_refused(file: Path, forged: Any) -> None:
    with pytest.raises(TokenRefused) as refused:
        verify(forged(), embed(file), NOW)
    assert refused.value.slug == "bad-token"


def test_a_public_key_is_no_secret(file: Path) -> None:
    """The old trick: sign HS256 with the text of the public key, under the public key's kid."""
    for kid, key in (("rsa-1", RSA), ("ed-1", ED)):
        header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": kid}).encode()).rstrip(b"=")
        body = unsigned({}).split(".")[1].encode()
        algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        mac = base64.urlsafe_b64encode(algorithm.sign(header + b"." + body, pem(key).encode())).rstrip(b"=")
        with pytest.raises(TokenRefused):
            verify((header + b"." + body + b"." + mac).decode(), embed(file), NOW)


def test_an_expired_token_is_told_apart_so_that_the_page_fetches_a_new_one(file: Path) -> None:
    assert verify(at_now(), embed(file), NOW + 600 + LEEWAY_S - 1).driver == "drv-ada"
    with pytest.raises(TokenRefused) as refused:
        verify(at_now(), embed(file), NOW + 600 + LEEWAY_S)
    assert refused.value.slug == "token-expired"


def test_a_changed_claim_breaks_the_signature(file: Path) -> None:
    head, _, mac = at_now().split(".")
    body = base64.urlsafe_b64encode(
        json.dumps({"sub": "drv-ben", "aud": EMBED, "iat": NOW, "exp": NOW + 600}).encode()
    ).decode()
    with pytest.raises(TokenRefused):
        verify(f"{head}.{body.rstrip('=')}.{mac}", embed(file), NOW)


@given(st.text(max_size=200) | st.text("abXY01_-.=", max_size=120))
def test_no_text_whatever_does_anything_but_be_refused(text: str) -> None:
    signers = {"ed-1": Signer("ed-1", "EdDSA", ED.public_key())}
    with pytest.raises(TokenRefused):
        verify(text, Embed(EMBED, "Volt", frozenset(), True, signers), NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "x"}, "key"),
        ({"name": ""}, "name"),
        ({"origins": []}, "origins"),
        ({"origins": ["https://*.volt.example"]}, "origin"),
        ({"origins": ["null"]}, "origin"),
        ({"origins": ["https://volt.example/app"]}, "origin"),
        ({"origins": ["https://user@volt.example"]}, "origin"),
        ({"anonymous": "no"}, "anonymous"),
        ({"anonymous": False, "signers": []}, "neither anonymous nor a signer"),
        ({"signers": [{"kid": "a", "alg": "none"}]}, "alg"),
        ({"signers": [{"kid": "a", "alg": "HS256", "secret": "short"}]}, "at least 32 bytes"),
        ({"signers": [{"kid": "a", "alg": "HS256", "secret": pem(RSA)}]}, "PEM"),
        ({"signers": [{"kid": "a", "alg": "EdDSA", "public_key": pem(RSA)}]}, "Ed25519"),
        ({"signers": [{"kid": "a", "alg": "RS256", "public_key": "x"}]}, "RSA"),
        ({"signers": [{"kid": "", "alg": "RS256"}]}, "kid"),
    ],
)
def test_a_mistake_in_the_embed_file_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "embeds.json"
    path.write_text(json.dumps([{**embeds()[0], **change}]))
    with pytest.raises(EmbedsFileError, match="embed 1") as error:
        load_embeds(str(path))
    assert words in str(error.value)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("text", ["{", "{}", "[3]"])
def test_what_is_no_embed_file_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(EmbedsFileError):
        load_embeds(str(tmp_path / "e.json"))
    with pytest.raises(EmbedsFileError):
        load_embeds(str(tmp_path / "missing.json"))


def test_origins_are_written_as_browsers_send_them() -> None:
    assert origin_of("HTTPS://App.Volt.example:443/") == "https://app.volt.example"
    assert origin_of("http://localhost:5173") == "http://localhost:5173"
    assert origin_of("capacitor://localhost") == "capacitor://localhost"


def test_a_rate_lets_a_burst_through_and_then_so_many_a_second() -> None:
    rate = Rate(3, 0.5)
    assert [rate.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert rate.take("b", 0.0)
    assert not rate.take("a", 1.9)
    assert rate.take("a", 2.1)


def test_a_signed_driver_is_that_driver_and_nobody_is_by_looking_like_one(tmp_path: Path) -> None:
    path = tmp_path / "drivers.json"
    path.write_text(json.dumps([{"driver_id": "drv-ada", "phone": "+16135550101", "language": "fr"}]))
    drivers = load_drivers(str(path), guest_starts=False)
    when = datetime(2026, 1, 1, tzinfo=UTC)

    def of(channel: Channel, address: str) -> tuple[str, int, str]:
        driver = drivers.of(Conversation("x_1", channel, address, when))
        return driver.id, driver.tier, driver.language

    assert of(Channel.WEB, "driver:drv-ada") == ("drv-ada", 1, "fr")
    assert of(Channel.WEB, "driver:drv-new") == ("drv-new", 1, "en")
    assert of(Channel.WEB, "vis_1") == ("guest:x_1", 0, "en")
    assert of(Channel.TERMINAL, "driver:drv-ada") == ("guest:x_1", 0, "en")
    assert of(Channel.WEB, "+16135550101") == ("guest:x_1", 0, "en")


def test_what_a_session_costs_is_said_only_where_the_tariff_settles_it() -> None:
    tariff = {"currency": "CAD", "price_per_kwh": 0.25, "price_per_minute": 0.1, "session_fee": 1}
    assert cost_of(tariff, 3400, 600) == {"amount_cents": 285, "currency": "CAD"}
    assert cost_of(None, 3400, 600) is None
    assert cost_of({"currency": "CAD"}, 3400, 600) is None
    assert cost_of(tariff, None, 600) is None
    assert cost_of(tariff, 3400, None) is None
    assert cost_of({**tariff, "price_per_kwh": "dear"}, 3400, 600) is None


def test_a_card_shows_what_the_connector_does() -> None:
    session = {"id": "s", "charger": "C", "connector": 2, "state": "active", "started_at": "2026-01-01T12:00:00Z"}
    charger = {"label": "42", "connectors": [{"connector": 2, "status": "SuspendedEV", "max_kw": 50}]}
    now = datetime(2026, 1, 1, 12, 10, tzinfo=UTC)
    assert card_of(session, charger, now)["state"] == "paused_by_car"
    assert card_of({**session, "connector": 1}, charger, now)["state"] == "running"
    ended = card_of({**session, "state": "ended", "power_w": 7000}, charger, now)
    assert (ended["state"], ended["power_w"]) == ("ended", None)


async def remembers(first: EndedSessions, second: EndedSessions) -> None:
    await first.open()
    await first.add("a", time.time() + 60)
    await first.add("a", time.time() + 60)
    await second.open()
    assert await second.has("a")
    assert not await second.has("b")


async def test_an_ended_session_is_remembered_by_the_next_process(tmp_path: Path) -> None:
    engines = [SqliteEnded(tmp_path / "web.sqlite3", SystemClock()) for _ in range(2)]
    await remembers(*engines)
    for engine in engines:
        await engine.close()


@pytest.mark.mongo
async def test_an_ended_session_is_remembered_in_mongodb(mongo_database: Database) -> None:
    await remembers(MongoEnded(mongo_database), MongoEnded(mongo_database))


async def test_what_has_ended_by_itself_is_forgotten(tmp_path: Path) -> None:
    ended = SqliteEnded(tmp_path / "web.sqlite3", SystemClock())
    await ended.open()
    await ended.add("old", time.time() - 1)
    await ended.add("new", time.time() + 60)
    assert (await ended.has("old"), await ended.has("new")) == (False, True)
    await ended.close()
