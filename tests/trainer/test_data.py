"""Looking after the data through the desk: counts, what is wrong with it, changes of single examples, two trainers at one file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.trainer.corpus.validating import what_it_says
from tests.trainer.world import World, world


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world(tmp_path, monkeypatch) as there:
        yield there


async def found(desk: World) -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in (await desk.http.get("data/health")).json()["findings"]}


async def test_each_kind_of_trouble_is_found_with_the_examples_it_is_about(desk: World) -> None:
    assert set(await found(desk)) == {"thin"}
    path = desk.folder / "data/nlu/en/payment.yml"
    path.write_text(
        desk.data().replace("      - card declined\n", "      - card declined\n      - CARD declined!\n      - hello\n")
        + "  - intent: greet\n    examples: |\n"
        + "".join(f"      - hey zorp {word}\n" for word in ("you", "there", "all", "now"))
        + "      - at 10[42](charger_id)\n      - see [1042](connector)\n      forgotten dash\n"
    )
    tests = desk.folder / "tests/nlu/dev/en.yml"
    tests.parent.mkdir(parents=True)
    tests.write_text("nlu:\n- intent: rfid_failed\n  examples: |\n    - My FOB does nothing\n    - hi\n")
    (desk.folder / "data/nlu/es/broken.yml").write_text("nlu:\n  - intent: greet\n   examples: |\n")
    health = await found(desk)
    assert {row["intent"] for row in health["contradictions"]["items"][0]["rows"]} == {"greet", "payment_failed"}
    assert health["contradictions"]["count"] == 1
    assert health["repeated"]["items"][0]["rows"][1]["text"] == "CARD declined!"
    assert health["leaks"]["count"] == 1
    assert "tests/nlu/dev/en.yml, line 4" in health["leaks"]["items"][0]["note"]
    assert [one["note"] for one in health["spans"]["items"]] == [
        "“42” cuts a word in two",
        "“connector” is no entity that the bot knows",
    ]
    assert "“zorp” (en): 4 examples, all greet" in [one["note"] for one in health["only_here"]["items"]]
    assert health["broken"]["items"][0]["note"].startswith("es/broken.yml, line 3: ")
    assert "forgotten dash" in health["passed_over"]["items"][0]["note"]
    overview = (await desk.http.get("data")).json()
    assert overview["broken"][0]["line"] == 3
    counts = {one["name"]: one["counts"] for one in overview["intents"]}
    assert counts["greet"] == {"en": 9, "es": 1}
    assert "nlu_fallback" not in counts


async def test_texts_of_one_sense_and_two_labels_come_from_the_language_model(desk: World) -> None:
    rows = (await desk.http.get("data/examples")).json()["examples"]
    place = {row["text"]: number for number, row in enumerate(rows)}
    desk.model.alike = [(place["hi"], place["no"], 0.98), (place["hi"], place["hello"], 0.99)]
    finding = (await desk.http.get("data/health", params={"alike": "1"})).json()["alike"]["finding"]
    assert (finding["count"], finding["items"][0]["note"]) == (1, "98% alike")
    desk.model.away = "away"
    assert (await desk.http.get("data/health", params={"alike": "1"})).json()["alike"] == {"away": "away"}


async def test_examples_are_found_moved_reworded_removed_and_all_of_it_undone(desk: World) -> None:
    before = {name: desk.data(name) for name in ("en/talk.yml", "en/payment.yml")}
    (row,) = (await desk.http.get("data/examples", params={"q": "HELLO"})).json()["examples"]
    place = {key: row[key] for key in ("file", "intent", "line")}
    steps = [
        await desk.http.post("data/move", json={**place, "to": "deny"}),
        await desk.http.post("data/reword", json={**place, "intent": "deny", "text": "hello no"}),
        await desk.ben.post("data/remove", json={**place, "intent": "deny", "line": "hello no"}),
        await desk.ben.post("data/add", json={"language": "es", "intent": "deny", "text": "que no"}),
    ]
    assert [step.status_code for step in steps] == [200] * 4
    assert desk.data("es/from_the_desk.yml").endswith("  - intent: deny\n    examples: |\n      - que no\n")
    history = (await desk.http.get("data/history")).json()["decisions"]
    assert [(one["trainer"], one["what"]) for one in reversed(history)] == [
        *(("ada", "moved"), ("ada", "reworded"), ("ben", "removed"), ("ben", "added"))
    ]
    for one in history:
        assert (await desk.http.post("data/undo", json={"decision": one["id"]})).status_code == 200
    assert {name: desk.data(name) for name in before} == before
    assert not (desk.folder / "data/nlu/es/from_the_desk.yml").exists()


async def test_a_trainer_who_is_late_is_told_and_nothing_is_lost(desk: World) -> None:
    place = {"file": "en/talk.yml", "intent": "greet", "line": "hello"}
    assert (await desk.http.post("data/reword", json={**place, "text": "hello there"})).status_code == 200
    now = desk.data("en/talk.yml")
    late = await desk.ben.post("data/reword", json={**place, "text": "hello you"})
    assert late.status_code == 409
    assert "Somebody has changed it meanwhile" in late.json()["detail"]
    assert desk.data("en/talk.yml") == now


async def test_a_broken_file_is_never_written(desk: World) -> None:
    path = desk.folder / "data/nlu/en/talk.yml"
    broken = path.read_text().replace("  - intent: deny", "  -- intent: deny")
    path.write_text(broken)
    answer = await desk.http.post("data/remove", json={"file": "en/talk.yml", "intent": "greet", "line": "hi"})
    assert answer.status_code == 409
    assert "line 9" in answer.json()["detail"]
    assert path.read_text() == broken


def test_rasas_report_becomes_sentences() -> None:
    output = (
        "\x1b[94m2026-01-01 INFO  rasa.validator  - Validating intents...\x1b[0m\n"
        "/x/rasa/shared/utils/io.py:99: UserWarning: The intent 'greet' is listed in the domain file, but is not found.\n"
        "  rasa.shared.utils.io.raise_warning(\n"
        "/x/y.py:1: DeprecationWarning: pkg_resources is deprecated\n"
        "2026-01-01 ERROR  rasa.cli.data  - Project validation completed with errors.\n"
    )
    assert what_it_says(output, failed=True) == [
        "The intent 'greet' is listed in the domain file, but is not found.",
        "Project validation completed with errors.",
    ]
    assert what_it_says("rasa.shared.exceptions.YamlSyntaxException: Failed to read 'x'\n", failed=True) == [
        "Failed to read 'x'"
    ]
    assert what_it_says("it just stopped\n", failed=True) == ["it just stopped"]
