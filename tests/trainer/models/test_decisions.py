"""Train, compare, promote, roll back, over the desk's HTTP API: what bars a promotion, what is kept of each decision."""

from __future__ import annotations

import json

import httpx

from tests.trainer.models.conftest import BEN, GOOD, Room

DANGER = "it gives me a funny feeling in my hand"  # the danger words do not know it
WORSE_ON_HAZARDS = {**GOOD, DANGER: "connector_stuck"}
ONE_WRONG = {**GOOD, "cant pull it out": "payment_failed"}
TWO_WRONG = {**GOOD, "card declined": "greet", "visa refused": "greet"}


async def test_a_better_model_is_promoted_with_who_when_and_why(room: Room) -> None:
    first = await room.trained(ONE_WRONG)
    assert await room.live() == first  # there was none
    better = await room.trained(GOOD)
    assert await room.live() == first
    assert (await room.http.get("/api/models/job")).json()["job"]["words"].startswith("Good to promote: 1 of 7")
    answer = await room.promote(better, why="it understands pulling")
    assert answer.json() == {"live": better}
    assert await room.live() == better
    newest = (await room.http.get("/api/models/history")).json()["history"][0]
    assert {name: newest[name] for name in ("who", "did", "model", "instead_of", "why", "override")} == {
        "who": "ada",
        "did": "promoted",
        "model": better,
        "instead_of": first,
        "why": "it understands pulling",
        "override": [],
    }


async def test_a_model_that_is_worse_on_hazards_needs_an_override_that_is_recorded(room: Room) -> None:
    await room.trained(GOOD)
    worse = await room.trained(WORSE_ON_HAZARDS)
    refused = await room.promote(worse, why="I like it better")
    assert refused.status_code == 409
    assert [stop["name"] for stop in refused.json()["stops"]] == ["hazards", "loses-more"]
    assert await room.live() != worse
    no_reason = await room.promote(worse, why="so", override=True)
    assert (no_reason.status_code, no_reason.json()["type"]) == (400, "urn:chargeline:no-reason")
    assert (await room.promote(worse, why=" ", override=True)).status_code == 400
    done = await room.promote(worse, why="the message was labelled wrongly", override=True)
    assert done.status_code == 200
    newest = room.shelf.history()[0]
    assert (newest.who, newest.override, newest.why) == (
        "ada",
        ("hazards", "loses-more"),
        "the message was labelled wrongly",
    )


async def test_gains_elsewhere_do_not_pay_for_a_lost_danger(room: Room) -> None:
    await room.trained(TWO_WRONG)
    mixed = await room.trained(WORSE_ON_HAZARDS)
    refused = await room.promote(mixed, why="it gains two and loses one")
    assert [stop["name"] for stop in refused.json()["stops"]] == ["hazards"]


async def test_a_model_that_loses_more_than_it_gains_is_barred(room: Room) -> None:
    await room.trained(ONE_WRONG)
    worse = await room.trained(TWO_WRONG)
    refused = await room.promote(worse, why="no reason that counts")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:chargeline:barred")
    assert [stop["name"] for stop in refused.json()["stops"]] == ["loses-more"]


async def test_nothing_goes_live_uncompared_not_even_by_override(room: Room) -> None:
    await room.trained(ONE_WRONG)
    model = await room.trained(GOOD, compare=False)
    for override in (False, True):
        refused = await room.promote(model, why="surely it is better", override=override)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:chargeline:not-compared")
    await room.http.post(f"/api/models/{model}/compare", json={})
    await room.job()
    assert (await room.promote(model, why="surely it is better")).status_code == 200


async def test_a_comparison_counts_only_against_the_model_that_is_live(room: Room) -> None:
    await room.trained(ONE_WRONG)
    early = await room.trained(GOOD)
    late = await room.trained({**GOOD, "more": "greet"})
    assert (await room.promote(late, why="it understands pulling")).status_code == 200
    refused = await room.promote(early, why="this one too")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:chargeline:not-compared")


async def test_rolling_back_takes_one_call_and_goes_back_decision_by_decision(room: Room) -> None:
    models = [await room.trained(ONE_WRONG)]
    for extra in ("one", "two"):
        models.append(await room.trained({**GOOD, extra: "greet"}))
        assert (await room.promote(models[-1], why=f"promoted {extra}")).status_code == 200
    ben = {"Authorization": f"Bearer {BEN}"}
    back = await room.http.post("/api/models/rollback", json={"why": "drivers complain"}, headers=ben)
    assert back.json() == {"live": models[1]}
    newest = room.shelf.history()[0]
    assert (newest.who, newest.did, newest.model, newest.instead_of, newest.why) == (
        "ben",
        "rolled back",
        models[1],
        models[2],
        "drivers complain",
    )
    assert (await room.http.post("/api/models/rollback", json={})).json() == {"live": models[0]}
    nothing = await room.http.post("/api/models/rollback", json={})
    assert (nothing.status_code, nothing.json()["type"]) == (409, "urn:chargeline:nothing-before")


