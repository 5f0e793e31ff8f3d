"""The page's API and the terminal channel, over real HTTP."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import httpx

from bot.channels.visitors import COOKIE, cookie_value
from tests.bot.doors import Door, until
from tests.bot.fake_rasa import FakeRasa, Turn


def said(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["text"] for entry in entries]


async def test_a_visitor_gets_a_signed_cookie_and_a_page_under_a_strict_policy(door: Door) -> None:
    page = await door.http.get("/?charger=CL-1042")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    cookie = page.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" in cookie  # PUBLIC_URL is https
    assert "<style" not in page.text
    assert "onclick" not in page.text
    for name in ("chat.js", "chat.css", "icon.svg"):
        assert (await door.http.get(f"/page/{name}")).status_code == 200
    for name in ("..%2f__main__.py", "index.html", "x"):
        assert (await door.http.get(f"/page/{name}")).status_code == 404


async def web(door: Door) -> dict[str, str]:
    """The headers of a new visitor. (The cookie is Secure, so a plain-HTTP client does not send it by itself.)"""
    page = await door.http.get("/")
    door.http.cookies.clear()
    return {"Cookie": page.headers["set-cookie"].partition(";")[0]}


async def test_a_message_is_answered_on_the_event_stream_and_a_repeat_is_one_message(
    door: Door, rasa: FakeRasa
) -> None:
    visitor = await web(door)
    body = {"client_id": "c1", "text": "/restart charger 1042", "charger": "CL-1042", "connector": 2}
    answers = [await door.http.post("/web/messages", json=body, headers=visitor) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert len({answer.json()["id"] for answer in answers}) == 1
    entries, _ = await door.stream(
        "/web/events", lambda e, s: len(e) == 3 and bool(s) and not s[-1]["working"], headers=visitor
    )
    assert said(entries)[0] == "restart charger 1042"
    assert "automated assistant of Volt" in said(entries)[1]
    assert said(entries)[2] == "You said: restart charger 1042"
    assert [entry["seq"] for entry in entries] == [1, 2, 3]
    assert entries[0]["client_id"] == "c1"
    assert len(rasa.asked) == 1
    sender, _, metadata = rasa.asked[0]
    assert sender.startswith("web_")
    assert (metadata["charger_hint"], metadata["connector_hint"]) == ("CL-1042", 2)
    resumed, _ = await door.stream("/web/events", lambda e, s: bool(s), after=2, headers=visitor)
    assert said(resumed) == said(entries)[2:]
    by_header, _ = await door.stream(
        "/web/events", lambda e, s: bool(s), after=0, headers={**visitor, "Last-Event-ID": "2"}
    )
    assert by_header == resumed


async def test_the_stream_shows_that_the_bot_is_working_and_replies_as_they_come(door: Door, rasa: FakeRasa) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(lines=[{"text": "one moment"}], hold=hold)]
    visitor = await web(door)
    await door.http.post("/web/messages", json={"client_id": "c1", "text": "1042"}, headers=visitor)
    _, states = await door.stream(
        "/web/events", lambda e, s: "one moment" in said(e) and bool(s) and s[-1]["seq"] >= 3, headers=visitor
    )
    assert states[-1]["working"] is True
    hold.set()


async def test_choices_are_opaque_and_only_ones_own(door: Door, rasa: FakeRasa) -> None:
    offer = Turn(lines=[{"text": "Which side?", "buttons": [{"title": "Left side", "payload": "/left"}]}])
    rasa.plans = [offer]
    visitor, other = await web(door), await web(door)
    await door.http.post("/web/messages", json={"client_id": "c1", "text": "1042"}, headers=visitor)
    entries, states = await door.stream("/web/events", lambda e, s: bool(s) and bool(s[-1]["choices"]), headers=visitor)
    token = states[-1]["choices"][0]
    assert entries[-1]["choices"] == [{"token": token, "title": "Left side"}]
    assert "/left" not in str(entries)
    tap = {"client_id": "c2", "choice": token}
    assert (await door.http.post("/web/messages", json=tap, headers=other)).status_code == 404
    assert (await door.http.post("/web/messages", json=tap, headers=visitor)).status_code == 202
    await until(lambda: rasa.messages == ["1042", "/left"], "the payload reaches Rasa")
    late = {"client_id": "c3", "choice": token}
    assert (await door.http.post("/web/messages", json=late, headers=visitor)).status_code == 202
    await until(lambda: rasa.messages == ["1042", "/left", "Left side"], "a choice that has passed is only words")


async def test_what_is_not_a_message_of_our_page_is_refused(door: Door, rasa: FakeRasa) -> None:
    visitor = await web(door)
    good = {"client_id": "c1", "text": "hi"}

    async def post(headers: dict[str, str], **body: Any) -> int:
        return (await door.http.post("/web/messages", json=body or good, headers=headers)).status_code

    now = int(time.time())
    forged = cookie_value(b"other-key", "vis_" + "0" * 26, now)
    old = cookie_value(b"web-key", "vis_" + "0" * 26, now - 91 * 24 * 3600)
    assert await post({}) == 403
    for value in (forged, old, "x", visitor["Cookie"][len(COOKIE) + 1 :] + "0"):
        assert await post({"Cookie": f"{COOKIE}={value}"}) == 403
        assert (await door.http.get("/web/events", headers={"Cookie": f"{COOKIE}={value}"})).status_code == 403
    for origin in ("https://evil.example", "null", "https://help.example.org.evil.example", "https://[", "ftp://x"):
        assert await post({**visitor, "Origin": origin}) == 403
    assert await post({**visitor, "Content-Type": "text/plain"}) == 415
    for wrong in (
        {"client_id": "c1"},
        {"client_id": "c1", "text": "a", "choice": "b"},
        {"client_id": "", "text": "a"},
        {"client_id": "x y", "text": "a"},
        {"client_id": 1, "text": "a"},
        {"client_id": "c1", "text": 1},
        {"client_id": "c1", "text": "  "},
        {"client_id": "c1", "choice": "../../x"},
        {"client_id": "c1", "text": "a", "charger": "<script>"},
        {"client_id": "c1", "text": "a", "charger": "CL-1", "connector": True},
        {"client_id": "c1", "text": "a", "charger": "CL-1", "connector": 0},
    ):
        assert await post(visitor, **wrong) == 400, wrong
    assert await post(visitor, client_id="c1", text="x" * 1601) == 413
    assert await post(visitor, client_id="c1", text="x" * 20000) == 413
    assert await post(visitor, client_id="c1", choice="in_00:0.0") == 404
    for raw in (b"", b"[]", b"{", b'{"client_id":"c1","text":"\\ud800"}', b"\xff"):
        answer = await door.http.post(
            "/web/messages", content=raw, headers={**visitor, "Content-Type": "application/json"}
        )
        assert answer.status_code == 400
    for after in ("x", "-1", "1e3", "٣", "9" * 40):
        answer = await door.http.get("/web/events", params={"after": after}, headers=visitor)
        assert answer.status_code == 400
    assert rasa.asked == []
    for origin in ("https://help.example.org", str(door.http.base_url).rstrip("/")):
        assert await post({**visitor, "Origin": origin}, client_id=f"c-{len(origin)}", text="hi") == 202


async def test_a_flood_is_stopped_and_other_visitors_are_not(door: Door, rasa: FakeRasa) -> None:
    hold = asyncio.Event()
    rasa.plans = [Turn(hold=hold)]
    visitor = await web(door)
    codes = [
        (await door.http.post("/web/messages", json={"client_id": f"c{n}", "text": "hi"}, headers=visitor)).status_code
        for n in range(25)
    ]
    assert codes[:20] == [202] * 20
    assert codes[20:] == [429] * 5
    other = await web(door)
    assert (
        await door.http.post("/web/messages", json={"client_id": "c", "text": "hi"}, headers=other)
    ).status_code == 202
    hold.set()


async def test_the_terminal_needs_its_key(door: Door) -> None:
    assert (await door.http.get("/terminal/bo/events")).status_code == 401
    assert (await door.http.get("/terminal/bo/events", headers={"Authorization": "Bearer x"})).status_code == 403
    assert (await door.terminal("bo%20b", "c1", text="hi")).status_code == 400
    assert (await door.terminal("bo", "c1", text="hi")).status_code == 202


async def test_a_terminal_conversation_is_found_again_by_its_name(door: Door, rasa: FakeRasa) -> None:
    await door.terminal("bo", "c1", text="one", charger="CL-7")
    await door.transcript("/terminal/bo/events", lambda entries: len(entries) == 3)
    await door.terminal("bo", "c2", text="two")
    entries = await door.transcript("/terminal/bo/events", lambda entries: len(entries) == 5)
    assert said(entries)[3:] == ["two", "You said: two"]
    assert [metadata["charger_hint"] for _, _, metadata in rasa.asked] == ["CL-7", "CL-7"]
    assert {metadata["channel"] for _, _, metadata in rasa.asked} == {"terminal"}


async def chat(url: str, lines: str, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot.chat", "--quiet", "0.5", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "BOT_URL": url, "TERMINAL_KEY": "terminal-key"},
    )
    out, err = await asyncio.wait_for(process.communicate(lines.encode()), 30)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_chat_client_sends_piped_lines_and_prints_the_answers(door: Door, rasa: FakeRasa) -> None:
    offer = [{"text": "Which side?", "buttons": [{"title": "Left", "payload": "/left"}]}]
    rasa.plans = [Turn(lines=offer)]
    code, out, err = await chat(str(door.http.base_url), "1042 is dead\n1\n", "--name", "bo", "--charger", "CL-1042")
    assert (code, err) == (0, "")
    assert out.index("you  1042 is dead") < out.index("bot  Which side?") < out.index("1  Left")
    assert "bot  You said: /left" in out
    assert rasa.messages == ["1042 is dead", "/left"]


async def test_the_chat_client_says_when_there_is_no_front_door() -> None:
    code, _, err = await chat("http://127.0.0.1:9", "hi\n")
    assert code == 1
    assert err.startswith("chat: no front door at http://127.0.0.1:9")
    assert "make run" in err
    assert err.count("\n") == 1


async def test_health_tells_apart_alive_ready_and_rasa(door: Door) -> None:
    assert (await door.http.get("/healthz")).json() == {"status": "ok"}
    assert (await door.http.get("/readyz")).json() == {"status": "ready", "store": "ok", "rasa": "up"}
    missing: httpx.Response = await door.http.get("/nowhere")
    assert missing.status_code == 404
    assert missing.json()["type"] == "urn:chargeline:not-found"
