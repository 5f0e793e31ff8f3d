"""The desk as a server: who gets in, what the page is served with, and what other sites' pages may not do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from bot.trainer.app import desk
from bot.trainer.signin import KeysError, SignIn, read_keys
from chargeline.clock import ManualClock
from chargeline.settings import Settings

ADA, BEN = "ada-has-this-key", "ben-has-this-key"
KEYS = f"ada:{ADA}, ben:{BEN}"


@pytest.fixture
async def http(tmp_path: object) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(desk_keys=KEYS, var_dir=str(tmp_path), private_host="127.0.0.1")
    async with (
        desk(settings, port=0, parts=[]) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


async def test_a_key_opens_the_desk_under_its_trainers_name(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/me")).status_code == 401
    answer = await http.post("/signin", json={"key": BEN})
    assert answer.json() == {"trainer": "ben"}
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert BEN not in cookie
    assert (await http.get("/api/me")).json() == {"trainer": "ben"}
    assert (await http.get("/api/me", headers={"Authorization": f"Bearer {ADA}"})).json() == {"trainer": "ada"}
    assert (await http.delete("/signin")).status_code == 204
    assert (await http.get("/api/me")).status_code == 401


async def test_tries_with_wrong_keys_are_slowed_down(http: httpx.AsyncClient) -> None:
    statuses = [(await http.post("/signin", json={"key": f"wrong-{n}"})).status_code for n in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert (await http.get("/api/me", headers={"Authorization": "Bearer wrong"})).status_code == 429
    assert (await http.get("/api/me", headers={"Authorization": f"Bearer {ADA}"})).status_code == 200


async def test_pages_of_other_sites_cannot_act(http: httpx.AsyncClient) -> None:
    assert (
        await http.post("/signin", json={"key": BEN}, headers={"Origin": "https://evil.example"})
    ).status_code == 403
    await http.post("/signin", json={"key": BEN})
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await http.post("/api/anything", json={}, headers=foreign)).status_code == 403
    assert (await http.delete("/signin", headers=foreign)).status_code == 403


async def test_the_page_may_load_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in ("desk.js", "desk.css", "icon.svg", "inbox.js", "data.js", "responses.js", "models.js"):
        assert (await http.get(f"/page/{name}")).status_code == 200, name
    for name in ("..%2Fsignin.py", "signin.py", "%2e%2e/app.py"):
        assert (await http.get(f"/page/{name}")).status_code == 404, name


async def test_a_session_ends_with_its_time_and_with_its_key() -> None:
    clock = ManualClock()
    signin = SignIn(read_keys(KEYS), clock)
    session = signin.session("ada")
    assert signin.trainer_of_session(session) == "ada"
    assert SignIn(read_keys(f"ada:another-key-of-adas,ben:{BEN}"), clock).trainer_of_session(session) is None
    assert SignIn(read_keys(f"ben:{BEN}"), clock).trainer_of_session(session) is None
    await clock.advance(12 * 3600)
    assert signin.trainer_of_session(session) is None
    assert signin.trainer_of_session("nonsense") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "DESK_KEYS is empty"),
        ("ada:short", "at least 12 characters"),
        (f"{ADA}, {BEN}", "there already"),
        (f"ada:{ADA},ada:{BEN}", "there already"),
        (f"ada:{ADA},ben:{ADA}", "there already"),
        (f"<b>:{ADA}", "a name of letters"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(KeysError, match=why) as refused:
        read_keys(text)
    assert ADA not in str(refused.value)


def test_a_single_key_needs_no_name() -> None:
    assert read_keys("made-by-make-run") == {"trainer": "made-by-make-run"}