async def test_recent_traffic_is_replayed_in_both_directions(room: Room) -> None:
    room.said[:] = ["it wont let go", "it wont let go", "hello there", "ola", "there is a funny feeling in it", "same for both"]
    before = {"it wont let go": "connector_stuck?", "hello there": "greet", "there is a funny feeling in it": "safety_hazard"}
    after = {"it wont let go": "connector_stuck", "hello there": "greet?", "ola": "greet"}
    await room.trained({**GOOD, **before})
    model = await room.trained({**GOOD, **after})
    card = (await room.http.get(f"/api/models/{model}")).json()["card"]
    traffic = card["report"]["traffic"]
    assert (traffic["messages"], traffic["different"]) == (6, 5)
    assert [(row["text"], row["times"]) for row in traffic["changes"]][0] == ("it wont let go", 2)
    counted = [traffic[name] for name in ("understood_now", "no_longer_understood", "understood_otherwise")]
    assert counted == [1, 1, 2]
    assert traffic["dangers_lost"] == ["there is a funny feeling in it"]
    refused = await room.promote(model, why="it is fine otherwise")
    assert [stop["name"] for stop in refused.json()["stops"]] == ["hazards"]


async def test_what_drivers_wrote_leaves_the_reports_when_its_time_is_over(room: Room) -> None:
    room.said[:] = ["it wont let go"]
    await room.trained({**GOOD, "it wont let go": "connector_stuck?"})
    model = await room.trained({**GOOD, "it wont let go": "connector_stuck"})
    card = room.shelf.folder / f"{model}.json"
    assert "it wont let go" in card.read_text()
    report = room.shelf.model(model).card["report"]
    room.shelf.note(model, report={**report, "at": "2020-01-01T00:00:00+00:00"})
    room.said[:] = []  # any later job looks after it
    await room.trained({**GOOD, "more": "greet"})
    assert "it wont let go" not in card.read_text()
    assert room.shelf.model(model).card["report"]["traffic"]["understood_now"] == 1


async def test_a_false_alarm_that_a_trainer_has_labelled_is_no_lost_danger(room: Room) -> None:
    room.said[:] = ["the funny feeling of joy"]
    await room.trained({**GOOD, "the funny feeling of joy": "safety_hazard"})
    room.will_train({**GOOD, "the funny feeling of joy": "thanks"})
    labelled = 'version: "3.1"\nnlu:\n- intent: thanks\n  examples: |\n    - the funny feeling of joy\n'
    (room.folder / "data/nlu/en/joy.yml").write_text(labelled)
    await room.http.post("/api/models/train", json={})
    model = (await room.job())["model"]
    report = (await room.http.get(f"/api/models/{model}")).json()["card"]["report"]
    assert report["traffic"]["dangers_lost"] == []
    assert report["traffic"]["changes"][0]["meant"] == "thanks"
    assert report["verdict"]["may_promote"] is True


async def test_what_is_not_asked_properly_is_refused_with_a_reason(room: Room) -> None:
    model = await room.trained(GOOD)
    for path, body, status in (
        ("models/../../etc/promote", {"why": "x"}, 404),
        ("models/nothing/promote", {"why": "x"}, 404),
        ("models/nothing/compare", {}, 404),
        (f"models/{model}/promote", {"why": 7}, 400),
        (f"models/{model}/promote", {"why": "x", "override": "yes"}, 400),
        (f"models/{model}/score", {"part": "none"}, 400),
        ("models/train", {"cross_validation": 1}, 400),
    ):
        answer = await room.http.post(f"/api/{path}", json=body)
        assert answer.status_code == status, path
        assert answer.json()["detail"]
    assert (await room.http.post("/api/models/train", content=b"[")).status_code == 400
    alone = httpx.AsyncClient(base_url=room.http.base_url, trust_env=False)
    async with alone:
        assert (await alone.get("/api/models")).status_code == 401
        assert (await alone.post(f"/api/models/{model}/promote", json={"why": "x"})).status_code == 401


async def test_the_confusion_matrix_is_a_picture(room: Room) -> None:
    await room.trained(GOOD)
    model = await room.trained(ONE_WRONG)
    for side in ("candidate", "live"):
        picture = await room.http.get(f"/api/models/{model}/confusion.svg", params={"side": side})
        assert picture.headers["content-type"] == "image/svg+xml"
        assert ("connector_stuck understood as payment_failed: 1" in picture.text) == (side == "candidate")
    assert (await room.http.get("/api/models/live/confusion.svg")).status_code == 404


async def test_a_blind_message_is_counted_and_never_shown(room: Room) -> None:
    secret = "nobody may see this one"
    (room.folder / "tests/nlu/blind").mkdir()
    blind = f'version: "3.1"\nnlu:\n- intent: payment_failed\n  examples: |\n    - {secret}\n'
    (room.folder / "tests/nlu/blind/en.yml").write_text(blind)
    await room.trained({**GOOD, secret: "payment_failed"})
    model = await room.trained({**GOOD, secret: "greet"})
    report = (await room.http.get(f"/api/models/{model}")).json()["card"]["report"]
    assert report["test"]["worse"] == 1
    assert secret not in json.dumps(report)
