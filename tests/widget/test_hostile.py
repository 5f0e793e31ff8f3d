"""The web channel against those who should not get through, over real HTTP: nothing leaks, nothing doubles."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bot.channels.visitors import COOKIE, cookie_value
from bot.front_door import front_door
from chargeline.settings import Settings
from tests.bot.doors import EARS, FAST, until
from tests.bot.fake_rasa import FakeRasa, Turn
from tests.widget.conftest import EMBED, MEMBERS, ORIGIN, FakeBridge, Site, token

Events = list[tuple[str, Any]]


def said(events: Events) -> list[str]:
    return [data["text"] for name, data in events if name == "entry"]


def settled(events: Events) -> bool:
    return events[-1][0] == "state" and not events[-1][1]["working"] and events[-1][1]["seq"] > 0


async def test_a_signed_driver_has_one_conversation_whatever_token_or_page_they_come_with(
    site: Site, rasa: FakeRasa
) -> None:
    assert (await site.say(token(), "first")).status_code == 202
    assert (await site.say(token(jti="2"), "second", "c2")).status_code == 202
    events = await site.read(token(jti="3"), lambda e: settled(e) and "You said: second" in said(e))
    assert "You said: first" in said(events)
    assert {metadata["driver"] for _, _, metadata in rasa.asked} == {"drv-ada"}
    assert {metadata["tier"] for _, _, metadata in rasa.asked} == {1}


async def test_nobody_reads_or_writes_anothers_conversation(site: Site, rasa: FakeRasa) -> None:
    offer = [{"text": "Which side?", "buttons": [{"title": "Left", "payload": "/left"}]}]
    rasa.plans = [Turn(lines=offer)]
    ada, ben, visitor = token("drv-ada"), token("drv-ben"), await site.visitor()
    await site.say(ada, "my secret")
    mine = await site.read(ada, lambda e: settled(e) and bool(e[-1][1]["choices"]))
    choice = mine[-1][1]["choices"][0]
    conversation = rasa.asked[0][0]
    for other in (ben, visitor, await site.visitor()):
        theirs = await site.read(other, lambda e: e[-1][0] == "state")
        assert said(theirs) == []
        tap = await site.call("POST", "messages", other, json={"client_id": "x", "choice": choice})
        assert tap.status_code == 404
        older = await site.call("GET", "entries?before=100", other)
        assert older.json() == {"entries": []}
        # Naming a conversation, a driver or a sender does nothing: who writes follows from the token.
        body = {
            "client_id": "y",
            "text": "hi",
            "conversation": conversation,
            "sender": conversation,
            "driver": "drv-ada",
        }
        assert (await site.call("POST", f"messages?conversation={conversation}", other, json=body)).status_code == 202
    await until(lambda: len(rasa.asked) == 4, "each is a turn of its own")
    assert [sender for sender, _, _ in rasa.asked].count(conversation) == 1


async def test_forged_expired_and_misplaced_tokens_open_nothing(site: Site, rasa: FakeRasa) -> None:
    past = int(time.time()) - 4000
    refused = {
        "forged": token(key="x" * 40, alg="HS256", kid="hs-1"),
        "expired": token(iat=past, exp=past + 600),
        "of another embed": token(aud=MEMBERS),
        "a guest's": token("guest:web_01"),
        "nonsense": "a.b.c",
        "a cookie as a bearer": cookie_value(b"web-key", "vis_" + "0" * 26, int(time.time())),
    }
    for why, bearer in refused.items():
        for method, path in (
            ("POST", "messages"),
            ("GET", "events?after=0"),
            ("GET", "entries?before=9"),
            ("DELETE", "session"),
        ):
            body = {"json": {"client_id": "c", "text": "hi"}} if method == "POST" else {}
            answer = await site.call(method, path, bearer, **body)
            assert answer.status_code == 401, (why, path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
    expired = await site.say(refused["expired"], "hi")
    assert expired.json()["type"] == "urn:chargeline:token-expired"
    assert expired.headers["access-control-allow-origin"] == ORIGIN  # so that the page can tell, and fetch a new one
    assert (await site.call("POST", "messages", json={"client_id": "c", "text": "hi"})).status_code == 401
    assert rasa.asked == []


async def test_an_embeds_session_is_good_for_that_embed_only(site: Site) -> None:
    visitor = await site.visitor()
    members = {"embed": MEMBERS, "origin": "https://members.volt.example"}
    assert (await site.say(visitor, "hi", **members)).status_code == 401
    assert (await site.call("POST", "session", **members)).status_code == 403  # only who is signed in
    as_cookie = {"Cookie": f"{COOKIE}={visitor}"}
    answer = await site.http.post("/web/messages", json={"client_id": "c", "text": "hi"}, headers=as_cookie)
    assert answer.status_code == 403


async def test_foreign_origins_and_unknown_embeds_are_refused(site: Site, rasa: FakeRasa) -> None:
    for origin in (
        "https://evil.example",
        "null",
        "https://app.volt.example.evil.example",
        "http://app.volt.example",
        "https://members.volt.example",
    ):
        for bearer in (token(), await site.visitor()):
            answer = await site.say(bearer, "hi", origin=origin)
            assert answer.status_code == 403
            assert answer.json()["type"] == "urn:chargeline:foreign-origin"
        assert (await site.call("POST", "session", origin=origin)).status_code == 403
        assert (await site.call("GET", "events?after=0", token(), origin=origin)).status_code == 403
    assert "access-control-allow-origin" not in (await site.say(token(), "x", origin="https://evil.example")).headers
    for unknown in ("emb_unknown-key", "", "x" * 5000):
        assert (await site.say(token(), "hi", embed=unknown)).status_code in {400, 403, 431}
    assert rasa.asked == []


async def test_a_preflight_names_no_origin_that_nobody_allows(site: Site) -> None:
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        answer = await site.http.options(
            "/web/messages", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )
        assert answer.status_code == 204
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert "access-control-allow-credentials" not in answer.headers
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()


async def test_replayed_ids_are_one_message_and_are_each_drivers_own(site: Site, rasa: FakeRasa) -> None:
    answers = [await site.say(token(), f"attempt {number}", "same") for number in range(5)]
    assert [answer.status_code for answer in answers] == [202, 200, 200, 200, 200]
    many = await asyncio.gather(*(site.say(token(jti=str(n)), "again", "same") for n in range(10)))
    assert {answer.status_code for answer in many} == {200}
    assert (await site.say(token("drv-ben"), "mine", "same")).status_code == 202
    await until(lambda: len(rasa.asked) == 2, "one turn each")
    assert sorted(rasa.messages) == ["attempt 0", "mine"]


async def test_what_is_too_long_or_broken_is_refused_and_the_next_message_goes_through(
    site: Site, rasa: FakeRasa
) -> None:
    for size in (1601, 20_000, 1_000_000):
        answer = await site.say(token(), "x" * size, f"big{size}")
        assert answer.status_code == 413, size
        assert answer.headers["content-type"] == "application/problem+json"
    for body in (b"{", b"[]", b"\xff", b'{"client_id": 5, "text": "x"}', b'{"client_id": "a", "text": "\\ud800"}', b""):
        headers = {"Content-Type": "application/json"}
        assert (await site.call("POST", "messages", token(), content=body, headers=headers)).status_code == 400
    headers = {"Content-Type": "text/plain"}
    assert (await site.call("POST", "messages", token(), content=b"{}", headers=headers)).status_code == 415
    assert (await site.say(token(), "hello", "fine")).status_code == 202
    await until(lambda: rasa.messages == ["hello"], "the good one arrives")


async def test_a_flood_of_one_driver_is_held_and_does_not_hold_another(site: Site) -> None:
    statuses = [(await site.say(token(), "hi", f"f{number}")).status_code for number in range(60)]
    assert 429 in statuses
    assert set(statuses) <= {202, 429}
    assert (await site.say(token("drv-ben"), "hi")).status_code == 202


async def test_sessions_are_not_made_without_end_for_one_address(site: Site) -> None:
    made = []
    for _ in range(140):
        made.append((await site.http.get("/", headers={"Cookie": ""})).status_code)
        site.http.cookies.clear()
    assert set(made) == {200, 429}
    assert {(await site.call("POST", "session")).status_code for _ in range(140)} == {201, 429}


async def test_an_ended_session_stays_ended_and_its_stream_ends_at_once(site: Site, env: dict[str, str]) -> None:
    visitor, ada = await site.visitor(), token()
    await site.say(ada, "hello")
    reading = asyncio.create_task(site.read(ada, lambda e: e[-1][0] == "over"))
    await asyncio.sleep(0.2)
    for bearer in (visitor, ada):
        assert (await site.call("DELETE", "session", bearer)).status_code == 204
        assert (await site.say(bearer, "hi", "c9")).status_code == 401
    assert (await reading)[-1][0] == "over"
    assert (await site.say(token(jti="new"), "back again", "c10")).status_code == 202
    async with front_door(Settings.load(env), FAST, port=0, ears=EARS) as port:  # the next process remembers
        site.http.base_url = f"http://127.0.0.1:{port}"
        assert (await site.say(visitor, "hi", "c11")).status_code == 401


async def test_a_stream_ends_when_its_token_does(site: Site) -> None:
    now = int(time.time())
    short = token(iat=now - 40, exp=now - 28)  # within the leeway for two seconds more
    events = await site.read(short, lambda e: False)
    assert events[-1][0] == "over"


async def test_the_session_shown_is_the_drivers_own_and_updates_by_itself(site: Site, bridge: FakeBridge) -> None:
    bridge.session("drv-ada")
    shown = await site.read(token(), lambda e: e[-1][0] == "sessions")
    (card,) = shown[-1][1]["sessions"]
    assert (card["label"], card["state"], card["energy_wh"], card["power_w"]) == ("1042", "charging", 3400, 7100)
    assert card["cost"] == {"amount_cents": 185, "currency": "CAD"}
    assert "token" not in str(card)
    assert "driver" not in card
    assert not [e for e in await site.read(token("drv-ben"), lambda e: e[-1][0] == "state") if e[0] == "sessions"]
    assert set(bridge.asked) <= {"drv-ada", "drv-ben"}


async def test_what_passes_between_the_processes_does_not_reach_the_page(site: Site, rasa: FakeRasa) -> None:
    rasa.plans = [
        Turn(
            lines=[
                {"text": "A person writes.", "custom": {"handoff": {"case": "case_1"}}},
                {"text": "Pay", "custom": {"kind": "pay", "url": "https://x"}},
            ]
        )
    ]
    await site.say(token(), "person")
    events = await site.read(token(), lambda e: settled(e) and "Pay" in said(e))
    assert "case_1" not in str(events)
    assert [data["custom"]["kind"] for name, data in events if name == "entry" and "custom" in data] == ["pay"]
    assert {data["lang"] for name, data in events if name == "entry"} == {"en"}


async def test_language_and_rating_are_taken_and_nonsense_is_not(site: Site, rasa: FakeRasa) -> None:
    ada = token()
    assert (await site.call("POST", "language", ada, json={"language": "fr"})).status_code == 200
    assert (await site.call("POST", "language", ada, json={"language": "xx"})).status_code == 400
    for stars in (0, 6, True, "5", None):
        assert (await site.call("POST", "rating", ada, json={"client_id": "r", "stars": stars})).status_code == 400
    for _ in range(2):
        assert (await site.call("POST", "rating", ada, json={"client_id": "r1", "stars": 4})).status_code == 201
    events = await site.read(ada, lambda e: e[-1][0] == "state")
    assert said(events) == ["★★★★☆"]
    await site.say(ada, "bonjour", "c5")
    await until(lambda: len(rasa.asked) == 1, "it arrives")
    assert rasa.asked[0][2]["language"] == "fr"
    assert rasa.messages == ["bonjour"]  # a rating is no message


async def test_a_shared_place_reaches_the_dialogue_and_nonsense_does_not(site: Site, rasa: FakeRasa) -> None:
    async def post(client_id: str, place: Any) -> int:
        answer = await site.call("POST", "messages", token(), json={"client_id": client_id, "location": place})
        return answer.status_code

    for place in (
        5,
        [],
        {},
        {"latitude": 91, "longitude": 0},
        {"latitude": True, "longitude": 0},
        {"latitude": "1", "longitude": 2},
    ):
        assert await post("bad", place) == 400
    both = {"client_id": "x", "text": "hi", "location": {"latitude": 1, "longitude": 2}}
    assert (await site.call("POST", "messages", token(), json=both)).status_code == 400
    assert await post("good", {"latitude": 45.4215, "longitude": -75.6972, "accuracy_m": 12}) == 202
    await until(lambda: len(rasa.asked) == 1, "the dialogue is told")
    place = rasa.asked[0][2]["location"]
    assert (place["latitude"], place["longitude"]) == (45.4215, -75.6972)


async def test_history_comes_in_pieces_the_newest_first(site: Site, rasa: FakeRasa) -> None:
    for number in range(8):
        await site.say(token(), f"m{number}", f"c{number}")
    await until(lambda: len(rasa.asked) == 8, "all are asked")
    newest = await site.read(token(), lambda e: settled(e) and e[-1][1]["seq"] == 17, "events?last=3")
    assert len(said(newest)) == 3
    first = next(data["seq"] for name, data in newest if name == "entry")
    older = (await site.call("GET", f"entries?before={first}", token())).json()["entries"]
    assert [entry["seq"] for entry in older] == list(range(1, first))
    for wrong in ("events?last=0", "events?last=x", "entries?before=0", "entries", "events?after=-1"):
        assert (await site.call("GET", wrong, token())).status_code == 400


async def test_pages_and_script_are_strict_and_small(site: Site) -> None:
    for path in ("/", "/c/CL-1042", "/c/CL-1042/2", "/widget"):
        page = await site.http.get(path)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "<style" not in page.text
        assert "style=" not in page.text
    for path in ("/c/%3Cscript%3E", "/c/CL-1042/0", "/c/CL-1042/x", "/c/" + "x" * 100):
        assert (await site.http.get(path)).status_code == 404
    script = await site.http.get("/widget/chargeline-chat.js")
    assert int(script.headers["content-length"]) <= 20 * 1024
    assert script.headers["content-encoding"] == "gzip"
    again = await site.http.get("/widget/chargeline-chat.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304
    assert EMBED not in script.text
