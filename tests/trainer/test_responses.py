"""What the bot says, reworded by trainers: one place changes, values stay fillable, languages are complete, nobody is overwritten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.trainer.corpus.nlufile import NotEditable, NotHere
from bot.trainer.responses.words import NotSayable, Words
from tests.trainer.world import World, world

EN = """\
version: "3.1"
# At most two sentences.
texts:
  say_hi:   # first
    - text: "Hi! Tell me what {charger} is doing."
  say_bye:
    - text: 'It''s done.'

  # money
  say_cost:
    - text: >-
        It was {cost}
        in all.
    - channel: sms
      text: plain {cost}
  say_last:
    - text: |
        The last one.
"""
ES = 'version: "3.1"\ntexts:\n  say_hi:\n    - text: "Hola. Dime qué hace {charger}."\n  say_last:\n    - text: "Último."'


def words_in(folder: Path, en: str = EN, es: str = ES) -> Words:
    root = folder / "domain" / "responses"
    root.mkdir(parents=True, exist_ok=True)
    (root / "en.yml").write_bytes(en.encode())
    (root / "es.yml").write_bytes(es.encode())
    return Words(folder)


TEXTS = st.text(st.sampled_from([*"abcé '\"#:|>-[](){}&*!%@`\\\n\t1"]) | st.characters(codec="utf-8"), max_size=40)
PLACES = [("en", "say_hi", ""), ("en", "say_bye", ""), ("en", "say_cost", ""), ("en", "say_cost", "sms")]
PLACES += [("en", "say_last", ""), ("en", "say_last", "web"), ("es", "say_hi", ""), ("es", "say_cost", "")]
PLACES += [("es", "say_cost", "sms"), ("es", "say_bye", ""), ("es", "say_last", "whatsapp")]


def texts_of(words: Words) -> dict[tuple[str, str, str], str]:
    return {
        (language, row["name"], "" if channel == "all" else channel): cell["text"]
        for row in words.overview()["responses"]
        for language, cells in row["texts"].items()
        for channel, cell in cells.items()
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ends=st.sampled_from(["\n", "\r\n"]),
    edits=st.lists(st.tuples(st.sampled_from(PLACES), TEXTS), max_size=6),
)
def test_any_rewording_changes_its_own_text_only_and_undo_leaves_no_trace(
    tmp_path: Path, ends: str, edits: list[tuple[tuple[str, str, str], str]]
) -> None:
    words = words_in(tmp_path, EN.replace("\n", ends), ES.replace("\n", ends))
    before = {path.name: path.read_bytes() for path in words.root.iterdir()}
    done: list[dict[str, Any]] = []
    for place, text in edits:
        said = texts_of(words)
        try:
            change = words.reword(*place, said.get(place), text)
        except (NotSayable, NotEditable):
            assert texts_of(words) == said
            continue
        done.append(change.as_json())
        assert texts_of(words) == {**said, place: text}
        kept = (words.root / "en.yml").read_text()
        assert all(comment in kept for comment in ("# At most two sentences.", "say_hi:   # first", "  # money"))
    words.undo(done)
    assert {path.name: path.read_bytes() for path in words.root.iterdir()} == before


def test_a_rewording_is_one_changed_line(tmp_path: Path) -> None:
    words = words_in(tmp_path)
    words.reword("en", "say_hi", "", "Hi! Tell me what {charger} is doing.", 'Hi "there"!')
    line = '    - text: "Hi! Tell me what {charger} is doing."'
    assert (words.root / "en.yml").read_text() == EN.replace(line, '    - text: "Hi \\"there\\"!"')


def test_a_missing_translation_is_shown_and_goes_where_english_has_it(tmp_path: Path) -> None:
    words = words_in(tmp_path)
    missing = {row["name"]: row["missing"] for row in words.overview()["responses"]}
    assert missing == {"say_hi": [], "say_bye": ["es"], "say_cost": ["es"], "say_last": []}
    words.reword("es", "say_bye", "", None, "Ya está.")
    assert '{charger}."\n  say_bye:\n    - text: "Ya está."\n  say_last:' in (words.root / "es.yml").read_text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "needs words"),
        ("about {cost}", "{cost} is not filled in here; what can be used: {charger}"),
        ("about {charger", "braces"),
        ("x" * 1001, "1000"),
        ("bell \x07", "cannot be shown"),
    ],
)
def test_a_text_that_would_break_when_it_is_said_is_refused(tmp_path: Path, text: str, why: str) -> None:
    words = words_in(tmp_path)
    with pytest.raises(NotSayable, match=why.replace("{", r"\{").replace("}", r"\}")):
        words.reword("en", "say_hi", "", "Hi! Tell me what {charger} is doing.", text)
    assert (words.root / "en.yml").read_text() == EN


def test_who_comes_late_is_told(tmp_path: Path) -> None:
    words = words_in(tmp_path)
    words.reword("en", "say_bye", "", "It's done.", "Done.")
    with pytest.raises(NotHere):
        words.reword("en", "say_bye", "", "It's done.", "Finished.")
    words.reword("en", "say_bye", "sms", None, "Ok.")
    with pytest.raises(NotHere):
        words.reword("en", "say_bye", "sms", None, "Okay.")


def test_a_broken_file_is_told_and_left_alone(tmp_path: Path) -> None:
    words = words_in(tmp_path, es=ES.replace("  say_last:", " say_last:"))
    (broken,) = words.overview()["broken"]
    assert (broken["file"], broken["line"]) == ("es.yml", 5)
    assert broken["reason"]


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world(tmp_path, monkeypatch) as there:
        words_in(there.folder)
        yield there


async def test_segments_are_counted_and_what_to_mind_is_said(desk: World) -> None:
    told = (await desk.http.post("responses/preview", json={"text": "Así está {charger}", "language": "es"})).json()
    assert (told["web"], told["sms"], told["segments"], told["encoding"]) == (
        "Así está 1042",
        "Asi esta 1042",
        1,
        "GSM-7",
    )
    told = (await desk.http.post("responses/preview", json={"text": "😀" * 80 + " STOP", "language": "en"})).json()
    assert told["segments"] == 3
    assert len(told["mind"]) == 3


async def test_on_the_web_a_text_reads_as_it_is_said_there(desk: World) -> None:
    path = desk.folder / "domain/responses/en.yml"
    path.write_text(EN.replace("texts:", "words:\n  web: {text: write}\ntexts:", 1))
    told = (await desk.http.post("responses/preview", json={"text": "Text me.", "language": "en"})).json()
    assert (told["sms"], told["web"]) == ("Text me.", "Write me.")
    body = {"text": "Text me.", "language": "en", "channel": "web"}
    assert (await desk.http.post("responses/preview", json=body)).json()["web"] == "Text me."


async def test_a_rewording_is_kept_with_its_trainer_and_can_be_undone(desk: World) -> None:
    body = {"language": "en", "name": "say_bye", "channel": "", "old": "It's done.", "text": "Done."}
    told = (await desk.ben.post("responses/reword", json=body)).json()
    (decision,) = (await desk.http.get("data/history")).json()["decisions"]
    assert (decision["trainer"], decision["what"], decision["summary"]) == (
        "ben",
        "response",
        "Reworded say_bye (en): Done.",
    )
    assert (await desk.http.post("responses/reword", json=body)).status_code == 409
    assert (await desk.http.post("data/undo", json={"decision": told["decision"]})).status_code == 200
    assert (desk.folder / "domain/responses/en.yml").read_text() == EN
